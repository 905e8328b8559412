//! The list of pictures that are kept: one row for each, with the number that platforms store.

#[cfg(test)]
pub mod memory;

use image_rules::Format;

use crate::{auth::UserId, storage::ObjectKey};

/// Keeps the rows.
pub trait Registry {
    /// Adds a row; it is durable when this returns.
    fn add(&self, row: NewRow<'_>) -> impl Future<Output = Result<ImageId, RegistryFault>>;

    /// Whether the database answers at all.
    fn probe(&self) -> impl Future<Output = Result<(), RegistryFault>>;
}

/// The number of a registered picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ImageId(pub u64);

/// A picture to be registered.
#[derive(Clone, Copy)]
pub struct NewRow<'a> {
    /// Where its bytes lie.
    pub key: &'a ObjectKey,
    /// Whose it is.
    pub owner: &'a UserId,
    /// What it is.
    pub format: Format,
    /// Width as seen.
    pub width: u32,
    /// Height as seen.
    pub height: u32,
    /// Bytes that were stored.
    pub size_bytes: u64,
    /// Digest of what was stored, in hexadecimal.
    pub sha256: &'a str,
    /// What the caller called it: data only.
    pub original_name: Option<&'a str>,
    /// When it was stored.
    pub created_ms: u64,
}

/// The database did not do what was asked, with the platform's words.
#[derive(Debug)]
pub struct RegistryFault(pub String);
