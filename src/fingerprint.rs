//! Which servers a target is: what tells them from others that answer to the same name.
//!
//! A name in `drbot.toml` leads to whatever listens there today: after a mistake in the file, a port that another tunnel
//! has taken, a drbot on the wrong host, that is somebody else's database. So before a run changes anything, the servers
//! must be the recorded ones. What cannot be looked at is no proof of a mistake: it may be what is to be recovered.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The system identifier that initdb gave the PostgreSQL cluster.
    Postgres,
    /// The id of the Docker engine.
    Docker,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Postgres, Self::Docker];

    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Docker => "docker",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One server, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub kind: Kind,
    pub value: String,
}

/// One server, as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    pub part: Part,
    pub at: Timestamp,
    pub by: String,
}

/// What was found, held against the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that was found is another than the recorded.
    Fits {
        /// Found, and not on record yet.
        new: Vec<Part>,
    },
    Differs {
        found: Part,
        recorded: Recorded,
    },
}

pub fn judge(found: &[Part], recorded: &[Recorded]) -> Verdict {
    let of = |kind: Kind| recorded.iter().find(|recorded| recorded.part.kind == kind);
    let other = found.iter().find_map(|part| {
        let recorded = of(part.kind).filter(|recorded| recorded.part.value != part.value)?;
        Some(Verdict::Differs { found: part.clone(), recorded: recorded.clone() })
    });
    other.unwrap_or_else(|| Verdict::Fits {
        new: found.iter().filter(|part| of(part.kind).is_none()).cloned().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: Kind, value: &str) -> Part {
        Part { kind, value: value.to_owned() }
    }

    #[test]
    fn another_server_is_noticed_and_a_missing_one_is_no_proof() {
        let at = Timestamp::from_timestamp_micros(0).unwrap();
        let recorded = [Recorded { part: part(Kind::Postgres, "1"), at, by: "me".to_owned() }];
        let judged = |found: &[Part]| judge(found, &recorded);
        assert_eq!(judged(&[]), Verdict::Fits { new: Vec::new() });
        assert_eq!(judged(&[part(Kind::Postgres, "1")]), Verdict::Fits { new: Vec::new() });
        let docker = part(Kind::Docker, "a");
        assert_eq!(judged(std::slice::from_ref(&docker)), Verdict::Fits { new: vec![docker.clone()] });
        let other = part(Kind::Postgres, "2");
        let differs = Verdict::Differs { found: other.clone(), recorded: recorded[0].clone() };
        assert_eq!(judged(&[docker, other]), differs);
    }
}
