//! Limits of uploads, and how much of each is left.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadLimits {
    pub rate_per_minute: u32,
    pub daily_count: u32,
    pub daily_bytes: u64,
}

/// One limit, as the `RateLimit` fields show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitStatus {
    /// The quota of a window: `q`.
    pub quota: u64,
    /// The window in seconds: `w`.
    pub window_s: u32,
    /// What is left now: `r`.
    pub remaining: u64,
    /// Seconds until all of the quota is available again: `t`.
    pub reset_s: u32,
}

/// What is left of each of the [`UploadLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadLimitStatuses {
    pub rate: LimitStatus,
    pub daily_count: LimitStatus,
    pub daily_bytes: LimitStatus,
}
