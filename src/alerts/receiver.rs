//! Who takes alerts from the listener.

use async_trait::async_trait;

use super::alert::{Alert, Change};
use crate::clock::Timestamp;

/// What one request brought.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub alerts: Vec<Alert>,
    /// The proof of a signed request, which is good for once.
    pub signature: Option<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub value: String,
    /// When it is too old by itself, and need not be remembered any more.
    pub until: Timestamp,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is durable.
    Taken(Counts),
    /// Its signature was used before; nothing was taken.
    Replayed,
}

/// How many alerts of a delivery were what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub new: usize,
    pub resolved: usize,
    pub missed: usize,
    pub repeated: usize,
}

impl Counts {
    pub fn of(changes: impl IntoIterator<Item = Change>) -> Self {
        let mut counts = Self::default();
        for change in changes {
            *match change {
                Change::New => &mut counts.new,
                Change::Resolved => &mut counts.resolved,
                Change::Missed => &mut counts.missed,
                Change::Repeated => &mut counts.repeated,
            } += 1;
        }
        counts
    }
}

/// Takes alerts. What must stay true: it returns only when what it took is durable, and the signature with it.
#[async_trait]
pub trait AlertsReceiver: Send + Sync {
    /// # Errors
    /// When it could not be made durable; the sender is told to repeat it.
    async fn receive(&self, delivery: Delivery) -> anyhow::Result<Received>;
}
