//! Secrets by name, resolved at the moment of use, and masked by value wherever text leaves drbot.
//!
//! A secret `EMERGENCY_TOKEN` is the variable of that name, or the content of the file that `EMERGENCY_TOKEN_FILE`
//! names (as Docker and Kubernetes mount them). What must stay true: a value is never in argv, a log, the journal, a
//! card or an error. [`Secrets::mask`] is the last line of that, not the first; it knows every secret that the configuration
//! names, used or not.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use anyhow::{Context, Result, bail};
use secrecy::SecretString;

use super::masking::{self, Hidden};

/// Values shorter than this are not masked: they would blot out ordinary words.
const SHORTEST_MASKED: usize = 6;

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Knows how to find secrets, and which are to be masked. Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    lookup: Arc<Lookup>,
    seen: Arc<RwLock<Vec<Hidden>>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Secrets of the process's environment.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { lookup: Arc::new(lookup), seen: Arc::default() }
    }

    /// The value of a secret, for use right now.
    ///
    /// # Errors
    /// When neither the variable nor its file is there; the message names both.
    pub fn resolve(&self, name: &str) -> Result<SecretString> {
        let value = self.find(name)?;
        self.remember(name, &value);
        Ok(SecretString::from(value))
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Why a secret cannot be had; `None` when it can.
    pub fn lacks(&self, name: &str) -> Option<String> {
        let error = self.find(name).err()?;
        Some(match (self.lookup)(&format!("{name}_FILE")) {
            Some(_) => format!("the secret {name} cannot be had: {error:#}"),
            None => format!("the secret {name} is not set"),
        })
    }

    /// Why a secret that is there is not masked; `None` when it is.
    pub fn shows(&self, name: &str) -> Option<String> {
        let value = self.find(name).ok()?;
        (value.len() < SHORTEST_MASKED).then(|| {
            format!("the secret {name} is shorter than {SHORTEST_MASKED} characters: it cannot be masked in what drbot shows")
        })
    }

    fn find(&self, name: &str) -> Result<String> {
        if let Some(value) = (self.lookup)(name).filter(|value| !value.is_empty()) {
            return Ok(value);
        }
        let file_variable = format!("{name}_FILE");
        let Some(path) = (self.lookup)(&file_variable) else {
            bail!("the secret {name} is not set; put {name}=… into .env, or name its file in {file_variable}");
        };
        let value = std::fs::read_to_string(&path).with_context(|| format!("{file_variable}={path}"))?;
        let value = value.trim_end_matches(['\n', '\r']).to_owned();
        if value.is_empty() {
            bail!("the file of the secret {name} ({path}) is empty");
        }
        Ok(value)
    }

    /// From now on these are masked, as far as they are set: what is shown may hold a secret that nobody has used yet.
    pub fn learn<'a>(&self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            // One that cannot be had has nothing to hide; whoever needs it says why.
            if let Ok(value) = self.find(name) {
                self.remember(name, &value);
            }
        }
    }

    fn remember(&self, name: &str, value: &str) {
        if value.len() < SHORTEST_MASKED || self.seen().iter().any(|hidden| hidden.value == value) {
            return;
        }
        let hidden = Hidden::new(name, value);
        self.seen.write().unwrap_or_else(PoisonError::into_inner).push(hidden);
    }

    fn seen(&self) -> RwLockReadGuard<'_, Vec<Hidden>> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// `text` with the value of every known secret replaced by its name, however it is written there.
    pub fn mask(&self, text: &str) -> String {
        masking::mask(text, &self.seen())
    }

    /// [`Secrets::mask`] for every text inside a JSON value, keys included.
    pub fn mask_json(&self, value: &serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) => Value::String(self.mask(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.mask_json(item)).collect()),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(key, item)| (self.mask(key), self.mask_json(item))).collect())
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn secrets_that_are_set() -> Secrets {
        Secrets::from_lookup(|name| (name == "TOKEN").then(|| "s3cret/value+1".to_owned()))
    }

    #[test]
    fn a_secret_that_is_missing_says_where_to_put_it() {
        let error = secrets_that_are_set().resolve("OTHER").unwrap_err().to_string();
        assert!(error.contains("OTHER=") && error.contains("OTHER_FILE"), "{error}");
    }

    #[test]
    fn why_a_secret_cannot_be_had_names_its_file() {
        let secrets = Secrets::from_lookup(|name| (name == "TOKEN_FILE").then(|| "/nowhere/token".to_owned()));
        let said = secrets.lacks("TOKEN").unwrap();
        assert!(said.starts_with("the secret TOKEN cannot be had: TOKEN_FILE=/nowhere/token: "), "{said}");
        assert_eq!(secrets.lacks("OTHER").unwrap(), "the secret OTHER is not set");
        assert_eq!(secrets_that_are_set().lacks("TOKEN"), None);
    }

    #[test]
    fn a_secret_is_masked_as_soon_as_its_name_is_known() {
        let secrets = secrets_that_are_set();
        assert_eq!(secrets.mask("a s3cret/value+1 b"), "a s3cret/value+1 b");
        secrets.learn(&["OTHER".to_owned(), "TOKEN".to_owned()]);
        let base64 = "QmVhcmVyIHMzY3JldC92YWx1ZSsx"; // "Bearer s3cret/value+1"
        for text in ["a s3cret/value+1 b", "s3cret%2Fvalue%2B1", "7333637265742f76616c75652b31", base64] {
            let masked = secrets.mask(text);
            assert!(masked.contains("[TOKEN]"), "{text} -> {masked}");
        }
        assert_eq!(secrets.mask("nothing here"), "nothing here");
    }

    #[test]
    fn another_value_of_a_secret_is_masked_beside_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "yesterday's\n").unwrap();
        let path = file.display().to_string();
        let secrets = Secrets::from_lookup(move |name| (name == "TOKEN_FILE").then(|| path.clone()));
        secrets.learn(&["TOKEN".to_owned()]);
        std::fs::write(&file, "of today").unwrap();
        assert_eq!(secrets.resolve("TOKEN").unwrap().expose_secret(), "of today");
        assert_eq!(secrets.mask("yesterday's, of today"), "[TOKEN], [TOKEN]");
    }

    #[test]
    fn a_secret_too_short_to_be_masked_is_told() {
        let secrets = Secrets::from_lookup(|name| (name == "PIN").then(|| "12345".to_owned()));
        assert!(secrets.shows("PIN").unwrap().contains("PIN is shorter than 6"), "{:?}", secrets.shows("PIN"));
        assert_eq!(secrets.shows("OTHER"), None);
        assert_eq!(secrets_that_are_set().shows("TOKEN"), None);
    }
}
