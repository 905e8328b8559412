//! Ids and keys in messages: written as text, and parsed as strictly as everywhere else.

use core::fmt::Display;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

use crate::{
    auth::UserId,
    storage::{ObjectKey, Stem},
};

/// What is made from text or not at all.
pub trait FromText: Sized {
    /// From text.
    fn from_text(text: &str) -> Option<Self>;
}

impl FromText for UserId {
    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl FromText for ObjectKey {
    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl FromText for Stem {
    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

/// Writes it as text.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Reads and parses it.
///
/// # Errors
/// Text that is not one.
pub fn deserialize<'de, D: Deserializer<'de>, T: FromText>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::from_text(&text).ok_or_else(|| D::Error::custom("not an id or key"))
}
