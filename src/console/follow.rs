//! A run as it goes on: its journal and how far the step under way is. Whoever follows folds the same events as everybody.

use anyhow::Result;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::wire::{Answering, Progress, Reply};
use crate::{
    engine::{Engine, LiveProgress},
    ids::RunId,
    run::event::Event,
};

/// Tells all that is in the journal after number `after`, then what comes, until the run has ended or nobody listens.
pub(super) async fn follow(line: &mut Answering, engine: &Engine, run: RunId, after: u64) -> Result<()> {
    let mut changes = engine.changes();
    let mut told = after;
    let mut progress = None;
    loop {
        let Some(snapshot) = engine.snapshot(run).await? else { return Ok(()) };
        if snapshot.state.seq > told {
            let known = told;
            for entry in engine.store().journal(run).await?.into_iter().filter(|entry| entry.seq > known) {
                told = entry.seq;
                let is_last = matches!(entry.event, Event::Finished { .. });
                line.say(&Reply::Entry { entry: Box::new(entry) }).await?;
                if is_last {
                    return Ok(());
                }
            }
        }
        if snapshot.progress != progress {
            progress = snapshot.progress;
            line.say(&Reply::Progress { progress: progress.as_ref().map(wired) }).await?;
        }
        tokio::select! {
            is_there = changed(&mut changes, run) => if !is_there { return Ok(()) },
            () = line.hung_up() => return Ok(()),
        }
    }
}

/// Waits for the run to change; false when drbot ends.
async fn changed(changes: &mut Receiver<RunId>, run: RunId) -> bool {
    loop {
        match changes.recv().await {
            Ok(changed) if changed != run => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}

fn wired(progress: &LiveProgress) -> Progress {
    Progress {
        step: progress.step.clone(),
        since: progress.since,
        done: progress.value.done,
        total: progress.value.total,
        unit: progress.value.unit.to_owned(),
        doing: progress.value.doing.clone(),
    }
}
