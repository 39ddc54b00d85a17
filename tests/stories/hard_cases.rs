//! Databases that are hard to handle: odd names and settings, tables that cannot be looked at in time, a server that
//! replays its log, records that are gone, a disk that fills up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use drbot::{
    actions::Context,
    clock::Clock,
    runbook::action::{Action, Postgres},
    sample::Sample,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    acting::{Acting, DATABASE, backup, failure, made_by, refusal},
    range::{Range, image},
    until,
};

fn small() -> Range {
    Range::up_with(&[("RANGE_TRADES", "2000")])
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_names_empty_settings_and_lost_records() {
    let range = small();
    range.docker(&["stop", "-t", "2", &range.container("trading-bot")]);
    records_that_are_gone_are_never_counted_as_none(&range).await;
    what_cannot_be_looked_at_in_time_is_not_healthy(&range).await;
    a_database_of_any_name_is_checked(&range).await;
    an_empty_search_path_comes_along(&range).await;
}

/// The newest records are gone, those that the backup lacks among them.
async fn records_that_are_gone_are_never_counted_as_none(range: &Range) {
    let mut acting = Acting::on(range, "000000a1");
    let name = backup(range, "dump");
    let now =
        acting.does("counts", Action::Postgres(Postgres::Counts { database: DATABASE.to_owned() })).await.unwrap();
    let good = Sample {
        at: Clock::system().now(),
        tables: serde_json::from_value(now.fields["tables"].clone()).unwrap(),
        newest: now.fields["newest"].as_str().and_then(|at| at.parse().ok()),
    };
    range.sql("BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM trades WHERE id > 1000; COMMIT");
    let verified = acting.does("verify", acting.verify(&name)).await.unwrap().fields;
    assert!(verified["loss_seconds"].is_null() && verified["loss_rows"].is_null(), "{verified:?}");
    assert!(verified["loss_how"].as_str().unwrap().contains("no good sample"), "{verified:?}");
    assert!(verified["loss_at_most"].as_i64().unwrap() > 0, "{verified:?}");
    // A good sample remembers them.
    acting.sample = Some(good);
    let verified = acting.does("verify", acting.verify(&name)).await.unwrap().fields;
    assert!(verified["loss_rows"].as_i64().unwrap() > 0, "{verified:?}");
    assert_eq!(verified["loss_is_least"], json!(true));
    assert!(
        verified["loss_how"].as_str().unwrap().contains("records of the damaged database are gone"),
        "{verified:?}"
    );
    // After the swap it is the same.
    acting.restores(&name).await;
    acting.does("swap", acting.swap()).await.unwrap();
    let loss = acting.does("loss", acting.loss()).await.unwrap();
    assert!(loss.summary.starts_with("at least"), "{}", loss.summary);
    acting.sample = None;
    let loss = acting.does("loss", acting.loss()).await.unwrap();
    assert!(loss.fields["seconds"].is_null() && loss.fields["rows"].is_null(), "{:?}", loss.fields);
    assert!(loss.summary.starts_with("unknown"), "{}", loss.summary);
    acting.does("writes", acting.writes(true)).await.unwrap();
}

/// Somebody holds a table: it tells as little as one that is too large for the time.
async fn what_cannot_be_looked_at_in_time_is_not_healthy(range: &Range) {
    let acting = Acting::on(range, "000000a2");
    let server = range.container("trading-postgres");
    let hold = "BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)";
    range.docker(&["exec", "-d", &server, "psql", "-X", "-U", "antbot", "-d", DATABASE, "-c", hold]);
    let held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'accounts'::regclass";
    until("the table to be locked", async || (range.sql(held) == "1").then_some(())).await;
    let context = Context { timeout: Duration::from_secs(8), ..acting.context("assess") };
    let begin = std::time::Instant::now();
    let assessed = acting.does_in(context, acting.assess()).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    range.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()");
    assert_eq!(assessed.fields["database"], json!("unknown"), "{:?}", assessed.fields);
    assert_eq!(assessed.fields["damage"], json!([]));
    let unchecked = assessed.fields["unchecked"].to_string();
    assert!(unchecked.contains("public.accounts"), "{unchecked}");
    // The others had their share of the time.
    assert!(!unchecked.contains("the rows of public.trades") && !unchecked.contains("newest"), "{unchecked}");
    assert!(assessed.summary.contains("not known"), "{}", assessed.summary);
    let assessed = acting.does("assess", acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["database"], json!("ok"), "{:?}", assessed.fields);
}

/// PostgreSQL's tools take patterns and connection strings where they take names.
async fn a_database_of_any_name_is_checked(range: &Range) {
    let acting = Acting::on(range, "000000a3");
    let name = "Trading \"Prod\" = x";
    let sql = format!("CREATE DATABASE \"{}\" TEMPLATE {DATABASE}", name.replace('"', "\"\""));
    range.docker(&[
        "exec",
        &range.container("trading-postgres"),
        "psql",
        "-X",
        "-q",
        "-U",
        "antbot",
        "-d",
        "postgres",
        "-c",
        &sql,
    ]);
    for file in [backup(range, "dump"), backup(range, "sql")] {
        let action = Postgres::Integrity { database: name.to_owned(), backup: file };
        acting.does("integrity", Action::Postgres(action)).await.unwrap();
    }
    let assess = Postgres::Assess { database: name.to_owned() };
    let assessed = acting.does("assess", Action::Postgres(assess)).await.unwrap();
    assert_eq!(assessed.fields["database"], json!("ok"), "{:?}", assessed.fields);
    assert_eq!(made_by(range, &acting.run), [""; 0]);
}

async fn an_empty_search_path_comes_along(range: &Range) {
    let acting = Acting::on(range, "000000a4");
    range.sql(&format!("ALTER DATABASE {DATABASE} SET search_path = ''"));
    assert_eq!(range.sql("SHOW search_path"), "\"\"");
    let assessed = acting.does("assess", acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["database"], json!("ok"), "all of it can be looked at: {:?}", assessed.fields);
    acting.restores(&backup(range, "sql")).await;
    acting.does("swap", acting.swap()).await.unwrap();
    acting.does("writes", acting.writes(true)).await.unwrap();
    assert_eq!(range.sql("SHOW search_path"), "\"\"");
}

/// Stands before the server and answers as one that replays its log, until it is let through.
async fn replaying(port: u16, ready: Arc<AtomicBool>) -> u16 {
    const NOT_YET: &[u8] = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            if ready.load(Ordering::SeqCst) {
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
                continue;
            }
            tokio::spawn(async move {
                let mut asked = [0; 8];
                client.read_exact(&mut asked).await?;
                // SSLRequest: no; then the start-up message follows.
                if asked[4..] == 80_877_103_u32.to_be_bytes() {
                    client.write_all(b"N").await?;
                }
                let length = u32::try_from(NOT_YET.len() + 4).unwrap();
                client.write_all(b"E").await?;
                client.write_all(&length.to_be_bytes()).await?;
                client.write_all(NOT_YET).await?;
                let mut rest = Vec::new();
                client.take(4096).read_to_end(&mut rest).await
            });
        }
    });
    own
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_in_trouble() {
    let range = small();
    one_that_replays_its_log_is_waited_for_and_never_replaced(&range).await;
    one_whose_disk_fills_up_serves_on(&range).await;
}

async fn one_that_replays_its_log_is_waited_for_and_never_replaced(range: &Range) {
    let mut acting = Acting::on(range, "000000b1");
    let verified = acting.does("verify", acting.verify(&backup(range, "dump"))).await.unwrap();
    let ready = Arc::new(AtomicBool::new(false));
    let port = replaying(range.pg_port, Arc::clone(&ready)).await;
    acting.postgres().port = port;

    let context = Context { timeout: Duration::from_secs(4), ..acting.context("assess") };
    let assessed = acting.does_in(context, acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["server"], json!("starting"), "{:?}", assessed.fields);
    assert!(assessed.summary.contains("starting up"), "{}", assessed.summary);

    // Longer than the step has patience: it fails, and says why; no fresh server was made.
    let context = Context { timeout: Duration::from_secs(4), ..acting.context("restore") };
    let why = failure(acting.does_in(context, acting.restore(&verified)).await);
    assert!(why.contains("replays its log") && why.contains("Nothing of it is lost"), "{why}");
    assert_eq!(made_by(range, &acting.run), [""; 0]);

    // In time: it goes on by itself.
    let context = Context { timeout: Duration::from_secs(60), ..acting.context("restore") };
    let opener = async {
        Clock::system().sleep(Duration::from_secs(3)).await;
        ready.store(true, Ordering::SeqCst);
    };
    let (restored, ()) = tokio::join!(acting.does_in(context, acting.restore(&verified)), opener);
    assert_eq!(restored.unwrap().fields["server"], json!("live"));
    acting.does("drop", acting.drop_scratch()).await.unwrap();
}

/// A small disk of the server's own, and a backup that grows beyond it.
async fn one_whose_disk_fills_up_serves_on(range: &Range) {
    let server = SmallServer::start(range).await;
    let mut acting = Acting::on(range, "000000d1");
    acting.postgres().container = server.name.clone();
    acting.postgres().port = server.port;
    let before = server.sql(range, CHECKSUM);

    // By its size it does not fit: refused before anything is begun.
    let text = std::fs::read_to_string(range.backups.join(backup(range, "sql"))).unwrap();
    let (begin, end) = text.split_once("-- PostgreSQL database dump complete").unwrap();
    let with = |name: &str, more: &str| {
        let path = range.backups.join(name);
        std::fs::write(&path, format!("{begin}{more}-- PostgreSQL database dump complete{end}")).unwrap();
        age(&path);
        path
    };
    let large = with("large.sql", &format!("-- {}\n", "x".repeat(1 << 20)).repeat(300));
    let verified = acting.does("verify", acting.verify("large.sql")).await.unwrap();
    let why = refusal(acting.does("restore", acting.restore(&verified)).await);
    assert!(why.contains("not enough room") && why.contains("Make room"), "{why}");
    std::fs::remove_file(&large).unwrap();

    // By its size it fits, and it is far larger when it is restored.
    let rows = "SELECT repeat('x', 1000) AS x FROM generate_series(1, 2000000)";
    with("grows.sql", &format!("CREATE TABLE public.grows AS {rows};\n"));
    let verified = acting.does("verify", acting.verify("grows.sql")).await.unwrap();
    let why = failure(acting.does("restore", acting.restore(&verified)).await);
    assert!(why.contains("before the disk is full") && why.contains("MB are left"), "{why}");
    acting.does("drop", acting.drop_scratch()).await.unwrap();
    assert_eq!(server.sql(range, CHECKSUM), before, "the live database is as it was");
    server.sql(range, "INSERT INTO trading_events (kind) VALUES ('it serves on')");
    assert_eq!(server.sql(range, "SELECT count(*) FROM pg_database WHERE datname LIKE 'drbot%'"), "0");
    assert_eq!(made_by(range, &acting.run), [""; 0]);
    let log = range.docker_all(&["logs", &server.name]);
    assert!(!log.contains("PANIC") && !log.contains("No space left"), "{log}");
}

const CHECKSUM: &str = "SELECT count(*) || ':' || sum(hashtext(t::text)::bigint) FROM trades t";

fn age(path: &std::path::Path) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(file.metadata().unwrap().modified().unwrap() - Duration::from_secs(60)).unwrap();
}

/// A second server with the range's data, on a volume in memory; gone when dropped.
struct SmallServer {
    name: String,
    volume: String,
    port: u16,
}

impl SmallServer {
    async fn start(range: &Range) -> Self {
        let (name, volume) = (range.container("small-disk"), range.container("small-disk-data"));
        let in_memory = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=420m"];
        range.docker(&[&["volume", "create", "--driver", "local"], &in_memory[..], &[volume.as_str()]].concat());
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let variables = range.docker(&[
            "inspect",
            "-f",
            "{{range .Config.Env}}{{println .}}{{end}}",
            &range.container("trading-postgres"),
        ]);
        let published = format!("127.0.0.1:{port}:5432");
        let mounted = format!("{volume}:/var/lib/postgresql/data");
        let mut run = vec!["run", "-d", "--name", &name, "-p", &published, "-v", &mounted];
        variables.lines().filter(|line| line.contains('=')).for_each(|line| run.extend(["-e", line]));
        let image = image("postgres:15");
        run.push(&image);
        range.docker(&run);
        let server = Self { name, volume, port };
        until("the small server to answer", async || {
            range
                .docker_all(&["exec", &server.name, "pg_isready", "-h", "127.0.0.1"])
                .contains("accepting")
                .then_some(())
        })
        .await;
        let path = range.backups.join(backup(range, "sql"));
        range.docker(&["cp", path.to_str().unwrap(), &format!("{}:/tmp/all.sql", server.name)]);
        let fill = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "antbot", "-d", DATABASE, "-f", "/tmp/all.sql"];
        range.docker(&[&["exec", server.name.as_str()], &fill[..]].concat());
        server
    }

    fn sql(&self, range: &Range, query: &str) -> String {
        range.docker(&["exec", &self.name, "psql", "-X", "-A", "-t", "-U", "antbot", "-d", DATABASE, "-c", query])
    }
}

impl Drop for SmallServer {
    fn drop(&mut self) {
        for gone in [["rm", "-fv", self.name.as_str()], ["volume", "rm", self.volume.as_str()]] {
            let _ = std::process::Command::new("docker").args(gone).output();
        }
    }
}
