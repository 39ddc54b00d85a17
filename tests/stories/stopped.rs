//! A step that is stopped leaves nothing behind: no session of its own at the server, no tool's container, no connection.
//!
//! Its limit of time stops a step by the same way. What the stop of a restore, a swap, a program, a pull leaves, their own
//! stories tell.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use drbot::{
    actions::Failure,
    clock::Clock,
    config::settings::NetworkTarget,
    runbook::action::{Action, Docker, Host, Network, Postgres},
    runbook::span::Span,
};
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::support::{
    acting::{Acting, DATABASE, backup, made_by},
    range::Range,
    silent::Silent,
    until, within,
};

/// How soon a step has to end that is told to, and what it had begun with it.
const SOON: Duration = Duration::from_secs(10);

/// Somebody who has locked the trades, so that whoever reads them waits.
struct Lock(Child);

impl Lock {
    async fn on(range: &Range, database: &str) -> Self {
        let sql = "BEGIN; LOCK TABLE trades IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)";
        let server = range.container("trading-postgres");
        let child = Command::new("docker")
            .args([
                "exec",
                "-e",
                "PGAPPNAME=somebody",
                &server,
                "psql",
                "-X",
                "-U",
                "antbot",
                "-d",
                database,
                "-c",
                sql,
            ])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let asleep =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'somebody' AND wait_event = 'PgSleep'";
        until("the trades to be locked", async || (range.sql(asleep) == "1").then_some(())).await;
        Self(child)
    }

    fn ends(mut self, range: &Range) {
        range.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'somebody'");
        self.0.wait().unwrap();
    }
}

/// Sessions of a step at the server.
fn sessions(range: &Range, acting: &Acting, step: &str, more: &str) -> String {
    let name = format!("drbot {} {step}", acting.run);
    range.sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}' {more}"))
}

/// Stops a step as soon as a session of its own waits at the server.
async fn is_stopped_at_the_server(range: &Range, acting: &Acting, step: &str, action: Action) {
    let context = acting.context(step);
    let cancel = context.cancel.clone();
    let stopping = async {
        let waits = "AND state = 'active' AND wait_event_type IN ('Lock', 'Timeout')";
        until(&format!("{step} to wait at the server"), async || {
            (sessions(range, acting, step, waits) != "0").then_some(())
        })
        .await;
        cancel.cancel();
        Clock::system().monotonic()
    };
    let (result, told) = tokio::join!(acting.does_in(context, action), stopping);
    assert!(matches!(result, Err(Failure::Cancelled)), "{step}: {result:?}");
    assert!(told.elapsed() < SOON, "{step}: {:?}", told.elapsed());
    nothing_is_left(range, acting, step).await;
}

async fn nothing_is_left(range: &Range, acting: &Acting, step: &str) {
    assert_eq!(made_by(range, &acting.run), [""; 0], "{step}");
    let gone = async || (sessions(range, acting, step, "") == "0").then_some(());
    within(SOON, &format!("the sessions of {step} to be gone"), gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_at_the_database_leaves_no_session_and_no_tool() {
    let range = Range::up_with(&[("RANGE_TRADES", "200000")]);
    let acting = Acting::on(&range, "000000f1");
    let dump = backup(&range, "dump");
    is_stopped_at_the_server(&range, &acting, "sql", acting.sql("SELECT pg_sleep(600)::text AS slept", &[])).await;
    is_out_of_time(&range, &acting).await;
    is_stopped_in_its_tool(&range, &acting, &dump).await;

    // Before the locks: a restore reads the trades itself.
    acting.restores(&dump).await;
    let verified = acting.does("verify", acting.verify(&dump)).await.unwrap();
    let lock = Lock::on(&range, &acting.scratch()).await;
    is_stopped_at_the_server(&range, &acting, "integrity", acting.integrity(&verified)).await;
    lock.ends(&range);
    acting.does("swap", acting.swap()).await.unwrap();
    acting.does("writes", acting.writes(true)).await.unwrap();

    let lock = Lock::on(&range, DATABASE).await;
    let counts = Action::Postgres(Postgres::Counts { database: DATABASE.to_owned() });
    let steps =
        [("assess", acting.assess()), ("counts", counts), ("loss", acting.loss()), ("verify", acting.verify(&dump))];
    for (step, action) in steps {
        is_stopped_at_the_server(&range, &acting, step, action).await;
    }
    lock.ends(&range);
    let assessed = acting.does("assess", acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["database"], "ok", "nothing has happened to it: {:?}", assessed.fields);
}

/// The server itself ends a statement whose time is over.
async fn is_out_of_time(range: &Range, acting: &Acting) {
    let mut context = acting.context("late");
    context.timeout = Duration::from_secs(1);
    let begin = Clock::system().monotonic();
    let result = acting.does_in(context, acting.sql("SELECT pg_sleep(600)::text AS slept", &[])).await;
    assert!(matches!(result, Err(Failure::Failed { .. })), "{result:?}");
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    nothing_is_left(range, acting, "late").await;
}

/// Stops the proof of a backup while its tool runs. A tool that was quicker than the stop is let run once more.
async fn is_stopped_in_its_tool(range: &Range, acting: &Acting, dump: &str) {
    for _ in 0..10 {
        let context = acting.context("verify");
        let cancel = context.cancel.clone();
        let stopping = async {
            let label = format!("label=drbot.run={}", acting.run);
            until("the tool to run", async || {
                (!range.docker(&["ps", "-q", "--filter", &label]).is_empty()).then_some(())
            })
            .await;
            cancel.cancel();
        };
        let mut proving = std::pin::pin!(acting.does_in(context, acting.verify(dump)));
        let result = tokio::select! {
            result = &mut proving => result,
            () = stopping => proving.await,
        };
        nothing_is_left(range, acting, "verify").await;
        match result {
            Err(Failure::Cancelled) => return,
            Ok(_) => {}
            Err(failure) => panic!("{failure:?}"),
        }
    }
    panic!("the tool was quicker than the stop ten times");
}

/// Stops a step whose request the engine does not answer; how it ended.
async fn is_stopped_at_the_engine(range: &Range, about: &'static str, action: Action) -> Failure {
    let silent = Silent::about(about);
    let acting = Acting::on(range, "000000f2").with_docker(&silent.socket());
    let context = acting.context("docker");
    let cancel = context.cancel.clone();
    let stopping = async {
        until(&format!("{about} to be asked for"), async || (silent.asked() > 0).then_some(())).await;
        cancel.cancel();
        Clock::system().monotonic()
    };
    let (result, told) = tokio::join!(acting.does_in(context, action), stopping);
    assert!(told.elapsed() < SOON, "{about}: {:?}", told.elapsed());
    let gone = async || (silent.hung_up() == silent.asked()).then_some(());
    within(SOON, &format!("{about} to be given up"), gone).await;
    result.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_at_docker_leaves_no_request_and_says_whether_it_may_still_happen() {
    let range = Range::up();
    let redis = || range.container("redis");
    let since = || range.docker(&["inspect", "-f", "{{.State.Running}} {{.State.StartedAt}}", &redis()]);
    let before = since();
    let grace = Span::from_secs(5);
    let changes = [
        ("/start", Docker::Start { container: redis() }),
        ("/stop", Docker::Stop { container: redis(), grace }),
        ("/restart", Docker::Restart { container: redis(), grace }),
        ("/kill", Docker::Kill { container: redis() }),
    ];
    for (about, action) in changes {
        let failure = is_stopped_at_the_engine(&range, about, Action::Docker(action)).await;
        let Failure::Unknown { message } = failure else { panic!("{about}: {failure:?}") };
        assert!(message.contains("may still"), "{about}: {message}");
        assert_eq!(since(), before, "{about}: the engine was told nothing");
    }
    let looks = [
        ("/logs", Docker::Logs { container: redis(), tail: 10, matching: Vec::new() }),
        ("/json", Docker::Inspect { container: redis() }),
        ("/json", Docker::Ps { containers: vec![redis()] }),
        ("/images/json", Docker::Images { repository: "story".to_owned() }),
    ];
    for (about, action) in looks {
        let failure = is_stopped_at_the_engine(&range, about, Action::Docker(action)).await;
        assert!(matches!(failure, Failure::Cancelled), "{about}: {failure:?}");
    }
}

/// Threads of this process that look from inside a container's network.
fn threads_inside() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "drbot-network").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_providers_and_at_the_machine_is_given_up() {
    let range = Range::up();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/standin/faults", range.helius_port);
    let slow = reqwest::Client::new().post(url).json(&json!({ "slow_ms": 60_000 })).send();
    slow.await.unwrap().error_for_status().unwrap();
    let mut acting = Acting::on(&range, "000000f3");
    let network: NetworkTarget = serde_json::from_value(json!({
        "container": range.container("trading-bot"),
        "patience": "60s",
        "providers": [{
            "name": "helius",
            "url": "http://rpc-helius:8899",
            "ask": { "jsonrpc": "2.0", "id": 1, "method": "getHealth" },
            "own_url": format!("http://{}", silent.local_addr().unwrap()),
        }],
    }))
    .unwrap();
    acting.target.network = Some(network);
    let choose = Network::Choose { current: "http://rpc-helius:8899".to_owned(), to: "healthy".to_owned() };
    for action in [Network::Look {}, choose] {
        let context = acting.context("look");
        let cancel = context.cancel.clone();
        let stopping = async {
            until("a look from the inside", async || (threads_inside() > 0).then_some(())).await;
            // The first only tries whether there is a connection. What is asked has come; an answer never does.
            let asking = loop {
                let (mut asking, _) = silent.accept().await.unwrap();
                if asking.read(&mut [0; 4096]).await.unwrap_or(0) > 0 {
                    break asking;
                }
            };
            cancel.cancel();
            (asking, Clock::system().monotonic())
        };
        let (result, (mut asking, told)) = tokio::join!(acting.does_in(context, Action::Network(action)), stopping);
        assert!(matches!(result, Err(Failure::Cancelled)), "{result:?}");
        assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
        let ended = tokio::time::timeout(SOON, asking.read(&mut [0; 16])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "the connection stays: {ended:?}");
        within(SOON, "the look from the inside to be given up", async || (threads_inside() == 0).then_some(())).await;
    }

    let host: Host = serde_json::from_value(json!({})).unwrap();
    let context = acting.context("host");
    context.cancel.cancel();
    let result = acting.does_in(context, Action::Host(host)).await;
    assert!(matches!(result, Err(Failure::Cancelled)), "{result:?}");
}
