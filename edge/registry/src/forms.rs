//! The policies of forms.

use edge_types::{FormName, ImageId};
use serde::Deserialize;

use crate::RegistryError;

/// The forms that have a policy.
pub trait FormStore {
    fn form(&self, name: &FormName)
    -> impl Future<Output = Result<Option<FormRow>, RegistryError>>;

    /// Writes a form and returns its row. A form that is counted already stays counted since then.
    fn put_form(&self, form: NewForm<'_>) -> impl Future<Output = Result<FormRow, RegistryError>>;

    /// The forms in the order of their names, after one of them.
    fn forms(
        &self,
        after: &str,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<FormRow>, RegistryError>>;

    /// How many registered pictures each of these forms has. It counts up to `most` only.
    fn count_pictures(
        &self,
        forms: &[&str],
        most: u32,
    ) -> impl Future<Output = Result<Vec<FormPictures>, RegistryError>>;

    /// The pictures that forms have got since then, most first.
    fn form_pictures(
        &self,
        since_ms: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<FormPictures>, RegistryError>>;

    /// The pictures that all forms together have got since then.
    fn count_form_pictures(
        &self,
        since_ms: u64,
    ) -> impl Future<Output = Result<u64, RegistryError>>;
}

/// A form to be written.
#[derive(Clone, Copy)]
pub struct NewForm<'a> {
    pub name: &'a FormName,
    /// JSON.
    pub policy: &'a str,
    pub has_limit: bool,
    /// As in [`FormRow`].
    pub deleted_ms: Option<u64>,
    pub now_ms: u64,
}

/// A form that has a policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FormRow {
    pub name: String,
    /// JSON.
    pub policy: String,
    /// Since when its pictures are counted; [`None`] for a form without a limit.
    pub counted_since_ms: Option<u64>,
    /// When it was closed and its pictures were deleted: no picture is added since then.
    pub deleted_ms: Option<u64>,
    pub created_ms: u64,
    pub updated_ms: u64,
}

/// How many pictures a form has, or has got.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FormPictures {
    pub form_id: String,
    pub count: u64,
}

/// A picture of a form, as far as it is needed to count it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FormImage {
    pub id: ImageId,
    pub key: String,
    pub owner: String,
}
