//! The S3 store against a service that answers by heart, and its signatures against a second reading
//! of the specification.

mod reading;
pub(crate) mod scripted;
mod signatures;
mod specification;
mod suite;
mod writing;

use crate::{ErrorCode, ObjectKey, Rejection, StoreError, s3::HttpError};
use scripted::{Reply, Seen};

const KEY: &str = "users/123/images/1699876543210-00000000-0000-4000-8000-000000000000.png";

fn key() -> ObjectKey {
    ObjectKey::parse(KEY).expect("a key")
}

fn rejected(status: u16, code: &str) -> StoreError {
    StoreError::Rejected(Rejection { status, code: ErrorCode::parse(code) })
}

fn denied(status: u16, code: &str) -> StoreError {
    StoreError::Denied(Rejection { status, code: ErrorCode::parse(code) })
}

fn broken() -> Reply {
    Reply::InternalError(HttpError::Broken)
}

fn paths(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.url.split('?').next().unwrap_or_default()).collect()
}
