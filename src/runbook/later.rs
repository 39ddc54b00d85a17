//! Values that are not known yet, for showing a plan before its steps have run.
//!
//! A plan that somebody approves must not pretend: what a later step will find shows as
//! `⟨steps.check.rows: known later⟩`, and a text whose *shape* depends on it (a condition, a loop) is not shown at all.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use minijinja::{
    Value,
    value::{Enumerator, Object, ObjectRepr, Serde},
};

/// A value that is not known yet.
#[derive(Debug)]
struct Later {
    path: String,
    watch: Watch,
}

/// What rendering met on its way. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    met: AtomicBool,
    decided: AtomicBool,
}

impl Watch {
    /// Whether anything that is not known yet was asked for.
    pub fn met_later(&self) -> bool {
        self.0.met.load(Ordering::Relaxed)
    }

    /// Whether a condition or a loop was decided by something that is not known yet: the text means nothing.
    pub fn was_decided_by_later(&self) -> bool {
        self.0.decided.load(Ordering::Relaxed)
    }

    fn later(&self, path: String) -> Value {
        self.0.met.store(true, Ordering::Relaxed);
        Value::from_object(Later { path, watch: self.clone() })
    }
}

impl Object for Later {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(self.watch.later(format!("{}.{key}", self.path)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.watch.0.decided.store(true, Ordering::Relaxed);
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.watch.0.decided.store(true, Ordering::Relaxed);
        false
    }

    fn custom_cmp(self: &Arc<Self>, _: &minijinja::value::DynObject) -> Option<std::cmp::Ordering> {
        self.watch.0.decided.store(true, Ordering::Relaxed);
        None
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "⟨{}: known later⟩", self.path)
    }
}

pub fn is_later(value: &Value) -> bool {
    value.downcast_object_ref::<Later>().is_some()
}

/// The results of steps as far as they are known; whatever else is asked of them is known later.
#[derive(Debug)]
struct SoFar {
    path: String,
    known: serde_json::Map<String, serde_json::Value>,
    watch: Watch,
}

impl Object for SoFar {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let path = format!("{}.{key}", self.path);
        Some(match self.known.get(key) {
            // A step or a called command; deeper down are outputs, which are known whole.
            Some(serde_json::Value::Object(known)) => {
                Value::from_object(Self { path, known: known.clone(), watch: self.watch.clone() })
            }
            Some(value) => Value::from(Serde(value)),
            None => self.watch.later(path),
        })
    }
}

/// A context in which `steps` (and `undone`) know what is in `context` and answer "later" for everything else.
pub fn so_far(context: &serde_json::Value, watch: &Watch) -> Value {
    let mut entries: Vec<(String, Value)> = Vec::new();
    let mut steps = serde_json::Map::new();
    let later = |path: &str, known: &serde_json::Map<String, serde_json::Value>| {
        Value::from_object(SoFar { path: path.to_owned(), known: known.clone(), watch: watch.clone() })
    };
    if let serde_json::Value::Object(fields) = context {
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("steps", serde_json::Value::Object(known)) => steps = known.clone(),
                // A run that nobody has chosen yet.
                ("undone", serde_json::Value::Object(known)) => entries.push((name.clone(), later("undone", known))),
                _ => entries.push((name.clone(), Value::from(Serde(value)))),
            }
        }
    }
    entries.push(("steps".to_owned(), later("steps", &steps)));
    Value::from_pairs(entries)
}
