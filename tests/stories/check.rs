//! `drbot check` and `drbot docs` as an operator runs them: all mistakes in one go, each with its place and what to do.

use std::{path::Path, process::Command};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What it prints, and whether it was content. Its environment is empty but for `variables`.
fn drbot(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drbot"));
    command.arg("--config").arg(folder).args(arguments).current_dir(folder).env_clear();
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (text.replace(&folder.display().to_string(), "FOLDER"), output.status.success())
}

/// The shipped settings, and these commands.
fn folder(commands: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("commands")).unwrap();
    std::fs::copy(root().join("drbot.toml"), folder.path().join("drbot.toml")).unwrap();
    for (name, text) in commands {
        std::fs::write(folder.path().join("commands").join(name), text).unwrap();
    }
    folder
}

const WRONG: &str = r#"summary = "Everything is wrong"
risk    = "risky"
roles   = ["operater"]
target  = "porduction"

[options.the_backup_that_is_to_be_restored_now]
type = "string"
help = "x"

[approval]
before = "last"
after  = "last"
roles  = ["dba", "nobody"]

[[steps]]
id   = "resume"
name = "Resume trading"
http = { post = "http://127.0.0.1/resume", bearer = "ADMIN_TOKEN" }
timeout = "5s"
retry   = { attempts = 3 }

[[steps]]
id   = "empty"
name = "An undo without a do"
undo.docker.stop = { container = "bot" }

[[steps]]
id   = "gone"
name = "Taken down before anybody approved"
docker.kill = { container = "bot" }
timeout = "5s"
point_of_no_return = true

[[steps]]
id   = "also"
name = "Undone, half-way, by nothing"
docker.start = { container = "bot" }
timeout    = "5s"
undo_when  = "started"

[[steps]]
id   = "last"
name = "The last"
host = {}
"#;

#[test]
fn every_mistake_is_said_in_one_run() {
    let name = "restore-the-trading-database-from-a-backup.toml";
    let good = "summary = 'x'\nrisk = 'read'\nroles = ['lead']\n[[steps]]\nid = 'a'\nname = 'A'\nhost = {}\n";
    let folder = folder(&[("wrong.toml", WRONG), (name, good)]);
    let (said, content) = drbot(folder.path(), &["check"], &[]);
    assert!(!content);
    insta::assert_snapshot!(said, @r#"
    commands/restore-the-trading-database-from-a-backup.toml: /restore-the-trading-database-from-a-backup has 42 characters; Discord takes 32
        rename the file
    commands/wrong.toml:3:12: there is no role `operater`
        did you mean `operator`? allowed: dba, lead, operator
    commands/wrong.toml:4:11: there is no target `porduction`
        allowed: prod
    commands/wrong.toml:6:10: the option's name has 37 characters; Discord takes 32
        1 to 32 of a-z, 0-9 and `_`, beginning with a letter
    commands/wrong.toml:11:10: the approval comes too late: the step `gone` cannot be taken back, and is done before it
        `before = "gone"`, or an earlier step
    commands/wrong.toml:12:10: the approval is asked for after the step that waits for it
        `after` is where it is asked for, `before` the step that waits for it
    commands/wrong.toml:13:18: there is no role `nobody`
        allowed: dba, lead, operator
    commands/wrong.toml:20:1: what must not be done twice cannot be retried
        say `effect = "idempotent"` if doing it twice is as good as once, or leave out `retry`
    commands/wrong.toml:25:1: there is an `undo`, and no action that it takes back
        one of: http, docker, compose, versions, postgres, host, metrics, network, escalation, exec, wait, ask, notify, parallel, call
    commands/wrong.toml:39:14: there is no `undo` that this could be about
    warning: drbot.toml:147:13: the secret DB_PASSWORD is not set
        put DB_PASSWORD=… into .env, or name the file that holds it: DB_PASSWORD_FILE=…
    warning: drbot.toml:205:61: the secret EMERGENCY_TOKEN is not set
        put EMERGENCY_TOKEN=… into .env, or name the file that holds it: EMERGENCY_TOKEN_FILE=…
    warning: drbot.toml:205:94: the secret ADMIN_TOKEN is not set
        put ADMIN_TOKEN=… into .env, or name the file that holds it: ADMIN_TOKEN_FILE=…
    warning: drbot.toml:205:124: the secret ALERTS_TOKEN is not set
        put ALERTS_TOKEN=… into .env, or name the file that holds it: ALERTS_TOKEN_FILE=…
    secrets are looked for in the environment, then in FOLDER/.env (there is none yet)
    10 mistakes, with 4 warnings
    "#);
    // A file that is named and not there is said with its path.
    let (said, _) = drbot(folder.path(), &["check"], &[("ADMIN_TOKEN_FILE", "/nowhere/token")]);
    assert!(said.contains("the secret ADMIN_TOKEN cannot be had: ADMIN_TOKEN_FILE=/nowhere/token: "), "{said}");
    // One that is there and too short to be looked for in what is shown.
    let (said, _) = drbot(folder.path(), &["check"], &[("DB_PASSWORD", "12345")]);
    assert!(said.contains("drbot.toml:147:13: the secret DB_PASSWORD is shorter than 6 characters"), "{said}");
    // The file that is read is the one that is named.
    std::fs::write(folder.path().join(".env"), "ADMIN_TOKEN=of-the-file\n").unwrap();
    let (said, _) = drbot(folder.path(), &["check"], &[]);
    assert!(!said.contains("ADMIN_TOKEN") && said.contains("then in FOLDER/.env\n"), "{said}");
}

#[test]
fn the_paper_is_the_same_on_every_machine() {
    let committed = std::fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let elsewhere =
        [("RANGE_API_PORT", "1"), ("RANGE_PREFIX", "x-"), ("DRBOT_GUILD", "7"), ("DB_PASSWORD", "hush-hush")];
    let (said, content) = drbot(root(), &["docs", "-"], &elsewhere);
    assert!(content && said == committed, "docs/runbook.md is stale; write it again: drbot docs");
}

#[test]
fn a_paper_that_has_drifted_is_told_with_its_line() {
    let halt = std::fs::read_to_string(root().join("commands/halt.toml")).unwrap();
    let folder = folder(&[("halt.toml", &halt.replace("offer = [\"status\"]", ""))]);
    assert_eq!(drbot(folder.path(), &["docs"], &[]), ("FOLDER/docs/runbook.md: written\n".to_owned(), true));
    assert_eq!(
        drbot(folder.path(), &["docs", "--check"], &[]),
        ("FOLDER/docs/runbook.md: as it should be\n".to_owned(), true)
    );
    let changed = halt.replace("offer = [\"status\"]", "").replace("grace = \"5s\"", "grace = \"7s\"");
    std::fs::write(folder.path().join("commands/halt.toml"), changed).unwrap();
    let (said, content) = drbot(folder.path(), &["docs", "--check"], &[]);
    let paper = std::fs::read_to_string(folder.path().join("docs/runbook.md")).unwrap();
    let line = 1 + paper.lines().position(|line| line.contains("after 5 s it is killed")).unwrap();
    assert!(!content && said.contains(&format!("docs/runbook.md:{line}: ")), "{said}");
    assert_eq!(std::fs::read_to_string(folder.path().join("docs/runbook.md")).unwrap(), paper, "only looked at");
    std::fs::write(folder.path().join("commands/halt.toml"), "summary = 1").unwrap();
    let (said, content) = drbot(folder.path(), &["docs"], &[]);
    assert!(!content && said.contains("commands/halt.toml:1:11"), "{said}");
}
