//! Where a value stands in a file, by its keys.
//!
//! Values forget where they came from; a checker that walks typed values keeps a [`Place`] beside them, and the file's
//! `Document` turns it into a line and a column.

use std::fmt;

/// The way from the root of a file to a value. An empty one is the file itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    Key(String),
    Index(usize),
}

impl Place {
    pub fn root() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut place = self.clone();
        place.0.push(Segment::Key(key.to_owned()));
        place
    }

    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut place = self.clone();
        place.0.push(Segment::Index(index));
        place
    }

    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The key at the end, when there is one.
    pub fn last_key(&self) -> Option<&str> {
        match self.0.last() {
            Some(Segment::Key(key)) => Some(key),
            _ => None,
        }
    }

    pub fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_last()?;
        Some(Self(parent.to_vec()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) => write!(f, "{}{key}", if at == 0 { "" } else { "." })?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
