//! May this person do this, now?
//!
//! Default deny: what no rule allows is refused. Who somebody is comes from the interaction itself, by id; what a server
//! admin set up in Discord's own command permissions is never trusted. It is evaluated at the command, at each click,
//! and again when a step starts: the engine cannot act without a [`Permit`], which only this module makes.

pub mod throttle;

use crate::{
    clock::Timestamp,
    config::settings::{DiscordId, Settings},
    ids::RunId,
    run::{
        event::Person,
        glass::{self, Grounds},
        state::{ApprovalState, State},
    },
    runbook::definition::{Command, Effect},
};

/// Somebody who wants something, as the interaction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub person: Person,
    /// Role ids that the member has at this moment.
    pub roles: Vec<DiscordId>,
    pub channel: DiscordId,
    /// Bots and webhooks never start or approve anything.
    pub is_bot: bool,
}

/// Why something may not be done. Each becomes a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("needs one of the roles {roles:?}")]
    Role { roles: Vec<String> },
    #[error("not in this channel")]
    Channel { allowed: Vec<DiscordId> },
    #[error("bots may not")]
    Bot,
    #[error("the requester never approves")]
    OwnApproval,
    #[error("approved already")]
    AlreadyApproved,
    #[error("the approval is not open: {state}")]
    NotOpen { state: &'static str },
    #[error("the approval is not given")]
    NotApproved,
    #[error("this run's glass cannot be broken")]
    NoGlass,
    /// The deadline is not near yet.
    #[error("it is too early to break the glass")]
    TooEarly { near: u8, from: Option<Timestamp> },
    #[error("nobody reviews what they did themselves")]
    OwnReview,
}

/// The permission to begin one attempt of one step. Made only by [`step`], demanded by whatever acts.
#[derive(Debug)]
pub struct Permit {
    run: RunId,
    step: String,
}

impl Permit {
    pub fn run(&self) -> RunId {
        self.run
    }

    pub fn step(&self) -> &str {
        &self.step
    }
}

/// Whether `caller` may start `command`.
///
/// # Errors
/// The first rule that refuses it.
pub fn start(settings: &Settings, command: &Command, caller: &Caller) -> Result<(), Refusal> {
    takes_commands(settings, caller)?;
    has_role(settings, &command.roles, &caller.roles)
}

/// Whether `caller` may approve (or deny) the run's plan.
///
/// # Errors
/// The first rule that refuses it.
pub fn approve(settings: &Settings, state: &State, caller: &Caller) -> Result<(), Refusal> {
    if caller.is_bot {
        return Err(Refusal::Bot);
    }
    if caller.person.id == state.created.requester.id {
        return Err(Refusal::OwnApproval);
    }
    let Some(approval) = &state.created.command.approval else {
        return Err(Refusal::NotOpen { state: state.approval.name() });
    };
    has_role(settings, &approval.roles, &caller.roles)?;
    match &state.approval {
        ApprovalState::Pending { yes, .. } if yes.iter().any(|person| person.id == caller.person.id) => {
            Err(Refusal::AlreadyApproved)
        }
        ApprovalState::Pending { .. } => Ok(()),
        other => Err(Refusal::NotOpen { state: other.name() }),
    }
}

/// Whether `caller` may deny the run's plan: whoever may approve it, also after a yes (their own or all that are
/// needed), until what it allows has begun.
///
/// # Errors
/// The first rule that refuses it.
pub fn deny(settings: &Settings, state: &State, caller: &Caller) -> Result<(), Refusal> {
    match approve(settings, state, caller) {
        Err(Refusal::AlreadyApproved) => Ok(()),
        Err(Refusal::NotOpen { .. }) if matches!(state.approval, ApprovalState::Given { .. }) => Ok(()),
        other => other,
    }
}

/// Whether `caller` may let the run go on without its approval, and what allows it. The one who asked for the run may, too:
/// it is for whoever is alone.
///
/// # Errors
/// The first rule that refuses it.
pub fn break_glass(settings: &Settings, state: &State, caller: &Caller, now: Timestamp) -> Result<Grounds, Refusal> {
    if caller.is_bot {
        return Err(Refusal::Bot);
    }
    let glass = state.created.glass.ok_or(Refusal::NoGlass)?;
    has_role(settings, &settings.break_glass.roles, &caller.roles)?;
    if !matches!(state.approval, ApprovalState::Pending { .. }) {
        return Err(Refusal::NotOpen { state: state.approval.name() });
    }
    glass::grounds(state, now).ok_or_else(|| Refusal::TooEarly { near: glass.near, from: glass::near_from(state) })
}

/// Whether `caller` may review what `breaker` did.
///
/// # Errors
/// The first rule that refuses it.
pub fn review(settings: &Settings, breaker: DiscordId, caller: &Caller) -> Result<(), Refusal> {
    if caller.is_bot {
        return Err(Refusal::Bot);
    }
    if caller.person.id == breaker {
        return Err(Refusal::OwnReview);
    }
    has_role(settings, reviewing_roles(settings), &caller.roles)
}

/// The roles of [`review`].
pub fn reviewing_roles(settings: &Settings) -> &[String] {
    let named = &settings.break_glass;
    if named.review.is_empty() { &named.roles } else { &named.review }
}

/// Whether `caller` may answer a run's questions, stop it, or have its approval asked again: whoever might have started
/// it, or may approve it.
///
/// # Errors
/// The first rule that refuses it.
pub fn steer(settings: &Settings, state: &State, caller: &Caller) -> Result<(), Refusal> {
    if caller.is_bot {
        return Err(Refusal::Bot);
    }
    has_role(settings, &steering_roles(state), &caller.roles)
}

/// The roles of [`steer`].
pub fn steering_roles(state: &State) -> Vec<String> {
    let command = &state.created.command;
    let mut roles = command.roles.clone();
    roles.extend(command.approval.iter().flat_map(|approval| approval.roles.clone()));
    roles.sort();
    roles.dedup();
    roles
}

/// Whether the next attempt of a step may begin now: the requester could still start the command by today's settings,
/// and a step behind the gate has its approval.
///
/// # Errors
/// The first rule that refuses it.
pub fn step(settings: &Settings, state: &State, index: usize, _now: Timestamp) -> Result<Permit, Refusal> {
    let step = &state.steps[index].definition;
    if step.effect() != Effect::Read {
        has_role(settings, &state.created.command.roles, &state.created.requester_roles)?;
    }
    if state.lacks_approval(index) {
        return Err(Refusal::NotApproved);
    }
    Ok(Permit { run: state.id, step: step.id.clone() })
}

/// The permission to take back a step that was done: undoing needs no approval of its own, because it only returns to
/// what was there before, and because nothing may be left half-way for want of a role.
pub fn undo(state: &State, index: usize) -> Permit {
    Permit { run: state.id, step: state.steps[index].definition.id.clone() }
}

/// What nobody asked for and changes nothing: samples, completion.
pub fn background_read() -> Permit {
    Permit { run: RunId::generate(), step: String::new() }
}

/// How much of the contacts table somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    Masked,
    Whole,
}

/// Whether `caller` may see the contacts table, and how much of it.
///
/// # Errors
/// The first rule that refuses it.
pub fn contacts(settings: &Settings, caller: &Caller) -> Result<Numbers, Refusal> {
    takes_commands(settings, caller)?;
    has_role(settings, &settings.contacts.roles, &caller.roles)?;
    let whole = has_role(settings, &settings.contacts.numbers, &caller.roles);
    Ok(if whole.is_ok() { Numbers::Whole } else { Numbers::Masked })
}

/// Whether `caller` may change the contacts table: whoever sees it, and has a role for that.
///
/// # Errors
/// The first rule that refuses it.
pub fn edit_contacts(settings: &Settings, caller: &Caller) -> Result<(), Refusal> {
    contacts(settings, caller)?;
    has_role(settings, contact_editing_roles(settings), &caller.roles)
}

/// Whether `caller` may try out whether a contact is reached, and say so: whoever may change the table, and the contact
/// themself. `contact` is who that is in Discord.
///
/// # Errors
/// The first rule that refuses it.
pub fn vouch_for_contact(settings: &Settings, contact: Option<DiscordId>, caller: &Caller) -> Result<(), Refusal> {
    takes_commands(settings, caller)?;
    if contact == Some(caller.person.id) { Ok(()) } else { edit_contacts(settings, caller) }
}

/// The roles of [`edit_contacts`].
pub fn contact_editing_roles(settings: &Settings) -> &[String] {
    let named = &settings.contacts;
    if named.edit.is_empty() { &named.numbers } else { &named.edit }
}

/// Whether `caller` may open, acknowledge and close incidents, wherever: most of it is done in an incident's own thread.
///
/// # Errors
/// The first rule that refuses it.
pub fn incidents(settings: &Settings, caller: &Caller) -> Result<(), Refusal> {
    if caller.is_bot {
        return Err(Refusal::Bot);
    }
    has_role(settings, &settings.incidents.roles, &caller.roles)
}

/// Whether `caller` may answer for another deadline.
///
/// # Errors
/// The first rule that refuses it.
pub fn deadline(settings: &Settings, caller: &Caller) -> Result<(), Refusal> {
    if caller.is_bot {
        return Err(Refusal::Bot);
    }
    has_role(settings, &settings.incidents.deadline, &caller.roles)
}

/// Whether `caller` may lock drbot down.
///
/// # Errors
/// The first rule that refuses it.
pub fn lock_down(settings: &Settings, caller: &Caller) -> Result<(), Refusal> {
    takes_commands(settings, caller)?;
    has_role(settings, &settings.lockdown.roles, &caller.roles)
}

/// Somebody at drbot's own host who may do there what no chat can: lift a lockdown, take other servers for a target. Made
/// only by [`keeper`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    by: String,
}

impl Keeper {
    pub fn by(&self) -> &str {
        &self.by
    }
}

/// Whether a user of the host is a keeper: drbot's own user and the superuser (`owns`), who could do all of it by hand; and
/// who may lock down. `caller` is who the user is in Discord, if anybody; `name` what the account is called.
///
/// # Errors
/// That they are not.
pub fn keeper(settings: &Settings, caller: Option<&Caller>, owns: bool, name: &str) -> Result<Keeper, Refusal> {
    let by = caller.map_or_else(|| format!("{name} (host)"), |caller| caller.person.name.clone());
    let roles = caller.map_or(&[][..], |caller| &caller.roles);
    if !owns {
        has_role(settings, &settings.lockdown.roles, roles)?;
    }
    Ok(Keeper { by })
}

/// Whether commands are taken from `caller`, where they are.
///
/// # Errors
/// The first rule that refuses it.
pub fn takes_commands(settings: &Settings, caller: &Caller) -> Result<(), Refusal> {
    if caller.is_bot {
        return Err(Refusal::Bot);
    }
    let channels = &settings.discord.command_channels;
    if !channels.is_empty() && !channels.contains(&caller.channel) {
        return Err(Refusal::Channel { allowed: channels.clone() });
    }
    Ok(())
}

fn has_role(settings: &Settings, wanted: &[String], has: &[DiscordId]) -> Result<(), Refusal> {
    let allowed = wanted.iter().filter_map(|name| settings.roles.get(name)).any(|id| has.contains(id));
    if allowed { Ok(()) } else { Err(Refusal::Role { roles: wanted.to_vec() }) }
}
