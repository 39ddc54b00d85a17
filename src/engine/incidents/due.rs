//! What is due of an incident is done: people are called, whoever has it is asked.

use super::AppendError;
use crate::{
    config::settings::{DiscordId, HostPerson, Level},
    contacts::{
        Contact,
        reach::{self, Callee},
        way::Way,
    },
    engine::Engine,
    ids::IncidentId,
    incident::{
        event::{Event, PageTo, Paged, Stall},
        next::{Due, Next, next},
        state::State,
    },
    run::{event::Called, rungs::RESPONSIBLE},
};

/// From this share of the time on, whoever is called is told of a faster path.
const NEAR: u8 = 90;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    Nothing,
    Paged { late: std::time::Duration },
    Asked,
}

impl Engine {
    /// Does what is due of an incident, decided by its state at this moment. `can` tells which ways of paging are set up.
    ///
    /// # Errors
    /// When the store fails; it stays due then.
    pub async fn climb(
        &self,
        id: IncidentId,
        contacts: &[Contact],
        can: &(dyn Fn(Way) -> bool + Sync),
    ) -> anyhow::Result<Done> {
        let Some(state) = self.incident(id).await?.filter(|state| state.closed.is_none()) else {
            return Ok(Done::Nothing);
        };
        let facts = self.facts(&state).await;
        let now = self.0.clock.now();
        if matches!(next(&state, &facts, now), Next::Wait(_) | Next::Ended) {
            return Ok(Done::Nothing);
        }
        let mut done = Done::Nothing;
        let approvers = self.approvers(&facts.stalls).await;
        let faster = self.faster_path(&state, facts.forecast.as_ref()).await;
        let written = self
            .append_incident(id, |state| match next(state, &facts, now) {
                Next::Page(due) => {
                    done = Done::Paged { late: crate::clock::elapsed(due.due_at, now) };
                    let is_near =
                        due.deadline.as_ref().is_some_and(|climb| climb.percent >= NEAR || climb.early.is_some());
                    let mut paged = page(state, due, contacts, approvers, can);
                    paged.faster = faster.filter(|_| is_near);
                    Ok(Event::Paged(Box::new(paged)))
                }
                Next::AskStill { until } => {
                    done = Done::Asked;
                    let by = state.holder().ok_or(Moot::Nothing)?.clone();
                    Ok(Event::StillAsked { by, until })
                }
                Next::StillFires(alert) => Ok(Event::Relapsed { alert, anew: true }),
                Next::Wait(_) | Next::Ended => Err(Moot::Nothing),
            })
            .await;
        match written {
            Ok(after) => {
                if state.recovered.is_some() && after.recovered.is_none() {
                    self.join_runs_under_way(&after).await;
                }
                // No figure counts a drill.
                Ok(if after.is_drill() { Done::Nothing } else { done })
            }
            Err(Moot::Nothing | Moot::Append(AppendError::Gone)) => Ok(Done::Nothing),
            Err(Moot::Append(AppendError::Illegal(illegal))) => Err(illegal.into()),
            Err(Moot::Append(AppendError::Store(error))) => Err(error),
        }
    }

    /// Those who may approve what waits for too long.
    async fn approvers(&self, stalls: &[Stall]) -> Approvers {
        let mut approvers = Approvers::default();
        let configuration = self.configuration();
        for stall in stalls {
            let (Stall::Approval { run, .. } | Stall::Expired { run, .. }) = stall else { continue };
            let Ok(Some(snapshot)) = self.snapshot(*run).await else { continue };
            let created = &snapshot.state.created;
            let roles: Vec<String> =
                created.command.approval.iter().flat_map(|approval| approval.roles.clone()).collect();
            let may = |person: &&HostPerson| {
                person.discord != created.requester.id && person.roles.iter().any(|role| roles.contains(role))
            };
            approvers.users.extend(configuration.settings.people.iter().filter(may).map(|person| person.discord));
            approvers.roles.extend(roles);
        }
        approvers.roles.sort_unstable();
        approvers.roles.dedup();
        approvers
    }
}

/// Who may approve: roles of Discord, and the users of whom drbot.toml says that they have one of them (`[[people]]`).
#[derive(Default)]
struct Approvers {
    roles: Vec<String>,
    users: Vec<DiscordId>,
}

enum Moot {
    Nothing,
    Append(AppendError),
}

impl From<AppendError> for Moot {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

/// Whom to call: the people of the rung and of those below it, and of the level of the ack ladder. A rung that reaches nobody
/// gives way to the next one at once.
fn page(state: &State, mut due: Due, contacts: &[Contact], approvers: Approvers, can: &dyn Fn(Way) -> bool) -> Paged {
    let responsible = &state.kind.scenario.responsible;
    let reach = |names: &[String], level: Level| reach::callees(names, responsible, level, contacts, can);
    let mut callees: Vec<Callee> = Vec::new();
    let mut unreachable: Vec<String> = Vec::new();
    let mut shared = false;
    if let Some(climb) = &mut due.deadline {
        let rungs = &state.deadline.rungs;
        let at = rungs.iter().position(|rung| rung.percent == climb.percent).unwrap_or_default();
        let of = |upto: usize| {
            let names: Vec<String> = rungs[..=upto].iter().flat_map(|rung| rung.page.clone()).collect();
            reach(&names, rungs[upto].reach)
        };
        // The last one stands for itself: that the deadline has passed is said when it has.
        let last = rungs.len().saturating_sub(1);
        let used = (at..last.max(at + 1)).find(|upto| !of(*upto).0.is_empty()).unwrap_or(at);
        climb.passed_over.extend(rungs[at..used].iter().map(|rung| rung.percent));
        climb.percent = rungs.get(used).map_or(climb.percent, |rung| rung.percent);
        let (found, missing) = of(used);
        merge(&mut callees, found);
        unreachable.extend(missing);
        shared = true;
    }
    if let Some(level) = due.ack {
        let mut level = level;
        let mut found = reach(&[RESPONSIBLE.to_owned()], level);
        while found.0.is_empty()
            && let Some(later) = level.after()
        {
            level = later;
            found = reach(&[RESPONSIBLE.to_owned()], level);
        }
        due.ack = Some(level);
        merge(&mut callees, found.0);
        unreachable.extend(found.1);
        shared = true;
    }
    let roles = match &due.stall {
        Some(Stall::Approval { .. } | Stall::Expired { .. }) => {
            // Mentioned as a role; and whoever is known to have it, by all that they can be reached by.
            let mut known =
                approvers.users.iter().filter_map(|user| reach::one(*user, Level::Secondary, contacts, can)).collect();
            if Vec::is_empty(&known) {
                known = reach(&[RESPONSIBLE.to_owned()], Level::Secondary).0;
            }
            merge(&mut callees, known);
            approvers.roles
        }
        Some(_) => {
            let (found, missing) = reach(&[RESPONSIBLE.to_owned()], Level::Primary);
            merge(&mut callees, found);
            unreachable.extend(missing);
            Vec::new()
        }
        None => Vec::new(),
    };
    unreachable.dedup();
    let mut pages: Vec<PageTo> = callees.iter().flat_map(pages_to).collect();
    once_each(&mut pages, contacts);
    if shared && state.opened.drill.as_ref().is_none_or(|drill| drill.services) {
        pages.extend(Way::SHARED.into_iter().filter(|way| can(*way)).map(|way| PageTo {
            role: String::new(),
            name: String::new(),
            way,
            level: Level::Primary,
        }));
    }
    let Due { deadline, ack, stall, due_at } = due;
    Paged {
        deadline: deadline.as_ref().map(|climb| climb.percent),
        repeat: deadline.as_ref().map_or(0, |climb| climb.repeat),
        early: deadline.as_ref().and_then(|climb| climb.early),
        passed_over: deadline.map(|climb| climb.passed_over).unwrap_or_default(),
        ack,
        stall,
        due_at,
        called: callees.iter().filter_map(called).collect(),
        roles,
        pages,
        unreachable,
        faster: None,
    }
}

fn merge(all: &mut Vec<Callee>, more: Vec<Callee>) {
    for callee in more {
        match all.iter_mut().find(|one| one.role == callee.role && one.name == callee.name) {
            Some(there) => {
                for way in callee.ways {
                    if !there.ways.contains(&way) {
                        there.ways.push(way);
                    }
                }
            }
            None => all.push(callee),
        }
    }
}

/// Who has two roles is one person with one telephone.
fn once_each(pages: &mut Vec<PageTo>, contacts: &[Contact]) {
    let mut seen = Vec::new();
    pages.retain(|page| {
        let contact = contacts.iter().find(|one| one.role == page.role && one.name == page.name);
        let Some(contact) = contact else { return true };
        let address = (page.way, contact.at(page.way, page.level), contact.discord.filter(|_| page.way.is_of_chat()));
        let is_first = !seen.contains(&address);
        if is_first {
            seen.push(address);
        }
        is_first
    });
}

fn pages_to(callee: &Callee) -> Vec<PageTo> {
    let of = |(way, level): &(Way, Level)| PageTo {
        role: callee.role.clone(),
        name: callee.name.clone(),
        way: *way,
        level: *level,
    };
    callee.ways.iter().map(of).collect()
}

fn called(callee: &Callee) -> Option<Called> {
    Some(Called { role: callee.role.clone(), name: callee.name.clone(), user: callee.user? })
}
