//! What is lost by a restore: before it, for the approver; after it, for the record.
//!
//! Measured against the database that is, or was, live, as far as it can be read, and against the last good sample.
//! What must stay true: nothing is ever read as 0 that is not known to be 0. Damage takes the newest records first as
//! easily as any others, so a damaged database tells the end of its records only where it is newer than a good sample;
//! otherwise what is found is the least that is lost, and the time since the backup is the most.

use serde_json::json;
use sqlx::Connection;

use super::{
    backup::{BackupInfo, length},
    connect::{self, Server},
    data, names,
};
use crate::{
    actions::{Context, Done, Failure},
    clock::Timestamp,
    sample::Sample,
};

/// What is known of a loss.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loss {
    /// The newest record of what is restored.
    pub newest: Option<Timestamp>,
    /// Time and rows; `None` is unknown, with the reason in `how`.
    pub milliseconds: Option<i64>,
    pub rows: Option<i64>,
    /// They are the least that is lost: there may have been more.
    pub is_least: bool,
    most: Option<i64>,
    /// What it was measured against; or why it is not known.
    pub how: String,
}

impl Loss {
    pub fn seconds(&self) -> Option<i64> {
        self.milliseconds.map(|milliseconds| milliseconds / 1000)
    }

    /// Seconds that it cannot exceed: nothing is younger than the moment when it was looked at.
    pub fn at_most(&self) -> Option<i64> {
        self.most
    }
}

/// What is left in a database, to be measured against.
#[derive(Debug, Clone, Default)]
pub struct Left {
    pub newest: Option<Timestamp>,
    /// Records newer than the newest of what is restored.
    pub newer: i64,
    pub rows: Option<i64>,
}

/// What is restored, or will be.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    pub newest: Option<Timestamp>,
    pub rows: Option<i64>,
}

/// Puts together what is known. `table`: that of the newest record; `until`: nothing that counts is younger.
pub fn measure(
    restored: &Restored,
    left: &Result<Left, String>,
    sample: Option<&Sample>,
    table: &str,
    until: Timestamp,
) -> Loss {
    let Some(from) = restored.newest else {
        return Loss { how: "how new its newest record is, the backup does not say".to_owned(), ..Loss::default() };
    };
    let most = Some((until - from).num_seconds().max(0));
    let base = Loss { newest: Some(from), most, ..Loss::default() };
    let seen = left.as_ref().ok();
    let last_left = seen.and_then(|left| left.newest);
    let last_sample = sample.and_then(|sample| sample.newest);
    // Records younger than a good sample are left: so its end is where the records end.
    let end_is_known = last_left.zip(last_sample).is_some_and(|(left, sample)| left > sample);
    let rows_sampled = sample.and_then(|sample| sample.tables.get(table)).copied();
    let none_is_missing =
        seen.and_then(|left| left.rows).zip(rows_sampled).is_some_and(|(left, before)| left >= before);
    let lost = last_left.max(last_sample).map(|last| (last - from).num_milliseconds());
    let milliseconds = if end_is_known { lost.map(|lost| lost.max(0)) } else { lost.filter(|lost| *lost > 0) };
    let by_sample = rows_sampled.zip(restored.rows).map(|(before, now)| before.saturating_sub(now));
    let rows = seen.map(|left| left.newer).max(by_sample);
    let rows =
        if end_is_known && none_is_missing { rows.map(|rows| rows.max(0)) } else { rows.filter(|rows| *rows > 0) };
    let is_least = (milliseconds.is_some() || rows.is_some()) && !(end_is_known && none_is_missing);
    let how = match (left, milliseconds.is_some()) {
        (Ok(_), true) if end_is_known && none_is_missing => "against the damaged database".to_owned(),
        (Ok(_), true) if end_is_known => "against the damaged database, in which records are missing".to_owned(),
        (Ok(_), true) if last_sample > last_left => {
            "against the last good sample: the newest records of the damaged database are gone".to_owned()
        }
        (Ok(_), true) => "against the damaged database, whose newest records may be gone".to_owned(),
        (Err(_), true) => "against the last good sample: the damaged database cannot be read".to_owned(),
        (Ok(_), false) if last_sample.is_none() => {
            "the damaged database has no record newer than the backup, and there is no good sample from before the damage"
                .to_owned()
        }
        (Ok(_), false) => {
            "neither the damaged database nor the last good sample has a record newer than the backup".to_owned()
        }
        (Err(why), false) if sample.is_none() => {
            format!("the damaged database cannot be read, and there is no good sample of it: {why}")
        }
        (Err(why), false) => {
            format!("the damaged database cannot be read, and the last good sample is older than the backup: {why}")
        }
    };
    Loss { milliseconds, rows, is_least, how, ..base }
}

/// What restoring a backup would lose, before it is done.
///
/// # Errors
/// When the action is stopped.
pub async fn expected(context: &Context, backup: &BackupInfo, database: &str) -> Result<Loss, Failure> {
    let target = connect::target(context)?;
    let manifest = backup.manifest.as_ref().filter(|_| !backup.is_doubted);
    let restored = Restored {
        newest: manifest.and_then(|manifest| manifest.newest_at(target)),
        rows: manifest.and_then(|manifest| manifest.tables.get(&target.newest_table)).copied(),
    };
    let left = left(&connect::live(context)?, context, database, restored.newest).await?;
    Ok(measure(&restored, &left, context.sample.as_ref(), &target.newest_table, context.clock.now()))
}

/// What there is to be measured against; why not, when it cannot be read.
async fn left(
    server: &Server,
    context: &Context,
    database: &str,
    than: Option<Timestamp>,
) -> Result<Result<Left, String>, Failure> {
    let table = connect::target(context)?.newest_table.clone();
    let read = async {
        let mut connection = connect::open(server, database, context).await?;
        let newest = data::newest(&mut connection, context).await?;
        let newer = match than {
            Some(than) => data::newer(&mut connection, context, than).await?,
            None => 0,
        };
        let rows = data::counts_of(&mut connection, context, std::slice::from_ref(&table)).await?.get(&table).copied();
        let _ = connection.close().await;
        Ok(Left { newest, newer, rows })
    };
    match read.await {
        Ok(left) => Ok(Ok(left)),
        Err(Failure::Cancelled) => Err(Failure::Cancelled),
        Err(failure) => Ok(Err(failure.to_string())),
    }
}

/// `postgres.loss`: after the swap, against the damaged database that was kept.
///
/// # Errors
/// When what is live now cannot be read.
pub async fn perform(context: &Context, database: &str) -> Result<Done, Failure> {
    let live = connect::live(context)?;
    let table = &connect::target(context)?.newest_table;
    let mut connection = connect::open(&live, database, context).await?;
    let newest = data::newest(&mut connection, context).await?;
    let rows = data::counts(&mut connection, context).await?.get(table).copied();
    let _ = connection.close().await;
    let restored = Restored { newest, rows };
    let kept = left(&live, context, &names::damaged(database, &context.labels.run), newest).await?;
    let loss = measure(&restored, &kept, context.sample.as_ref(), table, context.clock.now());
    #[expect(clippy::cast_precision_loss, reason = "a length of time")]
    let seconds = loss.milliseconds.map(|milliseconds| milliseconds as f64 / 1000.0);
    Ok(Done::new(sentence(&loss))
        .with("seconds", json!(seconds))
        .with("rows", json!(loss.rows))
        .with("is_least", loss.is_least)
        .with("at_most", json!(loss.at_most()))
        .with("how", loss.how))
}

fn sentence(loss: &Loss) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a length of time")]
    let time = loss.milliseconds.map(|milliseconds| format!("{:.1} s", milliseconds as f64 / 1000.0));
    let rows = loss.rows.map(|rows| format!("{rows} rows"));
    let parts: Vec<String> = [time, rows].into_iter().flatten().collect();
    let most = loss.most.map_or(String::new(), |most| format!("; at most {}", length(most)));
    match (parts.is_empty(), loss.is_least) {
        (true, _) => format!("unknown: {}{most}", loss.how),
        (false, true) => format!("at least {}, {}{most}", parts.join(", "), loss.how),
        (false, false) => format!("{}, {}", parts.join(", "), loss.how),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn sample(second: i64, rows: i64) -> Sample {
        Sample { at: at(second), tables: BTreeMap::from([("t".to_owned(), rows)]), newest: Some(at(second)) }
    }

    fn of(left: Result<Left, String>, sample: Option<&Sample>) -> Loss {
        let restored = Restored { newest: Some(at(0)), rows: Some(100) };
        measure(&restored, &left, sample, "t", at(600))
    }

    fn left(second: i64, newer: i64, rows: i64) -> Result<Left, String> {
        Ok(Left { newest: Some(at(second)), newer, rows: Some(rows) })
    }

    #[test]
    fn what_is_known_is_said() {
        let loss = of(left(300, 30, 130), Some(&sample(290, 129)));
        assert_eq!((loss.seconds(), loss.rows, loss.is_least), (Some(300), Some(30), false));
        // Records are missing in the middle: their end is known, their number is not.
        let loss = of(left(300, 12, 60), Some(&sample(290, 129)));
        assert_eq!((loss.seconds(), loss.rows, loss.is_least), (Some(300), Some(29), true));
        // Cannot be read: the sample knows the least.
        let loss = of(Err("no".to_owned()), Some(&sample(290, 129)));
        assert_eq!((loss.seconds(), loss.rows, loss.is_least, loss.at_most()), (Some(290), Some(29), true, Some(600)));
        // The newest are gone, and a good sample knew them.
        let loss = of(left(100, 10, 110), Some(&sample(290, 129)));
        assert_eq!((loss.seconds(), loss.rows, loss.is_least), (Some(290), Some(29), true));
    }

    #[test]
    fn what_is_not_known_is_never_nothing() {
        for (left, sample) in [
            // The newest records are gone, and nothing remembers them.
            (left(-50, 0, 80), None),
            (left(0, 0, 100), None),
            // The sample is from before the backup.
            (left(-50, 0, 80), Some(sample(-10, 99))),
            (left(0, 0, 100), Some(sample(0, 100))),
            (Err("no".to_owned()), Some(sample(-10, 99))),
            (Err("no".to_owned()), None),
            (Ok(Left::default()), Some(sample(-10, 99))),
        ] {
            let loss = of(left.clone(), sample.as_ref());
            assert_eq!((loss.seconds(), loss.rows, loss.at_most()), (None, None, Some(600)), "{left:?} {sample:?}");
            assert!(!loss.how.is_empty());
        }
        let loss = measure(&Restored::default(), &left(300, 0, 130), None, "t", at(600));
        assert_eq!((loss.seconds(), loss.rows, loss.at_most()), (None, None, None));
    }
}
