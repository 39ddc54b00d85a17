//! Whatever stands in a template and whatever its values are: rendering ends soon, stays small, panics never, and shows
//! the names of secrets and nothing more of them. `PROPTEST_CASES` sets how hard it is tried.

use std::time::Duration;

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::{action::Action, template};
use crate::clock::Clock;

/// Far more than a rendering needs, even on a machine that builds at the same time.
const SOON: Duration = Duration::from_secs(5);

/// Parts that make more than they are, loop, nest, or end in the middle.
fn part() -> impl Strategy<Value = String> {
    let nasty = select(vec![
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{{ ",
        " }}",
        "{% for i in range(100000) %}",
        "{% for i in x %}",
        "{% endfor %}",
        "{% if a.b.c %}",
        "{% else %}",
        "{% endif %}",
        "{% set ns = namespace(x='aaaaaaaa') %}",
        "{% set ns.x = ns.x ~ ns.x %}",
        "{% set a = a ~ a %}",
        "{{ 'x' * 1000000000 }}",
        "{{ range(999999999) }}",
        "{{ [[1]] * 99999999 }}",
        "{{ 10 ** 9999 }}",
        "{{ 1 // 0 }}",
        "{{ 9223372036854775807 + 1 }}",
        "{{ -9223372036854775808 // -1 }}",
        "{{ 1e308 * 10 }}",
        "{{ 0.0 / 0.0 }}",
        "{% macro m(x) %}{{ m(x) }}{% endmacro %}",
        "{{ m(1) }}",
        "{% macro m() %}",
        "{{ self }}",
        "{{ x|replace('a', x) }}",
        "{{ x|join(x) }}",
        "{{ x|duration }}",
        "{{ x|bytes }}",
        "{{ x|count }}",
        "{{ x|age }}",
        "{{ x|round(99999) }}",
        "{{ '%9999999d'|format(1) }}",
        "{{ x|indent(99999999) }}",
        "{{ x|tojson }}",
        "{{ x|batch(99999999, 1) }}",
        "{{ x[1:-1:0] }}",
        "{{ x[99999999999999999999] }}",
        "{{ debug() }}",
        "{% include 'x' %}",
        "{% extends 'x' %}",
        "{% raw %}",
        "{% endraw %}",
        "{{ steps.later.rows }}",
        "{{ options.x }}",
        "\0",
        "\u{202e}",
        "😀",
        "a",
        "'",
        "\"",
        "(((((((((((((((((((((",
        "[",
        "not ",
        " and ",
    ]);
    prop_oneof![8 => nasty.prop_map(str::to_owned), 1 => ".{0,20}", 1 => any::<String>()]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from("a".repeat(100_000))),
    ];
    leaf.prop_recursive(4, 30, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec(("[a-z]{1,3}", inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn soon<T>(what: &str, text: &str, work: impl FnOnce() -> T) -> Result<T, TestCaseError> {
    let begin = Clock::system().monotonic();
    let done = work();
    prop_assert!(begin.elapsed() < SOON, "{what} took {:?} for {text:?}", begin.elapsed());
    Ok(done)
}

/// Few in everyday tests, as many as `PROPTEST_CASES` says otherwise.
pub(crate) fn few() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn any_template_ends_soon_and_stays_small(parts in vec(part(), 0..12), value in any_json()) {
        let text = parts.concat();
        let context = json!({ "x": value, "a": "a", "options": { "x": value }, "steps": {} });
        if let Ok(rendered) = soon("rendering", &text, || template::render_text(&text, &context))? {
            prop_assert!(rendered.len() <= 64 * 1024 || rendered == text);
        }
        if let Ok(planned) = soon("planning", &text, || template::plan_text(&text, &context))? {
            prop_assert!(planned.value.len() <= 64 * 1024 || planned.value == text);
        }
        let _ = soon("evaluating", &text, || template::eval(&text, &context))?;
        if let Err(error) = template::holds(&text, &context) {
            prop_assert!(error.to_string().len() <= 300_000, "{} bytes", error.to_string().len());
        }
    }

    #[test]
    fn the_name_of_a_secret_is_never_a_template(parts in vec(part(), 1..6), value in any_json()) {
        let text = parts.concat();
        let context = json!({ "x": value, "a": "a", "options": { "x": value }, "steps": {} });
        let http: Action = serde_json::from_value(json!({ "http": {
            "post": text, "bearer": "{{ x }}", "headers": { "X-A": text }, "json": { "deep": [text, { "bearer": text }] },
        }})).unwrap();
        let exec: Action =
            serde_json::from_value(json!({ "exec": { "program": text, "secrets": { "A": "{{ x }}" } } })).unwrap();
        for action in [http, exec] {
            match soon("an action", &text, || template::render_action(&action, &context))? {
                Ok(Action::Http(http)) => prop_assert_eq!(http.bearer.as_deref(), Some("{{ x }}")),
                Ok(Action::Exec(exec)) => prop_assert_eq!(&exec.secrets["A"], "{{ x }}"),
                Ok(other) => prop_assert!(false, "{other:?}"),
                Err(_) => {}
            }
            let _ = soon("a plan", &text, || template::plan_action(&action, &context))?;
        }
    }
}
