//! What is found to be taken back, however much was asked for since.

use drbot::{config::settings::Target, engine::Submitted, run::outcome::Outcome, runbook::definition::Risk};
use futures::future::join_all;

use super::faults::in_the_file;
use crate::support::{
    commands::{approved, command, once, read},
    house::{House, dana, omar},
};

/// As many as nobody would look through.
const LOOKS: usize = 210;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_found_behind_all_that_changed_nothing_and_no_journal_is_read_twice_for_it() {
    let mut status = command("status", vec![read("look")]);
    status.risk = Risk::Read;
    let mut back = command("back", vec![once("swap_back")]);
    back.undoes = Some("restore".to_owned());
    let denied = approved(command("denied", vec![once("b")]), None, "b");
    let mut commands = [command("restore", vec![once("swap")]), back, denied, status];
    for command in &mut commands {
        command.target = Some("prod".to_owned());
    }
    let mut house = House::new(commands);
    let target: Target = serde_json::from_value(serde_json::json!({ "api": "http://127.0.0.1:9" })).unwrap();
    house.configuration.settings.target.insert("prod".to_owned(), target);
    let bot = house.start().await;
    let restored = bot.run("restore").await;
    bot.ends(restored, Outcome::Succeeded).await;
    let refused = bot.run("denied").await;
    let token = bot.call_for_approval(refused).await;
    bot.0.deny(refused, &omar(), &token, "not now").await.unwrap();
    bot.ends(refused, Outcome::Refused).await;
    let looks = join_all((0..LOOKS).map(|_| bot.run("status"))).await;
    join_all(looks.iter().map(|look| bot.ends(*look, Outcome::Succeeded))).await;
    let found = async || {
        let found = bot.0.may_be_undone(&dana()).await.unwrap();
        found.into_iter().map(|state| state.id).collect::<Vec<_>>()
    };
    assert_eq!(found().await, [restored]);
    // None of them is looked at any more: it could not be read.
    let broken = format!("UPDATE journal SET event = '{{}}' WHERE run <> '{restored}'");
    in_the_file(house.folder.path(), &broken).await;
    assert_eq!(found().await, [restored]);
    match bot.0.undo_run(Some(&restored.short()), &dana(), "undo".to_owned()).await.unwrap() {
        (Submitted::Started(undoing), _) => drop(bot.ends(undoing, Outcome::Succeeded).await),
        other => panic!("{other:?}"),
    }
    assert_eq!(found().await, [], "what is taken back is not offered again");
}
