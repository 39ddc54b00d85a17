//! What a program writes: bounded, and masked before it is cut.

use std::collections::VecDeque;

use crate::config::secrets::Secrets;

/// Of each output, this much of its beginning and as much of its end is kept.
pub(super) const HALF: usize = 128 * 1024;
/// Cut away beside a gap, so that it hides no half of a secret.
const EDGE: usize = 8 * 1024;
/// Lines of each output that are shown in the thread.
pub(super) const SHOWN_LINES: usize = 40;

/// The beginning and the end of an output.
#[derive(Default)]
pub(super) struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// Bytes between them that are lost.
    lost: usize,
}

impl Kept {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HALF - self.head.len()));
        self.head.extend(head);
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(HALF);
        self.tail.drain(..excess);
        self.lost += excess;
    }

    pub(super) fn text(mut self, secrets: &Secrets) -> String {
        if self.lost == 0 {
            self.head.extend(self.tail);
            return secrets.mask(&String::from_utf8_lossy(&self.head));
        }
        // Masked first and cut then: what is left of a secret that lies across the gap is in the edge.
        let head = secrets.mask(&String::from_utf8_lossy(&self.head));
        let tail = secrets.mask(&String::from_utf8_lossy(self.tail.make_contiguous()));
        let end = (0..=head.len().saturating_sub(EDGE)).rev().find(|at| head.is_char_boundary(*at)).unwrap_or(0);
        let begin = (EDGE.min(tail.len())..=tail.len()).find(|at| tail.is_char_boundary(*at)).unwrap_or(tail.len());
        format!("{}\n… {} bytes are left out here …\n{}", &head[..end], self.lost + 2 * EDGE, &tail[begin..])
    }
}

/// What the program wrote, masked.
pub(super) struct Output {
    pub out: String,
    pub err: String,
}

impl Output {
    /// The last lines of both.
    pub(super) fn lines(&self) -> Vec<String> {
        let last = |text: &str| {
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        [last(&self.out), last(&self.err)].concat()
    }
}
