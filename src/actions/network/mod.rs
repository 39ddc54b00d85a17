//! The providers that a target depends on, as the target itself sees them.
//!
//! What must stay true: what is said of the container's network was seen in it (a look from anywhere else is marked as
//! such, and proves nothing); one provider that hangs delays no other; and one is called down only when it was seen to be
//! down twice.

mod choice;
mod place;
mod probe;

use serde_json::{Value, json};

use self::{
    choice::{Chosen, choose},
    place::Place,
    probe::Seen,
};
use super::{Context, Done, Failure, docker::Engine};
use crate::{
    config::settings::{NetworkTarget, Provider},
    runbook::action::Network,
};

/// # Errors
/// [`Failure::Refused`] for a choice that is none, or not healthy; [`Failure::Failed`] when nobody is healthy;
/// [`Failure::Cancelled`] when told to stop.
pub async fn perform(engine: &Engine, action: &Network, context: &Context) -> Result<Done, Failure> {
    let target = context.target.as_ref().and_then(|target| target.network.clone());
    let target = target.ok_or_else(|| Failure::refused("the target names no providers: [target.….network]"))?;
    let view = tokio::select! {
        view = look(engine, &target, context) => view,
        () = context.cancel.cancelled() => return Err(Failure::Cancelled),
    };
    match action {
        Network::Look {} => Ok(view.done()),
        Network::Choose { current, to } => {
            let view = tokio::select! {
                view = view.confirmed(&target, current, context) => view,
                () = context.cancel.cancelled() => return Err(Failure::Cancelled),
            };
            let chosen = choose(&view, current, to)?;
            Ok(chosen.done(&view))
        }
    }
}

/// All providers, seen at once, and where from.
struct View {
    providers: Vec<(Provider, Seen, Seen)>,
    place: Place,
    /// Why they were not seen from the container.
    note: Option<String>,
}

async fn look(engine: &Engine, target: &NetworkTarget, context: &Context) -> View {
    let own = probe::all(target, Address::Own, &Place::Here, context);
    let (place, note) = match place::of(engine, &target.container, context).await {
        Ok(place) => (place, None),
        Err(why) => (Place::Here, Some(context.secrets.mask(&why))),
    };
    let (seen, own) = tokio::join!(probe::all(target, Address::Theirs, &place, context), own);
    // It may be gone meanwhile, or not let drbot in.
    let (seen, place, note) = match seen {
        Ok(seen) => (seen, place, note),
        Err(why) => (own.clone().unwrap_or_default(), Place::Here, Some(why)),
    };
    let own = own.unwrap_or_default();
    let providers = target.providers.iter().cloned().enumerate().map(|(index, provider)| {
        let of = |all: &[Seen]| all.get(index).cloned().unwrap_or_else(|| Seen::not("it was not looked at"));
        (provider, of(&seen), of(&own))
    });
    View { providers: providers.collect(), place, note }
}

#[derive(Debug, Clone, Copy)]
enum Address {
    /// As the container uses it.
    Theirs,
    /// As drbot reaches it.
    Own,
}

impl View {
    fn is_from_container(&self) -> bool {
        !matches!(self.place, Place::Here)
    }

    /// Looks once more at the provider in use when it seems to be down: once may be chance.
    async fn confirmed(mut self, target: &NetworkTarget, current: &str, context: &Context) -> Self {
        let is_current = |provider: &Provider| provider.name == current || provider.setting() == current;
        let Some(at) = self.providers.iter().position(|(provider, seen, _)| is_current(provider) && !seen.healthy())
        else {
            return self;
        };
        let only = NetworkTarget { providers: vec![self.providers[at].0.clone()], ..target.clone() };
        match probe::all(&only, Address::Theirs, &self.place, context).await {
            Ok(mut again) => self.providers[at].1 = again.pop().unwrap_or_else(|| Seen::not("it was not looked at")),
            Err(why) => (self.place, self.note) = (Place::Here, Some(why)),
        }
        self
    }

    fn names(&self, which: impl Fn(&Seen, &Seen) -> bool) -> Vec<&str> {
        let fitting = self.providers.iter().filter(|(_, seen, own)| which(seen, own));
        fitting.map(|(provider, ..)| provider.name.as_str()).collect()
    }

    /// One line each: what people read in the thread.
    fn lines(&self) -> impl Iterator<Item = String> {
        self.providers.iter().map(|(provider, seen, own)| {
            let own =
                own.why.as_deref().map_or("drbot reaches it".to_owned(), |why| format!("drbot's own view: {why}"));
            format!("{}: {} ({own})", provider.name, seen.sentence())
        })
    }

    fn summary(&self) -> String {
        let all = self.providers.iter().map(|(provider, seen, _)| match seen.why {
            None => format!("{} {} ms", provider.name, seen.answer_ms.unwrap_or_default()),
            Some(ref why) => format!("{}: {why}", provider.name),
        });
        let all = all.collect::<Vec<_>>().join(", ");
        match &self.note {
            Some(note) => format!("{all} (seen from drbot itself: {note})"),
            None => all,
        }
    }

    fn done(&self) -> Done {
        let providers = self.providers.iter().map(|(provider, seen, own)| {
            let mut shown = seen.fields();
            shown["name"] = json!(provider.name);
            shown["setting"] = json!(provider.setting());
            shown["url"] = json!(provider.url);
            shown["cut_off"] = json!(self.is_from_container() && !seen.healthy() && own.healthy());
            shown["own"] = json!({ "healthy": own.healthy(), "why": own.why, "answer_ms": own.answer_ms });
            shown
        });
        Done::new(self.summary())
            .with("providers", providers.collect::<Value>())
            .with("healthy", self.names(|seen, _| seen.healthy()))
            .with("down", self.names(|seen, _| !seen.healthy()))
            .with("cut_off", self.names(|seen, own| self.is_from_container() && !seen.healthy() && own.healthy()))
            .with("seen_from", if self.is_from_container() { "container" } else { "drbot" })
            .with("note", self.note.clone())
            .with_log(self.lines())
    }
}

impl Chosen<'_> {
    fn done(&self, view: &View) -> Done {
        let done = view.done();
        let summary = format!("{}; {}", self.reason, done.summary);
        Done { summary, ..done }
            .with("provider", self.provider.name.as_str())
            .with("setting", self.provider.setting())
            .with("url", self.provider.url.as_str())
            .with("current", self.current.map(|provider| provider.name.as_str()))
            .with("current_setting", self.current.map(Provider::setting))
            .with("current_down", self.current_down.is_some())
            .with("current_why", self.current_down.as_deref())
            .with("back", self.back)
    }
}
