//! `/undo` of a `/rollback` and of a `/failover` on the range: killed at its steps it comes to the same end, and where it
//! may not or cannot be done, everything is left as it is.
//!
//! How each is done when all is well, `rollback.rs` and `failover.rs` tell.

use drbot::{
    ids::RunId,
    run::{event::Event, outcome::Outcome, state::State},
};
use serde_json::{Value, json};

use crate::support::{
    LIMIT,
    bot::Bot,
    range::{Range, image},
    stage::{Stage, has_button},
    until, within_or_none,
};

/// A bot on duty, for which seconds are a while; on a range that runs `v1.2.3`.
struct Scene {
    range: Range,
    stage: Stage,
    bot: Bot,
    /// Runs that have ended.
    seen: Vec<RunId>,
}

impl Scene {
    async fn open(more: &[(&str, &str)]) -> Self {
        let more = [&[("ANTBOT_VERSION", "v1.2.3")], more].concat();
        let (range, stage) = (Range::up_with(&more), Stage::open().await);
        let mut bot = Bot::new(&stage, &range).with("DRBOT_HEALTHY_FOR", "2s").with("DRBOT_SAMPLE_EVERY", "1s");
        bot.start();
        stage.ready().await;
        Self { range, stage, bot, seen: Vec::new() }
    }

    /// The next run of a command, at its end.
    async fn ends(&mut self, command: &str) -> State {
        let state = self.bot.finished_after(command, &self.seen).await;
        self.seen.push(state.id);
        state
    }

    async fn succeeds(&mut self, command: &str) -> State {
        let state = self.ends(command).await;
        assert_eq!(outcome(&state), Outcome::Succeeded, "{:?}", state.finished);
        state
    }

    /// Dana asks for the run to be taken back, and Omar says yes to it, typing what is asked for.
    async fn is_taken_back(&self, undone: &State, confirm: Option<&str>) {
        self.undo_is_asked_for(undone).await;
        self.says_yes(confirm).await;
    }

    async fn undo_is_asked_for(&self, undone: &State) {
        // A bot that is about to be killed may not come to its answer.
        self.stage.person("Dana").types("undo", json!({ "run": undone.id.short() })).await;
    }

    async fn says_yes(&self, confirm: Option<&str>) {
        let answer = self.stage.person("Omar").clicks("undo", "Approve").await;
        if let Some(word) = confirm {
            self.stage.person("Omar").fills(&answer["modal"], word).await;
        }
    }

    async fn says_no(&self) {
        let answer = self.stage.person("Omar").clicks("undo", "Deny").await;
        self.stage.person("Omar").fills(&answer["modal"], "not today").await;
        // So that nobody takes this card for the next one's.
        let closed = async || self.stage.card("undo").await.filter(|card| !has_button(card, "Approve"));
        until("the card without its buttons", closed).await;
    }

    /// Starts the bot again, as one that kills itself at a point of a step; `None`: as one that does not.
    async fn starts_again(&mut self, failpoint: Option<&str>) {
        if !self.bot.is_gone() {
            self.bot.terminate().await;
        }
        match failpoint {
            Some(point) => self.bot.set("DRBOT_FAILPOINT", point),
            None => self.bot.unset("DRBOT_FAILPOINT"),
        }
        self.bot.start();
        self.stage.connected().await;
    }

    /// The kill was where it was meant to be, and nothing that a run made for itself is left.
    async fn was_hit_at(&self, command: &str, failpoint: &str) {
        let step = failpoint.split(':').nth(1).unwrap();
        let journal = self.bot.journal(command).await;
        let hit = |event: &Event| matches!(event, Event::StepInterrupted { step: hit, .. } if hit == step);
        assert!(journal.iter().any(|entry| hit(&entry.event)), "{failpoint}: the kill was elsewhere");
        let name = format!("name={}", self.range.prefix);
        let left = self.range.docker(&["ps", "-aq", "--filter", "label=drbot.kind=tool", "--filter", &name]);
        assert_eq!(left, "", "{failpoint}: one-shot containers are left behind");
    }

    async fn version(&self) -> Value {
        self.range.bot("/version").await["version"].clone()
    }

    async fn config(&self) -> Value {
        self.range.bot("/config").await
    }

    /// The container of the trading bot: another one is a deployment.
    fn container(&self) -> String {
        self.range.docker(&["inspect", "-f", "{{.Id}}", &self.range.container("trading-bot")])
    }

    async fn knows_a_good_version(&self) {
        until("v1.2.3 to be recorded good", async || {
            let known = self.bot.store().await.versions("prod").await.ok()?;
            known.iter().any(|version| version.name == "v1.2.3" && version.is_good()).then_some(())
        })
        .await;
    }

    /// `v1.3.0`, which leaks, gives way to `v1.2.3`.
    async fn rolls_back(&mut self) -> State {
        self.stage.person("Dana").types("rollback", json!({ "version": "v1.2.3" })).await;
        self.stage.person("Omar").approves_by("rollback", "v1.2.3").await;
        let state = self.succeeds("rollback").await;
        assert_eq!(self.version().await, "v1.2.3");
        state
    }

    /// The provider in use answers wrongly, and gives way to the other.
    async fn fails_over(&mut self) -> State {
        self.range.script("break", &["api-outage", "wrong"]);
        self.stage.person("Dana").types("failover", json!({})).await;
        let state = self.succeeds("failover").await;
        assert_eq!(self.config().await["primary_rpc"], "quicknode_endpoint");
        state
    }

    async fn provider_heals(&self) {
        let url = format!("http://127.0.0.1:{}/standin/faults", self.range.helius_port);
        let healing = reqwest::Client::new().post(url).json(&json!({})).send();
        healing.await.unwrap().error_for_status().unwrap();
    }
}

fn outcome(state: &State) -> Outcome {
    state.finished.as_ref().unwrap().outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_whose_undo_is_killed_is_taken_back_all_the_same() {
    let mut scene = Scene::open(&[]).await;
    scene.knows_a_good_version().await;
    scene.range.breaks("bad-version");
    let points = [
        "after-effect:halt.request",
        "after-effect:choose",
        "after-intent:deploy",
        "during:deploy:300",
        "after-effect:deploy",
        "after-intent:answers",
        "after-effect:halt_again.request",
        "during:healthy:500",
    ];
    for point in points {
        scene.starts_again(None).await;
        let rolled = scene.rolls_back().await;
        scene.starts_again(Some(point)).await;
        scene.undo_is_asked_for(&rolled).await;
        let before_the_gate = ["halt.request", "choose"].iter().any(|step| point.ends_with(step));
        if !before_the_gate {
            scene.says_yes(Some("v1.3.0")).await;
        }
        scene.bot.dies().await;
        scene.starts_again(None).await;
        if before_the_gate {
            assert_eq!(scene.version().await, "v1.2.3", "{point}: nothing before the yes");
            scene.says_yes(Some("v1.3.0")).await;
        }
        scene.succeeds("undo-rollback").await;
        scene.was_hit_at("undo-rollback", point).await;
        assert_eq!(scene.version().await, "v1.3.0", "{point}");
        assert_eq!(scene.range.bot("/status/trading").await["trading"], "halted", "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_whose_undo_is_killed_is_taken_back_all_the_same() {
    let mut scene = Scene::open(&[]).await;
    let before = scene.config().await;
    let points = [
        "after-effect:before",
        "after-intent:switch",
        "after-effect:switch",
        "after-intent:watch",
        "during:watch:300",
        "after-effect:watch",
        "after-intent:tell",
    ];
    for point in points {
        scene.starts_again(None).await;
        let failed_over = scene.fails_over().await;
        scene.provider_heals().await;
        scene.starts_again(Some(point)).await;
        scene.undo_is_asked_for(&failed_over).await;
        let before_the_gate = point.ends_with(":before");
        if !before_the_gate {
            scene.says_yes(None).await;
        }
        scene.bot.dies().await;
        scene.starts_again(None).await;
        if before_the_gate {
            assert_eq!(scene.config().await["primary_rpc"], "quicknode_endpoint", "{point}: nothing before the yes");
            scene.says_yes(None).await;
        }
        scene.succeeds("undo-failover").await;
        scene.was_hit_at("undo-failover", point).await;
        assert_eq!(scene.config().await, before, "{point}: all of it is as it was");
    }
}

/// The range's images under names of the story's own, so that one can be taken away from nobody else.
struct Images(String);

impl Images {
    fn of(name: &str) -> Self {
        let images = Self(name.to_owned());
        let names = ["postgres:15", "redis:latest", "prometheus:bookworm", "grafana:stand-in"].map(str::to_owned);
        let versions = ["dev", "v1.2.3", "v1.2.4", "v1.3.0", "v1.3.1", "v2.0.0"];
        for name in names.into_iter().chain(versions.map(|version| format!("trading-bot:{version}"))) {
            docker(&["tag", &image(&name), &format!("{}-{name}", images.0)]);
        }
        images
    }

    fn is_gone(&self, name: &str) {
        docker(&["rmi", "--force", "--no-prune", &format!("{}-{name}", self.0)]);
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        let of_it = format!("reference={}-*", self.0);
        let names = docker(&["images", "--filter", &of_it, "--format", "{{.Repository}}:{{.Tag}}"]);
        for name in names.lines() {
            docker(&["rmi", "--no-prune", name]);
        }
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = std::process::Command::new("docker").args(arguments).output().unwrap();
    if !output.status.success() && !std::thread::panicking() {
        panic!("docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_stays_where_the_approver_says_no_and_where_the_old_version_is_gone() {
    let name = format!("story{}", std::process::id());
    let images = Images::of(&name);
    let mut scene = Scene::open(&[("RANGE_IMAGES", &name)]).await;
    scene.knows_a_good_version().await;
    scene.range.breaks("bad-version");
    let rolled = scene.rolls_back().await;
    let container = scene.container();

    scene.undo_is_asked_for(&rolled).await;
    scene.says_no().await;
    let denied = scene.ends("undo-rollback").await;
    assert_eq!(outcome(&denied), Outcome::Refused, "{:?}", denied.finished);
    assert_eq!(scene.container(), container, "nothing was deployed");

    // It may be asked for again, but by now there is nothing to go back to.
    images.is_gone("trading-bot:v1.3.0");
    scene.undo_is_asked_for(&rolled).await;
    let refused = scene.ends("undo-rollback").await;
    assert_eq!(outcome(&refused), Outcome::Refused, "{:?}", refused.finished);
    let why = &refused.finished.as_ref().unwrap().message;
    assert!(why.contains("v1.3.0"), "{why}");
    let journal = scene.bot.journal("undo-rollback").await;
    let asked = journal.iter().any(|entry| matches!(entry.event, Event::ApprovalAsked(_)));
    assert!(!asked, "nobody is asked for what cannot be done");
    assert_eq!(scene.container(), container, "nothing was deployed");
    assert_eq!(scene.version().await, "v1.2.3");
    assert_eq!(scene.range.bot("/health").await["status"], "healthy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_stays_where_the_approver_says_no_and_where_the_old_provider_is_ill_still() {
    let mut scene = Scene::open(&[]).await;
    let failed_over = scene.fails_over().await;
    let left = scene.config().await;

    scene.undo_is_asked_for(&failed_over).await;
    scene.says_no().await;
    let denied = scene.ends("undo-failover").await;
    assert_eq!(outcome(&denied), Outcome::Refused, "{:?}", denied.finished);
    assert_eq!(scene.config().await, left);

    // With a yes it is switched, and the trading bot's own figures do not become good.
    scene.is_taken_back(&failed_over, None).await;
    let asked = async || scene.stage.card("undo").await.filter(|card| has_button(card, "Undo to here"));
    if within_or_none(LIMIT, asked).await.is_none() {
        panic!("nobody is asked what to do: {:?}", scene.stage.card("undo").await);
    }
    assert_ne!(scene.config().await, left);
    scene.stage.person("Dana").clicks("undo", "Undo to here").await;
    let undone = scene.ends("undo-failover").await;
    assert_eq!(outcome(&undone), Outcome::RolledBack, "{:?}", undone.finished);
    assert!(undone.recovered_at.is_none());
    assert_eq!(scene.config().await, left, "as the failover left it");
}
