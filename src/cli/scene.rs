//! What `drbot rehearse` puts on its page: what to try, and the range's scripts as tools that break it.
//!
//! The verbs and their descriptions are read out of `range/break` itself, so that the page offers what is there.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::rehearsal::{Scene, Tool};

const BREAK: &str = "range/break";

/// Scripts of the range that break nothing: file, title, description.
const HELPERS: [(&str, &str, &str); 2] = [
    ("backup-now", "Make a backup now", "One pair of backups, proved by drbot as soon as they are there."),
    ("up", "Start the range", "Starts what is missing of the practice system. Damaged data stays damaged."),
];

const WELCOME: &str = "This is a rehearsal: a chat server on your own machine, and **drbot** in it, which recovers a \
    trading system from disaster. Nothing here leaves this machine, and nothing that you break is real. You play the \
    people: who you are stands below the channels.";

const STEPS: [&str; 4] = [
    "Open **Break the range** and press **Break** at *Rows damaged*: most of the trades in the practice database are gone.",
    "As **Dana**, who is on call, type `/restore-db` and press Enter twice: to choose it, and to send it. A card shows every \
     step.",
    "Become **Omar**, the database administrator: nobody approves what they asked for. Press **Approve** on the card and \
     type the name of the database.",
    "Watch the card to its end. Trading stays halted: `/status` says how things are.",
];

/// The scene for the range beside the configuration.
pub(super) async fn of(config: &Path) -> Scene {
    let scene = Scene {
        bot: Some("drbot".to_owned()),
        welcome: WELCOME.to_owned(),
        steps: STEPS.map(str::to_owned).to_vec(),
        tools_title: "Break the range".to_owned(),
        ..Scene::default()
    };
    match tools(config).await {
        Ok(tools) => Scene {
            tools_about: "The practice system: a real PostgreSQL in containers of this machine, with a trading bot \
                          that writes to it. What is broken here stays broken until somebody recovers it."
                .to_owned(),
            tools,
            ..scene
        },
        Err(error) => {
            tracing::info!(%error, "the page has no range to break");
            Scene { tools_about: format!("There is no range to break here: {error:#}."), ..scene }
        }
    }
}

async fn tools(config: &Path) -> Result<Vec<Tool>> {
    let range = std::path::absolute(config.join("range"))?;
    let script = std::path::absolute(config.join(BREAK))?;
    ensure!(script.is_file(), "{} does not exist", script.display());
    let (verbs, help) = (ask(&script, "--list").await?, ask(&script, "--help").await?);
    let breaking = verbs.lines().map(|verb| Tool {
        name: verb.to_owned(),
        title: title(verb),
        description: describe(verb, &help),
        dangerous: true,
        program: script.clone(),
        arguments: vec![verb.to_owned()],
    });
    let helping = HELPERS.iter().map(|(file, title, description)| Tool {
        name: (*file).to_owned(),
        title: (*title).to_owned(),
        description: (*description).to_owned(),
        dangerous: false,
        program: range.join(file),
        arguments: Vec::new(),
    });
    let helping = helping.filter(|tool| tool.program.is_file());
    Ok(breaking.chain(helping).collect())
}

async fn ask(script: &Path, what: &str) -> Result<String> {
    let asked = Command::new(script).arg(what).stdin(Stdio::null()).output().await;
    let output = asked.with_context(|| format!("{} cannot be run", script.display()))?;
    ensure!(output.status.success(), "{} {what} failed", script.display());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `rows-damaged` is "Rows damaged".
fn title(verb: &str) -> String {
    capital(&verb.replace('-', " "))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The sentence behind a verb in the help, where each has a line: `verb [ARGUMENT]   sentence (or what else it can be)`.
/// The page gives no argument, so that what it could be is left out.
fn describe(verb: &str, help: &str) -> String {
    let rest =
        help.lines().find_map(|line| line.strip_prefix(verb)?.strip_prefix(' ')).unwrap_or_default().trim_start();
    let Some((_, rest)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else { return capital(rest) };
    match (rest.split_once(" ("), rest.split_once(')')) {
        (Some((before, _)), Some((_, after))) => capital(format!("{before}{after}").trim_start()),
        _ => capital(rest.trim_start()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_way_to_break_the_range_is_a_tool_that_says_what_it_does() {
        let scene = of(Path::new(env!("CARGO_MANIFEST_DIR"))).await;
        let damaged = scene.tool("rows-damaged").unwrap();
        assert_eq!(damaged.title, "Rows damaged");
        assert_eq!(damaged.arguments, ["rows-damaged"]);
        assert!(scene.tool("up").is_some_and(|tool| !tool.dangerous));
        for tool in &scene.tools {
            assert!(tool.description.len() > 20, "{tool:?}");
            assert!(!tool.description.contains(['[', '(']), "{tool:?}");
            assert!(tool.program.is_file(), "{tool:?}");
        }
    }

    #[tokio::test]
    async fn without_a_range_the_page_says_so() {
        let scene = of(Path::new("/nowhere")).await;
        assert!(scene.tools.is_empty());
        assert!(scene.tools_about.contains("/nowhere/range/break does not exist"), "{}", scene.tools_about);
    }
}
