//! What `POST fault` takes: kinds with fields, checked before anything is broken.
//!
//! The table in `catalogue` is written with these types. It validates requests, fills in what was left out, and describes
//! itself to the page, so that the three cannot differ.

use serde_json::{Map, Value, json};

use crate::rehearsal::state::State;

/// One thing that can go wrong.
pub struct Kind {
    pub kind: &'static str,
    /// For people: the words on a switch.
    pub name: &'static str,
    /// What happens, in a sentence or two.
    pub description: &'static str,
    pub fields: &'static [Field],
    pub set: fn(&mut State, &Given) -> Result<(), String>,
    /// Whether it is in force now. What happens once and is over never is.
    pub active: fn(&State) -> bool,
}

pub struct Field {
    pub name: &'static str,
    pub of: Of,
    /// Filled in when the field is left out.
    pub default: Preset,
    pub required: bool,
    pub help: &'static str,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    Number {
        least: f64,
        most: f64,
    },
    Text,
    Boolean,
    Choice(&'static [&'static str]),
    /// A channel's name or id.
    Channel,
}

/// A default as a constant can hold it.
#[derive(Debug, Clone, Copy)]
pub enum Preset {
    Nothing,
    Text(&'static str),
    Number(u32),
    Boolean(bool),
}

/// The fields of a request that has been checked.
#[derive(Debug)]
pub struct Given(Map<String, Value>);

impl Kind {
    /// Checks a request against the fields; the error is for people.
    pub fn read(&self, body: &Value) -> Result<Given, String> {
        let empty = Map::new();
        let body = body.as_object().unwrap_or(&empty);
        let known = |name: &str| name == "kind" || self.fields.iter().any(|field| field.name == name);
        if let Some(unknown) = body.keys().find(|name| !known(name)) {
            let fields: Vec<_> = self.fields.iter().map(|field| field.name).collect();
            let fields = if fields.is_empty() { "none".to_owned() } else { fields.join(", ") };
            return Err(format!("{} has no field \"{unknown}\"; it has: {fields}", self.kind));
        }
        let mut given = Map::new();
        for field in self.fields {
            let value = body.get(field.name).filter(|value| !value.is_null() && **value != "");
            match value {
                Some(value) => {
                    let read = field
                        .of
                        .read(value)
                        .map_err(|wanted| format!("{}: \"{}\" is {wanted}. {}", self.kind, field.name, field.help))?;
                    given.insert(field.name.to_owned(), read);
                }
                None if field.required => {
                    let wanted = field.of.wanted();
                    return Err(format!("{} needs \"{}\", {wanted}. {}", self.kind, field.name, field.help));
                }
                None => {
                    if let Some(default) = field.default.value() {
                        given.insert(field.name.to_owned(), default);
                    }
                }
            }
        }
        Ok(Given(given))
    }

    pub fn to_json(&self, state: &State) -> Value {
        json!({
            "kind": self.kind,
            "name": self.name,
            "description": self.description,
            "fields": self.fields.iter().map(Field::to_json).collect::<Vec<_>>(),
            "active": (self.active)(state),
        })
    }
}

impl Field {
    fn to_json(&self) -> Value {
        let mut field = json!({
            "name": self.name,
            "type": self.of.name(),
            "default": self.default.value(),
            "required": self.required,
            "help": self.help,
        });
        if let Of::Choice(choices) = self.of {
            field["choices"] = json!(choices);
        }
        field
    }
}

impl Of {
    pub fn name(self) -> &'static str {
        match self {
            Self::Number { .. } => "number",
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Choice(_) => "choice",
            Self::Channel => "channel",
        }
    }

    fn wanted(self) -> String {
        match self {
            Self::Number { least, most } => format!("a number from {least} to {most}"),
            Self::Text => "a text".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Choice(choices) => format!("one of {}", choices.join(", ")),
            Self::Channel => "a channel's name or id".to_owned(),
        }
    }

    /// Numbers may come as text, as a page's form sends them.
    fn read(self, value: &Value) -> Result<Value, String> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        let read = match self {
            Self::Number { least, most } => {
                text.parse::<f64>().ok().filter(|number| (least..=most).contains(number)).map(|number| json!(number))
            }
            Self::Text | Self::Channel => (!text.is_empty()).then(|| json!(text)),
            Self::Boolean => text.parse::<bool>().ok().map(|yes| json!(yes)),
            Self::Choice(choices) => choices.contains(&text.as_str()).then(|| json!(text)),
        };
        read.ok_or_else(|| self.wanted())
    }
}

impl Preset {
    fn value(self) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::Text(text) => Some(json!(text)),
            Self::Number(number) => Some(json!(number)),
            Self::Boolean(yes) => Some(json!(yes)),
        }
    }
}

impl Given {
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// `None` when it was left out and has no default.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(Value::as_f64)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the table holds it within bounds")]
    pub fn whole(&self, name: &str) -> u64 {
        self.number(name).unwrap_or(0.0) as u64
    }

    pub fn is(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn on(&self) -> bool {
        self.is("on")
    }
}
