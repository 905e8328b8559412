//! Why a request was not served: *refused* is the caller's affair and is told, *fault* is ours and
//! is logged, not told.

use std::borrow::Cow;

use image_rules::{Code, ImageError, Language};

use crate::{
    app::GateFault, auth::UserId, ledger::LedgerFault, registry::RegistryFault,
    response::timestamp, storage::StoreFault,
};

/// The end of a request that was not served.
#[derive(Debug)]
pub enum Failure {
    /// The caller's affair.
    Refused(Refusal),
    /// Ours.
    Fault(Fault),
}

/// A refusal with all that the caller is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The public code.
    pub code: Code,
    /// Methods that the address takes, with `METHOD_NOT_ALLOWED`.
    pub allow: Option<String>,
    /// When to come back, with 429 and 503.
    pub retry_after_s: Option<u32>,
    /// When a ban ends.
    pub until_ms: Option<u64>,
    /// Who the caller is already, with `ALREADY_LOGGED_IN`.
    pub as_whom: Option<UserId>,
    /// What exactly was wrong with the picture: it makes the sentence particular.
    pub image: Option<ImageError>,
    /// What the headers of a form's part may have, when they have more.
    pub part_header_limit_bytes: Option<u64>,
}

impl Refusal {
    /// With nothing to tell beyond the code.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            allow: None,
            retry_after_s: None,
            until_ms: None,
            as_whom: None,
            image: None,
            part_header_limit_bytes: None,
        }
    }

    /// With a time to come back.
    #[must_use]
    pub const fn retry(code: Code, after_s: u32) -> Self {
        let mut refusal = Self::new(code);
        refusal.retry_after_s = Some(after_s);
        refusal
    }

    /// A sentence that says what is wrong and what to do.
    #[must_use]
    pub fn sentence(&self, language: Language) -> Cow<'static, str> {
        if let Some(limit_bytes) = self.part_header_limit_bytes {
            let kilobytes = limit_bytes / 1024;
            return Cow::Owned(match language {
                Language::En => format!(
                    "The headers of a part of the form have more than {kilobytes} KB. Shorten the file's name."
                ),
                Language::Ko => format!(
                    "폼의 한 파트의 헤더가 {kilobytes} KB를 넘습니다. 파일 이름을 줄여 주세요."
                ),
            });
        }
        match (&self.image, self.until_ms) {
            (Some(error), _) => error.message(language),
            (None, Some(until_ms)) => {
                let (sentence, until) = (self.code.message(language), timestamp(until_ms));
                Cow::Owned(match language {
                    Language::En => format!("{sentence} The block ends at {until}."),
                    Language::Ko => format!("{sentence} 차단은 {until}에 풀립니다."),
                })
            }
            (None, None) => match &self.as_whom {
                None => Cow::Borrowed(self.code.message(language)),
                Some(user) => Cow::Owned(match language {
                    Language::En => {
                        format!("{} Your user id is {user}.", self.code.message(language))
                    }
                    Language::Ko => {
                        format!("{} 사용자 ID는 {user}입니다.", self.code.message(language))
                    }
                }),
            },
        }
    }

    /// For an address that takes other methods.
    #[must_use]
    pub fn method(allow: String) -> Self {
        Self { allow: Some(allow), ..Self::new(Code::MethodNotAllowed) }
    }
}

/// Something of ours that did not work.
#[derive(Debug)]
pub enum Fault {
    /// The object store.
    Store(StoreFault),
    /// The database.
    Registry(RegistryFault),
    /// The rate limiter.
    Gate(GateFault),
    /// The ledger: what cannot be counted is not admitted.
    Ledger(LedgerFault),
    /// A key of ours that cannot sign.
    Signing,
    /// The hash of a password that cannot be made or read.
    Password,
}

/// A part of ours that may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The object store.
    Storage,
    /// The database.
    Registry,
    /// The ledgers of users and addresses.
    Ledger,
    /// The rate limiter.
    Gate,
    /// What signs and hashes here.
    Secrets,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Storage, Self::Registry, Self::Ledger, Self::Gate, Self::Secrets];
    /// Those that can be asked whether they work.
    pub const PROBED: [Self; 3] = [Self::Storage, Self::Registry, Self::Ledger];

    /// As it stands in answers, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Registry => "registry",
            Self::Ledger => "ledger",
            Self::Gate => "gate",
            Self::Secrets => "secrets",
        }
    }
}

/// How long a caller waits after a fault that passes by itself.
const FAULT_RETRY_S: u32 = 2;

impl Fault {
    /// What failed.
    #[must_use]
    pub const fn part(&self) -> Part {
        match self {
            Self::Store(_) => Part::Storage,
            Self::Registry(_) => Part::Registry,
            Self::Gate(_) => Part::Gate,
            Self::Ledger(_) => Part::Ledger,
            Self::Signing | Self::Password => Part::Secrets,
        }
    }

    /// What the caller is told instead of the cause.
    #[must_use]
    pub const fn told(&self) -> Refusal {
        match self {
            Self::Store(_) => Refusal::retry(Code::StorageUnavailable, FAULT_RETRY_S),
            Self::Registry(_) | Self::Gate(_) | Self::Ledger(_) => {
                Refusal::retry(Code::Busy, FAULT_RETRY_S)
            }
            Self::Signing | Self::Password => Refusal::new(Code::Internal),
        }
    }
}

impl Failure {
    /// The public code that the caller is told.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Fault(fault) => fault.told().code,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::Refused(Refusal::new(code))
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        Self::Refused(Refusal { image: Some(error.clone()), ..Refusal::new(error.code()) })
    }
}

impl From<StoreFault> for Failure {
    fn from(fault: StoreFault) -> Self {
        Self::Fault(Fault::Store(fault))
    }
}

impl From<RegistryFault> for Failure {
    fn from(fault: RegistryFault) -> Self {
        Self::Fault(Fault::Registry(fault))
    }
}

impl From<LedgerFault> for Failure {
    fn from(fault: LedgerFault) -> Self {
        Self::Fault(Fault::Ledger(fault))
    }
}

impl From<GateFault> for Failure {
    fn from(fault: GateFault) -> Self {
        Self::Fault(Fault::Gate(fault))
    }
}
