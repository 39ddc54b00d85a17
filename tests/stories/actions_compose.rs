//! A compose project taken down and brought up by the real tool, and what is left when that is stopped half-way.

use std::time::Duration;

use drbot::{
    actions::{Failure, Probe},
    runbook::action::{Action, Compose},
};
use serde_json::json;

use crate::support::{acting::Acting, range::Range, until};

fn up(services: &[&str], version: Option<&str>) -> Action {
    let environment = version.map(|version| ("ANTBOT_VERSION".to_owned(), version.to_owned()));
    let services = services.iter().map(|service| (*service).to_owned()).collect();
    Action::Compose(Compose::Up { services, environment: environment.into_iter().collect(), start: true })
}

fn ps() -> Action {
    Action::Compose(Compose::Ps { services: Vec::new() })
}

fn down() -> Action {
    Action::Compose(Compose::Down {})
}

/// The processes of the tool that work on a project.
fn tools(project: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains("compose") && line.contains(&format!("-p {project} "))
        })
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_goes_down_and_comes_up_with_its_volumes_and_another_version() {
    let range = Range::up();
    let acting = Acting::on(&range, "000000c0");
    let seen = acting.does("ps", ps()).await.unwrap();
    assert_eq!(seen.fields["versions"]["trading-bot"], json!("dev"), "{seen:?}");
    let trades = range.sql("SELECT count(*) FROM trades WHERE id <= 20000");

    // As it is: nothing is made anew.
    let same = acting.does("up", up(&[], None)).await.unwrap();
    assert_eq!(same.fields["changed"], json!([]), "{same:?}");

    let removed = acting.does("down", down()).await.unwrap();
    assert!(removed.fields["removed"].to_string().contains("trading-postgres"), "{removed:?}");
    assert!(range.docker(&["volume", "ls", "-q"]).contains(&format!("{}_pgdata", range.project)), "volumes stay");
    let gone = acting.does("ps", ps()).await.unwrap();
    assert_eq!(gone.fields["ready"], json!(false));
    assert_eq!(gone.fields["down"][0], json!("redis has no container"));
    // Again is as good.
    acting.does("down", down()).await.unwrap();

    let started = acting.does("up", up(&[], Some("v1.2.3"))).await.unwrap();
    assert!(started.fields["changed"].to_string().contains("trading-bot"), "{started:?}");
    until("the project to be up", async || {
        let seen = acting.does("ps", ps()).await.unwrap();
        (seen.fields["ready"] == true).then_some(())
    })
    .await;
    assert_eq!(range.sql("SELECT count(*) FROM trades WHERE id <= 20000"), trades);
    until("the other version to answer", async || {
        let url = format!("http://127.0.0.1:{}/version", range.api_port);
        let said: serde_json::Value = reqwest::get(url).await.ok()?.json().await.ok()?;
        (said["version"] == "v1.2.3").then_some(())
    })
    .await;
    // One service with another version leaves the others alone.
    let one = acting.does("up", up(&["trading-bot"], Some("v1.2.4"))).await.unwrap();
    assert_eq!(one.fields["changed"], json!(["trading-bot"]), "{one:?}");
    // Made, and left as it is.
    let Action::Compose(Compose::Up { services, environment, .. }) = up(&["trading-bot"], Some("v1.2.3")) else {
        unreachable!()
    };
    let made = Action::Compose(Compose::Up { services, environment, start: false });
    acting.does("up", made).await.unwrap();
    assert!(!range.runs("trading-bot"));
    let seen = acting.does("ps", ps()).await.unwrap();
    assert_eq!((&seen.fields["versions"]["trading-bot"], &seen.fields["ready"]), (&json!("v1.2.3"), &json!(false)));
    let refused = acting.does("up", up(&["no-such-service"], None)).await.unwrap_err().to_string();
    assert!(refused.contains("no-such-service"), "{refused}");
    let refused = acting.does("up", up(&["trading-bot"], Some("v0.0.0"))).await.unwrap_err().to_string();
    assert!(refused.contains("v0.0.0"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_is_stopped_or_left_behind_does_not_go_on() {
    let range = Range::up();
    let mut acting = Acting::on(&range, "000000c1");
    // Each service takes seconds to stop, so that there is something to stop.
    let context = acting.context("down");
    let cancel = context.cancel.clone();
    let stopping = async {
        until("the tool to run", async || (tools(&range.project) > 0).then_some(())).await;
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(acting.does_in(context, down()), stopping);
    assert!(matches!(ended, Err(Failure::Cancelled)), "{ended:?}");
    assert_eq!(tools(&range.project), 0);
    acting.does("up", up(&[], None)).await.unwrap();

    let short = drbot::actions::Context { timeout: Duration::from_millis(400), ..acting.context("down") };
    let ended = acting.does_in(short, down()).await.unwrap_err().to_string();
    assert!(ended.contains("was stopped"), "{ended}");
    assert_eq!(tools(&range.project), 0);

    // As a killed drbot leaves it: a tool that still works on the project.
    let mut left = tokio::process::Command::new("sh")
        .args(["-c", "exec sleep 600", "compose", "-p", &range.project, "up"])
        .envs([("DRBOT_RUN", acting.run.as_str()), ("DRBOT_STEP", "up")])
        .process_group(0)
        .spawn()
        .unwrap();
    let probe = acting.probes("up", up(&[], None), &Default::default()).await;
    assert!(matches!(probe, Probe::DidNotHappen), "{probe:?}");
    assert!(!left.wait().await.unwrap().success(), "it was ended");
    acting.does("up", up(&[], None)).await.unwrap();

    acting.compose().file = "/nowhere/compose.yaml".into();
    let refused = acting.does("up", up(&[], None)).await.unwrap_err();
    assert!(matches!(&refused, Failure::Refused { message } if message.contains("/nowhere/compose.yaml")), "{refused}");
}
