//! An incident as people see it on the page: its post with the clock, its thread, the picture at its end; and the contacts,
//! which a whole channel sees without their numbers.

use serde_json::json;

use crate::support::{
    alarm::{TOKEN, database_down},
    bot::Bot,
    browser::{
        Browser, DESK, PHONE,
        keys::{ENTER, TAB},
    },
    stage::Stage,
    until,
};

/// A picture that was loaded and is drawn.
const IS_DRAWN: &str = "const picture = [...document.querySelectorAll('#log .picture img')].at(-1); \
    picture?.scrollIntoView(); return Boolean(picture?.complete && picture.naturalWidth > 0 && picture.clientWidth > 100)";

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_had_noted_closed_and_seen() {
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage).with("ALERTS_TOKEN", TOKEN);
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    until("the listener", async || bot.log().contains("figures are served").then_some(())).await;
    let browser = Browser::open(&stage.url(), DESK).await;
    database_down(&bot, "prod").await;

    // The post: what it is, how it is known, what is left, and what can be done.
    browser.reads(".embed-title", "Database corruption").await;
    let beginning = browser.script("return document.querySelector('#beginning').textContent", vec![]).await;
    assert!(beginning.as_str().unwrap().ends_with("Where incidents are worked on."), "{beginning}");
    browser.reads(".embed", "left of 30 min").await;
    browser.reads(".embed", "The database is not reachable.").await;
    for label in ["Acknowledge", "Not now", "/restore-db", "Close"] {
        browser.reads(".components button", label).await;
    }
    browser.pictured("incident-1-post").await;
    browser.presses(".components button", "Acknowledge").await;
    browser.reads(".embed", "Dana has it").await;
    browser.reads(".components button", "Still on it").await;

    // Its thread, and a note into its timeline.
    browser.presses(".thread-chip", "").await;
    browser.reads(".place-name", "Database corruption").await;
    browser.reads("#log", "Dana has it").await;
    browser.types("/note ").await;
    browser.sees("[data-option=text]").await;
    browser.types(format!("the disk of the database is full{ENTER}")).await;
    browser.reads("#log", "📝 Dana: the disk of the database is full").await;
    browser.pictured("incident-2-thread").await;

    // Closed with a reason; the picture of all of it is in the thread.
    browser.types("/incident close ").await;
    browser.reads("[role=option]", "reason").await;
    browser.types(format!("reason{TAB}")).await;
    browser.sees("[data-option=reason]").await;
    browser.types(format!("it was a drill{ENTER}")).await;
    browser.reads("#log", "🏁 Dana closed it").await;
    browser.reads("#log", "it was a drill").await;
    browser.holds("the picture is drawn", IS_DRAWN, vec![]).await;
    browser.pictured("incident-3-closed").await;

    // Whom to call, asked in the thread: all see it, nobody sees a number.
    browser.types(format!("/contacts list {TAB}")).await;
    browser.sees("[data-option=share]").await;
    browser.types(format!("true{ENTER}")).await;
    browser.types(ENTER).await;
    browser.reads(".embed-title", "Contacts").await;
    browser.reads(".embed", "+1-5••-•••-••11").await;
    let whole = "return document.body.innerText.includes('010-01') || document.body.innerText.includes('dba@antbot')";
    assert_eq!(browser.script(whole, vec![]).await, json!(false));
    browser.pictured("incident-4-contacts").await;
    browser.is_whole().await;
    browser.closes().await;

    // The same in a hand.
    let phone = Browser::open(&stage.url(), PHONE).await;
    phone.reads(".embed", "it was a drill").await;
    phone.pictured("incident-5-phone-post").await;
    phone.presses(".thread-chip", "").await;
    phone.reads("#log", "📝 Dana: the disk of the database is full").await;
    phone.holds("the picture is drawn", IS_DRAWN, vec![]).await;
    phone.pictured("incident-6-phone-closed").await;
    phone.reads(".embed", "+1-5••-•••-••11").await;
    phone.is_whole().await;
    phone.closes().await;
    bot.terminate().await;
}
