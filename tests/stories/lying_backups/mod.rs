//! The backups that lie: a table of damaged, foreign, false and hostile ones. Each is refused or flagged before anything
//! is destroyed, in words that help; after each the live database is as it was, and nothing is left behind.

mod folder;
mod live;
mod moving;
mod table;

use std::{fs, time::Instant};

use drbot::{
    actions::{Done, Failure},
    run::outcome::Outcome,
    runbook::action::{Action, Postgres},
};
use serde_json::{Value, json};

use self::{
    folder::{Folder, Lie},
    table::{CLAIMS, DAMAGED, FOREIGN, Fate, NAMES, PROGRAMS, Row},
};
use crate::support::{
    acting::{Acting, refusal},
    bot::Bot,
    range::Range,
    stage::{Stage, has_button},
    until,
};

/// A small range whose trading bot stands still, so that nothing changes but by drbot.
fn still_range() -> Range {
    let range = Range::up_with(&[("RANGE_TRADES", "2000")]);
    range.docker(&["stop", "-t", "2", &range.container("trading-bot")]);
    // Of what is there now: the first ones were made while the bot was trading.
    range.script("backup-now", &[]);
    range
}

fn table() -> impl Iterator<Item = &'static Row> {
    [DAMAGED, FOREIGN, CLAIMS, NAMES, PROGRAMS].into_iter().flatten()
}

/// The table as the documentation has it.
#[test]
fn the_document_has_every_row() {
    let document = include_str!("../../../docs/restores.md");
    let parts =
        [("damaged", DAMAGED), ("foreign", FOREIGN), ("false", CLAIMS), ("odd names", NAMES), ("programs", PROGRAMS)];
    for (part, rows) in parts {
        let lines: Vec<_> = rows.iter().map(|row| format!("| {} | {} |", row.what, row.fate.in_words())).collect();
        let lines = lines.join("\n");
        assert!(document.contains(&lines), "docs/restores.md, of the {part}, should have:\n{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_lying_backup_is_believed_and_what_is_live_stays_as_it_is() {
    let range = still_range();
    let folder = Folder::of(&range);
    let acting = Acting::on(&range, "0000001a");
    // The good ones are known to be good, so that what follows is seen against them.
    for name in [&folder.dump, &folder.sql] {
        acting.does("verify", acting.verify(name)).await.unwrap();
    }
    let mut wrong = Vec::new();
    let before = live::look(&range);
    for row in table() {
        let begin = Instant::now();
        let lie = (row.make)(&folder);
        let mut problems = judged(&acting, &folder, row, &lie).await;
        drop(lie);
        if live::look(&range) != before {
            problems.push(format!("what is live has changed: {before}\n\n{}", live::look(&range)));
        }
        eprintln!("{:5.1} s  {}", begin.elapsed().as_secs_f64(), row.what);
        wrong.extend(problems.into_iter().map(|problem| format!("{}: {problem}", row.what)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    moving::all(&range, &folder, &acting).await;
    assert_eq!(live::look(&range), before);
}

/// What is wrong with how a row was judged.
async fn judged(acting: &Acting, folder: &Folder, row: &Row, lie: &Lie) -> Vec<String> {
    let mut wrong = listed(acting, row, lie).await;
    let verified = acting.does("verify", acting.verify(&lie.name)).await;
    match (row.fate, &verified) {
        (Fate::Unknown | Fate::Refused, Err(Failure::Refused { message })) => {
            let names_other = message.contains(&folder.dump) || message.contains(&folder.sql);
            if !message.contains(row.says) || !names_other {
                wrong.push(format!("it says {message:?}"));
            }
        }
        (Fate::Flagged, Ok(done)) => {
            let caution = done.fields["caution"].as_str().unwrap();
            if !caution.contains(row.says) || !done.fields["warnings"].to_string().contains(row.says) {
                wrong.push(format!("it warns: {:?}", done.fields["warnings"]));
            }
        }
        (Fate::Good, Ok(done)) if done.fields["integrity"] == "verified" => {
            wrong.extend(beside(acting, done).await.err());
        }
        (Fate::RefusedBeside, Ok(done)) => match beside(acting, done).await {
            Err(why) if why.contains(row.says) => {}
            other => wrong.push(format!("beside: {other:?}")),
        },
        (fate, other) => wrong.push(format!("{fate:?} was to be its fate: {other:?}")),
    }
    wrong.extend(listed(acting, row, lie).await);
    let newest = acting.does("verify", acting.verify("newest-verified")).await.unwrap();
    if row.fate != Fate::Good && row.fate != Fate::RefusedBeside && newest.fields["backup"] == json!(lie.name) {
        wrong.push("it is taken unasked".to_owned());
    }
    wrong
}

/// The list, before and after it was looked at: never as good, never first.
async fn listed(acting: &Acting, row: &Row, lie: &Lie) -> Vec<String> {
    let list = acting.does("backups", Action::Postgres(Postgres::Backups {})).await.unwrap();
    let shown = list.fields["backups"].as_array().unwrap().iter().find(|backup| backup["file"] == json!(lie.name));
    let mut wrong = Vec::new();
    let Some(shown) = shown else {
        return if row.fate == Fate::Unknown { wrong } else { vec!["it is not listed".to_owned()] };
    };
    let lies = matches!(row.fate, Fate::Refused | Fate::Flagged);
    if lies && shown["integrity"] == "verified" && shown["flags"] == json!([]) {
        wrong.push(format!("it is shown as good: {shown}"));
    }
    let is_first = list.fields["newest"]["file"] == json!(lie.name);
    // What only a look at all of it can tell is not said to be proved before.
    if lies && is_first && shown["integrity"] != "unverified" {
        wrong.push(format!("it is the default: {shown}"));
    }
    wrong
}

/// Restores it beside the live database, checks it, and drops it. What was wrong.
async fn beside(acting: &Acting, verified: &Done) -> Result<(), String> {
    let restored = match acting.does("restore", acting.restore(verified)).await {
        Ok(_) => acting.does("integrity", acting.integrity(verified)).await,
        Err(failure) => Err(failure),
    };
    acting.does("drop", acting.drop_scratch()).await.unwrap();
    restored.map(drop).map_err(|failure| failure.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_card_says_what_is_wrong_with_a_backup() {
    let range = still_range();
    let folder = Folder::of(&range);
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    let before = live::look(&range);
    bot.start();
    stage.ready().await;
    let people = ["Dana", "Lena", "Omar"];
    for (row, person) in table().filter(|row| row.on_card).zip(people.iter().cycle()) {
        let begin = Instant::now();
        let lie = (row.make)(&folder);
        let card = asked_for(&stage, person, &lie.name).await;
        let text = match row.fate {
            Fate::Flagged => {
                let card = until(&format!("a warning: {}", row.what), async || {
                    let now = stage.card("restore-db").await.filter(|now| now["id"] == card["id"])?;
                    let ended = now["embeds"][0]["fields"].to_string().contains("what now");
                    assert!(!ended, "it was to be asked for approval: {now}");
                    has_button(&now, "Deny").then_some(now)
                })
                .await;
                let denier = stage.person(if *person == "Omar" { "Lena" } else { "Omar" });
                let form = denier.clicks_on(&card, "Deny").await;
                denier.fills(&form["modal"], "it is not to be trusted").await;
                assert!(card.to_string().contains("BEWARE"), "{}: {card}", row.what);
                card
            }
            _ => {
                until(&format!("the card of: {}", row.what), async || {
                    stage
                        .card("restore-db")
                        .await
                        .filter(|now| now["id"] == card["id"] && spoken(&now.to_string()).contains(&spoken(row.says)))
                })
                .await
            }
        };
        let state = bot.finished("restore-db").await;
        assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Refused, "{}", row.what);
        let shown = state.finished.as_ref().unwrap().message.clone() + text["embeds"].to_string().as_str();
        assert!(spoken(&shown).contains(&spoken(row.says)), "{}: {shown}", row.what);
        drop(lie);
        // New backups are proved in the background meanwhile, in containers that come and go.
        let as_before = async || {
            let now = live::look(&range);
            if now != before {
                eprintln!("since {}: {:?}", row.what, live::differences(&before, &now));
            }
            (now == before).then_some(())
        };
        until(&format!("everything to be as it was before: {}", row.what), as_before).await;
        eprintln!("{:5.1} s  {}", begin.elapsed().as_secs_f64(), row.what);
    }
    // A name that leads out of the folder never becomes a run.
    let last = stage.card("restore-db").await.unwrap()["id"].clone();
    for name in ["../../etc/passwd", "linked/a.dump", "/etc/passwd"] {
        stage.person("Omar").hears("restore-db", json!({ "backup": name })).await;
    }
    assert_eq!(stage.card("restore-db").await.unwrap()["id"], last);
}

/// Without the signs that keep Discord from reading markup in it.
fn spoken(text: &str) -> String {
    text.replace('\\', "")
}

/// Asks for a backup, and returns the run's card.
async fn asked_for(stage: &Stage, person: &str, backup: &str) -> Value {
    let last = stage.card("restore-db").await.map(|card| card["id"].clone());
    stage.person(person).hears("restore-db", json!({ "backup": backup })).await;
    until(&format!("a card for {backup:?}"), async || {
        stage.card("restore-db").await.filter(|card| Some(&card["id"]) != last.as_ref())
    })
    .await
}

/// drbot proves new backups by itself; what it finds is what people are offered.
#[tokio::test(flavor = "multi_thread")]
async fn the_background_never_proves_a_lie_and_completion_never_offers_one() {
    let range = still_range();
    let folder = Folder::of(&range);
    // The newest of all, by their manifests; each of them looks right until all of it is read.
    let soon = drbot::clock::Clock::system().now();
    let lies = [
        folder.copy(&folder.dump, "lie-1.dump").flipped(),
        folder.copy(&folder.sql, "lie-2.sql").flipped(),
        folder.bare(&folder.dump, "lie-3.dump").halved().vouched_for(&folder.dump),
        folder.plain_with("lie-4.sql", "ALTER SYSTEM SET fsync = off;"),
    ];
    for lie in &lies {
        lie.says("created_at", json!(soon));
        fs::File::options().append(true).open(&lie.path).unwrap().set_modified(soon.into()).unwrap();
    }
    let before = live::look(&range);
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    let offered = async || {
        let body = json!({ "person": "Dana", "channel": "incidents", "command": "restore-db", "focused": "backup",
            "options": { "backup": "" } });
        let answer = stage.post("autocomplete", body).await;
        let choices = answer["choices"].as_array().cloned().unwrap_or_default();
        choices.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let seen = until("the newest good backup to be proved", async || {
        let seen = offered().await;
        let lies: Vec<_> = seen.iter().filter(|label| label.contains("lie-")).collect();
        assert!(lies.iter().all(|label| !label.contains(" verified")), "{lies:?}");
        let all_known = lies.iter().all(|label| label.contains("damaged") && label.contains("flagged"));
        let proved = seen.iter().any(|label| label.contains("verified") && label.contains("trading_bot_prod"));
        (all_known && proved).then_some(seen)
    })
    .await;
    assert_eq!(seen.iter().filter(|label| label.contains("lie-")).count(), lies.len(), "{seen:?}");
    // Unasked, the good one is taken, and it is said which were passed over.
    let card = {
        stage.person("Dana").hears("restore-db", json!({})).await;
        stage.shows("restore-db", "passed over").await
    };
    let text = spoken(&card["embeds"][0].to_string());
    assert!(text.contains(&folder.dump) && text.contains("lie-"), "{text}");
    let form = stage.person("Omar").clicks("restore-db", "Deny").await;
    stage.person("Omar").fills(&form["modal"], "a rehearsal").await;
    bot.finished("restore-db").await;
    drop(bot);
    assert_eq!(live::look(&range), before);
    // When nothing may be trusted, nothing is taken, and that is said.
    for entry in fs::read_dir(&range.backups).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("trading_bot_prod-") && name.ends_with(".manifest.json") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let acting = Acting::on(&range, "0000001b");
    let why = refusal(acting.does("verify", acting.verify("newest-verified")).await);
    assert!(why.contains("no backup may be trusted") && why.contains("Name one"), "{why}");
}
