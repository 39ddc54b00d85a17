//! What the listener and the heartbeat see of the engine: alerts go to it, and it is well when it answers and its store takes
//! a write.

use anyhow::Result;
use async_trait::async_trait;

use crate::{
    alerts::receiver::{AlertsReceiver, Delivery, Received},
    engine::Engine,
    progress::words,
    web::{Health, Linked, Links},
};

/// The engine, as seen from the network.
pub(super) struct Watchfulness(pub(super) Engine);

#[async_trait]
impl AlertsReceiver for Watchfulness {
    async fn receive(&self, delivery: Delivery) -> Result<Received> {
        self.0.alerted(delivery).await
    }
}

#[async_trait]
impl Health for Watchfulness {
    async fn look(&self) -> Result<()> {
        // Asks for every run's lock: one that is stuck with it keeps this from answering.
        self.0.is_at_work().await;
        self.0.store().heartbeat("drbot", self.0.clock().now()).await
    }
}

#[async_trait]
impl Links for Watchfulness {
    async fn look(&self, token: &str) -> Result<Option<Linked>> {
        let found = self.0.linked(token).await?;
        Ok(found.filter(|(_, state)| state.closed.is_none()).map(|(_, state)| {
            let lines = words::linked(&state, self.0.clock().now());
            Linked { title: words::linked_title(&state), lines }
        }))
    }

    async fn acknowledge(&self, token: &str) -> Result<Option<Linked>> {
        let state = self.0.acknowledge_by_link(token).await?;
        Ok(state
            .map(|state| Linked { title: words::linked_done(), lines: words::linked(&state, self.0.clock().now()) }))
    }
}
