//! The ways in which people can be reached from here.

use crate::{contacts::way::Way, paging::Pager};

#[derive(Debug, Clone)]
pub(super) struct Ways {
    pub(super) pager: Pager,
    /// Chat is served: who can be reached by nothing else is reached.
    pub(super) chat: bool,
}

impl Ways {
    pub(super) fn can(&self, way: Way) -> bool {
        if way.is_of_chat() { self.chat } else { self.pager.can(way) }
    }
}
