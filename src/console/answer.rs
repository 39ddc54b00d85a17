//! One question from the host, answered: who asks, whether they may, what came of it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use tokio::net::UnixStream;

use super::{
    Attendance, Counter,
    follow::follow,
    keep::{self, is_for_keepers},
    peer::{Nobody, User, who},
    wire::{Answering, Ask, For, Reply, Standing},
};
use crate::{
    access::{self, Caller},
    engine::{AnswerError, Engine, Request, RequestError, Submitted},
    progress::{plan, words},
    refusals::{abort_error, answer_error, refusal, request_error, review_error, undo_error},
    run::state::{ApprovalState, State},
};

/// How long a question may take to come.
const ASKED_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn one(stream: UnixStream, counter: &Counter) -> Result<()> {
    let engine = &counter.engine;
    // Asked of the kernel, once, for who opened the connection: what is sent over it changes nothing of this.
    let uid = stream.peer_cred().context("the kernel does not say who it is")?.uid();
    let user = tokio::task::spawn_blocking(move || User::of(uid)).await?;
    let mut line = Answering::new(stream, engine.clock().clone());
    let asked = match engine.clock().timeout(ASKED_WITHIN, line.asked()).await {
        Some(Ok(Some(ask))) => ask,
        Some(Ok(None)) | None => return Ok(()),
        Some(Err(error)) => {
            let why = words::console::not_understood();
            line.say(&Reply::Refused { why }).await?;
            return Err(error);
        }
    };
    if asked == Ask::MakeRoom {
        return line.say(&make_room(counter, uid)).await;
    }
    if is_for_keepers(&asked) {
        if let Some(why) = is_oversized(&asked) {
            return line.say(&Reply::Refused { why }).await;
        }
        tracing::info!(uid, user = user.name, "somebody on the host wants what only the host can");
        return line.say(&keep::answer(counter, &user, asked).await).await;
    }
    let caller = match who(&engine.configuration().settings, &user) {
        Ok(caller) => caller,
        Err(nobody) => {
            tracing::warn!(uid, user = user.name, "somebody on the host is refused: no [[people]] names them");
            return line.say(&Reply::Refused { why: stranger(&user, &nobody) }).await;
        }
    };
    match &asked {
        Ask::Follow { .. } | Ask::Open { .. } | Ask::Status | Ask::Reviews | Ask::Plan { .. } => {
            tracing::debug!(uid, by = caller.person.name, "somebody on the host looks");
        }
        _ => tracing::info!(uid, by = caller.person.name, "somebody on the host wants something"),
    }
    match asked {
        Ask::Follow { run, after } => follow(&mut line, engine, run, after).await,
        Ask::Open { run, purpose } => open(&mut line, engine, &caller, run.as_deref(), purpose).await,
        other => {
            let reply = reply(counter, &caller, other).await;
            line.say(&reply).await
        }
    }
}

/// Why a user is nobody here, and which line would make them somebody.
pub(super) fn stranger(user: &User, nobody: &Nobody) -> String {
    match nobody {
        Nobody::Stranger => words::console::stranger(user.name.as_deref(), user.uid),
        Nobody::Several(names) => words::console::two_people(user.uid, names),
    }
}

/// The longest reason; a form in Discord takes no more either, and what is longer fits no line of the log.
const LONGEST_REASON: usize = 500;
/// The longest key of a request.
const LONGEST_KEY: usize = 100;

/// What no `drbot` of this version sends.
fn is_oversized(ask: &Ask) -> Option<String> {
    let reason = match ask {
        Ask::Exec { key, .. } | Ask::Undo { key, .. } if key.len() > LONGEST_KEY => {
            return Some(words::console::not_understood());
        }
        Ask::Deny { reason, .. }
        | Ask::BreakGlass { reason, .. }
        | Ask::Review { note: reason, .. }
        | Ask::LockDown { reason }
        | Ask::Unlock { reason } => Some(reason),
        Ask::Answer { reason, .. } | Ask::Abort { reason, .. } => reason.as_ref(),
        _ => None,
    };
    let too_long = reason.is_some_and(|reason| reason.chars().count() > LONGEST_REASON);
    too_long.then(|| words::console::reason_too_long(LONGEST_REASON))
}

async fn reply(counter: &Counter, caller: &Caller, ask: Ask) -> Reply {
    if let Some(why) = is_oversized(&ask) {
        return Reply::Refused { why };
    }
    let engine = &counter.engine;
    match ask {
        Ask::Plan { command, options } => planned(engine, caller, &command, options).await,
        Ask::Exec { key, command, options } => exec(engine, caller, key, command, options).await,
        Ask::Undo { key, run } => undo(engine, caller, &key, run.as_deref()).await,
        Ask::Approve { run, token, typed } => match engine.approve(run, caller, &token, typed.as_deref()).await {
            Ok(missing) => Reply::Said { text: words::approved(missing) },
            Err(error) => Reply::Refused { why: unanswered(&error) },
        },
        Ask::Deny { run, token, reason } => said(engine.deny(run, caller, &token, &reason).await, words::denied),
        Ask::BreakGlass { run, token, typed, reason } => {
            said(engine.break_glass(run, caller, &token, &typed, &reason).await, words::glass_is_broken)
        }
        Ask::Reviews => reviews(engine).await,
        Ask::Review { run, note } => match engine.review_named(run.as_deref(), caller, &note).await {
            Ok(_) => Reply::Said { text: words::review_done() },
            Err(error) => Reply::Refused { why: review_error(engine, &error) },
        },
        Ask::AskAgain { run } => said(engine.ask_again(run, caller).await, words::asked_again),
        Ask::Answer { run, token, index, reason } => {
            said(engine.answer(run, caller, &token, index, reason.as_deref()).await, words::answered)
        }
        Ask::Abort { run, reason } => match engine.abort(run.as_deref(), caller, reason.as_deref()).await {
            Ok(state) => Reply::Started { run: state.id, text: words::aborting(&state) },
            Err(error) => Reply::Refused { why: abort_error(engine, "abort", &error) },
        },
        Ask::Status => status(counter, caller).await,
        // Answered by `one`.
        Ask::Follow { .. }
        | Ask::Open { .. }
        | Ask::MakeRoom
        | Ask::LockDown { .. }
        | Ask::Unlock { .. }
        | Ask::Identity { .. }
        | Ask::Accept { .. } => Reply::Refused { why: words::console::not_understood() },
    }
}

async fn planned(engine: &Engine, caller: &Caller, name: &str, options: BTreeMap<String, String>) -> Reply {
    let configuration = engine.configuration();
    let Some(command) = configuration.commands.get(name) else {
        let known = configuration.commands.keys().cloned().collect();
        let error = RequestError::UnknownCommand { name: name.to_owned(), known };
        return Reply::Refused { why: request_error(engine, name, &error) };
    };
    if let Err(refused) = access::start(&configuration.settings, command, caller) {
        return Reply::Refused { why: refusal(name, &refused) };
    }
    match engine.preview(command, options, false).await {
        Ok(preview) => Reply::Plan { text: engine.secrets().mask(&plan::text(&preview)) },
        Err(error) => Reply::Refused { why: request_error(engine, name, &error) },
    }
}

async fn exec(
    engine: &Engine,
    caller: &Caller,
    key: String,
    command: String,
    options: BTreeMap<String, String>,
) -> Reply {
    // No interaction of Discord has such an id, and nobody else's request.
    let key = format!("host-{}-{key}", caller.person.id);
    let request = Request { key, command: command.clone(), options, caller: caller.clone() };
    match engine.submit(request).await {
        Ok(Submitted::Started(run) | Submitted::AlreadyStarted(run)) => {
            Reply::Started { run, text: words::started(&command, &run.short()) }
        }
        Err(error) => {
            tracing::info!(command, by = caller.person.name, %error, "a command is refused");
            Reply::Refused { why: request_error(engine, &command, &error) }
        }
    }
}

async fn undo(engine: &Engine, caller: &Caller, key: &str, run: Option<&str>) -> Reply {
    match engine.undo_run(run, caller, format!("host-{}-{key}", caller.person.id)).await {
        Ok((Submitted::Started(run) | Submitted::AlreadyStarted(run), state)) => {
            Reply::Started { run, text: words::undoing(&state.created.command.name, &state.id.short()) }
        }
        Err(error) => {
            tracing::info!(by = caller.person.name, %error, "an undo is refused");
            Reply::Refused { why: undo_error(engine, &error) }
        }
    }
}

async fn reviews(engine: &Engine) -> Reply {
    match engine.store().open_reviews().await {
        Ok(open) if open.is_empty() => Reply::Said { text: words::nothing_to_review() },
        Ok(open) => Reply::Said { text: words::open_reviews(&open, engine.clock().now()) },
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            Reply::Refused { why: words::store_failed() }
        }
    }
}

async fn status(counter: &Counter, caller: &Caller) -> Reply {
    let engine = &counter.engine;
    let settings = &engine.configuration().settings;
    let now = engine.clock().now();
    let roles = settings.roles.iter().filter(|(_, id)| caller.roles.contains(id)).map(|(name, _)| name.clone());
    let standing = Standing {
        you: caller.person.name.clone(),
        roles: roles.collect(),
        on_discord: matches!(counter.attendance, Attendance::Bot),
        posts_waiting: engine.store().posts_waiting().await.unwrap_or_default(),
        lockdown: engine.lockdown().await.as_ref().map(words::holds),
        runs: engine.under_way().await.iter().map(|state| words::run_choice(state, now)).collect(),
    };
    Reply::Status { standing }
}

/// Tells a run's journal as it is, if `caller` may do with it what they are about to.
async fn open(line: &mut Answering, engine: &Engine, caller: &Caller, run: Option<&str>, purpose: For) -> Result<()> {
    let found = match found(engine, run, purpose).await {
        Ok(found) => found,
        Err(why) => return line.say(&Reply::Refused { why }).await,
    };
    if let Err(why) = may(engine, caller, &found, purpose).await {
        return line.say(&Reply::Refused { why }).await;
    }
    for entry in engine.store().journal(found.id).await? {
        line.say(&Reply::Entry { entry: Box::new(entry) }).await?;
    }
    line.say(&Reply::Whole).await
}

/// The run that is named as people see it, ended or not; or the only one that waits for this.
async fn found(engine: &Engine, run: Option<&str>, purpose: For) -> Result<State, String> {
    let store_failed = |error: anyhow::Error| {
        tracing::error!(error = format!("{error:#}"), "the store failed");
        words::store_failed()
    };
    let Some(named) = run.map(str::trim).filter(|run| !run.is_empty()) else {
        let mut fit = engine.under_way().await;
        fit.retain(|state| fits(state, purpose));
        let only = (fit.len() == 1).then(|| fit.pop()).flatten();
        return only.ok_or_else(|| words::console::which_run(&fit, engine.clock().now()));
    };
    let matching = engine.store().find_runs(named).await.map_err(store_failed)?;
    let [one] = matching.as_slice() else {
        return Err(words::console::no_such_run(named, &engine.under_way().await, engine.clock().now()));
    };
    let snapshot = engine.snapshot(one.id).await.map_err(store_failed)?;
    snapshot.map(|snapshot| snapshot.state).ok_or_else(words::run_ended)
}

fn fits(state: &State, purpose: For) -> bool {
    match purpose {
        For::Looking => true,
        For::Approving => matches!(state.approval, ApprovalState::Pending { .. } | ApprovalState::Lapsed { .. }),
        For::BreakingGlass => matches!(state.approval, ApprovalState::Pending { .. }),
        For::Denying => matches!(state.approval, ApprovalState::Pending { .. } | ApprovalState::Given { .. }),
        For::Answering => state.question.is_some(),
    }
}

/// The same rules as when it is done, before anything is typed for it.
async fn may(engine: &Engine, caller: &Caller, state: &State, purpose: For) -> Result<(), String> {
    let token = state.approval.asked().map(|asked| asked.token.clone()).unwrap_or_default();
    let settings = &engine.configuration().settings;
    let allowed = match purpose {
        For::Looking => Ok(()),
        // Who may approve may also have it asked again.
        For::Approving if matches!(state.approval, ApprovalState::Lapsed { .. }) => {
            engine.may_steer(state.id, caller).await
        }
        // That nothing is open yet is for whoever may approve to hear; the others hear that they may not.
        For::Approving => match access::approve(settings, state, caller) {
            Ok(()) => engine.may_approve(state.id, caller, &token).await.map(|_| ()),
            Err(refused) => Err(AnswerError::Refused(refused)),
        },
        For::BreakingGlass => engine.may_break_glass(state.id, caller, &token).await.map(|_| ()),
        For::Denying => access::deny(settings, state, caller).map_err(AnswerError::Refused),
        For::Answering if state.question.is_none() => return Err(words::console::nothing_asked()),
        For::Answering => engine.may_steer(state.id, caller).await,
    };
    allowed.map_err(|error| unanswered(&error))
}

fn said(result: Result<(), AnswerError>, good: fn() -> String) -> Reply {
    match result {
        Ok(()) => Reply::Said { text: good() },
        Err(error) => Reply::Refused { why: unanswered(&error) },
    }
}

/// As everywhere, but for what names a button.
fn unanswered(error: &AnswerError) -> String {
    match error {
        AnswerError::Stale => words::console::asked_anew(),
        AnswerError::Expired => words::console::expired(),
        AnswerError::WrongConfirmation { expected } => words::console::wrong_confirmation(expected),
        other => answer_error(other),
    }
}

/// A bot of the same user (or the superuser's) takes an engine's place that has no Discord.
fn make_room(counter: &Counter, uid: u32) -> Reply {
    let own = nix::unistd::Uid::effective().as_raw();
    match &counter.attendance {
        Attendance::Alone(leave) if uid == own || uid == 0 => {
            tracing::info!(uid, "a bot starts, and goes on with what is under way here");
            leave.cancel();
            Reply::Said { text: String::new() }
        }
        _ => Reply::Refused { why: words::console::no_room() },
    }
}
