//! What is seen of a run that is followed: at a terminal its card, drawn in place; else a line an event; or JSON.

use std::io::{IsTerminal, Write};

use terminal_size::{Height, Width, terminal_size};

use crate::{
    clock::{Clock, Timestamp, elapsed},
    progress::{
        outside::{harmless_json, readable},
        text,
        view::{self, Live},
        words,
    },
    run::{event::Entry, state::State},
};

const NARROW: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The card, drawn again in its place.
    Card,
    /// A line an event, and the card at the end.
    Lines,
    /// An event a line, as the journal has it.
    Json,
}

pub(super) struct Screen {
    mode: Mode,
    clock: Clock,
    /// Lines that are drawn over the next time.
    drawn: usize,
    last: String,
}

impl Screen {
    pub(super) fn new(json: bool, clock: Clock) -> Self {
        let mode = match json {
            true => Mode::Json,
            false if std::io::stdout().is_terminal() => Mode::Card,
            false => Mode::Lines,
        };
        Self { mode, clock, drawn: 0, last: String::new() }
    }

    /// Words of welcome: not among events that a program reads.
    pub(super) fn say(&mut self, text: &str) {
        if self.mode != Mode::Json {
            print(&format!("{text}\n"));
            self.drawn = 0;
        }
    }

    /// Something has happened.
    pub(super) fn event(&mut self, entry: &Entry, state: &State) {
        match self.mode {
            Mode::Card => {}
            Mode::Lines => {
                let at = words::duration(elapsed(state.created_at, entry.at));
                print(&format!("+{at:<14} {}\n", words::timeline_line(entry, state)));
                if self.people_are_waited_for(entry) {
                    hints(state, self.clock.now()).iter().for_each(|hint| print(&format!("{:15} {hint}\n", "")));
                }
            }
            Mode::Json => {
                let line = serde_json::to_string(entry).unwrap_or_default();
                print(&format!("{}\n", harmless_json(&line)));
            }
        }
    }

    fn people_are_waited_for(&self, entry: &Entry) -> bool {
        use crate::run::event::Event;
        matches!(
            entry.event,
            Event::ApprovalAsked(_)
                | Event::QuestionAsked { .. }
                | Event::ApprovalExpired { .. }
                | Event::ApprovalVoided { .. }
        )
    }

    /// How it is now.
    pub(super) fn now(&mut self, state: &State, live: Option<&Live>) {
        if self.mode == Mode::Card {
            self.draw(state, live, false);
        }
    }

    /// How it ended.
    pub(super) fn end(&mut self, state: &State) {
        match self.mode {
            Mode::Card => self.draw(state, None, true),
            Mode::Lines => print(&format!("\n{}\n", card(state, &self.clock, None, NARROW, false))),
            Mode::Json => {}
        }
    }

    /// The whole of it at the end; while it goes on no more than fits, because what has left the screen cannot be drawn
    /// over.
    fn draw(&mut self, state: &State, live: Option<&Live>, whole: bool) {
        let (width, height) = match terminal_size() {
            Some((Width(width), Height(height))) => (usize::from(width), usize::from(height)),
            None => (NARROW, 24),
        };
        let text = card(state, &self.clock, live, width.saturating_sub(2), true);
        let lines: Vec<&str> = text.lines().collect();
        let from = if whole { 0 } else { lines.len().saturating_sub(height.saturating_sub(2)) };
        let text = lines[from..].join("\n");
        if text == self.last && !whole {
            return;
        }
        let back = if self.drawn > 0 { format!("\x1b[{}A\x1b[J", self.drawn) } else { String::new() };
        print(&format!("{back}{text}\n"));
        self.drawn = if whole { 0 } else { lines.len() - from };
        self.last = text;
    }
}

/// The card, and below it what people can do now.
pub(super) fn card(state: &State, clock: &Clock, live: Option<&Live>, width: usize, colour: bool) -> String {
    let mut card = text::card(&view::of(state, clock.now(), live), width, colour);
    for hint in hints(state, clock.now()) {
        card.push_str(&format!("\n  {hint}"));
    }
    card
}

fn hints(state: &State, now: Timestamp) -> Vec<String> {
    words::console::hints(state, now).iter().map(|hint| readable(hint)).collect()
}

/// A terminal or a pipe that is gone is no reason to fail: the run does not hang on it.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
