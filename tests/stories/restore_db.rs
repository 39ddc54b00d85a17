//! `/restore-db`, from the slash command to the verified end, against a real PostgreSQL that is really broken.

use drbot::{
    fingerprint::Kind,
    run::{
        event::Event,
        outcome::Outcome,
        state::{ApprovalState, State, Status},
    },
};
use serde_json::json;

use crate::support::{bot::Bot, range::Range, stage::Stage, until};

/// Everything that a good end means, whatever was broken.
async fn assert_recovered(range: &Range, state: &State) {
    let finished = state.finished.as_ref().unwrap();
    assert!(finished.outcome.is_success(), "{finished:?}");
    assert!(state.recovered_at.is_some(), "recovery was not verified");
    assert_eq!(range.bot("/status/trading").await["trading"], "halted", "trading must stay halted");
    assert_eq!(range.bot("/health").await["status"], "healthy");
    assert_eq!(range.sql("SHOW default_transaction_read_only"), "off", "writes are allowed again");
    let verified = &state.step("verify").unwrap().outputs;
    assert_eq!(json!(range.sql("SELECT count(*) FROM trades").parse::<i64>().unwrap()), trades(range, verified));
    assert_eq!(leftovers(range), "", "one-shot containers are left behind");
}

fn trades(range: &Range, verified: &serde_json::Map<String, serde_json::Value>) -> serde_json::Value {
    let file = verified["backup"].as_str().unwrap();
    let manifest = std::fs::read_to_string(range.backups.join(format!("{file}.manifest.json"))).unwrap();
    serde_json::from_str::<serde_json::Value>(&manifest).unwrap()["tables"]["public.trades"].clone()
}

/// One-shot containers of drbot's that still exist. (A fresh server is no one-shot: it has taken the server's name.)
fn leftovers(range: &Range) -> String {
    let all = range.docker(&[
        "ps",
        "-a",
        "--filter",
        "label=drbot.run",
        "--format",
        "{{.Names}} {{.Label \"drbot.project\"}}",
    ]);
    let ours = all.lines().filter(|line| line.ends_with(&range.project));
    ours.filter(|line| !line.starts_with(&range.container("trading-postgres"))).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_rows_are_restored_by_two_people() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    range.breaks("rows-damaged");
    let dana = stage.person("Dana");
    let omar = stage.person("Omar");

    dana.hears("restore-db", json!({})).await;
    // The one who asked never approves, and neither does somebody without the role.
    let own = dana.clicks("restore-db", "Approve").await;
    assert!(own["modal"].is_null(), "{own}");
    let gil = stage.person("Gil").clicks("restore-db", "Approve").await;
    assert!(gil["modal"].is_null(), "{gil}");
    // A wrong name is no approval.
    let form = omar.clicks("restore-db", "Approve").await;
    let said = omar.fills(&form["modal"], "trading_bot_test").await;
    assert!(said.contains("trading_bot_prod"), "{said}");
    assert!(matches!(State::replay(&bot.journal("restore-db").await).unwrap().approval, ApprovalState::Pending { .. }));
    omar.approves("restore-db").await;

    let state = bot.finished("restore-db").await;
    assert_recovered(&range, &state).await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Succeeded);
    // The damaged database is kept, and the loss is measured.
    let kept = state.step("swap").unwrap().outputs["kept"].as_str().unwrap().to_owned();
    assert_eq!(range.sql(&format!("SELECT count(*) FROM pg_database WHERE datname = '{kept}'")), "1");
    let loss = &state.step("loss").unwrap().outputs;
    assert!(loss["seconds"].is_number() && loss["rows"].is_number(), "{loss:?}");
    // No trade was inserted after the swap: the newest is older than the halt.
    let card = stage.shows("restore-db", "halted").await;
    assert!(!card["embeds"][0].to_string().contains("rehearsal-"), "no secret on the card");
    assert_eq!(bot.terminate().await.code(), Some(0));
    assert!(!bot.log().contains("rehearsal-db-password"), "no secret in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_forgets_its_halt_cannot_trade_after_the_swap() {
    let range = Range::up_with(&[("RANGE_FORGET_HALT", "1")]);
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    range.breaks("table-dropped");
    stage.person("Dana").hears("restore-db", json!({})).await;
    stage.person("Lena").approves("restore-db").await;
    let state = bot.finished("restore-db").await;
    assert_recovered(&range, &state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_start_is_replaced_by_a_fresh_one() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    let volume =
        range.docker(&["inspect", "-f", "{{range .Mounts}}{{.Name}} {{end}}", &range.container("trading-postgres")]);
    range.breaks("data-directory-unusable");
    stage.person("Dana").hears("restore-db", json!({})).await;
    stage.person("Omar").approves("restore-db").await;
    let state = bot.finished("restore-db").await;
    assert_recovered(&range, &state).await;
    let now =
        range.docker(&["inspect", "-f", "{{range .Mounts}}{{.Name}} {{end}}", &range.container("trading-postgres")]);
    assert_ne!(volume, now, "the fresh server has a volume of its own");
    let cluster = range.sql("SELECT system_identifier FROM pg_control_system()");
    let recorded = bot.store().await.fingerprint("prod").await.unwrap();
    let recorded = recorded.iter().find(|recorded| recorded.part.kind == Kind::Postgres).unwrap();
    assert_eq!(recorded.part.value, cluster, "the server that was put in place is the recorded one: {recorded:?}");
    for name in volume.split_whitespace() {
        range.docker(&["volume", "inspect", name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_off_backup_is_refused_and_nothing_is_touched() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    let names: Vec<_> = std::fs::read_dir(&range.backups).unwrap().map(|entry| entry.unwrap().path()).collect();
    let dump = names.iter().find(|path| path.extension().is_some_and(|end| end == "dump")).unwrap();
    let whole = std::fs::metadata(dump).unwrap().len();
    std::fs::File::options().write(true).open(dump).unwrap().set_len(whole / 2).unwrap();
    range.docker(&["stop", &range.container("trading-bot")]);
    let before = range.checksum();
    let name = dump.file_name().unwrap().to_str().unwrap();
    stage.person("Dana").hears("restore-db", json!({ "backup": name })).await;
    let state = bot.finished("restore-db").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Refused);
    assert_eq!(range.checksum(), before);
    stage.shows("restore-db", "size").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_is_refused_before_anything_happens() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    let dana = stage.person("Dana");
    for name in ["../../etc/passwd", "/etc/passwd", "nothing.dump", "trading_bot_prod.dump\n", "@everyone"] {
        let said = dana.hears("restore-db", json!({ "backup": name })).await;
        assert!(said.contains(".dump"), "the answer names backups that exist: {said}");
        assert!(!said.contains("@everyone"), "{said}");
    }
    let gil = stage.person("Gil").hears("restore-db", json!({})).await;
    assert!(gil.contains("operator"), "{gil}");
    assert!(bot.journal("restore-db").await.is_empty());
    assert!(range.requests().iter().all(|request| !request.contains("halt")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_restore_leaves_everything_as_it_was() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    range.docker(&["stop", &range.container("trading-bot")]);
    let before = range.checksum();
    stage.person("Dana").hears("restore-db", json!({})).await;
    // A second restore of the same database is told who holds it.
    let second = stage.person("Lena").hears("restore-db", json!({})).await;
    assert!(second.contains("Dana"), "{second}");
    let omar = stage.person("Omar");
    let form = omar.clicks("restore-db", "Deny").await;
    omar.fills(&form["modal"], "the damage is older than this backup").await;
    let state = bot.finished("restore-db").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Refused);
    assert_eq!(range.checksum(), before);
    assert_eq!(range.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'drbot%'"), "0");
    stage.shows("restore-db", "the damage is older than this backup").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_and_an_old_button_change_nothing() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    stage.person("Dana").hears("restore-db", json!({})).await;
    let omar = stage.person("Omar");
    let card = until("the Approve button", async || {
        stage.card("restore-db").await.filter(|card| crate::support::stage::has_button(card, "Approve"))
    })
    .await;
    let (first, second) = tokio::join!(omar.clicks_on(&card, "Approve"), omar.clicks_on(&card, "Approve"));
    omar.fills(&first["modal"], "trading_bot_prod").await;
    omar.fills(&second["modal"], "trading_bot_prod").await;
    let state = bot.finished("restore-db").await;
    let given =
        bot.journal("restore-db").await.into_iter().filter(|entry| matches!(entry.event, Event::ApprovalGiven { .. }));
    assert_eq!(given.count(), 1);
    assert!(
        state.steps.iter().all(|step| step.attempts <= 1 || step.status != Status::Succeeded || step.attempts == 1)
    );
}

fn oid_of(range: &Range, database: &str) -> String {
    range.sql(&format!("SELECT oid FROM pg_database WHERE datname = '{database}'"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_taken_back_also_when_drbot_is_killed_at_the_swap() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    range.breaks("rows-damaged");
    let damaged = oid_of(&range, "trading_bot_prod");
    stage.person("Dana").types("restore-db", json!({})).await;
    stage.person("Omar").approves("restore-db").await;
    let state = bot.finished("restore-db").await;
    assert_recovered(&range, &state).await;
    let restored = oid_of(&range, "trading_bot_prod");
    assert_ne!(restored, damaged);
    bot.terminate().await;
    bot.set("DRBOT_FAILPOINT", "after-effect:swap");
    bot.start();
    stage.connected().await;
    stage.person("Dana").hears("undo", json!({})).await;
    stage.shows("undo", "WITH THE DAMAGE").await;
    stage.person("Omar").approves("undo").await;
    bot.dies().await;
    bot.unset("DRBOT_FAILPOINT");
    bot.start();
    let undone = bot.finished("undo-restore-db").await;
    assert_eq!(undone.finished.as_ref().unwrap().outcome, Outcome::Succeeded, "{:?}", undone.finished);
    assert_eq!(oid_of(&range, "trading_bot_prod"), damaged, "the very database from before");
    let kept = undone.step("swap").unwrap().outputs["kept"].as_str().unwrap().to_owned();
    assert_eq!(oid_of(&range, &kept), restored, "the restored one is kept as {kept}");
    assert_eq!(range.sql("SHOW default_transaction_read_only"), "off");
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");
    stage.shows("undo", "is kept as").await;
    // It can be restored again.
    stage.person("Dana").types("restore-db", json!({})).await;
    stage.shows("restore-db", "may approve").await;
    stage.person("Omar").approves("restore-db").await;
    let again = until("the second restore", async || {
        let last = bot.finished("restore-db").await;
        (last.id != state.id).then_some(last)
    })
    .await;
    assert_recovered(&range, &again).await;
    // The undo before is built upon by now.
    let late = stage.person("Dana").hears("undo", json!({"run": state.id.short()})).await;
    assert!(late.contains("cannot be taken back any more"), "{late}");
}
