//! Somebody who has never seen it starts `drbot rehearse`, opens the page, and reads nothing but what it says: breaks the
//! database with the panel, restores it by `/restore-db`, approves as somebody else. On a real range; the judge is PostgreSQL.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::support::{
    browser::{
        Browser, DESK,
        keys::{ENTER, ESCAPE},
    },
    range::{Range, free_port},
    until,
};

struct Rehearsal {
    url: String,
    _folder: tempfile::TempDir,
    _process: Child,
}

impl Rehearsal {
    /// As `make rehearse` starts it, and as it is when the page can be used.
    async fn start(range: &Range) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_drbot"))
            .args(["rehearse", "--listen", &format!("127.0.0.1:{port}")])
            .env_clear()
            .envs(range.variables())
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", std::env::var("HOME").unwrap_or_default())
            .env("DRBOT_CONFIG", env!("CARGO_MANIFEST_DIR"))
            .env("DRBOT_DATA", folder.path().join("data"))
            .env("DRBOT_LISTEN", format!("127.0.0.1:{}", range.alerts_port))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let rehearsal = Self { url: format!("http://127.0.0.1:{port}"), _folder: folder, _process: process };
        until("the rehearsal with drbot in it", async || {
            let state = reqwest::get(format!("{}/rehearsal/api/state", rehearsal.url)).await.ok()?;
            let state: Value = state.json().await.ok()?;
            (state["connected"] == json!(true)).then_some(())
        })
        .await;
        rehearsal
    }
}

/// A sum over the rows that the backup has, whatever the trading bot has written since.
fn rows(range: &Range) -> String {
    let sum = |table: &str| {
        range.sql(&format!(
            "SELECT count(*) || ':' || coalesce(sum(hashtext(t::text)::bigint), 0) FROM {table} t WHERE id <= 9000"
        ))
    };
    [sum("trades"), sum("orders")].join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_broken_and_restored_by_what_the_page_says() {
    let range = Range::up();
    let rehearsal = Rehearsal::start(&range).await;
    let browser = Browser::open(&rehearsal.url, DESK).await;
    let before = rows(&range);

    // The guide says what to do, in the words of the things that are there to press.
    browser.reads(".guide", "Open Break the range and press Break at Rows damaged").await;
    browser.reads(".guide", "type /restore-db and press Enter twice").await;
    browser.reads(".guide", "Become Omar").await;
    browser.pictured("first-hour-1-guide").await;
    browser.presses(".guide button", "Break the range").await;
    browser.reads("#panel [data-key=rows-damaged]", "Rows damaged").await;
    browser.presses("[data-tool=rows-damaged]", "Break").await;
    browser.reads(".run-state", "done").await;
    browser.pictured("first-hour-2-broken").await;
    assert_ne!(rows(&range), before, "the panel has broken nothing");
    browser.types(ESCAPE).await;
    browser.misses("#panel").await;

    browser.reads("#me-button", "Dana").await;
    browser.types("/restore-db").await;
    browser.reads("[role=option][aria-selected=true]", "/restore-db").await;
    browser.types(ENTER).await;
    browser.reads(".command-name", "/restore-db").await;
    browser.types(ENTER).await;
    browser.reads(".embed-title", "/restore-db").await;
    browser.sees(".components button").await;

    browser.presses("#me-button", "").await;
    browser.presses("[data-person=Omar]", "").await;
    browser.reads("#me-button", "Omar").await;
    browser.presses(".components button", "Approve").await;
    browser.sees("dialog input").await;
    // What is to be typed stands in the form.
    browser.reads("dialog", "trading_bot_prod").await;
    browser.pictured("first-hour-3-form").await;
    browser.types(format!("trading_bot_prod{ENTER}")).await;
    browser.misses("dialog").await;

    // The card comes to its end, and is green.
    browser.reads(".embed", "recovered in").await;
    browser.reads(".embed", "Done").await;
    let colour = "const card = [...document.querySelectorAll('.embed')].find((card) => card.innerText.includes('recovered in')); \
        const [, r, g, b] = /(\\d+), (\\d+), (\\d+)/.exec(getComputedStyle(card).borderInlineStartColor).map(Number); \
        return g > r && g > b";
    browser.holds("the card is green", colour, vec![]).await;
    browser.pictured("first-hour-4-done").await;

    assert_eq!(rows(&range), before, "every row that the backup has is back");
    let orphans = "SELECT count(*) FROM portfolio_positions p WHERE NOT EXISTS (SELECT FROM trades t WHERE t.id = p.last_trade_id)";
    assert_eq!(range.sql(orphans), "0");
    assert_eq!(range.sql("SHOW default_transaction_read_only"), "off", "writes are allowed again");
    assert_eq!(
        range.sql("SELECT count(*) FROM pg_database WHERE datname LIKE '%damaged%'"),
        "1",
        "the damaged one is kept"
    );
    assert_eq!(range.bot("/health").await["status"], "healthy");
    assert_eq!(range.bot("/status/trading").await["trading"], "halted", "resuming is a person's decision");
    browser.is_whole().await;
    browser.closes().await;
}
