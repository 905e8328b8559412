//! Whether a bucket belongs to a database: both hold the id of the deployment.

use serde::Serialize;

/// The relation between bucket and database.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum BucketBinding {
    /// Both hold the same id.
    Bound,
    /// Neither holds an id.
    #[default]
    Unbound,
    /// Only one of them holds an id.
    Missing,
    /// They hold different ids.
    Different,
    /// The id in the bucket may not be read.
    Unreadable,
}

impl BucketBinding {
    pub fn compare(database_id: Option<&str>, bucket_id: Option<&str>) -> Self {
        match (database_id, bucket_id) {
            (None, None) => Self::Unbound,
            (Some(database), Some(bucket)) if database == bucket => Self::Bound,
            (Some(_), Some(_)) => Self::Different,
            _ => Self::Missing,
        }
    }

    /// Whether the bucket is known to belong to another database.
    pub const fn is_wrong(self) -> bool {
        matches!(self, Self::Missing | Self::Different)
    }
}
