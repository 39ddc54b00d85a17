//! Row counts and newest record of a database at a moment: how much there was, and how new, when it could be read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A table that has lost more than the rest of this share at once has lost it by damage, as far as anybody can tell.
const KEEPS: f64 = 0.8;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub at: Timestamp,
    /// Table (`public.trades`) → rows.
    pub tables: BTreeMap<String, i64>,
    /// Time of the newest record, of the table and column that the target's settings name.
    pub newest: Option<Timestamp>,
}

impl Sample {
    /// Whether it may show damage that was not there at an earlier one: a table is missing, records are gone.
    fn may_show_damage_since(&self, good: &Self, newest_table: &str, critical: &[String]) -> bool {
        let rows = |sample: &Self, table: &str| sample.tables.get(table).copied();
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let shrunk = |table: &String| match (rows(self, table), rows(good, table)) {
            (Some(now), Some(before)) => (now as f64) < before as f64 * KEEPS,
            (now, before) => now.is_none() && before.is_some(),
        };
        // Records of what happened are added, not taken away.
        rows(self, newest_table) < rows(good, newest_table) || self.newest < good.newest || critical.iter().any(shrunk)
    }
}

/// The last sample of a series, oldest first, that shows no damage: counts of a damaged database tell nothing of what
/// there was. A database that was restored is older than before for a while; it is good again when it has overtaken.
pub fn last_good(series: Vec<Sample>, newest_table: &str, critical: &[String]) -> Option<Sample> {
    series.into_iter().reduce(
        |good, next| {
            if next.may_show_damage_since(&good, newest_table, critical) { good } else { next }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: i64, trades: Option<i64>, newest: Option<i64>) -> Sample {
        let time = |second| Timestamp::from_timestamp(second, 0).unwrap();
        let tables = trades.map(|rows| ("public.trades".to_owned(), rows)).into_iter().collect();
        Sample { at: time(second), tables, newest: newest.map(time) }
    }

    fn good(series: &[Sample]) -> i64 {
        last_good(series.to_vec(), "public.trades", &["public.trades".to_owned()]).unwrap().at.timestamp()
    }

    #[test]
    fn a_sample_of_damage_is_no_good_one() {
        let (first, second) = (sample(10, Some(100), Some(9)), sample(20, Some(110), Some(19)));
        assert_eq!(good(&[first.clone(), second.clone()]), 20);
        for damaged in [
            sample(30, Some(109), Some(29)),
            sample(30, Some(110), Some(18)),
            sample(30, Some(0), None),
            sample(30, None, None),
        ] {
            assert_eq!(good(&[first.clone(), second.clone(), damaged.clone(), damaged]), 20);
        }
        // Restored from a backup, and overtaken since.
        let restored = [sample(30, Some(105), Some(15)), sample(40, Some(111), Some(39))];
        assert_eq!(good(&[vec![first, second], restored.to_vec()].concat()), 40);
        assert_eq!(last_good(Vec::new(), "t", &[]), None);
    }
}
