//! Whether the ladders are climbed, for people who look: what is open, who has it, and what should have been called and was not.

use serde_json::json;

use crate::{
    access::Permit,
    actions::{Done, Failure},
    clock::elapsed,
    engine::Engine,
    incident::state::State,
};

impl Engine {
    /// Looks at the incidents and at what is due of them and of runs: read from the store, which holds the times.
    pub(in crate::engine) async fn look_at_escalation(&self, _: &Permit) -> Result<Done, Failure> {
        let now = self.0.clock.now();
        let unread = |error: anyhow::Error| Failure::failed(format!("{error:#}"));
        let store = &self.0.store;
        let (incidents, rungs, contacts) =
            tokio::try_join!(store.due_incidents(now), store.due_rungs(now), store.contacts()).map_err(unread)?;
        let due = incidents.first().map(|(_, at)| *at).into_iter().chain(rungs.first().map(|rung| rung.due_at));
        let overdue = due.min().map(|at| elapsed(at, now)).unwrap_or_default();
        let gaps = self.gaps(&contacts);
        let open: Vec<State> =
            self.open_incidents().await.into_iter().filter(|state| !state.is_over() && !state.is_drill()).collect();
        let unanswered = open.iter().filter(|state| state.holder().is_none()).count();
        let listed: Vec<_> = open
            .iter()
            .map(|state| {
                json!({
                    "incident": state.id.short(),
                    "scenario": state.kind.scenario.name,
                    "target": state.opened.target,
                    "holder": state.holder().map(|holder| &holder.name),
                    "seconds_left": (state.deadline.due - now).num_seconds(),
                })
            })
            .collect();
        Ok(Done::new(format!("{} incidents are open", open.len()))
            .with("open", open.len())
            .with("incidents", listed)
            .with("unanswered", unanswered)
            .with("overdue_seconds", overdue.as_secs())
            .with("gaps", gaps))
    }
}
