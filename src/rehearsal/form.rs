//! Checks a request's body against a table of fields, and says what is wrong in Discord's nested shape.
//!
//! A rule that a table can state (type, length, count) is a row in `shapes`; the rest are functions that add to the same
//! [`Problems`]. A field that no table knows is collected apart: it is either a typing error of the bot or a gap here.

use serde_json::{Map, Value, json};

use super::error::ApiError;

/// What one value may be. Lengths are in characters, both ends included.
#[derive(Debug)]
pub enum Shape {
    Text(usize, usize),
    Integer(i64, i64),
    Number,
    Boolean,
    /// Digits as a string or a number.
    Snowflake,
    Time,
    /// A string of at most 25 characters, or a number.
    Nonce,
    Choice(&'static [i64]),
    Word(&'static [&'static str]),
    /// At least so many and at most so many.
    List(usize, usize, &'static Shape),
    Object(&'static [Field]),
    /// An object whose `type` says which fields it has.
    Tagged(&'static [(i64, &'static [Field])]),
    /// A map of the sender's own keys.
    Any,
}

#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
}

pub const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true }
}

/// A field that may be left out or be null.
pub const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

/// What is wrong with a body.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<(String, &'static str, String)>,
    /// Paths of fields that no table has.
    pub unknown: Vec<String>,
}

impl Problems {
    pub fn add(&mut self, path: &str, code: &'static str, message: impl Into<String>) {
        self.found.push((path.to_owned(), code, message.into()));
    }

    /// Refuses the body if anything was found; in strict use, for an unknown field as well.
    pub fn into_result(mut self, strict: bool) -> Result<(), ApiError> {
        if strict {
            for path in std::mem::take(&mut self.unknown) {
                self.add(&path, "UNKNOWN_FIELD", "The rehearsal does not know this field.");
            }
        }
        if self.found.is_empty() { Ok(()) } else { Err(ApiError::invalid_form(self.nested())) }
    }

    fn nested(&self) -> Value {
        let mut root = json!({});
        for (path, code, message) in &self.found {
            let mut at = &mut root;
            for key in path.split('.').filter(|key| !key.is_empty()) {
                at = &mut at[key];
            }
            match at.get_mut("_errors").and_then(Value::as_array_mut) {
                Some(list) => list.push(json!({"code": code, "message": message})),
                None => at["_errors"] = json!([{"code": code, "message": message}]),
            }
        }
        root
    }

    /// Checks the object `body` at `path` (empty for the whole body).
    pub fn object(&mut self, path: &str, body: &Value, fields: &[Field]) {
        let Some(object) = body.as_object() else {
            return self.add(path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
        };
        self.members(path, object, fields);
    }

    fn members(&mut self, path: &str, object: &Map<String, Value>, fields: &[Field]) {
        for field in fields {
            let at = join(path, field.name);
            match object.get(field.name) {
                None | Some(Value::Null) if field.required => {
                    self.add(&at, "BASE_TYPE_REQUIRED", "This field is required");
                }
                None | Some(Value::Null) => {}
                Some(value) => self.value(&at, value, &field.shape),
            }
        }
        let known = |key: &str| fields.iter().any(|field| field.name == key);
        let strangers = object.iter().filter(|(key, value)| !known(key) && !says_nothing(value));
        self.unknown.extend(strangers.map(|(key, _)| join(path, key)));
    }

    pub fn value(&mut self, path: &str, value: &Value, shape: &Shape) {
        match shape {
            Shape::Text(least, most) => match value.as_str() {
                Some(text) => self.length(path, text, *least, *most),
                None => self.add(path, "STRING_TYPE_CONVERT", "Could not interpret the value as string."),
            },
            Shape::Integer(least, most) => match value.as_i64() {
                Some(number) if number < *least => {
                    self.add(path, "NUMBER_TYPE_MIN", format!("int value should be greater than or equal to {least}."));
                }
                Some(number) if number > *most => {
                    self.add(path, "NUMBER_TYPE_MAX", format!("int value should be less than or equal to {most}."));
                }
                Some(_) => {}
                None => self.coerce(path, value, "int"),
            },
            Shape::Number if value.is_number() => {}
            Shape::Number => self.coerce(path, value, "number"),
            Shape::Boolean if value.is_boolean() => {}
            Shape::Boolean => self.add(path, "BOOLEAN_TYPE_CONVERT", "Must be either true or false."),
            Shape::Snowflake if snowflake(value).is_some() => {}
            Shape::Snowflake => self.coerce(path, value, "snowflake"),
            Shape::Time if is_time(value) => {}
            Shape::Time => self.add(path, "DATE_TIME_TYPE_PARSE", "Could not parse. Should be ISO8601."),
            Shape::Nonce => match value {
                Value::String(text) => self.length(path, text, 0, 25),
                Value::Number(_) => {}
                _ => self.add(path, "NONCE_TYPE_CONVERT", "Must be a string or an integer."),
            },
            Shape::Choice(choices) if value.as_i64().is_some_and(|number| choices.contains(&number)) => {}
            Shape::Choice(choices) => self.choices(path, choices),
            Shape::Word(words) if value.as_str().is_some_and(|word| words.contains(&word)) => {}
            Shape::Word(words) => self.choices(path, words),
            Shape::List(least, most, shape) => self.list(path, value, *least, *most, shape),
            Shape::Object(fields) => self.object(path, value, fields),
            Shape::Tagged(kinds) => self.tagged(path, value, kinds),
            Shape::Any => {}
        }
    }

    fn list(&mut self, path: &str, value: &Value, least: usize, most: usize, shape: &Shape) {
        let Some(items) = value.as_array() else {
            return self.add(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
        };
        if items.len() < least || items.len() > most {
            self.add(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between {least} and {most} in length."));
        }
        for (index, item) in items.iter().enumerate() {
            self.value(&join(path, &index.to_string()), item, shape);
        }
    }

    fn tagged(&mut self, path: &str, value: &Value, kinds: &[(i64, &'static [Field])]) {
        let kind = value.get("type").and_then(Value::as_i64);
        match kinds.iter().find(|(tag, _)| Some(*tag) == kind) {
            Some((_, fields)) => self.object(path, value, fields),
            None => {
                let tags: Vec<i64> = kinds.iter().map(|(tag, _)| *tag).collect();
                self.choices(&join(path, "type"), &tags);
            }
        }
    }

    fn length(&mut self, path: &str, text: &str, least: usize, most: usize) {
        let length = text.chars().count();
        if length >= least && length <= most {
            return;
        }
        match (least, length) {
            (1.., 0) => self.add(path, "BASE_TYPE_REQUIRED", "This field is required"),
            (0, _) => self.add(path, "BASE_TYPE_MAX_LENGTH", format!("Must be {most} or fewer in length.")),
            _ => self.add(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between {least} and {most} in length.")),
        }
    }

    fn choices(&mut self, path: &str, choices: &[impl ToString]) {
        let list = choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        self.add(path, "BASE_TYPE_CHOICES", format!("Value must be one of ({list})."));
    }

    fn coerce(&mut self, path: &str, value: &Value, kind: &str) {
        self.add(path, "NUMBER_TYPE_COERCE", format!("Value {value} is not {kind}."));
    }
}

/// Libraries send the fields of all kinds of option with each option, and leave them empty.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// An id, from the string that Discord sends or the number that it accepts as well.
pub fn snowflake(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    static INNER: [Field; 1] = [must("name", Shape::Text(1, 4))];
    static OUTER: [Field; 2] =
        [may("content", Shape::Text(0, 5)), may("fields", Shape::List(0, 2, &Shape::Object(&INNER)))];

    fn refused(body: Value, strict: bool) -> Value {
        let mut problems = Problems::default();
        problems.object("", &body, &OUTER);
        problems.into_result(strict).unwrap_err().body()
    }

    #[test]
    fn names_the_field_in_discords_nested_shape() {
        let body = refused(json!({"content": "too long", "fields": [{"name": "ok"}, {"name": "too long"}]}), false);
        assert_eq!(body["code"], 50035);
        assert_eq!(body["message"], "Invalid Form Body");
        assert_eq!(body["errors"]["content"]["_errors"][0]["code"], "BASE_TYPE_MAX_LENGTH");
        assert_eq!(
            body["errors"]["fields"]["1"]["name"]["_errors"][0]["message"],
            "Must be between 1 and 4 in length."
        );
        assert_eq!(body["errors"]["fields"].get("0"), None);
    }

    #[test]
    fn an_unknown_field_is_refused_only_when_strict() {
        let body = json!({"fields": [{"name": "a", "colour": 3}]});
        let mut problems = Problems::default();
        problems.object("", &body, &OUTER);
        assert_eq!(problems.unknown, ["fields.0.colour"]);
        assert!(problems.into_result(false).is_ok());
        assert_eq!(refused(body, true)["errors"]["fields"]["0"]["colour"]["_errors"][0]["code"], "UNKNOWN_FIELD");
    }
}
