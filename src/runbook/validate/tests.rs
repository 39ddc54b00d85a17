//! One mistake, one problem: what the checker says, and where.

use std::path::Path;

use super::*;
use crate::runbook::load::{CommandFile, decode_command};

const HEAD: &str = "summary = 'x'\nrisk = 'risky'\nroles = ['lead']\n";

/// The problems of a command that has these lines after its head (three lines) and a good step (four lines).
fn problems(lines: &str) -> Vec<String> {
    let good = "[[steps]]\nid = 'first'\nname = 'First'\nhost = {}\n";
    check("test", &format!("{HEAD}{good}{lines}"))
}

fn check(name: &str, text: &str) -> Vec<String> {
    let file = CommandFile { path: Path::new("c.toml").to_owned(), name: name.to_owned(), text: text.to_owned() };
    let (document, command, mut problems) = decode_command(&file);
    let command = command.unwrap();
    let commands = BTreeMap::from([(name.to_owned(), command.clone())]);
    let names = BTreeSet::from([name.to_owned()]);
    let world = World { settings: None, commands: &commands, names: &names };
    problems.extend(validate(&document, &command, world).problems);
    problems.iter().map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.message)).collect()
}

/// A second step with these keys, from line 11 on.
fn step(keys: &str) -> Vec<String> {
    problems(&format!("[[steps]]\nid = 'second'\nname = 'Second'\n{keys}\n"))
}

#[test]
fn a_step_that_cannot_be_done_is_explained() {
    for (keys, expected) in [
        ("http = {}", "11:8 a request has a method with its URL"),
        (
            "http = { get = 'u', post = 'v' }\ntimeout = '1s'",
            "11:21 a request has exactly one method; this one has get and post",
        ),
        ("http = { post = 'u' }", "8:1 the step `second` has no timeout"),
        ("http = { get = 'u', bearer = 'sup3r s3cret' }", "11:30 this is not the name of a secret"),
        ("http = { get = 'u', headers = { Authorization = 'x' } }", "11:33 secrets do not stand in files"),
        (
            "exec.program = 'x'\ntimeout = '1s'\nretry.attempts = 2",
            "13:1 what must not be done twice cannot be retried",
        ),
        (
            "exec.program = 'x'\ntimeout = '1s'\neffect = 'idempotent'\nretry.attempts = 0",
            "14:18 attempts count the first one too: at least 1",
        ),
        (
            "docker.kill.container = 'x'\ntimeout = '1s'\neffect = 'read'",
            "13:10 this action changes something: it is no `read`",
        ),
        ("host = {}\nundo.docker.kill.container = 'x'", "12:1 a step that only reads leaves nothing to undo"),
        ("host = {}\nundo_when = 'started'", "12:13 there is no `undo` that this could be about"),
        ("host = {}\non_failure = 'undo'", "12:14 there is nothing to undo: no step so far has an `undo`"),
        ("wait = {}\ntimeout = '1s'", "11:8 it waits either until a probe holds or for a time"),
        ("wait.for = '1m'", "11:1 it waits for 1m and is stopped after 10s"),
        ("wait.until.docker.kill.container = 'x'\ntimeout = '1s'", "11:6 a probe only reads"),
        ("wait.until.host = {}", "8:1 the step `second` has no timeout"),
        ("ask = { question = 'x', choices = [] }", "11:35 a question has 1 to 21 buttons"),
        ("parallel = []", "11:12 there is nothing to do at once"),
        ("parallel = [{ id = 'a', name = 'A', docker.kill.container = 'x' }]", "11:13 what is done at once only reads"),
        ("postgres.counts.database = 'd'", "11:1 which database server? the command has no target"),
        ("call = 'nothing'", "11:8 there is no command `nothing`"),
        ("call = 'test'\nwhen = 'true'", "12:1 a call has no `when`: the steps of /test have their own"),
        ("host = {}\noutputs.ok = 'any'", "12:9 `ok` cannot be the name of an output"),
        ("host = {}\nname2 = 'x'", "12:1 unknown key `name2`"),
        ("undo.docker.stop.container = 'x'", "11:1 there is an `undo`, and no action that it takes back"),
    ] {
        let found = step(keys);
        assert!(found.iter().any(|problem| problem == expected), "{keys}\n  expected {expected}\n  found {found:#?}");
    }
}

#[test]
fn names_are_known_before_they_are_used() {
    for (keys, expected) in [
        ("host = {}\nwhen = 'steps.first.oj'", "12:8 there is no `oj` in `steps.first`"),
        ("host = {}\nwhen = 'steps.second.ok'", "12:8 there is no `second` in `steps`"),
        ("host = {}\nwhen = '{{ steps.first.ok }}'", "12:8 this is an expression already, and takes no `{{ }}`"),
        ("host = {}\nexpect = 'problems | lenght == 0'", "12:10 there is no filter `lenght`"),
        ("host = {}\nexpect = 'disk_free'", "12:10 there is no `disk_free` here"),
        ("notify.message = '{{ target.name }}'", "11:18 there is no `target` here"),
        ("notify.message = '{{ options.x }}'", "11:18 there is no `x` in `options`"),
        ("notify.message = '{{ run.short.x }}'", "11:18 `run.short` has nothing inside"),
        ("notify.message = '{{ run.short | cuont }}'", "11:18 there is no filter `cuont`"),
        ("host = {}\noutputs.x = { type = 'any', from = 'problem' }", "12:36 there is no `problem` here"),
    ] {
        let found = step(keys);
        assert!(found.iter().any(|problem| problem == expected), "{keys}\n  expected {expected}\n  found {found:#?}");
    }
    let broken = step("host = {}\nwhen = 'a ='");
    assert!(broken[0].starts_with("12:8 this expression does not parse"), "{broken:?}");
}

#[test]
fn a_command_keeps_to_discord_and_to_itself() {
    let long = "x".repeat(101);
    for (lines, expected) in [
        (
            format!("[options.Backup]\ntype = 'string'\nhelp = '{long}'"),
            "8:10 `Backup` cannot be the name of an option",
        ),
        (
            format!("[options.a]\ntype = 'string'\nhelp = '{long}'"),
            "10:8 a help text has 1 to 100 characters for Discord; this one has 101",
        ),
        ("[options.a]\ntype = 'list'\nhelp = 'x'".to_owned(), "9:8 nobody can type such a value into a chat"),
        (
            "[options.a]\ntype = 'integer'\nhelp = 'x'\ndefault = 'many'".to_owned(),
            "11:11 the default `many` is not a whole number",
        ),
        (
            "[approval]\nbefore = 'first'\nafter = 'first'\nroles = ['dba']".to_owned(),
            "10:9 the approval is asked for after the step that waits for it",
        ),
        ("[approval]\nbefore = 'frist'\nroles = []".to_owned(), "9:10 there is no step `frist`"),
        ("[approval]\nbefore = 'first'\nroles = []".to_owned(), "10:9 nobody could approve this"),
        (
            format!(
                "[approval]\nbefore = 'last'\nroles = ['dba']\n{}{}",
                "[[steps]]\nid = 'gone'\nname = 'x'\ndocker.kill.container = 'x'\ntimeout = '1s'\npoint_of_no_return = true\n",
                "[[steps]]\nid = 'last'\nname = 'x'\nhost = {}\n"
            ),
            "9:10 the approval comes too late: the step `gone` cannot be taken back, and is done before it",
        ),
        (
            format!("[options.{}]\ntype = 'string'\nhelp = 'x'", "a".repeat(33)),
            "8:10 the option's name has 33 characters; Discord takes 32",
        ),
        (
            format!("[[steps]]\nid = 'long'\nname = '{long}'\nhost = {{}}"),
            "10:8 the step's name has 101 characters; the card shows 100",
        ),
        ("[recovered]\nwhen = 'steps.last.ok'".to_owned(), "9:8 there is no `last` in `steps`"),
        ("[next]\noffer = ['nothing']".to_owned(), "9:10 there is no command `nothing`"),
    ] {
        let found = problems(&lines);
        assert!(found.iter().any(|problem| problem == expected), "{lines}\n  expected {expected}\n  found {found:#?}");
    }
    let destructive = HEAD.replace("risky", "destructive") + "[[steps]]\nid = 'a'\nname = 'A'\nhost = {}\n";
    assert_eq!(check("test", &destructive), ["0:0 a destructive command waits for an approval"]);
    let taken = check(&"x".repeat(33), HEAD);
    assert!(taken.iter().any(|problem| problem.ends_with("has 33 characters; Discord takes 32")), "{taken:?}");
    assert!(check("Bad Name", HEAD).iter().any(|problem| problem.contains("cannot be the name of a command")));
    assert!(check("test", HEAD).iter().any(|problem| problem.contains("`steps` is missing")));
    assert_eq!(problems(""), Vec::<String>::new());
}

/// What is safe passes every guard: nothing that can do more than brake may call itself so.
#[test]
fn what_is_safe_only_brakes() {
    let safe = |keys: &str| {
        let head = HEAD.replace("risky", "safe") + "target = 'prod'\n";
        check("test", &format!("{head}[[steps]]\nid = 'a'\nname = 'A'\ntimeout = '5s'\n{keys}\n"))
    };
    for brake in [
        "http = { post = 'u' }",
        "http = { put = 'u' }",
        "docker.stop = { container = 'bot' }",
        "docker.disconnect = { container = 'bot', network = 'n' }",
        "postgres.writes = { database = 'd', allow = false }",
    ] {
        assert_eq!(safe(&format!("{brake}\neffect = 'idempotent'")), Vec::<String>::new(), "{brake}");
        let once = safe(brake);
        assert!(once[0].contains("can be given at any moment, and again"), "{brake}: {once:?}");
        let forever = safe(&format!("{brake}\neffect = 'idempotent'\npoint_of_no_return = true"));
        assert!(forever[0].contains("a brake has no `point_of_no_return`"), "{brake}: {forever:?}");
    }
    let undone =
        safe("docker.stop = { container = 'bot' }\neffect = 'idempotent'\nundo.docker.start = { container = 'bot' }");
    assert!(undone[0].contains("a brake has no `undo`"), "{undone:?}");
    for more in [
        "http = { delete = 'u' }",
        "docker.start = { container = 'bot' }",
        "docker.restart = { container = 'bot' }",
        "docker.kill = { container = 'postgres' }",
        "docker.exec = { container = 'bot', command = ['rm'] }",
        "docker.connect = { container = 'bot', network = 'n' }",
        "docker.pull = { image = 'i' }",
        "docker.restart-engine = {}",
        "compose.up = {}",
        "compose.down = {}",
        "versions.mark = { version = 'v', verdict = 'good', why = 'w' }",
        "postgres.restore = { backup = 'b', into = 'i', database = 'd' }",
        "postgres.swap = { database = 'd', with = 'w' }",
        "postgres.swap-back = { database = 'd', kept = 'k', kept_oid = '1', live_oid = '2' }",
        "postgres.writes = { database = 'd', allow = true }",
        "postgres.drop = { database = 'd' }",
        "exec = { program = '/bin/rm' }",
    ] {
        let found = safe(&format!("{more}\neffect = 'idempotent'"));
        assert!(
            found.iter().any(|problem| problem.contains("only brakes; the step `a` may do more")),
            "{more}: {found:?}"
        );
    }
    assert_eq!(safe("exec = { program = '/bin/true' }\neffect = 'read'"), Vec::<String>::new(), "it is vouched for");
}
