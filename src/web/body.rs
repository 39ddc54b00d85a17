//! A body, whole, up to a limit.

use axum::body::{Body, Bytes};
use futures::StreamExt;

/// Alertmanager's own alerts take about half a kilobyte each.
const MOST: usize = 1 << 20;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    Late,
    Broken,
}

/// Reads no more than [`MOST`] bytes, whatever the sender says or sends.
pub(super) async fn whole(body: Body) -> Result<Bytes, Unread> {
    let mut stream = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| Unread::Broken)?;
        if whole.len() + piece.len() > MOST {
            return Err(Unread::TooLarge);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}
