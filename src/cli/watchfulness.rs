//! What the listener and the heartbeat see of the engine: alerts go to it, and it is well when it answers, its store takes a
//! write, and somebody looks for whom to call.

use anyhow::Result;
use async_trait::async_trait;

use crate::{
    alerts::receiver::{AlertsReceiver, Delivery, Received},
    engine::Engine,
    escalation::Pulse,
    progress::words,
    web::{Health, Linked, Links},
};

/// The engine and its escalation, as seen from the network.
pub(super) struct Watchfulness {
    pub(super) engine: Engine,
    pub(super) pulse: Pulse,
}

#[async_trait]
impl AlertsReceiver for Watchfulness {
    async fn receive(&self, delivery: Delivery) -> Result<Received> {
        self.engine.alerted(delivery).await
    }
}

#[async_trait]
impl Health for Watchfulness {
    async fn look(&self) -> Result<()> {
        self.pulse.check()?;
        // Asks for every run's lock: one that is stuck with it keeps this from answering.
        self.engine.is_at_work().await;
        self.engine.store().heartbeat("drbot", self.engine.clock().now()).await
    }
}

#[async_trait]
impl Links for Watchfulness {
    async fn look(&self, token: &str) -> Result<Option<Linked>> {
        let found = self.engine.linked(token).await?;
        Ok(found.filter(|(_, state)| state.closed.is_none()).map(|(_, state)| {
            let lines = words::linked(&state, self.engine.clock().now());
            Linked { title: words::linked_title(&state), lines }
        }))
    }

    async fn acknowledge(&self, token: &str) -> Result<Option<Linked>> {
        let state = self.engine.acknowledge_by_link(token).await?;
        Ok(state.map(|state| Linked {
            title: words::linked_done(),
            lines: words::linked(&state, self.engine.clock().now()),
        }))
    }
}
