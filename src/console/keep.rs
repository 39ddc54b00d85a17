//! What only drbot's host can ask for: lifting a lockdown, taking other servers for a target.

use super::{
    Counter,
    peer::{Nobody, User, who},
    wire::{Ask, Reply},
};
use crate::{
    access::{self, Keeper},
    config::settings::Settings,
    engine::Engine,
    progress::words,
    refusals::{lockdown_error, refusal},
};

/// Whether this is for [`answer`]: asked by whoever keeps the host, also when they are nobody in Discord.
pub(super) fn is_for_keepers(ask: &Ask) -> bool {
    matches!(ask, Ask::LockDown { .. } | Ask::Unlock { .. } | Ask::Identity { .. } | Ask::Accept { .. })
}

/// Whether a user of this machine keeps it, for drbot.
///
/// # Errors
/// Why not, and what to do.
pub fn keeper(settings: &Settings, user: &User) -> Result<Keeper, String> {
    let own = nix::unistd::Uid::effective().as_raw();
    let owns = user.uid == own || user.uid == 0;
    let caller = match who(settings, user) {
        Ok(caller) => Some(caller),
        Err(Nobody::Several(names)) => return Err(words::console::two_people(user.uid, &names)),
        Err(Nobody::Stranger) => None,
    };
    let name = user.name.clone().unwrap_or_else(|| format!("uid {}", user.uid));
    access::keeper(settings, caller.as_ref(), owns, &name).map_err(|refused| match caller {
        Some(_) => refusal("", &refused),
        None => words::console::no_keeper(&name),
    })
}

pub(super) async fn answer(counter: &Counter, user: &User, ask: Ask) -> Reply {
    let engine = &counter.engine;
    let keeper = match keeper(&engine.configuration().settings, user) {
        Ok(keeper) => keeper,
        Err(why) => {
            tracing::warn!(uid = user.uid, user = user.name, "somebody on the host is refused: they do not keep it");
            return Reply::Refused { why };
        }
    };
    keep(engine, &keeper, ask).await
}

/// Does what a keeper asks for.
pub async fn keep(engine: &Engine, keeper: &Keeper, ask: Ask) -> Reply {
    let failed = |error: anyhow::Error| {
        tracing::error!(error = format!("{error:#}"), "the store failed");
        Reply::Refused { why: words::store_failed() }
    };
    match ask {
        Ask::LockDown { reason } => match engine.lock_down_on_host(keeper, &reason).await {
            Ok(_) => Reply::Said { text: words::locks_down() },
            Err(error) => Reply::Refused { why: lockdown_error(engine, &error) },
        },
        Ask::Unlock { reason } => match engine.lift_lockdown(keeper, &reason).await {
            Ok(lockdown) => Reply::Said { text: words::unlocked(&lockdown) },
            Err(error) => Reply::Refused { why: lockdown_error(engine, &error) },
        },
        Ask::Identity { target } => {
            let target = match only_target(engine, target) {
                Ok(target) => target,
                Err(why) => return Reply::Refused { why },
            };
            match engine.identity_of(&target).await {
                Ok(Some(identity)) => Reply::Identity {
                    target,
                    recorded: identity.recorded,
                    found: identity.found.parts,
                    unseen: identity.found.unseen.iter().map(|(kind, why)| words::unseen(*kind, why)).collect(),
                },
                Ok(None) => Reply::Refused { why: no_such_target(engine, &target) },
                Err(error) => failed(error),
            }
        }
        Ask::Accept { target, parts } if engine.configuration().settings.target.contains_key(&target) => {
            match engine.accept(keeper, &target, &parts).await {
                Ok(()) => Reply::Said { text: words::accepted(&target) },
                Err(error) => failed(error),
            }
        }
        Ask::Accept { target, .. } => Reply::Refused { why: no_such_target(engine, &target) },
        _ => Reply::Refused { why: words::console::not_understood() },
    }
}

fn only_target(engine: &Engine, named: Option<String>) -> Result<String, String> {
    let configuration = engine.configuration();
    let mut all = configuration.settings.target.keys();
    match (named, all.next(), all.next()) {
        (Some(named), ..) => Ok(named),
        (None, Some(only), None) => Ok(only.clone()),
        (None, ..) => Err(words::which_target(&targets(engine))),
    }
}

fn no_such_target(engine: &Engine, name: &str) -> String {
    words::no_such_target(name, &targets(engine))
}

fn targets(engine: &Engine) -> Vec<String> {
    engine.configuration().settings.target.keys().cloned().collect()
}
