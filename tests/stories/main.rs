//! Stories: a bot and the people who use it, played against the rehearsal.

mod gateway;
mod rehearsal;
