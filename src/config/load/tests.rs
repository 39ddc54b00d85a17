//! The loader as operators meet it: shipped files, mistakes, hostile files.

use super::*;

fn shipped() -> Result<Configuration, Vec<Problem>> {
    let secrets = ["EMERGENCY_TOKEN", "ADMIN_TOKEN", "ALERTS_TOKEN", "DB_PASSWORD"];
    Configuration::load_with(Path::new(env!("CARGO_MANIFEST_DIR")), move |name| {
        secrets.contains(&name).then(|| "a secret".to_owned())
    })
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_files_have_no_problem() {
    let configuration = shipped().unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    assert_eq!(shown(&configuration.warnings), "");
    let secrets: Vec<_> = configuration.secrets.iter().collect();
    assert_eq!(secrets, ["ADMIN_TOKEN", "ALERTS_TOKEN", "DB_PASSWORD", "EMERGENCY_TOKEN"]);
}

#[test]
fn the_files_of_the_benchmarks_have_no_problem() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/config");
    let loaded = Configuration::load_with(&folder, |_| None);
    assert!(loaded.is_ok(), "{}", shown(&loaded.unwrap_err()));
}

/// A folder with the shipped settings and the given commands.
fn folder(commands: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(SETTINGS_FILE), folder.path().join(SETTINGS_FILE))
        .unwrap();
    std::fs::create_dir(folder.path().join(COMMANDS_FOLDER)).unwrap();
    for (name, text) in commands {
        std::fs::write(folder.path().join(COMMANDS_FOLDER).join(name), text).unwrap();
    }
    folder
}

pub(super) fn problems(commands: &[(&str, &str)]) -> String {
    match Configuration::load_with(folder(commands).path(), |_| None) {
        Ok(_) => String::new(),
        Err(problems) => shown(&problems),
    }
}

#[test]
fn ten_mistakes_are_ten_problems() {
    let text = r#"summary = "Ten mistakes"
sevrity = "x"
risk    = "dangerous"
roles   = ["operater"]
target  = "prod"

[approval]
before = "stop"
roles  = ["dba"]

[[steps]]
id   = "look"
name = "Look"
http = { get = "{{ target.aip }}/health" }
outputs = { rows = "integer" }

[[steps]]
id   = "stop"
name = "Stop"
docker.stop = { contaner = "{{ target.containers.bot }}" }
when = "steps.look.rowz > 5"
timeout = "20s"

[[steps]]
id   = "look"
name = "Look again"
host = {}
timeout = "5 parsecs"

[[steps]]
id   = "call"
name = "Call"
call = "hlat"
"#;
    insta::assert_snapshot!(problems(&[("ten.toml", text), ("halt.toml", HALT)]), @r#"
    commands/ten.toml:2:1: unknown key `sevrity`
        allowed: approval, lock, next, options, recovered, risk, roles, scenario, steps, summary, target, undoes
    commands/ten.toml:3:11: unknown value `dangerous`
        allowed: destructive, read, risky, safe
    commands/ten.toml:4:12: there is no role `operater`
        did you mean `operator`? allowed: dba, lead, operator
    commands/ten.toml:14:16: there is no `aip` in `target`
        did you mean `api`? allowed: api, compose, containers, database, docker, name, network, postgres, programs, sample_every, urls, versions
    commands/ten.toml:15:13: `http` has no result `rows`
        allowed: body, json, latency_ms, status; or say where it is: { type = "…", from = "…" }
    commands/ten.toml:20:17: unknown key `contaner`
        did you mean `container`? allowed: container, grace
    commands/ten.toml:21:8: there is no `rowz` in `steps.look`
        did you mean `rows`? allowed: failed, ok, rows, skipped
    commands/ten.toml:25:8: two steps have the id `look`
        the journal knows steps by their ids
    commands/ten.toml:28:11: `5 parsecs` is not a length of time; write it like "30s", "5m" or "1h 30m"
    commands/ten.toml:33:8: there is no command `hlat`
        did you mean `halt`? allowed: halt, ten
    "#);
}

pub(super) const HALT: &str =
    "summary = 'x'\nrisk = 'safe'\nroles = ['lead']\n[[steps]]\nid = 'a'\nname = 'A'\nhost = {}\n";

#[test]
fn commands_are_checked_against_each_other() {
    let call = |name: &str| {
        format!("summary = 'x'\nrisk = 'read'\nroles = ['lead']\n[[steps]]\nid = 'a'\nname = 'A'\ncall = '{name}'\n")
    };
    let approved = format!("{HALT}[approval]\nbefore = 'a'\nroles = ['dba']\n");
    insta::assert_snapshot!(problems(&[
        ("a.toml", &call("b")),
        ("b.toml", &call("a")),
        ("c.toml", &call("halt")),
        ("d.toml", &call("e")),
        ("e.toml", &approved),
        ("halt.toml", HALT),
    ]), @r#"
    commands/a.toml:7:8: the calls go round in a circle: /a → /b → /a
        a command cannot stand in itself
    commands/b.toml:7:8: the calls go round in a circle: /b → /a → /b
        a command cannot stand in itself
    commands/c.toml:7:8: /halt is riskier than this command says it is
        raise the `risk` of this command
    commands/d.toml:7:8: /e is riskier than this command says it is
        raise the `risk` of this command
    commands/d.toml:7:8: /e waits for an approval, and a call would go round it
        start it by itself
    "#);
}

#[test]
fn files_that_are_none_are_named() {
    let folder = folder(&[("README.md", "# not a command"), (".hidden.toml", "x"), ("halt.toml", HALT)]);
    let commands = folder.path().join(COMMANDS_FOLDER);
    assert!(Configuration::load_with(folder.path(), |_| None).is_ok());
    std::fs::write(commands.join("bytes.toml"), b"summary = '\xff'").unwrap();
    std::fs::write(commands.join("huge.toml"), vec![b' '; 2_000_000]).unwrap();
    std::fs::create_dir(commands.join("folder.toml")).unwrap();
    std::os::unix::fs::symlink(commands.join("halt.toml"), commands.join("link.toml")).unwrap();
    std::os::unix::fs::symlink(commands.join("nowhere"), commands.join("lost.toml")).unwrap();
    let problems = Configuration::load_with(folder.path(), |_| None).unwrap_err();
    insta::assert_snapshot!(shown(&problems), @r#"
    commands/bytes.toml:1:12: this is not UTF-8 text
        save the file as UTF-8
    commands/folder.toml: this is not a file
    commands/huge.toml: larger than 1 MiB; no such file is that large
    commands/lost.toml: cannot be read: No such file or directory (os error 2)
    "#);
}

#[test]
fn settings_are_checked_and_their_paths_resolved() {
    let folder = folder(&[("halt.toml", HALT)]);
    let load = || Configuration::load_with(folder.path(), |name| (name == "RANGE_PG_PORT").then(|| "15999".to_owned()));
    let configuration = load().unwrap();
    let postgres = configuration.settings.target["prod"].postgres.clone().unwrap();
    assert_eq!(postgres.port, 15999);
    assert_eq!(postgres.backups, folder.path().join("range/backups"));
    assert_eq!(shown(&configuration.warnings).matches("DB_PASSWORD is not set").count(), 1);
    let path = folder.path().join(SETTINGS_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text
        .replacen("\"DB_PASSWORD\"", "\"hunter2 is it\"", 1)
        .replace(":-8080}", ":-8080}/")
        .replace("rto      = \"15m\"", "rot = \"15m\"")
        .replacen("${RANGE_PG_PORT:-15432}", "many", 1);
    std::fs::write(&path, &text).unwrap();
    let problems = shown(&load().unwrap_err());
    assert!(!problems.contains("hunter2"));
    insta::assert_snapshot!(problems, @r#"
    drbot.toml:29:1: unknown key `rot`
        did you mean `rto`? allowed: name, priority, responsible, rpo, rto
    drbot.toml:150:13: invalid value: string "many", expected a port, 1 to 65535
    "#);
    std::fs::write(&path, text.replace("rot = ", "rto = ").replace("\"many\"", "5432")).unwrap();
    insta::assert_snapshot!(shown(&load().unwrap_err()), @r#"
    drbot.toml:130:7: the URL ends with a slash
        leave it out: commands write {{ target.api }}/health
    drbot.toml:147:13: this is not the name of a secret
        the name of a variable of .env, like "DB_PASSWORD"; never the password itself
    "#);
}

#[test]
fn a_ladder_that_calls_nobody_or_goes_down_is_a_mistake() {
    let folder = folder(&[("halt.toml", HALT)]);
    let path = folder.path().join(SETTINGS_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text
        .replace("at   = 75", "at   = 40")
        .replace("at   = 100", "at   = 101")
        .replace("page = [\"responsible\"]", "page = []")
        .replace("numbers = [\"lead\"]", "numbers = [\"lead\", \"boss\"]");
    std::fs::write(&path, &text).unwrap();
    let problems = Configuration::load_with(folder.path(), |_| None).unwrap_err();
    insta::assert_snapshot!(shown(&problems), @r#"
    drbot.toml:71:8: this rung calls nobody
        contact roles, "responsible" or "everyone"
    drbot.toml:75:8: this rung calls nobody
        contact roles, "responsible" or "everyone"
    drbot.toml:78:8: rungs go upwards
        the next rung has a higher percentage than the one before
    drbot.toml:86:8: this is no share of the RTO
        percent: 0 to 100
    drbot.toml:93:20: there is no role `boss`
        [roles] has dba, lead, operator
    "#);
}

#[test]
fn no_file_takes_the_name_of_a_command_of_drbots_own() {
    let folder = folder(&[("contacts.toml", HALT)]);
    let problems = Configuration::load_with(folder.path(), |_| None).unwrap_err();
    insta::assert_snapshot!(shown(&problems), @"
    commands/contacts.toml: /contacts is a command of drbot's own
        give the file another name
    ");
}

#[test]
fn the_approver_reads_what_it_costs() {
    let command = shipped().unwrap().commands.remove("restore-db").unwrap();
    let cost = command.approval.unwrap().cost.unwrap();
    let with = |loss: serde_json::Value, caution: &str| {
        let mut verify = serde_json::json!({
            "backup": "b.dump", "age": 470, "integrity": "verified", "caution": caution,
        });
        verify.as_object_mut().unwrap().extend(loss.as_object().unwrap().clone());
        let scope = serde_json::json!({ "scenario": { "rpo": 600 }, "steps": { "verify": verify } });
        crate::runbook::template::render_text(&cost, &scope).unwrap()
    };
    let loss = |seconds: Option<i64>, rows: Option<i64>, is_least: bool, most: i64| {
        serde_json::json!({ "loss_seconds": seconds, "loss_rows": rows, "loss_is_least": is_least, "loss_at_most": most,
            "loss_how": "its newest records may be gone" })
    };
    insta::assert_snapshot!(with(loss(Some(460), Some(4600), false, 900), ""), @"About 7 min 40 s of data will be lost (4,600 rows); within the objective of 10 min. The backup b.dump is 7 min 50 s old, its integrity is verified. The damaged database is kept.");
    insta::assert_snapshot!(with(loss(Some(460), Some(4600), true, 900), ""), @"At least 7 min 40 s of data will be lost (at least 4,600 rows), at most 15 min; PERHAPS MORE THAN the objective of 10 min. The backup b.dump is 7 min 50 s old, its integrity is verified. The damaged database is kept.");
    insta::assert_snapshot!(with(loss(None, None, false, 500), ""), @"How much will be lost is unknown: its newest records may be gone, at most 8 min 20 s; within the objective of 10 min. The backup b.dump is 7 min 50 s old, its integrity is verified. The damaged database is kept.");
    insta::assert_snapshot!(with(loss(Some(700), None, true, 900), "public.trades is missing in it"), @"At least 11 min 40 s of data will be lost, at most 15 min; MORE THAN the objective of 10 min. The backup b.dump is 7 min 50 s old, its integrity is verified. BEWARE: public.trades is missing in it. The damaged database is kept.");
}

#[test]
fn the_readme_is_true() {
    let readme = include_str!("../../../commands/README.md");
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(problems(&[("restart.toml", example), ("status.toml", HALT)]), "");
    for step_key in crate::runbook::prepare::STEP_KEYS {
        assert!(readme.contains(&format!("| `{step_key}`")) || readme.contains(&format!("`{step_key}`")), "{step_key}");
    }
    for action in crate::runbook::action::ACTION_KEYS {
        assert!(readme.contains(&format!("| `{action}")), "{action}");
    }
    for filter in crate::runbook::filters::NAMES {
        assert!(readme.contains(&format!("| `{filter}` |")), "{filter}");
    }
}

#[test]
fn who_may_go_on_alone_is_checked() {
    let folder = folder(&[]);
    let file = folder.path().join(SETTINGS_FILE);
    let shipped = std::fs::read_to_string(&file).unwrap();
    let (head, rest) = shipped.split_once("[break_glass]").unwrap();
    let rest = rest.split_once("\n\n").unwrap().1;
    let wrong = "[break_glass]\nroles = [\"led\"]\nnear = 0\nreview = [\"dbaa\"]\nreview_within = \"0s\"\n\n";
    std::fs::write(&file, format!("{head}{wrong}{rest}")).unwrap();
    let said = shown(&Configuration::load_with(folder.path(), |_| None).unwrap_err());
    for wanted in ["no role `led`", "no role `dbaa`", "no share of the RTO", "in no time", "nobody is called"] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
    assert_eq!(said.matches("drbot.toml:").count(), 5, "{said}");
}

#[test]
fn people_of_the_host_are_checked() {
    let folder = folder(&[]);
    let file = folder.path().join(SETTINGS_FILE);
    let person = |unix: &str, name: &str, role: &str| {
        format!(
            "\n[[people]]\nunix = \"{unix}\"\ndiscord = \"400000000000000001\"\nname = \"{name}\"\nroles = [\"{role}\"]\n"
        )
    };
    let shipped = std::fs::read_to_string(&file).unwrap();
    let people = person("dana", "Dana", "operator")
        + person("dana", " ", "operater").as_str()
        + person("", "Omar", "dba").as_str();
    std::fs::write(&file, shipped + &people).unwrap();
    let said = shown(&Configuration::load_with(folder.path(), |_| None).unwrap_err());
    for wanted in ["somebody else already", "1 to 80 characters", "no role `operater`", "which user?"] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
    assert_eq!(said.matches("drbot.toml:").count(), 4, "{said}");
}

#[test]
fn rules_of_alerts_are_checked() {
    let folder = folder(&[]);
    let file = folder.path().join(SETTINGS_FILE);
    let shipped = std::fs::read_to_string(&file).unwrap();
    let (head, rest) = shipped.split_once("[alerts]\n").unwrap();
    let line = head.lines().count();
    let (_, tail) = rest.split_once("# How many commands").unwrap();
    let wrong = r#"[alerts]
bearer = "hunter2 is it"
target = "prd"
[[alerts.rule]]
match = { alertname = "/Database(.*/" }
scenario = "database-coruption"
[[alerts.rule]]
match = { service = "x" }
[[alerts.rule]]
match = {}
target = "prod"
"#;
    std::fs::write(&file, format!("{head}{wrong}# How many commands{tail}")).unwrap();
    let said = shown(&Configuration::load_with(folder.path(), |_| None).unwrap_err());
    assert!(!said.contains("hunter2"), "{said}");
    for (below, column, wanted) in [
        (2, 10, "this is not the name of a secret"),
        (3, 10, "there is no target `prd`"),
        (5, 23, "this is no regular expression: unclosed group"),
        (6, 12, "there is no scenario `database-coruption`"),
        (7, 1, "this rule says nothing"),
        (10, 9, "this rule would take every alert"),
    ] {
        let wanted = format!("drbot.toml:{}:{column}: {wanted}", line + below);
        assert!(said.contains(&wanted), "{wanted} in {said}");
    }
    assert_eq!(said.matches("drbot.toml:").count(), 6, "{said}");
}
