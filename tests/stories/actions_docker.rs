//! Verbs on containers, against the real engine; and an engine that does not answer.

use drbot::{
    actions::Probe,
    runbook::{
        action::{Action, Docker},
        span::Span,
    },
};
use serde_json::json;

use crate::support::{acting::Acting, range::Range};

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
