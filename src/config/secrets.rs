//! Secrets by name, resolved at the moment of use, and masked by value wherever text leaves drbot.
//!
//! A secret `EMERGENCY_TOKEN` is the variable of that name, or the content of the file that `EMERGENCY_TOKEN_FILE`
//! names (as Docker and Kubernetes mount them). What must stay true: a value is never in argv, a log, the journal, a
//! card or an error. [`Secrets::mask`] is the last line of that, not the first.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, RwLock},
};

use anyhow::{Context, Result, bail};
use secrecy::SecretString;

/// Values shorter than this are not masked: they would blot out ordinary words.
const SHORTEST_MASKED: usize = 6;

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Knows how to find secrets, and which have been found so far. Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    lookup: Arc<Lookup>,
    /// Value (in every spelling that is masked) → name.
    seen: Arc<RwLock<BTreeMap<String, String>>>,
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

    fn remember(&self, name: &str, value: &str) {
        if value.len() < SHORTEST_MASKED {
            return;
        }
        let mut seen = match self.seen.write() {
            Ok(seen) => seen,
            Err(poisoned) => poisoned.into_inner(),
        };
        for spelling in spellings(value) {
            seen.insert(spelling, name.to_owned());
        }
    }

    /// `text` with the value of every secret used so far replaced by its name, in its usual encodings too.
    pub fn mask(&self, text: &str) -> String {
        let seen = match self.seen.read() {
            Ok(seen) => seen,
            Err(poisoned) => poisoned.into_inner(),
        };
        let mut masked = text.to_owned();
        // The longest first, so that a secret that contains another is masked whole.
        let mut values: Vec<_> = seen.iter().collect();
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        for (value, name) in values {
            if masked.contains(value.as_str()) {
                masked = masked.replace(value.as_str(), &format!("[{name}]"));
            }
        }
        masked
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

/// The value itself, and as hex, URL-encoded and base64 text show it.
fn spellings(value: &str) -> Vec<String> {
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let url: String = value
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let mut all = vec![value.to_owned(), hex.to_uppercase(), hex, url];
    // Base64 of a text that contains the value depends on where in a group of three bytes the value begins.
    all.extend((0..3).filter_map(|offset| base64_core(value.as_bytes(), offset)));
    all.sort();
    all.dedup();
    all
}

/// The characters of base64 that depend on `value` alone when it stands `offset` bytes (modulo 3) into a text.
fn base64_core(value: &[u8], offset: usize) -> Option<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let skipped = (3 - offset) % 3;
    let whole = value.get(skipped..)?;
    let whole = &whole[..whole.len() / 3 * 3];
    let text: String = whole
        .chunks_exact(3)
        .flat_map(|group| {
            let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
            [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift & 63) as usize]))
        })
        .collect();
    (text.len() >= SHORTEST_MASKED).then_some(text)
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
    fn a_used_secret_is_masked_in_every_spelling() {
        let secrets = secrets_that_are_set();
        assert_eq!(secrets.resolve("TOKEN").unwrap().expose_secret(), "s3cret/value+1");
        let base64 = "QmVhcmVyIHMzY3JldC92YWx1ZSsx"; // "Bearer s3cret/value+1"
        for text in ["a s3cret/value+1 b", "s3cret%2Fvalue%2B1", "7333637265742f76616c75652b31", base64] {
            let masked = secrets.mask(text);
            assert!(masked.contains("[TOKEN]"), "{text} -> {masked}");
        }
        assert_eq!(secrets.mask("nothing here"), "nothing here");
    }
}
