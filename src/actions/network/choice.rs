//! Which provider to go to: decided from what was seen, and from nothing else.

use super::{View, probe::Seen};
use crate::{actions::Failure, config::settings::Provider};

/// What stands for the first healthy one.
const HEALTHY: &str = "healthy";

#[derive(Debug)]
pub(super) struct Chosen<'a> {
    pub provider: &'a Provider,
    pub current: Option<&'a Provider>,
    /// Why the one in use is down; none when that is not proved.
    pub current_down: Option<String>,
    /// The chosen one is preferred to the one in use.
    pub back: bool,
    /// Why this one.
    pub reason: String,
}

/// # Errors
/// When the wish cannot be met, or nothing is wrong, or nobody is healthy.
pub(super) fn choose<'a>(view: &'a View, current: &str, to: &str) -> Result<Chosen<'a>, Failure> {
    let all = || view.providers.iter().enumerate().map(|(rank, (provider, seen, _))| (rank, provider, seen));
    let in_use = all().find(|(_, provider, _)| provider.name == current || provider.setting() == current);
    let (rank, provider, reason) = match to.trim() {
        "" | HEALTHY => by_itself(view, in_use)?,
        wanted => by_name(view, in_use, wanted)?,
    };
    let current_down = in_use.and_then(|(_, _, seen)| seen.why.clone()).filter(|_| view.is_from_container());
    Ok(Chosen {
        provider,
        current: in_use.map(|(_, provider, _)| provider),
        current_down,
        back: in_use.is_some_and(|(current, ..)| rank < current),
        reason,
    })
}

type Ranked<'a> = (usize, &'a Provider, &'a Seen);

fn by_itself<'a>(view: &'a View, in_use: Option<Ranked<'a>>) -> Result<(usize, &'a Provider, String), Failure> {
    let is_in_use = |rank: usize| in_use.is_some_and(|(current, ..)| current == rank);
    let healthy = view.providers.iter().enumerate().find(|(rank, (_, seen, _))| seen.healthy() && !is_in_use(*rank));
    let ill = in_use.is_none_or(|(_, _, seen)| !seen.healthy());
    match (healthy, in_use) {
        (Some((rank, (provider, ..))), Some((_, current, seen))) if ill => {
            let why = seen.why.as_deref().unwrap_or_default();
            Ok((rank, provider, format!("{} in the place of {}: {why}", provider.name, current.name)))
        }
        (Some((rank, (provider, ..))), Some((current, before, _))) if rank < current => {
            Ok((rank, provider, format!("back to {}, which is healthy again, from {}", provider.name, before.name)))
        }
        (Some((rank, (provider, ..))), None) => {
            Ok((rank, provider, format!("{}, the first that is healthy", provider.name)))
        }
        (_, Some((_, current, _))) if !ill => Err(Failure::refused(format!(
            "{} is in use and healthy, and none is preferred to it; name another to go to it all the same",
            current.name
        ))),
        _ => Err(Failure::failed(format!("no other provider is healthy: {}", view.summary()))),
    }
}

fn by_name<'a>(
    view: &'a View,
    in_use: Option<Ranked<'a>>,
    wanted: &str,
) -> Result<(usize, &'a Provider, String), Failure> {
    let found = view.providers.iter().enumerate().find(|(_, (provider, ..))| provider.name == wanted);
    let Some((rank, (provider, seen, _))) = found else {
        let known: Vec<&str> = view.providers.iter().map(|(provider, ..)| provider.name.as_str()).collect();
        return Err(Failure::refused(format!("there is no provider `{wanted}`; there are {}", known.join(", "))));
    };
    if in_use.is_some_and(|(current, ..)| current == rank) {
        return Err(Failure::refused(format!("{wanted} is in use already")));
    }
    match &seen.why {
        Some(why) => Err(Failure::refused(format!("{wanted} is not healthy: {why}"))),
        None => Ok((rank, provider, format!("{wanted}, as it was wished"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::place::Place, *};

    fn view(healthy: &[(&str, bool)], from_container: bool) -> View {
        let provider = |name: &str| Provider {
            name: name.to_owned(),
            url: format!("http://{name}:1"),
            setting: Some(format!("{name}_endpoint")),
            own_url: None,
            ask: None,
            expect: None,
        };
        let seen = |good: bool| if good { Seen::good() } else { Seen::not("it does not answer") };
        let providers = healthy.iter().map(|(name, good)| (provider(name), seen(*good), seen(true))).collect();
        let place = if from_container { Place::for_tests() } else { Place::Here };
        View { providers, place, note: None }
    }

    fn outcome(view: &View, current: &str, to: &str) -> String {
        match choose(view, current, to) {
            Ok(chosen) => format!(
                "{}{}{}: {}",
                chosen.provider.name,
                if chosen.current_down.is_some() { ", proved" } else { "" },
                if chosen.back { ", back" } else { "" },
                chosen.reason
            ),
            Err(Failure::Refused { message }) => format!("refused: {message}"),
            Err(error) => format!("failed: {error}"),
        }
    }

    #[test]
    fn the_choice_follows_from_what_was_seen() {
        let well = view(&[("a", true), ("b", true)], true);
        let ill = view(&[("a", false), ("b", true)], true);
        let unproved = view(&[("a", false), ("b", true)], false);
        let all_ill = view(&[("a", false), ("b", false)], true);
        let rows = [
            (&ill, "a_endpoint", "healthy"),
            (&ill, "a", ""),
            (&unproved, "a", "healthy"),
            (&well, "b", "healthy"),
            (&well, "a", "healthy"),
            (&well, "a", "b"),
            (&well, "a", "a"),
            (&well, "a", "c"),
            (&ill, "b", "a"),
            (&all_ill, "a", "healthy"),
            (&ill, "strange", "healthy"),
        ];
        let told: Vec<String> = rows.iter().map(|(view, current, to)| outcome(view, current, to)).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        b, proved: b in the place of a: it does not answer
        b, proved: b in the place of a: it does not answer
        b: b in the place of a: it does not answer
        a, back: back to a, which is healthy again, from b
        refused: a is in use and healthy, and none is preferred to it; name another to go to it all the same
        b: b, as it was wished
        refused: a is in use already
        refused: there is no provider `c`; there are a, b
        refused: a is not healthy: it does not answer
        failed: no other provider is healthy: a: it does not answer, b: it does not answer
        b: b, the first that is healthy
        ");
    }
}
