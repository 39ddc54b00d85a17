//! `drbot approve`, `break-glass`, `review`, `deny`, `answer`, `abort`: what the buttons of a card do, without Discord.

use std::{
    io::{BufRead, IsTerminal},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

use super::{
    Host,
    alone::{Alone, attended},
    follow::follow,
    line::{Line, Said},
    refused,
    screen::{Screen, card, print},
    shown,
};
use crate::{
    console::{Ask, For, Reply},
    ids::{self, RunId},
    progress::{outside::harmless, words},
    run::{
        event::ApprovalAsked,
        glass,
        state::{ApprovalState, State},
    },
};

/// What is typed where the command asks for no word of its own.
const YES: &str = "yes";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Approve {
    /// The run, by its id or the end of it; the only one that waits when left out.
    run: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct BreakGlass {
    /// The run, by its id or the end of it; the only one that waits for an approval when left out.
    run: Option<String>,
    /// Why, in 15 characters or more; everybody in the channel reads it. Asked for when left out.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Review {
    /// The run, by its id or the end of it; those that wait are listed when left out.
    run: Option<String>,
    /// What you found; everybody in the channel reads it.
    note: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Deny {
    /// The run, by its id or the end of it.
    run: String,
    /// Why; it goes into the record.
    #[arg(required = true)]
    reason: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Answer {
    /// The run, by its id or the end of it.
    run: String,
    /// The number of the choice; the question and its choices are shown when left out.
    choice: Option<usize>,
    /// Why, where a choice needs it.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Abort {
    /// The run, by its id or the end of it; the only one that you may stop when left out.
    run: Option<String>,
    /// Why; it goes into the record.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Undo {
    /// The run, by its id or the end of it; the only one that can be taken back when left out.
    run: Option<String>,
}

impl Undo {
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        let line = Line::new(&host.common);
        let alone = match Alone::unless_served(&line, host).await? {
            Ok(alone) => alone,
            Err(why) => return Ok(refused(&why)),
        };
        attended(alone, async {
            let said = line.hear(&Ask::Undo { key: ids::random_token(), run: self.run }).await?;
            match &said {
                Said::Good(Reply::Started { run, .. }) => {
                    let run = *run;
                    follow_here(&line, host, run, said, true).await
                }
                _ => told(said),
            }
        })
        .await
    }
}

impl Approve {
    /// Shows what would be approved, has the word typed, and says yes.
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        let line = Line::new(&host.common);
        let alone = match Alone::for_unfinished(&line, host, self.run.as_deref()).await? {
            Ok(alone) => alone,
            Err(why) => return Ok(refused(&why)),
        };
        let is_here = alone.is_some();
        attended(alone, self.give(&line, host, is_here)).await
    }

    async fn give(self, line: &Line, host: &Host, is_here: bool) -> Result<ExitCode> {
        let state = match open(line, self.run, For::Approving).await? {
            Ok(state) => state,
            Err(why) => return Ok(refused(&why)),
        };
        if matches!(state.approval, ApprovalState::Lapsed { .. }) {
            let said = line.hear(&Ask::AskAgain { run: state.id }).await?;
            if matches!(said, Said::Good(_)) {
                print(&format!("Then: drbot approve {}\n", state.id.short()));
            }
            return follow_here(line, host, state.id, said, is_here).await;
        }
        let asked = state.approval.asked().context("there is nothing to approve in this run")?;
        show_plan(&state, asked, host);
        let word = asked.confirm.clone();
        let wanted = word.as_deref().unwrap_or(YES);
        print(&format!("\nTo approve it, type {}: ", harmless(wanted)));
        let typed = typed().await?;
        if word.is_none() && typed.trim() != YES {
            return Ok(refused(&words::console::wrong_confirmation(YES)));
        }
        let typed = word.is_some().then_some(typed);
        let said = line.hear(&Ask::Approve { run: state.id, token: asked.token.clone(), typed }).await?;
        follow_here(line, host, state.id, said, is_here).await
    }
}

impl BreakGlass {
    /// Shows what would go on unapproved, has the target and a reason typed, and lets it.
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        let line = Line::new(&host.common);
        let alone = match Alone::for_unfinished(&line, host, self.run.as_deref()).await? {
            Ok(alone) => alone,
            Err(why) => return Ok(refused(&why)),
        };
        let is_here = alone.is_some();
        attended(alone, self.give(&line, host, is_here)).await
    }

    async fn give(self, line: &Line, host: &Host, is_here: bool) -> Result<ExitCode> {
        let state = match open(line, self.run, For::BreakingGlass).await? {
            Ok(state) => state,
            Err(why) => return Ok(refused(&why)),
        };
        let asked = state.approval.asked().context("this run waits for no approval")?;
        show_plan(&state, asked, host);
        let word = glass::word(&state);
        print(&format!("\n{}\n", words::console::breaking_glass(&state)));
        let reason = match self.reason {
            Some(reason) => reason,
            None => {
                print(&format!("{}: ", words::break_glass_reason_label()));
                typed().await?
            }
        };
        print(&format!("To go on alone, type {}: ", harmless(&word)));
        let typed = typed().await?;
        let ask = Ask::BreakGlass { run: state.id, token: asked.token.clone(), typed, reason };
        let said = line.hear(&ask).await?;
        follow_here(line, host, state.id, said, is_here).await
    }
}

impl Review {
    /// Lists what waits for a review, or does one. The drbot that serves is needed: it tells the channel.
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        let line = Line::new(&host.common);
        if !line.is_served().await? {
            return Ok(refused(&words::console::nobody_to_review_with()));
        }
        let ask = match self.run {
            None => Ask::Reviews,
            run => Ask::Review { run, note: self.note.join(" ") },
        };
        told(line.hear(&ask).await?)
    }
}

impl Deny {
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        let line = Line::new(&host.common);
        let alone = match Alone::for_unfinished(&line, host, Some(&self.run)).await? {
            Ok(alone) => alone,
            Err(why) => return Ok(refused(&why)),
        };
        let is_here = alone.is_some();
        attended(alone, self.give(&line, host, is_here)).await
    }

    async fn give(self, line: &Line, host: &Host, is_here: bool) -> Result<ExitCode> {
        let state = match open(line, Some(self.run), For::Denying).await? {
            Ok(state) => state,
            Err(why) => return Ok(refused(&why)),
        };
        let asked = state.approval.asked().context("there is nothing to deny in this run")?;
        let deny = Ask::Deny { run: state.id, token: asked.token.clone(), reason: self.reason.join(" ") };
        let said = line.hear(&deny).await?;
        follow_here(line, host, state.id, said, is_here).await
    }
}

impl Answer {
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        let line = Line::new(&host.common);
        let alone = match Alone::for_unfinished(&line, host, Some(&self.run)).await? {
            Ok(alone) => alone,
            Err(why) => return Ok(refused(&why)),
        };
        let is_here = alone.is_some();
        attended(alone, self.give(&line, host, is_here)).await
    }

    async fn give(self, line: &Line, host: &Host, is_here: bool) -> Result<ExitCode> {
        let state = match open(line, Some(self.run), For::Answering).await? {
            Ok(state) => state,
            Err(why) => return Ok(refused(&why)),
        };
        let question = state.question.as_ref().context("this run asks nothing")?;
        let Some(choice) = self.choice else {
            print(&format!("{}\n", card(&state, &host.clock, None, 100, std::io::stdout().is_terminal())));
            return Ok(ExitCode::SUCCESS);
        };
        let Some(index) = choice.checked_sub(1).filter(|index| *index < question.choices.len()) else {
            bail!("there is no choice {choice}; there are {}", question.choices.len());
        };
        let token = question.token.clone();
        let said = line.hear(&Ask::Answer { run: state.id, token, index, reason: self.reason }).await?;
        follow_here(line, host, state.id, said, is_here).await
    }
}

impl Abort {
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        let line = Line::new(&host.common);
        let alone = match Alone::for_unfinished(&line, host, self.run.as_deref()).await? {
            Ok(alone) => alone,
            Err(why) => return Ok(refused(&why)),
        };
        let is_here = alone.is_some();
        attended(alone, async {
            let said = line.hear(&Ask::Abort { run: self.run, reason: self.reason }).await?;
            match &said {
                Said::Good(Reply::Started { run, .. }) => {
                    let run = *run;
                    follow_here(&line, host, run, said, is_here).await
                }
                _ => told(said),
            }
        })
        .await
    }
}

/// The card, and what would be done.
fn show_plan(state: &State, asked: &ApprovalAsked, host: &Host) {
    print(&format!("{}\n\n", card(state, &host.clock, None, 100, std::io::stdout().is_terminal())));
    for step in &asked.plan {
        print(&format!("  {}\n", harmless(step)));
    }
    if let Some(cost) = &asked.cost {
        print(&format!("\n{}\n", harmless(cost)));
    }
}

/// Says what came of it. Where the engine is in this process, the run would rest without it: it is followed to its end.
async fn follow_here(line: &Line, host: &Host, run: RunId, said: Said, is_here: bool) -> Result<ExitCode> {
    let follows = is_here && matches!(said, Said::Good(_));
    let code = told(said)?;
    if !follows {
        return Ok(code);
    }
    follow(line, run, &host.clock, &mut Screen::new(false, host.clock.clone()), true).await
}

async fn open(line: &Line, run: Option<String>, purpose: For) -> Result<Result<State, String>> {
    line.open(&Ask::Open { run, purpose }).await
}

fn told(said: Said) -> Result<ExitCode> {
    match said {
        Said::Good(Reply::Said { text } | Reply::Started { text, .. }) => {
            print(&format!("{}\n", shown(&text)));
            Ok(ExitCode::SUCCESS)
        }
        Said::Good(other) => bail!("drbot answered what was not asked: {other:?}"),
        Said::Refused(why) => Ok(refused(&why)),
    }
}

/// A line from standard input; whoever thinks it over may take their time.
async fn typed() -> Result<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    Ok(read.await??.trim_end_matches(['\r', '\n']).to_owned())
}
