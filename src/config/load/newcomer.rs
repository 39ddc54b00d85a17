//! What somebody gets wrong who writes a command for the first time, and what `drbot check` says of it: each line must
//! be enough to know what to do.

use super::tests::{HALT, problems};

#[test]
fn mistakes_of_a_first_command_say_what_to_do() {
    let text = r#"summary = "x"
risk = "risky"
roles = "operator"
target = "prod"

[[steps]]
id = "a"
name = "A program as a shell line, a number for a time"
exec = "systemctl restart nginx"
timeout = 30

[[steps]]
id = "b"
name = "A container without its table, a type cut short"
docker.restart = "bot"
timeout = "5s"
outputs = { state = "bool" }

[[steps]]
id = "c"
name = "A message without its table"
notify = "done"

[[steps]]
id = "d"
name = "Another tool's words"
http.url = "http://x"
summary = "x"

[[steps]]
id = "e-f"
name = "Braces in a condition, a secret in a template"
when = "{{ steps.b.ok }}"
http = { post = "{{ target.api }}/x", headers = { Authorization = "{{ secrets.TOKEN }}" } }
"#;
    insta::assert_snapshot!(problems(&[("x.toml", text), ("halt.toml", HALT)]));
}

#[test]
fn a_file_in_another_language_says_so() {
    let said = |text: &str| problems(&[("x.toml", text), ("halt.toml", HALT)]);
    let texts = [
        "summary: x\nsteps:\n  - id: a\n",
        "summary = Restart the bot\n",
        "summary = 'x'\nrisk = 'read'\n[steps]\nid = 'a'\n[[options]]\nname = 'x'\n",
    ];
    insta::assert_snapshot!(texts.map(said).join("\n---\n"));
}
