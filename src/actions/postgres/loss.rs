//! What was lost: measured against the database that was kept, as far as it can be read; else against the last sample;
//! else unknown, with the reason. Never guessed.

use serde_json::json;
use sqlx::Connection;

use super::{connect, data, names};
use crate::actions::{Context, Done, Failure};

/// `postgres.loss`.
///
/// # Errors
/// When what is live now cannot be read.
pub async fn perform(context: &Context, database: &str) -> Result<Done, Failure> {
    let live = connect::live(context)?;
    let mut connection = connect::open(&live, database, context).await?;
    let restored = data::newest(&mut connection, context).await?;
    let table = &connect::target(context)?.newest_table;
    let rows_now = data::counts(&mut connection, context).await?.get(table).copied();
    let _ = connection.close().await;
    let sample = context.sample.as_ref();
    let from_sample = sample
        .and_then(|sample| sample.newest)
        .zip(restored)
        .map(|(last, newest)| (last - newest).num_milliseconds().max(0));
    let rows_sample =
        sample.and_then(|sample| sample.tables.get(table)).zip(rows_now).map(|(before, now)| (before - now).max(0));
    let kept = async {
        let kept = names::damaged(database, &context.labels.run);
        let mut connection = connect::open(&live, &kept, context).await?;
        let last = data::newest(&mut connection, context).await?;
        let rows = match restored {
            Some(newest) => Some(data::newer(&mut connection, context, newest).await?),
            None => None,
        };
        let _ = connection.close().await;
        Ok::<_, Failure>((last, rows))
    };
    let (milliseconds, rows, how) = match kept.await {
        Err(Failure::Cancelled) => return Err(Failure::Cancelled),
        Ok((Some(last), rows)) => {
            let from_kept = restored.map(|newest| (last - newest).num_milliseconds().max(0));
            // Damage may have taken the newest records; a sample from before it knows of them.
            let most = from_kept.max(from_sample);
            let by_sample = from_sample > from_kept;
            let how = if by_sample {
                "against the last sample, taken before the damage"
            } else {
                "against the damaged database"
            };
            (most, if by_sample { rows.max(rows_sample) } else { rows }, how.to_owned())
        }
        Ok((None, _)) | Err(_) if from_sample.is_some() || rows_sample.is_some() => {
            (from_sample, rows_sample, "against the last sample; the damaged database cannot be read".to_owned())
        }
        Ok((None, _)) => (None, None, "the damaged database has no newest record, and there is no sample".to_owned()),
        Err(failure) => (None, None, format!("the damaged database cannot be read, and there is no sample: {failure}")),
    };
    #[expect(clippy::cast_precision_loss, reason = "a length of time")]
    let seconds = milliseconds.map(|milliseconds| milliseconds as f64 / 1000.0);
    let summary = match (seconds, rows) {
        (Some(seconds), Some(rows)) => format!("{seconds:.1} s, {rows} rows, {how}"),
        (Some(seconds), None) => format!("{seconds:.1} s, {how}"),
        (None, Some(rows)) => format!("{rows} rows, {how}"),
        (None, None) => format!("unknown: {how}"),
    };
    Ok(Done::new(summary).with("seconds", json!(seconds)).with("rows", json!(rows)).with("how", how))
}
