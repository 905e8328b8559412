//! Why a request failed. A client error is shown to the caller; of a server error the caller sees a general
//! code, and its cause is logged once.

use edge_auth::SigningError;
use edge_ledger::LedgerError;
use edge_registry::RegistryError;
use edge_storage::StoreError;
use edge_types::Problem;
use image_rules::{Code, ImageError};

use crate::ports::{RateLimiterError, SiteVerifyError};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error(transparent)]
    Client(#[from] Problem),
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// A server error.
#[derive(Debug, thiserror::Error)]
pub enum InternalError {
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("database: {0}")]
    Registry(#[from] RegistryError),
    #[error("rate limiter: {0}")]
    RateLimiter(#[from] RateLimiterError),
    #[error("ledger: {0}")]
    Ledger(#[from] LedgerError),
    #[error("Turnstile: {0}")]
    SiteVerify(#[from] SiteVerifyError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error("a password hash cannot be made or read")]
    PasswordHash,
}

/// A component that may fail; the label in answers, logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Component {
    Storage,
    Registry,
    Ledger,
    RateLimiter,
    /// The verification of Turnstile tokens.
    Turnstile,
    /// Signing and hashing.
    Secrets,
}

impl Component {
    pub const VARIANTS: &[Self] = <Self as strum::VariantArray>::VARIANTS;
    /// Those with a health check.
    pub const PROBED: [Self; 3] = [Self::Storage, Self::Registry, Self::Ledger];
}

/// `Retry-After` of errors that pass by themselves.
const RETRY_S: u32 = 2;

/// Too much is going on in this isolate.
pub const fn busy() -> Problem {
    Problem::retry(Code::Busy, RETRY_S)
}

impl InternalError {
    pub const fn component(&self) -> Component {
        match self {
            Self::Store(_) => Component::Storage,
            Self::Registry(_) => Component::Registry,
            Self::RateLimiter(_) => Component::RateLimiter,
            Self::Ledger(_) => Component::Ledger,
            Self::SiteVerify(_) => Component::Turnstile,
            Self::Signing(_) | Self::PasswordHash => Component::Secrets,
        }
    }

    /// What the caller sees.
    pub const fn to_problem(&self) -> Problem {
        match self {
            Self::Store(_) => Problem::retry(Code::StorageUnavailable, RETRY_S),
            Self::Registry(_) | Self::RateLimiter(_) | Self::Ledger(_) | Self::SiteVerify(_) => {
                busy()
            }
            Self::Signing(_) | Self::PasswordHash => Problem::new(Code::Internal),
        }
    }
}

impl ApiError {
    /// The public code of the answer.
    pub fn code(&self) -> Code {
        match self {
            Self::Client(problem) => problem.code,
            Self::Internal(error) => error.to_problem().code,
        }
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self::Client(Problem::new(code))
    }
}

impl From<ImageError> for ApiError {
    fn from(error: ImageError) -> Self {
        Self::Client(Problem { image: Some(error.clone()), ..Problem::new(error.code()) })
    }
}

macro_rules! internal {
    ($($error:ty),*) => {$(
        impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                Self::Internal(error.into())
            }
        }
    )*};
}

internal!(StoreError, RegistryError, RateLimiterError, LedgerError, SiteVerifyError, SigningError);
