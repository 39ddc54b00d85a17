//! Calling people: the claim of a rung.

use super::{Engine, live::AppendError};
use crate::{
    contacts::{Contact, ladder},
    ids::RunId,
    run::event::{Event, Paged},
    store::rungs::DueRung,
};

impl Engine {
    /// Uses a rung that is due: calls its people, once. It is decided by the run as it is at this moment, so nobody is
    /// called after the end, and none twice. False when nobody is to be called any more.
    ///
    /// # Errors
    /// When the store fails, or nobody drives the run; the rung stays due then.
    pub async fn page(&self, due: DueRung, contacts: &[Contact]) -> anyhow::Result<bool> {
        let Some(live) = self.live(due.run) else {
            anyhow::bail!("run {} is under way, but nothing drives it", due.run.short());
        };
        let written = self
            .append_if(&live, |state| {
                let over = state.finished.is_some() || state.recovered_at.is_some();
                let used = state.rung_used();
                let callout = ladder::callout(&state.created, due.percent, used, contacts);
                let callout = callout.filter(|_| !over && used.is_none_or(|used| used < due.percent));
                let callout = callout.ok_or(PageError::NotNeeded)?;
                Ok::<_, PageError>(Event::Paged(Box::new(Paged {
                    percent: callout.percent,
                    due_at: due.due_at,
                    passed_over: callout.passed_over,
                    called: callout.called,
                    unreachable: callout.unreachable,
                })))
            })
            .await;
        match written {
            Ok(()) => Ok(true),
            Err(PageError::NotNeeded) => Ok(false),
            Err(PageError::Append(error)) => Err(error.into()),
        }
    }

    /// Whether a run is under way here.
    pub fn drives(&self, run: RunId) -> bool {
        self.live(run).is_some()
    }
}

enum PageError {
    NotNeeded,
    Append(AppendError),
}

impl From<AppendError> for PageError {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}
