//! A world that does as it is told, and keeps a ledger of what was done to it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use drbot::{
    actions::{Actions, Context, Done, Failure, Fields, Probe, ProgressValue, identify::Found},
    fingerprint::Part,
    runbook::action::Action,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// What becomes of one attempt. What is not told succeeds.
#[derive(Debug, Clone)]
pub enum Deed {
    Succeed(Value),
    Fail(&'static str),
    Refuse(&'static str),
    /// Does nothing until it is stopped; then stops.
    Hang,
    /// Does nothing, and never stops by itself.
    HangDeaf,
    /// Waits until the test lets it go on (or it is stopped), then succeeds.
    Hold,
    /// Nobody hears what became of it.
    LoseAnswer {
        happened: bool,
    },
    Panic,
    /// Says how far it is, in these words, then hangs.
    Tell(&'static str),
}

/// The moments of an attempt at which the world can stand still for ever, as it does for a drbot that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    BeforeIntent,
    BeforeEffect,
    AfterEffect,
    WhileProbed,
}

/// What was done to the world: survives every drbot.
#[derive(Debug, Clone, Default)]
pub struct World(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    told: Mutex<Told>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Told {
    deeds: BTreeMap<String, VecDeque<Deed>>,
    /// Effects, in order: `do swap`, `undo restore`.
    ledger: Vec<String>,
    /// Which servers the target is.
    servers: Vec<Part>,
    /// Whatever reached the world, effect or not: `do swap`, `stopped swap`, `prepare swap`, `probe swap`.
    seen: Vec<String>,
    /// Attempts whose effect is there.
    there: BTreeSet<(String, String, u32)>,
    /// Probes of these steps cannot tell.
    opaque: BTreeSet<String>,
    let_go: BTreeSet<String>,
    /// How many more moments pass before the world stands still.
    freeze_in: Option<usize>,
    frozen: Option<(Moment, String)>,
}

impl World {
    /// What becomes of the next attempts of `what`: `do swap`, `undo restore`, `check swap`, `prepare swap`.
    pub fn tell(&self, what: &str, deeds: impl IntoIterator<Item = Deed>) -> &Self {
        self.told(|told| told.deeds.entry(what.to_owned()).or_default().extend(deeds));
        self
    }

    pub fn opaque(&self, step: &str) {
        self.told(|told| told.opaque.insert(step.to_owned()));
    }

    /// Which servers the target is from now on.
    pub fn servers(&self, servers: impl IntoIterator<Item = Part>) {
        self.told(|told| told.servers = servers.into_iter().collect());
    }

    pub fn let_go(&self, what: &str) {
        self.told(|told| told.let_go.insert(what.to_owned()));
        self.0.changed.notify_waiters();
    }

    /// The world stands still after this many moments more.
    pub fn freeze_in(&self, moments: Option<usize>) {
        self.told(|told| {
            told.freeze_in = moments;
            told.frozen = None;
        });
    }

    pub fn ledger(&self) -> Vec<String> {
        self.told(|told| told.ledger.clone())
    }

    pub fn times(&self, what: &str) -> usize {
        self.ledger().iter().filter(|there| *there == what).count()
    }

    pub fn seen_times(&self, what: &str) -> usize {
        self.told(|told| told.seen.iter().filter(|there| *there == what).count())
    }

    /// Waits until something has reached the world.
    pub async fn sees(&self, what: &str) {
        self.until(&format!("the world sees `{what}`"), |told| told.seen.iter().any(|there| there == what)).await;
    }

    pub async fn is_frozen(&self) {
        self.until("the world stands still", |told| told.frozen.is_some()).await;
    }

    async fn until(&self, wish: &str, holds: impl Fn(&mut Told) -> bool) {
        let come = async {
            loop {
                let changed = self.0.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.told(&holds) {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(super::house::LIMIT, come).await;
        assert!(waited.is_ok(), "never: {wish}; {:#?}", self.0.told.lock().unwrap());
    }

    /// As if the effect of an attempt were there already.
    pub fn put(&self, run: &str, step: &str, attempt: u32) {
        self.told(|told| {
            told.ledger.push(format!("do {step}"));
            told.there.insert((run.to_owned(), step.to_owned(), attempt));
        });
    }

    fn told<T>(&self, with: impl FnOnce(&mut Told) -> T) -> T {
        with(&mut self.0.told.lock().unwrap())
    }

    fn see(&self, what: String) {
        self.told(|told| told.seen.push(what));
        self.0.changed.notify_waiters();
    }

    fn next_deed(&self, what: &str) -> Deed {
        let deed = self.told(|told| told.deeds.get_mut(what)?.pop_front());
        deed.unwrap_or_else(|| Deed::Succeed(json!({})))
    }

    fn effect(&self, what: &str, context: &Context) {
        let labels = &context.labels;
        self.told(|told| {
            told.ledger.push(what.to_owned());
            if what.starts_with("do ") {
                told.there.insert((labels.run.clone(), labels.step.clone(), labels.attempt));
            }
        });
        self.0.changed.notify_waiters();
    }

    /// Stands still for ever when it is time to.
    async fn moment(&self, moment: Moment, step: &str) {
        let freezes = self.told(|told| match told.freeze_in {
            Some(0) => {
                told.frozen.get_or_insert((moment, step.to_owned()));
                true
            }
            Some(left) => {
                told.freeze_in = Some(left - 1);
                false
            }
            None => false,
        });
        if freezes {
            self.0.changed.notify_waiters();
            std::future::pending::<()>().await;
        }
    }

    async fn held(&self, what: &str) {
        self.until(&format!("`{what}` is let go"), |told| told.let_go.remove(what)).await;
    }
}

fn verb(action: &Action) -> &str {
    match action {
        Action::Exec(exec) => &exec.program,
        other => other.key(),
    }
}

fn done(fields: Value) -> Done {
    let mut done = Done::new("done").with("exit_code", 0).with("stdout", "").with("stderr", "");
    if let Value::Object(fields) = fields {
        done.fields.extend(fields);
    }
    done
}

#[async_trait::async_trait]
impl Actions for World {
    async fn prepare(&self, _: &Action, context: &Context) -> Result<Fields, Failure> {
        let step = &context.labels.step;
        let what = format!("prepare {step}");
        let mut facts = Fields::from_iter([("seen_before".to_owned(), json!(context.labels.attempt))]);
        self.see(what.clone());
        self.moment(Moment::BeforeIntent, step).await;
        match self.next_deed(&what) {
            Deed::Hold => self.held(&what).await,
            Deed::Fail(message) => return Err(Failure::failed(message)),
            Deed::HangDeaf => std::future::pending().await,
            Deed::Panic => panic!("a panic that the story wants"),
            Deed::Succeed(Value::Object(fields)) => facts.extend(fields),
            _ => {}
        }
        Ok(facts)
    }

    async fn perform(&self, action: &Action, context: &Context) -> Result<Done, Failure> {
        let step = &context.labels.step;
        let what = format!("{} {step}", verb(action));
        self.see(what.clone());
        if let Action::Exec(exec) = action
            && !exec.args.is_empty()
        {
            self.see(format!("{what} {}", exec.args.join(" ")));
        }
        self.moment(Moment::BeforeEffect, step).await;
        let stopped = || {
            self.see(format!("stopped {step}"));
            Err(Failure::Cancelled)
        };
        match self.next_deed(&what) {
            // A check looks whether the effect is there.
            Deed::Succeed(fields) if verb(action) == "check" => {
                let there = self.told(|told| told.there.iter().any(|(_, there, _)| there == step));
                let mut seen = done(json!({ "there": there }));
                seen.fields.extend(fields.as_object().cloned().unwrap_or_default());
                Ok(seen)
            }
            Deed::Succeed(fields) => {
                self.effect(&what, context);
                self.moment(Moment::AfterEffect, step).await;
                Ok(done(fields))
            }
            Deed::Fail(message) => Err(Failure::failed(message)),
            Deed::Refuse(message) => Err(Failure::refused(message)),
            Deed::Hang => {
                context.cancel.cancelled().await;
                stopped()
            }
            Deed::HangDeaf => std::future::pending().await,
            Deed::Hold => {
                tokio::select! {
                    () = self.held(&what) => {}
                    () = context.cancel.cancelled() => return stopped(),
                }
                self.effect(&what, context);
                Ok(done(json!({})))
            }
            Deed::LoseAnswer { happened } => {
                if happened {
                    self.effect(&what, context);
                }
                Err(Failure::Unknown { message: "the answer was lost".to_owned() })
            }
            Deed::Panic => panic!("a panic that the story wants"),
            Deed::Tell(doing) => {
                let value = ProgressValue { done: 1, total: 2, unit: "bytes", doing: doing.to_owned() };
                context.progress.report(value);
                context.cancel.cancelled().await;
                stopped()
            }
        }
    }

    async fn identify(&self, _: &Context) -> Found {
        Found { parts: self.told(|told| told.servers.clone()), unseen: Vec::new() }
    }

    async fn probe(&self, _: &Action, context: &Context) -> Probe {
        let labels = &context.labels;
        let what = format!("probe {}", labels.step);
        self.see(what.clone());
        self.moment(Moment::WhileProbed, &labels.step).await;
        assert_eq!(context.facts.get("seen_before"), Some(&json!(labels.attempt)), "the facts of that attempt");
        match self.next_deed(&what) {
            Deed::Hang => {
                context.cancel.cancelled().await;
                return Probe::CannotTell("it was stopped".to_owned());
            }
            Deed::Hold => tokio::select! {
                () = self.held(&what) => {}
                () = context.cancel.cancelled() => return Probe::CannotTell("it was stopped".to_owned()),
            },
            Deed::HangDeaf => std::future::pending().await,
            Deed::Panic => panic!("a panic that the story wants"),
            Deed::Succeed(fields) if fields != json!({}) => return Probe::Happened(done(fields)),
            _ => {}
        }
        let there = (labels.run.clone(), labels.step.clone(), labels.attempt);
        self.told(|told| {
            if told.opaque.contains(&labels.step) {
                Probe::CannotTell("nothing tells".to_owned())
            } else if told.there.contains(&there) {
                Probe::Happened(done(json!({})))
            } else {
                Probe::DidNotHappen
            }
        })
    }
}
