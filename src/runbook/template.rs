//! Templates and expressions of command files: strict, small, and blind to the world.
//!
//! A name that is not there is an error, never an empty text: half a command line is worse than none. There is no file
//! access, no escaping (the texts are not HTML), and a limit on work and on output. Secrets are not in any context, and
//! the fields that name them are not rendered.

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, value::Serde};
use serde_json::Value as Json;

use super::{action::Action, filters, later};

/// Longer texts are a mistake: nothing that drbot sends is longer.
const LONGEST_TEXT: usize = 64 * 1024;

/// Instructions of one rendering.
const FUEL: u64 = 100_000;

/// Fields whose texts are names of secrets.
const SECRET_FIELDS: [&str; 2] = ["bearer", "secrets"];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}, in `{source_text}`")]
pub struct TemplateError {
    pub message: String,
    pub source_text: String,
}

impl TemplateError {
    fn new(source: &str, message: impl Into<String>) -> Self {
        let short: String = source.chars().take(200).collect();
        Self { message: message.into(), source_text: short }
    }

    fn of(source: &str, error: &minijinja::Error) -> Self {
        let detail = error.detail().map(str::to_owned);
        let message = match (error.kind(), detail) {
            (ErrorKind::UndefinedError, Some(detail)) => format!("there is no such value ({detail})"),
            (ErrorKind::UndefinedError, None) => "there is no such value".to_owned(),
            (ErrorKind::OutOfFuel, _) => "the template takes too long".to_owned(),
            (_, Some(detail)) => detail,
            (kind, None) => kind.to_string(),
        };
        Self::new(source, message)
    }
}

/// The environment of every template and expression.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    filters::add(&mut environment);
    environment
}

pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// What compiling goes into by recursion is bounded by this; a few times as much overflows a thread's stack.
const MOST_TOKENS: usize = 500;
const MOST_BLOCKS: usize = 200;

/// Whether a template or an expression is too long to be compiled in safety. No reasonable one is.
///
/// # Errors
/// What to do about it.
pub fn check_size(text: &str) -> Result<(), TemplateError> {
    let blocks: Vec<&str> = text.split("{{").flat_map(|block| block.split("{%")).collect();
    let tokens = |block: &&str| {
        let words = block.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()).count();
        words + block.chars().filter(|character| !character.is_alphanumeric() && !character.is_whitespace()).count()
    };
    if blocks.len() > MOST_BLOCKS || blocks.iter().map(tokens).any(|tokens| tokens > MOST_TOKENS) {
        return Err(TemplateError::new(text, "this is too long for a template; make it simpler"));
    }
    if blocks.iter().any(|block| multiplies_by_much(block)) {
        return Err(TemplateError::new(text, "this multiplies by too much for a template"));
    }
    Ok(())
}

/// Whether something is repeated without end in sight: a list that is multiplied is cheap to make and not to show, and
/// the fuel does not count it.
fn multiplies_by_much(code: &str) -> bool {
    let is_long = |word: &str| word.bytes().filter(u8::is_ascii_digit).count() > LONGEST_FACTOR;
    code.contains("**")
        || (code.contains('*') && code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(is_long))
}

/// The most digits of a number in a template that multiplies.
const LONGEST_FACTOR: usize = 5;

/// A text with its template filled in.
///
/// # Errors
/// When it does not parse, asks for something that is not there, or gets too long.
pub fn render_text(text: &str, context: &Json) -> Result<String, TemplateError> {
    render_with(text, &Value::from(Serde(context)))
}

fn render_with(text: &str, context: &Value) -> Result<String, TemplateError> {
    if !is_template(text) {
        return Ok(text.to_owned());
    }
    check_size(text)?;
    let environment = environment();
    let wrong = |error: minijinja::Error| TemplateError::of(text, &error);
    let mut rendered = Bounded::default();
    let template = environment.template_from_str(text).map_err(wrong)?;
    let done = template.render_captured_to(context.clone(), &mut rendered).map(drop);
    if rendered.is_full {
        return Err(TemplateError::new(text, format!("the text is longer than {} KiB", LONGEST_TEXT / 1024)));
    }
    done.map_err(wrong)?;
    String::from_utf8(rendered.text).map_err(|error| TemplateError::new(text, error.to_string()))
}

/// Takes no more than [`LONGEST_TEXT`], so that what would never end ends there.
#[derive(Default)]
struct Bounded {
    text: Vec<u8>,
    is_full: bool,
}

impl std::io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> std::io::Result<usize> {
        if self.text.len() + more.len() > LONGEST_TEXT {
            self.is_full = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether an expression can be evaluated at all.
///
/// # Errors
/// Why it does not parse.
pub fn check_expression(expression: &str) -> Result<(), TemplateError> {
    check_size(expression)?;
    environment().compile_expression(expression).map(drop).map_err(|error| TemplateError::of(expression, &error))
}

/// The value of an expression.
///
/// # Errors
/// When it does not parse or asks for something that is not there.
pub fn eval(expression: &str, context: &Json) -> Result<Json, TemplateError> {
    eval_with(expression, &Value::from(Serde(context)))
}

fn eval_with(expression: &str, context: &Value) -> Result<Json, TemplateError> {
    check_size(expression)?;
    let environment = environment();
    let wrong = |error: minijinja::Error| TemplateError::of(expression, &error);
    let value = environment.compile_expression(expression).map_err(wrong)?.eval(context.clone()).map_err(wrong)?;
    if value.is_undefined() {
        return Err(TemplateError::new(expression, "there is no such value"));
    }
    serde_json::to_value(&value).map_err(|error| TemplateError::new(expression, error.to_string()))
}

/// Whether an expression holds.
///
/// # Errors
/// As [`eval`], and when its value is not true or false.
pub fn holds(expression: &str, context: &Json) -> Result<bool, TemplateError> {
    match eval(expression, context)? {
        Json::Bool(holds) => Ok(holds),
        other => Err(TemplateError::new(expression, format!("this is {other}, and not true or false"))),
    }
}

/// An action with every template in it filled in.
///
/// # Errors
/// When one of its templates cannot be rendered.
pub fn render_action(action: &Action, context: &Json) -> Result<Action, TemplateError> {
    let context = Value::from(Serde(context));
    let source = to_json(action)?;
    let rendered = render_tree(&source, &mut |text, typed| {
        if typed && let Some(expression) = whole_expression(text) {
            return eval_with(expression, &context);
        }
        render_with(text, &context).map(Json::String)
    })?;
    serde_json::from_value(rendered).map_err(|error| TemplateError::new(action.key(), error.to_string()))
}

/// A text or an action as far as it is known before its steps have run.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned<T> {
    pub value: T,
    /// False when something in it is known later.
    pub known: bool,
}

/// What stands for a text whose shape is known later.
pub const LATER: &str = "⟨known later⟩";

/// [`render_text`] for a plan: what is not known yet shows as `⟨steps.check.rows: known later⟩`.
///
/// # Errors
/// When the template is wrong in itself.
pub fn plan_text(text: &str, context: &Json) -> Result<Planned<String>, TemplateError> {
    let watch = later::Watch::default();
    let rendered = render_with(text, &later::so_far(context, &watch));
    let known = !watch.met_later();
    match rendered {
        Ok(value) if known || !(watch.was_decided_by_later() || decides(text)) => Ok(Planned { value, known }),
        Err(error) if known => Err(error),
        _ => Ok(Planned { value: LATER.to_owned(), known: false }),
    }
}

/// Whether a template compares or branches. What is known later compares to nothing, so the text would be a guess.
fn decides(text: &str) -> bool {
    ["{%", "==", "!=", "<", ">", " if ", " in ", " not ", " is "].iter().any(|token| text.contains(token))
}

/// [`render_action`] for a plan, as JSON: a part that is known later may not fit the action's types.
///
/// # Errors
/// When a template is wrong in itself.
pub fn plan_action(action: &Action, context: &Json) -> Result<Planned<Json>, TemplateError> {
    let mut known = true;
    let value = render_tree(&to_json(action)?, &mut |text, typed| {
        let planned = plan_text(text, context)?;
        known &= planned.known;
        match whole_expression(text) {
            Some(expression) if typed && planned.known => eval(expression, context),
            _ => Ok(Json::String(planned.value)),
        }
    })?;
    Ok(Planned { value, known })
}

fn to_json(action: &Action) -> Result<Json, TemplateError> {
    serde_json::to_value(action).map_err(|error| TemplateError::new(action.key(), error.to_string()))
}

type Render<'a> = dyn FnMut(&str, bool) -> Result<Json, TemplateError> + 'a;

fn render_tree(value: &Json, render: &mut Render<'_>) -> Result<Json, TemplateError> {
    render_node(value, render, false)
}

/// `typed`: inside a JSON body, where `"{{ options.size }}"` keeps the type of the value.
fn render_node(value: &Json, render: &mut Render<'_>, typed: bool) -> Result<Json, TemplateError> {
    Ok(match value {
        Json::String(text) if is_template(text) => render(text, typed)?,
        Json::Array(items) => {
            Json::Array(items.iter().map(|item| render_node(item, render, typed)).collect::<Result<_, _>>()?)
        }
        Json::Object(fields) => {
            let mut rendered = serde_json::Map::new();
            for (key, field) in fields {
                let field = if !typed && SECRET_FIELDS.contains(&key.as_str()) {
                    field.clone()
                } else {
                    render_node(field, render, typed || key == "json")?
                };
                rendered.insert(key.clone(), field);
            }
            Json::Object(rendered)
        }
        other => other.clone(),
    })
}

/// The expression of a text that is nothing but `{{ expression }}`.
fn whole_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.trim_matches('-').trim();
    (!inner.contains("{{") && !inner.contains("}}")).then_some(inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context() -> Json {
        json!({
            "options": { "backup": "newest", "size": 0.005 },
            "steps": { "verify": { "ok": true, "loss": 460, "rows": null }, "halt": { "stop": { "ok": true } } },
            "target": { "api": "http://127.0.0.1:8080" },
        })
    }

    #[test]
    fn texts_are_filled_in() {
        let text = "{{ target.api }}/x?{{ steps.verify.loss | duration }}, {{ steps.verify.rows | count }}";
        assert_eq!(render_text(text, &context()).unwrap(), "http://127.0.0.1:8080/x?7 min 40 s, unknown");
        assert_eq!(render_text("<&> {{ '<' }}", &context()).unwrap(), "<&> <");
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for text in ["{{ options.nothing }}", "{{ nothing }}", "{{ target.api.x }}", "{{ 1 | nofilter }}", "{{ x"] {
            assert!(render_text(text, &context()).is_err(), "{text}");
        }
        assert!(eval("options.nothing", &context()).is_err());
        assert!(render_text("{% include 'x' %}", &context()).is_err());
    }

    #[test]
    fn work_and_output_are_limited() {
        assert!(render_text("{% for i in range(100000) %}xxxxxxxxxx{% endfor %}", &context()).is_err());
        assert!(render_text("{{ 'x' * 1000000 }}", &context()).is_err());
        for chain in [".a", "|a", "+a", "[0]", " and a", "()", " is a", " if a else a"] {
            assert!(eval(&format!("a{}", chain.repeat(100_000)), &context()).is_err(), "{chain}");
        }
        assert!(render_text(&"{% if a %}".repeat(100_000), &context()).is_err());
        assert!(render_text(&format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)), &context()).is_err());
    }

    #[test]
    fn a_condition_is_true_or_false() {
        assert!(holds("steps.verify.ok and steps.verify.loss < 600", &context()).unwrap());
        let error = holds("steps.verify.loss", &context()).unwrap_err();
        assert_eq!(error.to_string(), "this is 460, and not true or false, in `steps.verify.loss`");
        assert!(holds("steps.verify.typo", &context()).is_err());
    }

    #[test]
    fn an_action_is_rendered_but_for_the_names_of_secrets() {
        let action: Action = serde_json::from_value(json!({ "http": {
            "post": "{{ target.api }}/resume",
            "bearer": "{{ options.backup }}",
            "json": { "size": "{{ options.size }}", "text": "is {{ options.size }}", "bearer": "{{ options.backup }}" },
        }}))
        .unwrap();
        let Action::Http(http) = render_action(&action, &context()).unwrap() else { panic!() };
        assert_eq!(http.url(), "http://127.0.0.1:8080/resume");
        assert_eq!(http.bearer.as_deref(), Some("{{ options.backup }}"));
        assert_eq!(http.json, Some(json!({ "size": 0.005, "text": "is 0.005", "bearer": "newest" })));
    }

    #[test]
    fn a_plan_shows_what_is_known_later() {
        let plan = |text: &str| plan_text(text, &context()).map(|planned| (planned.value, planned.known));
        assert_eq!(plan("{{ steps.verify.loss }} s").unwrap(), ("460 s".to_owned(), true));
        assert_eq!(
            plan("{{ steps.check.rows | count }} rows").unwrap(),
            ("⟨steps.check.rows: known later⟩ rows".to_owned(), false)
        );
        for text in [
            "{% if steps.check.ok %}a{% else %}b{% endif %}",
            "{{ steps.check.rows > 5 }}",
            "{{ steps.check.rows + 1 }}",
            "{{ steps.a.b | upper }}",
        ] {
            let planned = plan(text).unwrap();
            assert!(!planned.1 && planned.0.to_lowercase().contains("known later"), "{text} -> {planned:?}");
        }
        assert!(plan("{{ options.nothing }}").is_err());
    }
}
