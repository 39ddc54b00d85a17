//! Incidents at work: opened, joined by runs, climbed, recovered, and the same after a crash.

use std::{path::Path, time::Duration};

use drbot::{
    access::Caller,
    alerts::{
        alert::{Alert, Status},
        receiver::Delivery,
    },
    clock::{Clock, Timestamp},
    config::settings::{Level, Priority, Scenario},
    contacts::file,
    engine::incidents::{DeedError, OpenError},
    escalation::Escalation,
    ids::IncidentId,
    incident::{
        event::{Event, Paged, Stall},
        state::{Ack, State},
    },
    run::outcome::Outcome,
    runbook::definition::{Command, Recovered},
};

use crate::support::{
    LIMIT,
    clock::HandClock,
    commands::{approved, command, once, read},
    house::{Bot, House, dana, omar},
    until,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A command that recovers the database, with an RTO of 30 minutes, and an empty target to recover.
fn house(clock: Clock) -> House {
    let go = Command {
        scenario: Some("corruption".to_owned()),
        target: Some("prod".to_owned()),
        recovered: Some(Recovered { when: "steps.act.ok".to_owned() }),
        ..approved(command("go", vec![read("look"), once("act")]), None, "act")
    };
    let mut house = House::new([go]).on(clock);
    let settings = &mut house.configuration.settings;
    settings.escalation = [0, 50, 90, 100]
        .map(|at| drbot::config::settings::RungSettings { at, page: vec!["responsible".to_owned()], reach: None })
        .to_vec();
    let scenario = Scenario {
        name: "Corruption".to_owned(),
        rto: "30m".parse().unwrap(),
        rpo: "10m".parse().unwrap(),
        priority: Priority::Critical,
        responsible: vec!["DBA".to_owned()],
    };
    settings.scenario.insert("corruption".to_owned(), scenario.clone());
    settings.scenario.insert("partition".to_owned(), Scenario { name: "Partition".to_owned(), ..scenario });
    settings.target.insert("prod".to_owned(), target());
    settings.incidents.roles = vec!["operator".to_owned(), "dba".to_owned()];
    settings.incidents.deadline = vec!["dba".to_owned()];
    house
}

fn target() -> drbot::config::settings::Target {
    serde_json::from_value(serde_json::json!({"api": "http://127.0.0.1:9"})).unwrap()
}

async fn at_work(house: &House) -> (Bot, Escalation) {
    let bot = house.start().await;
    let text = "Role,Name,Discord,Primary phone,Secondary phone,Emergency address\n\
        DBA,Omar,400000000000000002,+1 555 010 0101,,\nLead,Lena,400000000000000003,,,\n";
    let contacts = file::parse(Path::new("x"), text, Clock::system().now()).unwrap().contacts;
    bot.0.store().replace_contacts(&contacts).await.unwrap();
    let escalation = Escalation::start(bot.0.clone(), bot.pager());
    (bot, escalation)
}

async fn incident(bot: &Bot, id: IncidentId) -> State {
    bot.0.incident(id).await.unwrap().expect("the incident is there")
}

async fn becomes(bot: &Bot, id: IncidentId, wish: &str, holds: impl Fn(&State) -> bool) -> State {
    let mut changes = bot.0.incident_changes();
    let come = async {
        loop {
            let state = incident(bot, id).await;
            if holds(&state) {
                return state;
            }
            changes.recv().await.unwrap();
        }
    };
    tokio::time::timeout(LIMIT, come).await.unwrap_or_else(|_| panic!("never: {wish}"))
}

async fn pages(bot: &Bot, id: IncidentId) -> Vec<Paged> {
    let journal = bot.0.store().incident_journal(id).await.unwrap();
    let paged = |entry: drbot::incident::event::Entry| match entry.event {
        Event::Paged(paged) => Some(*paged),
        _ => None,
    };
    journal.into_iter().filter_map(paged).collect()
}

/// Whoever is due is called before this returns.
async fn looked(hand: &HandClock) {
    for _ in 0..2 {
        hand.pass(Duration::from_millis(250)).await;
    }
    hand.is_slept_on(Duration::from_millis(250)).await;
}

async fn opens(bot: &Bot, caller: &Caller) -> State {
    let key = drbot::ids::random_token();
    bot.0.open_incident(caller, &key, "corruption", None, Some("rows are gone")).await.unwrap()
}

fn alert(name: &str, starts_at: Timestamp, status: Status) -> Alert {
    Alert {
        source: "alertmanager".to_owned(),
        fingerprint: format!("f-{name}"),
        name: name.to_owned(),
        status,
        starts_at,
        ends_at: None,
        labels: [("scenario".to_owned(), "corruption".to_owned()), ("target".to_owned(), "prod".to_owned())].into(),
        summary: "the database is down".to_owned(),
        description: String::new(),
        url: String::new(),
        scenario: None,
        target: None,
    }
}

async fn alerted(bot: &Bot, alerts: Vec<Alert>) {
    bot.0.alerted(Delivery { alerts, signature: None }).await.unwrap();
}

async fn only_open(bot: &Bot) -> State {
    until("an incident is open", async || bot.0.open_incidents().await.into_iter().next()).await
}

#[tokio::test]
async fn from_the_opening_to_the_close() {
    let hand = HandClock::new();
    let house = house(hand.clock());
    let (bot, _escalation) = at_work(&house).await;
    let opened = opens(&bot, &dana()).await;
    assert_eq!(opened.holder().map(|holder| holder.name.as_str()), Some("Dana"), "who opens it has it");
    assert_eq!(opened.opened.target.as_deref(), Some("prod"), "the only target");
    let again = bot.0.open_incident(&omar(), "other", "corruption", None, None).await.unwrap_err();
    assert!(matches!(again, OpenError::Open(id) if id == opened.id), "{again}");

    // The rung at 0 % tells the responsible, by every way they can be reached.
    looked(&hand).await;
    becomes(&bot, opened.id, "people are told", |state| state.pages == 1).await;
    let first = pages(&bot, opened.id).await.remove(0);
    assert_eq!((first.deadline, first.ack, first.called.len()), (Some(0), None, 1));

    // The run joins, and has no rungs of its own.
    let run = bot.run("go").await;
    let state = becomes(&bot, opened.id, "the run joins", |state| state.runs.len() == 1).await;
    assert_eq!(state.runs[0].run, run);
    assert!(bot.state(run).await.created.rungs.is_empty());
    let token = bot.call_for_approval(run).await;
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    let state = becomes(&bot, opened.id, "it is recovered", |state| state.recovered.is_some()).await;
    assert_eq!(state.recovered.unwrap().run, run);

    hand.advance(120 * MINUTE);
    looked(&hand).await;
    assert_eq!(pages(&bot, opened.id).await.len(), 1, "nobody is called behind the recovery");
    bot.0.close_incident(opened.id, &dana(), None).await.unwrap();
    // What is found out later belongs to the record; nothing else can be done any more.
    let noted = bot.0.note(opened.id, &dana(), "the disk was full").await.unwrap();
    assert_eq!(bot.0.note(opened.id, &omar(), "and slow").await.unwrap().seq, noted.seq + 1);
    assert!(matches!(bot.0.acknowledge(opened.id, &dana(), "late").await, Err(DeedError::Closed)));
    assert!(bot.0.open_incidents().await.is_empty());
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nobody_wait_longer_also_while_drbot_is_away() {
    let hand = HandClock::new();
    let house = house(hand.clock());
    let (bot, escalation) = at_work(&house).await;
    alerted(&bot, vec![alert("DatabaseDown", hand.clock().now(), Status::Firing)]).await;
    let id = only_open(&bot).await.id;
    looked(&hand).await;
    becomes(&bot, id, "the first call", |state| state.deadline.used == Some(0)).await;
    let due = incident(&bot, id).await.deadline.due;
    hand.set_back(60 * MINUTE);
    looked(&hand).await;
    let state = becomes(&bot, id, "its ladders come sooner", |state| state.deadline.due < due).await;
    assert!((due - state.deadline.due - chrono::TimeDelta::minutes(60)).abs() < chrono::TimeDelta::seconds(2));
    hand.advance(15 * MINUTE);
    looked(&hand).await;
    becomes(&bot, id, "half of the time is used", |state| state.deadline.used == Some(50)).await;

    drop(escalation);
    bot.0.stop().await;
    bot.0.store().close().await;
    drop(bot);
    hand.set_back(60 * MINUTE);
    let (bot, _escalation) = at_work(&house).await;
    hand.advance(12 * MINUTE);
    looked(&hand).await;
    becomes(&bot, id, "nine tenths are used", |state| state.deadline.used == Some(90)).await;
    let journal = bot.0.store().incident_journal(id).await.unwrap();
    assert_eq!(journal.iter().filter(|entry| matches!(entry.event, Event::ClockSetBack { .. })).count(), 2);
}

#[tokio::test]
async fn ladders_climb_across_a_crash_and_an_acknowledgement_does_not_silence_the_deadline() {
    let hand = HandClock::new();
    let house = house(hand.clock());
    let (bot, escalation) = at_work(&house).await;
    alerted(&bot, vec![alert("DatabaseDown", hand.clock().now(), Status::Firing)]).await;
    let id = only_open(&bot).await.id;
    looked(&hand).await;
    becomes(&bot, id, "the first call", |state| state.pages == 1).await;
    let first = pages(&bot, id).await.remove(0);
    assert_eq!((first.deadline, first.ack), (Some(0), Some(Level::Primary)), "one call for both ladders");

    // Gone for 16 minutes: one call, for the highest of each, late.
    drop(escalation);
    bot.0.stop().await;
    bot.0.store().close().await;
    drop(bot);
    hand.advance(16 * MINUTE);
    let (bot, _escalation) = at_work(&house).await;
    looked(&hand).await;
    becomes(&bot, id, "the late call", |state| state.pages == 2).await;
    let second = pages(&bot, id).await.remove(1);
    assert_eq!((second.deadline, second.ack), (Some(50), Some(Level::Emergency)));
    looked(&hand).await;
    assert_eq!(pages(&bot, id).await.len(), 2);

    bot.0.acknowledge(id, &omar(), "by the button").await.unwrap();
    hand.advance(11 * MINUTE);
    looked(&hand).await;
    let state = becomes(&bot, id, "90 %", |state| state.deadline.used == Some(90)).await;
    assert!(matches!(state.ack, Ack::Held { .. } | Ack::Asked { .. }), "{:?}", state.ack);
    hand.advance(3 * MINUTE);
    looked(&hand).await;
    let state = becomes(&bot, id, "the breach", |state| state.deadline.used == Some(100)).await;
    assert!(state.deadline.breached_at.is_some());
}

#[tokio::test]
async fn alerts_open_one_incident_and_say_when_they_are_over() {
    let house = house(Clock::system());
    let (bot, _escalation) = at_work(&house).await;
    let now = bot.0.clock().now();
    // Twice the same, and another one on the same target.
    let firing = |name: &str| alert(name, now, Status::Firing);
    alerted(&bot, vec![firing("DatabaseDown"), firing("DatabaseDown"), firing("BotUnhealthy")]).await;
    alerted(&bot, vec![firing("DatabaseDown")]).await;
    let id = only_open(&bot).await.id;
    let state = becomes(&bot, id, "both alerts", |state| state.alerts.len() == 2).await;
    assert_eq!(state.opened.detected.at, now);
    assert!(state.holder().is_none() && state.responded.is_none(), "an alert is no person");
    alerted(&bot, vec![alert("DatabaseDown", now, Status::Resolved), alert("BotUnhealthy", now, Status::Resolved)])
        .await;
    let state = becomes(&bot, id, "both are over", |state| state.firing().next().is_none()).await;
    assert!(state.recovered.is_none(), "that an alert is over verifies nothing");
    assert_eq!(bot.0.open_incidents().await.len(), 1);
}

#[tokio::test]
async fn a_run_that_was_begun_before_its_alert_joins_and_one_behind_the_recovery_is_for_itself() {
    let house = house(Clock::system());
    let (bot, _escalation) = at_work(&house).await;
    let run = bot.run("go").await;
    let token = bot.call_for_approval(run).await;
    let began = bot.0.clock().now();
    alerted(&bot, vec![alert("DatabaseDown", began, Status::Firing)]).await;
    let id = only_open(&bot).await.id;
    becomes(&bot, id, "the run joins", |state| state.runs.len() == 1).await;
    bot.until(run, "the run is told", |state| state.incident == Some(id)).await;
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    becomes(&bot, id, "it is recovered", |state| state.recovered.is_some()).await;

    // Heard of late, it is no relapse; firing anew, it is one, also when its end was lost.
    alerted(&bot, vec![alert("BotUnhealthy", began, Status::Firing)]).await;
    let state = becomes(&bot, id, "the late alert", |state| state.alerts.len() == 2).await;
    assert!(state.recovered.is_some());
    let second = bot.run("go").await;
    let state = bot.state(second).await;
    assert!(state.incident.is_none() && !state.created.rungs.is_empty(), "it has a ladder of its own");
    alerted(&bot, vec![alert("DatabaseDown", bot.0.clock().now(), Status::Firing)]).await;
    becomes(&bot, id, "it is back", |state| state.recovered.is_none()).await;
}

#[tokio::test]
async fn an_alert_that_was_taken_before_a_crash_opens_its_incident_after_it() {
    let house = house(Clock::system());
    let store = house.store().await;
    let now = Clock::system().now();
    let mut taken = alert("DatabaseDown", now, Status::Firing);
    taken.scenario = Some("corruption".to_owned());
    taken.target = Some("prod".to_owned());
    store.receive_alerts(&Delivery { alerts: vec![taken], signature: None }, now).await.unwrap();
    store.close().await;
    drop(store);
    let bot = house.start().await;
    assert_eq!(bot.0.open_incidents().await.len(), 1);
}

#[tokio::test]
async fn a_recovery_that_nobody_could_tell_is_told_at_the_next_start() {
    let hand = HandClock::new();
    let house = house(hand.clock());
    let bot = house.start().await;
    let run = bot.run("go").await;
    let token = bot.call_for_approval(run).await;
    let opened = bot.0.open_incident_for(run, &dana(), "key").await.unwrap();
    let state = bot.until(run, "the run is told", |state| state.incident.is_some()).await;
    assert_eq!(state.incident, Some(opened.id));
    assert_eq!(opened.opened.detected.at, state.created_at, "detected when the run was started");
    assert!(
        bot.0.store().due_rungs(hand.clock().now() + 60 * MINUTE).await.unwrap().is_empty(),
        "the run's own are settled"
    );
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    becomes(&bot, opened.id, "recovered", |state| state.recovered.is_some()).await;
    bot.0.stop().await;
    bot.0.store().close().await;
    drop(bot);

    // As if drbot had been lost between the run's event and the incident's.
    let store = house.store().await;
    let folder = house.folder.path().to_owned();
    store.close().await;
    drop(store);
    forget_last_events(&folder.join("drbot.sqlite"), opened.id).await;
    let bot = house.start().await;
    let state = incident(&bot, opened.id).await;
    assert_eq!(state.recovered.map(|recovered| recovered.run), Some(run));
}

/// Takes away what an incident was told behind its opening.
async fn forget_last_events(file: &Path, id: IncidentId) {
    use sqlx::Connection;
    let mut store = sqlx::SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let gone = sqlx::query("DELETE FROM incident_journal WHERE incident = $1 AND seq > 1")
        .bind(id.to_string())
        .execute(&mut store)
        .await
        .unwrap();
    assert!(gone.rows_affected() > 0);
}

#[tokio::test]
async fn an_approval_that_eats_the_time_calls_the_approvers() {
    let hand = HandClock::new();
    let house = house(hand.clock());
    let (bot, _escalation) = at_work(&house).await;
    let opened = opens(&bot, &dana()).await;
    let run = bot.run("go").await;
    bot.call_for_approval(run).await;
    becomes(&bot, opened.id, "the run joins", |state| state.runs.len() == 1).await;
    hand.advance(4 * MINUTE);
    looked(&hand).await;
    let before = pages(&bot, opened.id).await.len();
    for _ in 0..30 {
        hand.advance(6 * Duration::from_secs(1));
        looked(&hand).await;
    }
    let stalled: Vec<_> =
        pages(&bot, opened.id).await.into_iter().skip(before).filter(|page| page.stall.is_some()).collect();
    // The time to approve is shorter than a fifth of what is left, and runs out.
    let told = |page: &Paged| match &page.stall {
        Some(Stall::Approval { .. }) => "waits",
        Some(Stall::Expired { .. }) => "expired",
        _ => "something else",
    };
    assert_eq!(stalled.iter().map(told).collect::<Vec<_>>(), ["expired"], "{stalled:?}");
    for page in stalled {
        assert_eq!(page.roles, ["dba"]);
        assert_eq!(page.called.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["Omar"], "not by the role alone");
    }
}

/// By the figures what is under way comes too late, and another command would not.
#[tokio::test]
async fn a_faster_path_is_named_where_there_is_one_and_nothing_is_done_by_that() {
    let hand = HandClock::new();
    let mut house = house(hand.clock());
    let takes = |house: &mut House, command: &str, each: &str| {
        let command = house.configuration.commands.get_mut(command).unwrap();
        command.steps.iter_mut().for_each(|step| step.takes = Some(each.parse().unwrap()));
    };
    let quick = Command { name: "quick".to_owned(), ..house.configuration.commands["go"].clone() };
    house.configuration.commands.insert("quick".to_owned(), quick);
    takes(&mut house, "go", "20m");
    takes(&mut house, "quick", "2m");
    let (bot, _escalation) = at_work(&house).await;
    let opened = opens(&bot, &dana()).await;
    let run = bot.run("go").await;
    bot.call_for_approval(run).await;
    becomes(&bot, opened.id, "the run joins", |state| state.runs.len() == 1).await;
    // More than is left is needed: the second step is to come.
    hand.advance(11 * MINUTE);
    looked(&hand).await;
    hand.advance(Duration::from_secs(5));
    looked(&hand).await;
    let early = pages(&bot, opened.id).await.into_iter().find(|page| page.early.is_some());
    let early = early.expect("the forecast is a breach");
    let faster = early.faster.expect("whoever is called early is told of it");
    assert_eq!((faster.command.as_str(), faster.needs, faster.runs), ("quick", 4 * MINUTE, 0));
    let beside = bot.0.beside(&incident(&bot, opened.id).await).await;
    assert_eq!(beside.faster, Some(faster));
    assert_eq!(incident(&bot, opened.id).await.runs.len(), 1, "nothing is started by it");
    assert!(bot.state(run).await.finished.is_none());
}

#[tokio::test]
async fn one_that_is_recovered_and_that_nobody_closed_stands_in_no_others_way() {
    let house = house(Clock::system());
    let (bot, _escalation) = at_work(&house).await;
    let first = opens(&bot, &dana()).await;
    recovers(&bot).await;
    becomes(&bot, first.id, "the first is recovered", |state| state.recovered.is_some()).await;

    let second = opens(&bot, &dana()).await;
    assert_ne!(second.id, first.id);
    let again = bot.0.open_incident(&dana(), "again", "corruption", Some("prod"), None).await;
    assert!(matches!(again, Err(OpenError::Open(id)) if id == second.id), "{again:?}");
    let run = recovers(&bot).await;
    let state = becomes(&bot, second.id, "the second is recovered", |state| state.recovered.is_some()).await;
    assert_eq!(state.recovered.unwrap().run, run, "by the run that was started for it");
    assert_eq!(incident(&bot, first.id).await.runs.len(), 1);
}

async fn recovers(bot: &Bot) -> drbot::ids::RunId {
    let run = bot.run("go").await;
    let token = bot.call_for_approval(run).await;
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    run
}

#[tokio::test]
async fn an_alert_long_after_a_recovery_is_another_incident() {
    let hand = HandClock::new();
    let house = house(hand.clock());
    let (bot, _escalation) = at_work(&house).await;
    let first = opens(&bot, &dana()).await;
    recovers(&bot).await;
    becomes(&bot, first.id, "the first is recovered", |state| state.recovered.is_some()).await;
    hand.advance(12 * 60 * MINUTE);
    alerted(&bot, vec![alert("DatabaseDown", hand.clock().now(), Status::Firing)]).await;
    let second = until("an incident of its own", async || {
        bot.0.open_incidents().await.into_iter().find(|state| state.id != first.id)
    })
    .await;
    assert!(second.recovered.is_none() && second.alerts.len() == 1);
    assert!(incident(&bot, first.id).await.recovered.is_some());
}

#[tokio::test]
async fn a_drill_calls_its_contacts_and_stands_in_no_incidents_way() {
    let hand = HandClock::new();
    let mut house = house(hand.clock());
    let (bot, _) = at_work(&house).await;
    let none = bot.0.open_drill(&dana(), "k", "corruption").await;
    assert!(matches!(none, Err(OpenError::NoDrills)), "{none:?}");
    bot.0.stop().await;
    bot.0.store().close().await;
    drop(bot);

    let drill =
        |contacts: &str| serde_json::from_value(serde_json::json!({ "contacts": [contacts], "rto": "2m" })).unwrap();
    house.configuration.settings.incidents.drill = Some(drill("Nobody"));
    let (bot, _) = at_work(&house).await;
    let nobody = bot.0.open_drill(&dana(), "k", "corruption").await;
    assert!(matches!(&nobody, Err(OpenError::NoDrillContacts(roles)) if roles == &["Nobody"]), "{nobody:?}");
    bot.0.stop().await;
    bot.0.store().close().await;
    drop(bot);

    house.configuration.settings.incidents.drill = Some(drill("Lead"));
    let (bot, _escalation) = at_work(&house).await;
    let drill = bot.0.open_drill(&dana(), "k", "corruption").await.unwrap();
    let again = bot.0.open_drill(&dana(), "other", "partition").await;
    assert!(matches!(again, Err(OpenError::Open(id)) if id == drill.id), "{again:?}");
    let real = opens(&bot, &dana()).await;
    assert_ne!(real.id, drill.id);
    // Another kind of disaster is a drill still.
    bot.0.set_scenario(drill.id, &dana(), "partition").await.unwrap();
    for _ in 0..30 {
        hand.advance(6 * Duration::from_secs(1));
        looked(&hand).await;
    }
    let called: Vec<_> = pages(&bot, drill.id).await.into_iter().flat_map(|page| page.called).collect();
    assert!(called.len() > 3 && called.iter().all(|one| one.name == "Lena"), "{called:?}");
    let percents: Vec<_> = pages(&bot, drill.id).await.into_iter().filter_map(|page| page.deadline).collect();
    assert_eq!(percents.last(), Some(&100), "{percents:?}");
    // Runs belong to what has happened.
    let run = bot.run("go").await;
    bot.until(run, "the run is told", |state| state.incident == Some(real.id)).await;
    assert!(bot.0.beside(&incident(&bot, drill.id).await).await.fitting.is_none());
    let closed = bot.0.close_incident(drill.id, &dana(), None).await.unwrap();
    assert!(closed.closed.is_some(), "without a reason");
}

#[tokio::test]
async fn who_may_what() {
    let house = house(Clock::system());
    let (bot, _escalation) = at_work(&house).await;
    let stranger = Caller { roles: Vec::new(), ..dana() };
    let operator = Caller { roles: dana().roles[..1].to_vec(), ..dana() };
    let refused = bot.0.open_incident(&stranger, "k", "corruption", None, None).await;
    assert!(matches!(refused, Err(OpenError::Refused(_))));
    let opened = opens(&bot, &dana()).await;
    for (number, refused) in [
        bot.0.acknowledge(opened.id, &stranger, "x").await.is_err(),
        bot.0.note(opened.id, &stranger, "x").await.is_err(),
        bot.0.close_incident(opened.id, &stranger, Some("x")).await.is_err(),
        bot.0.move_deadline(opened.id, &operator, MINUTE, "operators do not answer for deadlines").await.is_err(),
        bot.0.move_deadline(opened.id, &omar(), MINUTE, " ").await.is_err(),
        bot.0.close_incident(opened.id, &dana(), None).await.is_err(),
        bot.0.set_scenario(opened.id, &dana(), "nothing").await.is_err(),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(refused, "number {number}");
    }
    let moved = bot.0.move_deadline(opened.id, &omar(), 60 * MINUTE, "the vendor is on it").await.unwrap();
    assert_eq!(moved.deadline.moved.as_ref().map(|(by, _)| by.name.as_str()), Some("Omar"));
    let other = bot.0.set_scenario(opened.id, &dana(), "partition").await.unwrap();
    assert_eq!((other.kind.key.as_str(), &other.deadline.moved), ("partition", &None));
    bot.0.close_incident(opened.id, &dana(), Some("a false alarm")).await.unwrap();
}

/// With a thousand open incidents and a restart in between, what is due is claimed within a second, in real seconds.
#[tokio::test(flavor = "multi_thread")]
async fn among_a_thousand_what_is_due_is_claimed_within_a_second() {
    let mut house = house(Clock::system());
    let settings = &mut house.configuration.settings;
    settings.escalation.retain(|rung| rung.at > 0);
    for number in 0..1000 {
        settings.target.insert(format!("t{number}"), target());
    }
    let mut quick = settings.scenario["corruption"].clone();
    quick.rto = "20s".parse().unwrap();
    settings.scenario.insert("quick".to_owned(), quick);
    let bot = house.start().await;
    for number in 0..1000 {
        let name = format!("t{number}");
        bot.0.open_incident(&dana(), &name, "corruption", Some(&name), None).await.unwrap();
    }
    let due = bot.0.open_incident(&dana(), "quick", "quick", Some("prod"), None).await.unwrap();
    bot.0.stop().await;
    bot.0.store().close().await;
    drop(bot);
    let (bot, _escalation) = at_work(&house).await;
    becomes(&bot, due.id, "the rung at 50 %", |state| state.deadline.used == Some(50)).await;
    let journal = bot.0.store().incident_journal(due.id).await.unwrap();
    let paged = journal.iter().find_map(|entry| match &entry.event {
        Event::Paged(paged) => Some((entry.at, paged.due_at)),
        _ => None,
    });
    let (at, due_at) = paged.unwrap();
    let late = drbot::clock::elapsed(due_at, at);
    assert!(late < Duration::from_secs(1), "claimed after {late:?}");
}
