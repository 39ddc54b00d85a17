//! `drbot approve`, `deny`, `answer`, `abort`: what the buttons of a card do, without Discord.

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
    ids::RunId,
    progress::{outside::harmless, words},
    run::state::{ApprovalState, State},
};

/// What is typed where the command asks for no word of its own.
const YES: &str = "yes";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Approve {
    /// The run, by its id or the end of it; the only one that waits when left out.
    run: Option<String>,
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
        print(&format!("{}\n\n", card(&state, &host.clock, None, 100, std::io::stdout().is_terminal())));
        for step in &asked.plan {
            print(&format!("  {}\n", harmless(step)));
        }
        if let Some(cost) = &asked.cost {
            print(&format!("\n{}\n", harmless(cost)));
        }
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
