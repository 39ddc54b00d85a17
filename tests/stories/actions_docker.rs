//! Verbs on containers, against the real engine; and an engine that does not answer.

use std::time::Duration;

use drbot::{
    actions::{Failure, Probe},
    runbook::{
        action::{Action, Docker},
        span::Span,
    },
};
use serde_json::json;
use sha2::Digest;

use crate::support::{acting::Acting, range::Range, until};

#[tokio::test(flavor = "multi_thread")]
async fn containers_are_seen_stopped_started_and_what_happened_is_known() {
    let range = Range::up();
    let acting = Acting::on(&range, "00000d0c");
    let redis = range.container("redis");
    let bot = range.container("trading-bot");
    let names = vec![redis.clone(), "no-such-container".to_owned()];
    let seen = acting.does("ps", Action::Docker(Docker::Ps { containers: names })).await.unwrap();
    assert_eq!(seen.fields["containers"][0]["state"], json!("running"));
    assert_eq!(seen.fields["containers"][1]["state"], json!("missing"));
    assert!(
        seen.fields["down"].to_string().contains("no-such-container")
            && !seen.fields["down"].to_string().contains(&redis)
    );

    let stop = || Action::Docker(Docker::Stop { container: redis.clone(), grace: Span::from_secs(5) });
    let start = || Action::Docker(Docker::Start { container: redis.clone() });
    let restart = || Action::Docker(Docker::Restart { container: redis.clone(), grace: Span::from_secs(5) });
    let kill = || Action::Docker(Docker::Kill { container: redis.clone() });
    let inspect = || Action::Docker(Docker::Inspect { container: redis.clone() });
    let happened = |probe: Probe| match probe {
        Probe::Happened(_) => true,
        Probe::DidNotHappen => false,
        Probe::CannotTell(why) => panic!("{why}"),
    };
    for (deed, runs_after) in [(stop(), false), (start(), true), (restart(), true), (kill(), false)] {
        let facts = acting.prepares("deed", deed.clone()).await;
        assert!(!happened(acting.probes("deed", deed.clone(), &facts).await), "{deed:?} had not happened");
        acting.performs("deed", deed.clone(), &facts).await.unwrap();
        assert!(happened(acting.probes("deed", deed.clone(), &facts).await), "{deed:?} had happened");
        let state = acting.does("inspect", inspect()).await.unwrap();
        assert_eq!(state.fields["running"], json!(runs_after), "{deed:?}");
    }
    // Done again it is as good.
    for deed in [kill(), stop(), start(), start()] {
        acting.does("again", deed.clone()).await.unwrap_or_else(|failure| panic!("{deed:?}: {failure}"));
    }
    let missing =
        acting.does("start", Action::Docker(Docker::Start { container: "no-such-container".to_owned() })).await;
    assert!(missing.unwrap_err().to_string().contains("no-such-container"));

    let logs =
        Docker::Logs { container: bot.clone(), tail: 100, matching: vec!["LISTEN".to_owned(), "start".to_owned()] };
    let read = acting.does("logs", Action::Docker(logs)).await.unwrap();
    assert!(read.fields["matched"].is_u64() && read.fields["lines"].is_array());
}

/// Programs that run in a container, by their command lines.
fn programs(range: &Range, container: &str) -> String {
    range.docker(&["top", container, "-eo", "pid,args"])
}

fn exec(container: &str, script: &str) -> Action {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    Action::Docker(Docker::Exec { container: container.to_owned(), command, user: None })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_a_container_is_run_and_is_really_ended() {
    let range = Range::up();
    let acting = Acting::on(&range, "00000d0e");
    let redis = range.container("redis");
    let done = acting.does("run", exec(&redis, "echo out; echo err >&2; exit 3")).await.unwrap();
    assert_eq!(done.fields["exit_code"], json!(3));
    assert_eq!((&done.fields["stdout"], &done.fields["stderr"]), (&json!("out\n"), &json!("err\n")));
    let done = acting.does("run", exec(&redis, "echo '{\"role\": \"master\"}'")).await.unwrap();
    assert_eq!(done.fields["json"]["role"], json!("master"));
    let done = acting.does("run", exec(&redis, "head -c 9000000 /dev/zero | tr '\\0' x")).await.unwrap();
    assert!(done.fields["stdout"].as_str().unwrap().len() < 500_000, "endless output is bounded");
    let user = Docker::Exec {
        container: redis.clone(),
        command: vec!["id".to_owned(), "-u".to_owned()],
        user: Some("1".to_owned()),
    };
    assert_eq!(acting.does("run", Action::Docker(user)).await.unwrap().fields["stdout"], json!("1\n"));

    for (container, words) in [("no-such-container", "no container"), (redis.as_str(), "no-such-program")] {
        let command = vec!["no-such-program".to_owned()];
        let action = Docker::Exec { container: container.to_owned(), command, user: None };
        // An engine may say it by the exit code of a shell that finds nothing (127), with its words as output.
        let said = match acting.does("run", Action::Docker(action)).await {
            Ok(done) => done.fields["stdout"].to_string() + done.fields["stderr"].as_str().unwrap(),
            Err(failure) => failure.to_string(),
        };
        assert!(said.contains(words), "{said}");
    }

    // Asked to stop, and out of time: what it had started is gone too.
    for (seconds, cancels) in [(60, true), (2, false)] {
        let mut context = acting.context("long");
        context.timeout = Duration::from_secs(seconds);
        let cancel = context.cancel.clone();
        let stop = async {
            until("the program to run", async || programs(&range, &redis).contains("sleep 1234").then_some(())).await;
            if cancels {
                cancel.cancel();
            }
        };
        let (ended, ()) = tokio::join!(acting.does_in(context, exec(&redis, "sleep 1234 & sleep 1235")), stop);
        match (ended, cancels) {
            (Err(Failure::Cancelled), true) => {}
            (Err(Failure::Failed { message, .. }), false) => {
                assert!(message.contains("was not done within"), "{message}")
            }
            (ended, _) => panic!("{ended:?}"),
        }
        assert!(!programs(&range, &redis).contains("sleep"), "{}", programs(&range, &redis));
    }

    // What a drbot that was killed leaves is ended when its step is looked at again; how it went, nobody knows.
    let lost = exec(&redis, "sleep 1234 & sleep 1235");
    tokio::select! {
        ended = acting.does("lost", lost.clone()) => panic!("{ended:?}"),
        () = until("the program to run", async || programs(&range, &redis).contains("sleep 1234").then_some(())) => {}
    }
    assert!(programs(&range, &redis).contains("sleep 1235"), "it goes on");
    let probe = acting.probes("lost", lost, &Default::default()).await;
    assert!(matches!(probe, Probe::CannotTell(_)), "{probe:?}");
    until("it to be gone", async || (!programs(&range, &redis).contains("sleep")).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_cut_off_from_a_network_and_joined_again() {
    let range = Range::up();
    let acting = Acting::on(&range, "00000d0f");
    let (container, network) = (range.container("provider-helius"), format!("{}_helius", range.project));
    let bot = range.container("trading-bot");
    let finds = |name: &str| {
        std::process::Command::new("docker")
            .args(["exec", &bot, "getent", "hosts", name])
            .output()
            .unwrap()
            .status
            .success()
    };
    let cut = Action::Docker(Docker::Disconnect { container: container.clone(), network: network.clone() });
    let aliases = vec!["rpc-again".to_owned()];
    let join = Action::Docker(Docker::Connect { container: container.clone(), network: network.clone(), aliases });
    assert!(finds("rpc-helius"));
    for (deed, found) in [(cut, None), (join, Some("rpc-again"))] {
        let facts = acting.prepares("deed", deed.clone()).await;
        assert!(matches!(acting.probes("deed", deed.clone(), &facts).await, Probe::DidNotHappen), "{deed:?}");
        acting.performs("deed", deed.clone(), &facts).await.unwrap();
        assert!(matches!(acting.probes("deed", deed.clone(), &facts).await, Probe::Happened(_)), "{deed:?}");
        acting.does("again", deed.clone()).await.unwrap();
        assert!(!finds("rpc-helius"));
        assert!(found.is_none_or(finds), "{found:?}");
    }
    let nowhere = Docker::Connect { container, network: "no-such-network".to_owned(), aliases: Vec::new() };
    let said = acting.does("nowhere", Action::Docker(nowhere)).await.unwrap_err().to_string();
    assert!(said.contains("no-such-network"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_fetched_from_a_registry() {
    let range = Range::up();
    let acting = Acting::on(&range, "00000d10");
    let registry = Registry::start().await;
    let image = format!("{}/story/{}", registry.address, range.project);
    let done = acting.does("pull", Action::Docker(Docker::Pull { image: format!("{image}:v1") })).await.unwrap();
    assert_eq!(done.fields["image"], json!(format!("{image}:v1")));
    assert_eq!(range.docker(&["image", "inspect", "-f", "{{.Id}}", &format!("{image}:v1")]), done.fields["id"]);
    range.docker(&["rmi", &format!("{image}:v1")]);
    let said = acting.does("pull", Action::Docker(Docker::Pull { image })).await.unwrap_err().to_string();
    assert!(said.contains("latest"), "a tag that is not there: {said}");

    // A registry that never answers: a stop is heard.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let image = format!("{}/silent:v1", silent.local_addr().unwrap());
    let context = acting.context("silent");
    let cancel = context.cancel.clone();
    let stop = async {
        silent.accept().await.unwrap();
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(acting.does_in(context, Action::Docker(Docker::Pull { image })), stop);
    assert!(matches!(ended, Err(Failure::Cancelled)), "{ended:?}");
}

/// A registry with one image of one empty layer under the tag `v1` of every name (distribution specification, pull).
struct Registry {
    address: std::net::SocketAddr,
}

impl Registry {
    async fn start() -> Self {
        let digest = |bytes: &[u8]| {
            let sum = sha2::Sha256::digest(bytes);
            format!("sha256:{}", sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        };
        let layer = tar::Builder::new(Vec::new()).into_inner().unwrap();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        });
        let config = config.to_string().into_bytes();
        let kind = "application/vnd.docker.distribution.manifest.v2+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": kind,
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json", "size": config.len(), "digest": digest(&config),
            },
            "layers": [{
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": layer.len(), "digest": digest(&layer),
            }],
        });
        let manifest = manifest.to_string().into_bytes();
        let mut there: Vec<(String, &'static str, Vec<u8>)> = vec![
            ("manifests/v1".to_owned(), kind, manifest.clone()),
            (format!("manifests/{}", digest(&manifest)), kind, manifest),
        ];
        for blob in [layer, config] {
            there.push((format!("blobs/{}", digest(&blob)), "application/octet-stream", blob));
        }
        let answer = move |uri: axum::http::Uri| {
            let path = uri.path().to_owned();
            let found = there.iter().find(|(end, ..)| path.ends_with(end.as_str())).cloned();
            async move {
                match found {
                    _ if path == "/v2/" => Ok(([("content-type", "application/json")], b"{}".to_vec())),
                    Some((_, kind, body)) => Ok(([("content-type", kind)], body)),
                    None => Err(axum::http::StatusCode::NOT_FOUND),
                }
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
        Self { address }
    }
}
