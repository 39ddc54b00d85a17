//! Who sends alerts: a bearer token, or a signature over the body and the time.
//!
//! What must stay true: a comparison takes as long for a nearly right guess as for any other; a signature is good for five
//! minutes and, by the store's memory, for once.

use axum::http::{HeaderMap, header};
use chrono::{DateTime, TimeDelta};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::{
    alerts::receiver::Signature,
    clock::Timestamp,
    config::{alerts::AlertSettings, secrets::Secrets},
};

pub(super) const TIMESTAMP: &str = "x-drbot-timestamp";
pub(super) const SIGNATURE: &str = "x-drbot-signature";

/// Before the hexadecimal digits; so another kind of signature can be told apart one day.
const KIND: &str = "v1=";

/// How far the sender's clock and drbot's may be apart, and how long a signature is good.
const LONGEST: TimeDelta = TimeDelta::minutes(5);

type Hash = Hmac<Sha256>;

/// The secrets' names, and where their values are when they are needed.
pub(super) struct Proof {
    bearer: Option<String>,
    hmac: Option<String>,
    secrets: Secrets,
}

/// Who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proven {
    /// To be remembered, so that nobody uses it again.
    pub signature: Option<Signature>,
}

/// What is known before the body is read.
pub(super) enum Early {
    Proven,
    /// The body has to fit.
    Signed {
        key: Hash,
        stamp: String,
        signature: String,
    },
}

/// Why somebody is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unproven {
    #[error("the token is not the right one")]
    WrongToken,
    #[error("a proof is missing: `Authorization: Bearer …`, or X-Drbot-Timestamp and X-Drbot-Signature")]
    Nothing,
    #[error("X-Drbot-Timestamp is no number of seconds since 1970")]
    NoTime,
    #[error("X-Drbot-Timestamp is more than five minutes off")]
    OldOrEarly,
    #[error("the signature does not fit the timestamp and the body")]
    WrongSignature,
    #[error("{0}")]
    NoSecret(String),
}

impl Proof {
    /// `None` when nobody could prove anything.
    pub(super) fn of(settings: &AlertSettings, secrets: Secrets) -> Option<Self> {
        let (bearer, hmac) = (settings.bearer.clone(), settings.hmac.clone());
        (bearer.is_some() || hmac.is_some()).then_some(Self { bearer, hmac, secrets })
    }

    /// The token, or what a body is to be held against.
    pub(super) fn without_body(&self, headers: &HeaderMap) -> Result<Early, Unproven> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(name) = &self.hmac
            && let (Some(stamp), Some(signature)) = (text(TIMESTAMP), text(SIGNATURE))
        {
            let key = keyed(self.secret(name)?.expose_secret().as_bytes())?;
            return Ok(Early::Signed { key, stamp: stamp.to_owned(), signature: signature.to_owned() });
        }
        let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let token = given.and_then(|value| value.strip_prefix(b"Bearer "));
        let (Some(name), Some(token)) = (&self.bearer, token) else { return Err(Unproven::Nothing) };
        if are_equal(self.secret(name)?.expose_secret().as_bytes(), token)? {
            Ok(Early::Proven)
        } else {
            Err(Unproven::WrongToken)
        }
    }

    fn secret(&self, name: &str) -> Result<secrecy::SecretString, Unproven> {
        self.secrets.resolve(name).map_err(|error| Unproven::NoSecret(format!("{error:#}")))
    }
}

impl Early {
    pub(super) fn with_body(self, body: &[u8], now: Timestamp) -> Result<Proven, Unproven> {
        let Self::Signed { key, stamp, signature } = self else { return Ok(Proven { signature: None }) };
        let seconds: i64 = stamp.parse().map_err(|_| Unproven::NoTime)?;
        let at = DateTime::from_timestamp(seconds, 0).ok_or(Unproven::NoTime)?;
        if (now - at).abs() > LONGEST {
            return Err(Unproven::OldOrEarly);
        }
        let given = signature.strip_prefix(KIND).and_then(bytes).ok_or(Unproven::WrongSignature)?;
        // The text as it came: another spelling of the same number is another signature.
        let signed = key.chain_update(&stamp).chain_update(b".").chain_update(body);
        signed.verify_slice(&given).map_err(|_| Unproven::WrongSignature)?;
        // Spelt one way, so that upper-case digits are not another one.
        let value: String = given.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Proven { signature: Some(Signature { value, until: at + LONGEST }) })
    }
}

fn keyed(key: &[u8]) -> Result<Hash, Unproven> {
    Hash::new_from_slice(key).map_err(|error| Unproven::NoSecret(error.to_string()))
}

/// Compares digests of both under one key, by hmac's own comparison in constant time: so neither the first difference nor
/// the length shows.
fn are_equal(one: &[u8], other: &[u8]) -> Result<bool, Unproven> {
    let digest = |text: &[u8]| keyed(b"a bearer token of drbot").map(|hash| hash.chain_update(text));
    Ok(digest(one)?.verify(&digest(other)?.finalize().into_bytes()).is_ok())
}

/// 32 bytes out of 64 hexadecimal digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}
