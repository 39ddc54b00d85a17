//! What whoever starts a rehearsal puts on its stage: the bot's name, a word of welcome, and tools for people to press.
//!
//! The rehearsal knows no bot. So what a visitor of the page should try, and which programs of this machine the page may
//! start, comes in here, from outside, before the first request; nothing that arrives later can add to it.

use std::path::PathBuf;

use serde_json::{Value, json};

/// What the page shows beside the chat. Markdown is understood in texts.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// What the bot is called; "Bot" when left out.
    pub bot: Option<String>,
    /// What this is, for somebody who has never seen it.
    pub welcome: String,
    /// What to try, in order.
    pub steps: Vec<String>,
    /// The heading of the tools' panel.
    pub tools_title: String,
    /// What the tools do; or, when there are none, why.
    pub tools_about: String,
    pub tools: Vec<Tool>,
}

/// A program that the page may start, exactly as it stands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// What `POST tool` calls it.
    pub name: String,
    pub title: String,
    pub description: String,
    /// Breaks something: shown as such.
    pub dangerous: bool,
    pub program: PathBuf,
    pub arguments: Vec<String>,
}

impl Scene {
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// For the page. Where programs are is nobody's business there.
    pub fn to_json(&self) -> Value {
        let tool = |tool: &Tool| {
            json!({
                "name": tool.name, "title": tool.title, "description": tool.description, "dangerous": tool.dangerous,
            })
        };
        json!({
            "welcome": self.welcome,
            "steps": self.steps,
            "tools_title": self.tools_title,
            "tools_about": self.tools_about,
            "tools": self.tools.iter().map(tool).collect::<Vec<_>>(),
        })
    }
}
