//! Restoring beside, checking, swapping in, measuring the loss: against real damage, with clients that come back at once.

use std::{
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use drbot::{
    actions::{Failure, Probe},
    clock::Clock,
    runbook::action::{Action, Postgres},
};
use serde_json::json;

use crate::support::{
    acting::{Acting, DATABASE, backup, failure, made_by, refusal},
    range::{Range, image},
    until,
};

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_seen_restored_and_swapped_out_while_clients_come_back() {
    let range = Range::up();
    rows_damaged(&range).await;
    table_dropped(&range).await;
    index_corrupt(&range).await;
}

async fn rows_damaged(range: &Range) {
    let mut acting = Acting::on(range, "000000b1");
    let before =
        acting.does("counts", Action::Postgres(Postgres::Counts { database: DATABASE.to_owned() })).await.unwrap();
    range.breaks("rows-damaged");
    let assessed = acting.does("assess", acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["database"], json!("damaged"), "{:?}", assessed.fields);
    assert!(assessed.fields["damage"].to_string().contains("portfolio_positions"), "{:?}", assessed.fields["damage"]);
    assert_eq!(assessed.fields["measured_by"], json!("live"));
    assert_eq!(range.sql("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'"), "0", "assess changes nothing");

    let verified = acting.does("verify", acting.verify(&backup(range, "dump"))).await.unwrap();
    let (restored, progress) = acting.does_watched("restore", acting.restore(&verified)).await;
    let restored = restored.unwrap();
    assert_eq!(restored.fields["server"], json!("live"));
    assert_eq!(restored.fields["database"], json!(acting.scratch()));
    assert_monotone(&progress);
    let checked = acting.does("integrity", acting.integrity(&verified)).await.unwrap();
    assert_eq!(checked.fields["tables"], verified.fields["tables"]);
    assert!(checked.fields["checks"].as_array().unwrap().len() >= 3);

    // The bot goes on, and three more clients reconnect as fast as they can.
    let clients = Clients::start(range, 3);
    let swapped = acting.does("swap", acting.swap()).await.unwrap();
    eprintln!("swap with clients that come back: {:?}", swapped.fields["interrupted_ms"]);
    assert_eq!(swapped.fields["kept"], json!(acting.kept()));
    assert!(swapped.fields["kept_size"].as_u64().unwrap() > 1_000_000);
    assert!(swapped.fields["drop_hint"].as_str().unwrap().contains(&acting.kept()));
    assert!(swapped.fields["interrupted_ms"].as_u64().unwrap() < 3_000);
    assert!(clients.stop() > 0, "the clients found the database again");
    assert_eq!(range.sql(&format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", acting.kept())), "1");
    carried_along(range);

    // Fenced: nobody can write, though sessions may read.
    let write = "INSERT INTO trading_events (kind) VALUES ('too early')";
    assert!(try_sql(range, write).contains("read-only"), "{}", try_sql(range, write));
    let loss = acting.does("loss", acting.loss()).await.unwrap();
    assert!(
        loss.fields["seconds"].as_f64().unwrap() >= 0.0 && loss.fields["rows"].as_i64().unwrap() >= 0,
        "{:?}",
        loss.fields
    );
    assert!(loss.fields["how"].as_str().unwrap().contains("damaged"));
    acting.does("writes", acting.writes(true)).await.unwrap();
    range.sql(write);
    acting.does("writes", acting.writes(false)).await.unwrap();
    assert!(try_sql(range, write).contains("read-only"));
    acting.does("writes", acting.writes(true)).await.unwrap();
    let trades = range.sql("SELECT count(*) FROM trades").parse::<i64>().unwrap();
    assert!(trades >= verified.fields["tables"]["public.trades"].as_i64().unwrap());
    assert!(before.fields["rows"].as_i64().unwrap() > 0);
    assert_eq!(made_by(range, &acting.run), [""; 0]);
    // Its name is that of a run's, but it is in use under another now: dropping again harms nothing.
    acting.does("drop", acting.drop_scratch()).await.unwrap();
    assert_eq!(range.sql("SELECT count(*) > 1000 FROM trades"), "t");

    // A read-only query, with values bound.
    let rows = acting
        .does("sql", acting.sql("SELECT count(*) AS n FROM accounts WHERE name <> $1", &["x'; --"]))
        .await
        .unwrap();
    assert!(rows.fields["rows"][0]["n"].as_i64().unwrap() > 0);
    let refused = acting.does("sql", acting.sql("DELETE FROM accounts RETURNING id", &[])).await;
    assert!(refused.is_err(), "{refused:?}");
    acting.password = "wrong-password-canary".to_owned();
    let error = acting.does("counts", acting.assess()).await;
    assert!(!format!("{error:?}").contains("canary"));
}

/// Owner, grants, settings, connection limit: what no dump holds.
fn carried_along(range: &Range) {
    let of = |what: &str| range.sql(&format!("SELECT {what} FROM pg_database WHERE datname = '{DATABASE}'"));
    assert_eq!(of("pg_get_userbyid(datdba)"), "trading_bot");
    assert_eq!(of("datconnlimit"), "80");
    assert!(of("datacl::text").contains("trading_readonly=c"), "{}", of("datacl::text"));
    assert_eq!(range.sql("SHOW idle_in_transaction_session_timeout"), "10min");
}

async fn table_dropped(range: &Range) {
    let acting = Acting::on(range, "000000b2");
    // A setting that holds for new sessions must not stop the restore, and must come along.
    range.sql(&format!("ALTER DATABASE {DATABASE} SET statement_timeout = '50ms'"));
    range.sql(&format!("ALTER DATABASE {DATABASE} SET search_path = \"$user\", public"));
    range.breaks("table-dropped");
    let assessed = acting.does("assess", acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["database"], json!("damaged"));
    assert!(
        assessed.fields["damage"].to_string().contains("public.trades is missing"),
        "{:?}",
        assessed.fields["damage"]
    );
    acting.restores(&backup(range, "sql")).await;
    acting.does("swap", acting.swap()).await.unwrap();
    let loss = acting.does("loss", acting.loss()).await.unwrap();
    assert!(loss.fields["seconds"].is_null() && loss.fields["rows"].is_null(), "{:?}", loss.fields);
    assert!(!loss.fields["how"].as_str().unwrap().is_empty());
    acting.does("writes", acting.writes(true)).await.unwrap();
    assert_eq!(range.sql("SHOW search_path"), "\"$user\", public");
    assert_eq!(range.sql("SHOW statement_timeout"), "50ms");
    range.sql(&format!("ALTER DATABASE {DATABASE} RESET statement_timeout"));
}

async fn index_corrupt(range: &Range) {
    let acting = Acting::on(range, "000000b3");
    range.breaks("index-corrupt");
    let assessed = acting.does("assess", acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["database"], json!("damaged"));
    assert!(
        assessed.fields["damage"].to_string().contains("trades_account_market_idx"),
        "{:?}",
        assessed.fields["damage"]
    );
    acting.restores("newest-verified").await;
    acting.does("swap", acting.swap()).await.unwrap();
    acting.does("writes", acting.writes(true)).await.unwrap();
    let assessed = acting.does("assess", acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["database"], json!("ok"), "{:?}", assessed.fields["damage"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_the_swap_is_told_by_the_databases_themselves() {
    let range = Range::up();
    let acting = Acting::on(&range, "000000c1");
    acting.restores(&backup(&range, "dump")).await;
    let facts = acting.prepares("swap", acting.swap()).await;
    assert!(matches!(acting.probes("swap", acting.swap(), &facts).await, Probe::DidNotHappen));

    // A prepared transaction would hold the rename for ever: it is named, and nothing has changed.
    range.docker(&["stop", &range.container("trading-bot")]);
    let server = range.container("trading-postgres");
    let has = range.sql("SHOW max_prepared_transactions");
    if has == "0" {
        range.sql("ALTER SYSTEM SET max_prepared_transactions = 5");
        range.docker(&["restart", &server]);
        until("PostgreSQL to answer", async || {
            range.docker_all(&["exec", &server, "pg_isready", "-h", "127.0.0.1"]).contains("accepting").then_some(())
        })
        .await;
    }
    // In one session: a prepared transaction belongs to the database that it was made in.
    range.sql("BEGIN; INSERT INTO trading_events (kind) VALUES ('p'); PREPARE TRANSACTION 'settle-42'");
    let why = refusal(acting.performs("swap", acting.swap(), &facts).await);
    assert!(why.contains("settle-42"), "{why}");
    range.sql("ROLLBACK PREPARED 'settle-42'");
    assert!(matches!(acting.probes("swap", acting.swap(), &facts).await, Probe::DidNotHappen));

    // Stopped before it could happen: it has not, and the database serves on.
    let context = drbot::actions::Context { facts: facts.clone(), ..acting.context("swap") };
    context.cancel.cancel();
    let stopped = acting.does_in(context, acting.swap()).await;
    assert!(matches!(stopped, Err(Failure::Cancelled)), "{stopped:?}");
    assert_eq!(range.sql(&format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", acting.scratch())), "1");

    acting.performs("swap", acting.swap(), &facts).await.unwrap();
    let Probe::Happened(done) = acting.probes("swap", acting.swap(), &facts).await else { panic!("it had happened") };
    assert_eq!(done.fields["kept"], json!(acting.kept()));
    assert!(done.fields["drop_hint"].is_string() && done.fields.contains_key("interrupted_ms"));

    // The live database is gone altogether: what was restored takes its name.
    let acting = Acting::on(&range, "000000c2");
    acting.restores(&backup(&range, "dump")).await;
    range.docker(&[
        "exec",
        &server,
        "psql",
        "-U",
        "antbot",
        "-d",
        "postgres",
        "-c",
        &format!("DROP DATABASE {DATABASE} WITH (FORCE)"),
    ]);
    let assessed = acting.does("assess", acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["database"], json!("missing"));
    let facts = acting.prepares("swap", acting.swap()).await;
    assert!(matches!(acting.probes("swap", acting.swap(), &facts).await, Probe::DidNotHappen));
    let done = acting.performs("swap", acting.swap(), &facts).await.unwrap();
    assert!(done.fields["kept"].is_string(), "the command's output is a text: {:?}", done.fields["kept"]);
    assert!(matches!(acting.probes("swap", acting.swap(), &facts).await, Probe::Happened(_)));
    assert_eq!(range.sql("SELECT count(*) > 1000 FROM trades"), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_stopped_or_hindered_leaves_nothing() {
    let range = Range::up_with(&[("RANGE_TRADES", "200000")]);
    let acting = Acting::on(&range, "000000d1");
    let verified = acting.does("verify", acting.verify(&backup(&range, "sql"))).await.unwrap();

    // Stopped in the middle.
    let context = acting.context("restore");
    let cancel = context.cancel.clone();
    let working = |range: &Range| !range.docker(&["ps", "-q", "--filter", "label=drbot.run=000000d1"]).is_empty();
    let stopper = async {
        until("the restore to be under way", async || working(&range).then_some(())).await;
        Clock::system().sleep(Duration::from_millis(800)).await;
        cancel.cancel();
        std::time::Instant::now()
    };
    let (result, stopped_at) = tokio::join!(acting.does_in(context, acting.restore(&verified)), stopper);
    assert!(matches!(result, Err(Failure::Cancelled)), "{result:?}");
    assert!(stopped_at.elapsed() < Duration::from_secs(10), "{:?}", stopped_at.elapsed());
    assert_eq!(made_by(&range, &acting.run), [""; 0]);
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'drbot %'";
    until("its sessions to be gone", async || (range.sql(sessions) == "0").then_some(())).await;
    // Its undo takes the rest; and it may be done again from any state.
    acting.does("restore", acting.drop_scratch()).await.unwrap();
    assert_eq!(range.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'drbot%'"), "0");

    // Changed in the middle, in place, where it was not read yet: what psql got of it is gone.
    let changer = async {
        until("the restore to be under way", async || working(&range).then_some(())).await;
        change_last_trade(&range.backups.join(backup(&range, "sql")), b"+01");
    };
    let (result, ()) = tokio::join!(acting.does("restore", acting.restore(&verified)), changer);
    let why = refusal(result);
    assert!(why.contains("not the file that was verified"), "{why}");
    change_last_trade(&range.backups.join(backup(&range, "sql")), b"+00");
    assert_eq!(made_by(&range, &acting.run), [""; 0]);
    until("its sessions to be gone", async || (range.sql(sessions) == "0").then_some(())).await;
    assert_eq!(range.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'drbot%'"), "0");

    // As a killed drbot leaves it: half a database, and a tool that still runs.
    range.sql(&format!("CREATE DATABASE {}", acting.scratch()));
    let labels = ["drbot.run=000000d1", "drbot.step=restore", "drbot.attempt=1", "drbot.kind=tool"];
    let left = range.container("left-behind");
    let mut run = vec!["run", "-d", "--network", "none", "--name", &left];
    labels.iter().for_each(|label| run.extend(["--label", label]));
    let image = image("postgres:15");
    run.extend([image.as_str(), "sleep", "600"]);
    range.docker(&run);
    let probe = acting.probes("restore", acting.restore(&verified), &Default::default()).await;
    assert!(matches!(probe, Probe::DidNotHappen), "{probe:?}");
    assert_eq!(made_by(&range, &acting.run), [""; 0]);
    acting.does("restore", acting.restore(&verified)).await.unwrap();

    // The file is another than was verified: not restored, whatever its name.
    let path = range.backups.join(backup(&range, "sql"));
    let text = std::fs::read_to_string(&path).unwrap().replacen("desk-001", "desk-xxx", 1);
    std::fs::write(&path, text).unwrap();
    let why = refusal(acting.does("restore", acting.restore(&verified)).await);
    assert!(why.contains("verif"), "{why}");
    // A name that no run made is never restored into, nor dropped.
    for name in [DATABASE, "postgres", "drbot_"] {
        refusal(acting.does("drop", Action::Postgres(Postgres::Drop { database: name.to_owned() })).await);
    }
    acting.does("drop", acting.drop_scratch()).await.unwrap();
}

/// Writes another time zone into the last row of the trades of a plain dump: three bytes.
fn change_last_trade(dump: &std::path::Path, zone: &[u8; 3]) {
    let text = std::fs::read_to_string(dump).unwrap();
    let begin = text.find("COPY public.trades ").unwrap();
    let end = begin + text[begin..].find("\n\\.\n").unwrap();
    assert!(end > text.len() / 2 && text[..end].ends_with(['0', '1']), "{}", &text[end - 100..end]);
    std::fs::OpenOptions::new().write(true).open(dump).unwrap().write_all_at(zone, end as u64 - 3).unwrap();
}

/// A server that is healthy, but that drbot cannot talk to, must never be taken for one that does not start.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_or_port_never_makes_a_fresh_server() {
    let range = Range::up();
    let mut acting = Acting::on(&range, "000000e1");
    let verified = acting.does("verify", acting.verify(&backup(&range, "dump"))).await.unwrap();
    acting.password = "wrong-password-canary".to_owned();
    let result = acting.does("restore", acting.restore(&verified)).await;
    let text = format!("{result:?}");
    assert!(result.is_err() && text.contains("password") && !text.contains("canary"), "{text}");
    acting.password = crate::support::acting::PASSWORD.to_owned();
    let port = acting.postgres().port;
    acting.postgres().port = 1;
    let why = failure(acting.does("restore", acting.restore(&verified)).await);
    assert!(why.contains("does not answer"), "{why}");
    acting.postgres().port = port;
    assert_eq!(made_by(&range, &acting.run), [""; 0]);
    assert_eq!(acting.does("assess", acting.assess()).await.unwrap().fields["database"], json!("ok"));
    // One that was merely killed is started, and is up then.
    range.breaks("container-killed");
    let assessed = acting.does("assess", acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["server"], json!("up"), "{:?}", assessed.fields);
    assert_eq!(assessed.fields["database"], json!("ok"), "{:?}", assessed.fields);
    assert_eq!(assessed.fields["started"], json!(true), "{:?}", assessed.fields);
}

fn assert_monotone(progress: &[drbot::actions::ProgressValue]) {
    let mut bytes: Vec<_> = progress.iter().filter(|value| value.unit == "bytes").collect();
    let last = bytes.pop().expect("progress");
    assert_eq!(last.done, last.total);
    assert!(bytes.iter().all(|value| value.total == 0 || value.done <= value.total), "{bytes:?}");
    let restoring: Vec<_> =
        bytes.iter().filter(|value| value.doing.contains("restor")).map(|value| value.done).collect();
    assert!(restoring.is_sorted(), "{restoring:?}");
}

fn try_sql(range: &Range, query: &str) -> String {
    let server = range.container("trading-postgres");
    range.docker_all(&["exec", &server, "psql", "-X", "-A", "-t", "-U", "antbot", "-d", DATABASE, "-c", query])
}

/// Clients that connect again the moment they are thrown out.
struct Clients {
    stop: Arc<AtomicBool>,
    found: Arc<AtomicU32>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Clients {
    fn start(range: &Range, number: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let found = Arc::new(AtomicU32::new(0));
        let threads = (0..number)
            .map(|_| {
                let (stop, found) = (stop.clone(), found.clone());
                let server = range.container("trading-postgres");
                std::thread::spawn(move || {
                    let script = format!(
                        "while :; do psql -X -U antbot -d {DATABASE} -c 'SELECT pg_sleep(0.3)' >/dev/null 2>&1; done"
                    );
                    let mut shell = std::process::Command::new("docker")
                        .args(["exec", &server, "timeout", "60", "bash", "-c", &script])
                        .spawn()
                        .unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        std::thread::yield_now();
                        std::thread::park_timeout(Duration::from_millis(20));
                    }
                    let there = std::process::Command::new("docker")
                        .args(["exec", &server, "psql", "-X", "-A", "-t", "-U", "antbot", "-d", DATABASE, "-c"])
                        .arg("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%'")
                        .output()
                        .unwrap();
                    found.fetch_add(
                        String::from_utf8_lossy(&there.stdout).trim().parse().unwrap_or(0),
                        Ordering::Relaxed,
                    );
                    let _ = shell.kill();
                    let _ = shell.wait();
                })
            })
            .collect();
        Self { stop, found, threads }
    }

    fn stop(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.found.load(Ordering::Relaxed)
    }
}

/// A statement whose client was dropped goes on to its end: what it makes after its database was dropped would be left.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_still_being_made_is_not_left_behind() {
    let range = Range::up_with(&[("RANGE_TRADES", "2000")]);
    let acting = Acting::on(&range, "0000001c");
    let server = range.container("trading-postgres");
    let session = |name: &str, sql: &str| {
        tokio::process::Command::new("docker")
            .args([
                "exec",
                "-e",
                &format!("PGAPPNAME={name}"),
                &server,
                "psql",
                "-U",
                "antbot",
                "-d",
                "postgres",
                "-c",
                sql,
            ])
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let mut lock = session("locker", "BEGIN; LOCK TABLE pg_database IN SHARE MODE; SELECT pg_sleep(4); COMMIT");
    until("the lock", async || {
        (range.sql(
            "SELECT count(*) FROM pg_locks WHERE relation = 'pg_database'::regclass AND mode = 'ShareLock' AND granted",
        ) == "1")
            .then_some(())
    })
    .await;
    let mut making = session("drbot 0000001c restore", &format!("CREATE DATABASE {}", acting.scratch()));
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'drbot 0000001c%' AND wait_event_type = 'Lock'";
    until("the database to be on its way", async || (range.sql(waits) == "1").then_some(())).await;
    acting.does("drop", acting.drop_scratch()).await.unwrap();
    lock.wait().await.unwrap();
    assert!(!making.wait().await.unwrap().success(), "it was ended");
    let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", acting.scratch());
    assert_eq!(range.sql(&left), "0");
}
