//! What every layer of the Worker shares: ids and keys that are parsed once, roles, limits, time, the
//! errors that callers see, and log lines. It knows neither HTTP nor the platform.

pub mod email;
pub mod file_name;
pub mod form_id;
pub mod hex;
pub mod hex_id;
pub mod image_id;
pub mod limits;
pub mod log;
pub mod nickname;
pub mod problem;
pub mod subject;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod user;
pub mod variables;

pub use email::Email;
pub use file_name::FileName;
pub use form_id::{FormId, FormLimit, FormName};
pub use hex_id::{RemovalId, SessionId};
pub use image_id::{ImageId, MAX_SAFE_INTEGER};
pub use limits::{LimitStatus, UploadLimitStatuses, UploadLimits};
pub use nickname::Nickname;
pub use problem::{Details, FormRefusal, InvalidField, Problem};
pub use subject::{ClientIp, ErasedName, Subject};
pub use time::{Clock, PERMANENT_MS, Random, parse_timestamp, timestamp, with_timeout};
pub use user::{Role, UserId};
pub use variables::{ConfigProblem, Reader, Variables};
