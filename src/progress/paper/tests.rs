//! The paper and the bot are the same, and nothing that an operator writes breaks out of it.

use std::path::Path;

use super::*;
use crate::runbook::action::Action;

fn shipped() -> Configuration {
    Configuration::load_for_paper(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_committed_paper_is_what_the_files_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    if let Some(line) = first_difference(&there, &text(&shipped())) {
        panic!("{FILE}:{line}: not what drbot.toml and commands/ say; write it again: cargo run -- docs");
    }
}

#[test]
fn a_difference_has_its_line() {
    assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
    assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
    assert_eq!(first_difference("a\nb", "a\nb\n"), Some(3));
    assert_eq!(first_difference("", "a\n"), Some(1));
}

#[test]
fn every_step_is_on_paper_with_its_reason_and_what_happens_when_it_fails() {
    let configuration = shipped();
    let text = text(&configuration);
    for command in configuration.written.values() {
        let section = text.split("\n## ").find(|one| one.starts_with(&format!("/{}\n", command.name))).unwrap();
        for (index, step) in command.steps.iter().enumerate() {
            let heading = format!("#### {}. {}\n", index + 1, plain(&step.name));
            let body = section.split(&heading).nth(1).unwrap_or_else(|| panic!("{heading}"));
            let body = body.split("\n#### ").next().unwrap();
            assert!(step.why.as_ref().is_none_or(|why| body.contains(&plain(why))), "{heading}");
            assert!(matches!(step.action, Action::Call(_)) || body.contains("**If it fails,**"), "{heading}");
            assert_eq!(body.contains("**Point of no return:**"), step.point_of_no_return, "{heading}");
            assert_eq!(body.contains("**Taken back by:**"), step.undo.is_some(), "{heading}");
        }
        let called = configuration.commands[&command.name].steps.len();
        let said = section.matches("\n- **Does:**").count();
        assert_eq!(said, called, "/{}: every step that a run has", command.name);
    }
}

#[test]
fn what_a_person_needs_without_the_bot_is_there() {
    let text = text(&shipped());
    for line in [
        "curl --fail-with-body -sSi --max-time 2 -X POST -H @<(echo \"Authorization: Bearer $EMERGENCY_TOKEN\") http://127.0.0.1:8080/emergency/halt",
        "docker stop -t 5 trading-bot",
        "docker exec -i trading-postgres pg_restore --exit-on-error -U antbot -d 'drbot_⟨run⟩' < 'range/backups/⟨backup of step 4⟩'",
        "ANTBOT_VERSION='⟨version of step 7⟩' docker compose -f range/compose.yaml -p antbot --profile monitoring up -d --no-deps trading-bot",
        "| Database corruption | critical | 30 min | 10 min | [/restore-db](#restore-db) | Database Administrator, System Administrator |",
        "- **Only when** step 2 did not go well",
    ] {
        assert!(text.contains(line), "{line}");
    }
    assert!(!text.contains("known later") && !text.contains("{{ steps") && !text.contains("{{ target"));
    assert!(!text.contains(env!("CARGO_MANIFEST_DIR")), "no path of this machine");
    assert!(!text.lines().any(|line| line.contains("555-010")), "no telephone number");
}

#[test]
fn what_an_operator_writes_stays_a_text() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("commands")).unwrap();
    let settings = include_str!("../../../drbot.toml");
    std::fs::write(folder.path().join("drbot.toml"), settings).unwrap();
    let command = "summary = '# <b>| [x](y)'\nrisk = 'risky'\nroles = ['lead']\n[[steps]]\nid = 'a'\n\
        name = '*bold* _x_'\nwhy = \"`code`\\n# heading\"\ntimeout = '5s'\n\
        exec = { program = '/bin/echo', args = [\"it's\", '```', \"two\\nlines\"], secrets = { KEY = 'TOKEN' } }\n";
    std::fs::write(folder.path().join("commands/odd.toml"), command).unwrap();
    let text = text(&Configuration::load_for_paper(folder.path()).unwrap());
    let section = text.split("\n## /odd\n").nth(1).unwrap();
    assert!(section.contains("\\# \\<b>\\| \\[x](y)."), "{section}");
    assert!(section.contains("#### 1. \\*bold\\* \\_x_\n\n\\`code\\` # heading\n"), "{section}");
    let block = "  ````sh\n  KEY=\"$TOKEN\" /bin/echo 'it'\\''s' '```' 'two\n  lines'\n  ````\n";
    assert!(section.contains(block), "{section}");
}
