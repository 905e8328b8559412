//! The labels of counters: closed sets, so callers cannot create new ones.

use http::StatusCode;
use image_rules::{Code, Format};
use strum::VariantArray;

use crate::endpoint::{Endpoint, OpenEndpoint, ProtectedEndpoint};

/// What a request was about: the areas of the administrators' page.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Area {
    /// Not requests, but the files of uploads, each with its own outcome.
    Files,
    /// `POST /images`, and tickets for it.
    Uploads,
    /// Delivered pictures.
    Pictures,
    /// The list of images.
    Images,
    /// Tokens, keys and accounts.
    Auth,
    Admin,
    /// The policy, health, and unknown paths.
    Other,
}

impl Area {
    /// The areas of requests.
    pub fn requests() -> impl Iterator<Item = Self> {
        Self::VARIANTS.iter().copied().filter(|area| *area != Self::Files)
    }
}

/// The label of an endpoint in metrics and logs, and its area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub name: &'static str,
    pub area: Area,
}

impl Route {
    /// An unknown path or method.
    pub const UNKNOWN: Self = Self { name: "unknown", area: Area::Other };
    /// `POST /images`
    pub const UPLOAD: Self = Self { name: "upload", area: Area::Uploads };

    pub const fn of(endpoint: &Endpoint) -> Self {
        let (name, area) = match endpoint {
            Endpoint::Preflight { .. } => ("preflight", Area::Other),
            Endpoint::Upload => return Self::UPLOAD,
            Endpoint::Open(endpoint) => match endpoint {
                OpenEndpoint::Picture(_) => ("picture", Area::Pictures),
                OpenEndpoint::GuestToken => ("guest_token", Area::Auth),
                OpenEndpoint::SignUp => ("sign_up", Area::Auth),
                OpenEndpoint::Login => ("login", Area::Auth),
                OpenEndpoint::Refresh => ("refresh", Area::Auth),
                OpenEndpoint::Logout => ("logout", Area::Auth),
                OpenEndpoint::Challenge | OpenEndpoint::ChallengeWidget => {
                    ("challenge", Area::Auth)
                }
                OpenEndpoint::VerifyEmail => ("verify_email", Area::Auth),
                OpenEndpoint::ForgetPassword | OpenEndpoint::ResetPassword => {
                    ("reset_password", Area::Auth)
                }
                OpenEndpoint::ListProviders
                | OpenEndpoint::BeginSignIn(_)
                | OpenEndpoint::FinishSignIn(_)
                | OpenEndpoint::LinkIdentity => ("sign_in", Area::Auth),
                OpenEndpoint::Mailbox => ("mailbox", Area::Other),
                OpenEndpoint::PublicKeys => ("public_keys", Area::Auth),
                OpenEndpoint::Policy => ("policy", Area::Other),
                OpenEndpoint::Alive => ("healthz", Area::Other),
                OpenEndpoint::Ready => ("readyz", Area::Other),
                OpenEndpoint::Panic | OpenEndpoint::Memory => ("fault", Area::Other),
            },
            Endpoint::Protected(endpoint) => match endpoint {
                ProtectedEndpoint::Ticket => ("ticket", Area::Uploads),
                ProtectedEndpoint::ListImages => ("list_images", Area::Images),
                ProtectedEndpoint::RegisterImage => ("register_image", Area::Images),
                ProtectedEndpoint::ReadImage(_) => ("read_image", Area::Images),
                ProtectedEndpoint::SignImageUrl(_) => ("sign_image_url", Area::Images),
                ProtectedEndpoint::ReleaseImage(_) => ("release_image", Area::Images),
                ProtectedEndpoint::RefuseImage(_) => ("refuse_image", Area::Images),
                ProtectedEndpoint::ListForms => ("list_forms", Area::Images),
                ProtectedEndpoint::ReadForm(_) => ("read_form", Area::Images),
                ProtectedEndpoint::PutForm(_) => ("put_form", Area::Images),
                ProtectedEndpoint::CloseForm(_) => ("close_form", Area::Images),
                ProtectedEndpoint::DeleteImage(_) | ProtectedEndpoint::DeleteImageByKey => {
                    ("delete_image", Area::Images)
                }
                ProtectedEndpoint::DeleteImages => ("delete_images", Area::Images),
                ProtectedEndpoint::ReadRemoval(_) => ("read_removal", Area::Images),
                ProtectedEndpoint::EraseUser(_) => ("erase_user", Area::Auth),
                ProtectedEndpoint::ChangePassword(_) => ("change_password", Area::Auth),
                ProtectedEndpoint::SendVerification(_) => ("send_verification", Area::Auth),
                ProtectedEndpoint::Withdraw(_) => ("withdraw", Area::Auth),
                ProtectedEndpoint::ExportUser(_) => ("export_user", Area::Auth),
                ProtectedEndpoint::ReadUser(_) => ("read_user", Area::Auth),
                ProtectedEndpoint::ChangeUser(_) => ("change_user", Area::Auth),
                ProtectedEndpoint::ListSessions => ("list_sessions", Area::Auth),
                ProtectedEndpoint::EndOtherSessions => ("end_sessions", Area::Auth),
                ProtectedEndpoint::EndSession(_) => ("end_session", Area::Auth),
                ProtectedEndpoint::Admin(_) => ("admin", Area::Admin),
                ProtectedEndpoint::Metrics => ("metrics", Area::Other),
            },
        };
        Self { name, area }
    }
}

/// How a request or a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A request that succeeded.
    Served,
    /// A file that was stored.
    Stored,
    /// A file that was stored before.
    Repeated,
    /// The public code of the answer.
    Refused(Code),
}

impl Outcome {
    /// A public code, or one of three words that are none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Served => "SERVED",
            Self::Stored => "STORED",
            Self::Repeated => "REPEATED",
            Self::Refused(code) => code.name(),
        }
    }
}

/// The end of one file of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCount {
    pub outcome: Outcome,
    /// The declared format.
    pub format: Option<Format>,
    /// Bytes received, of a file that was read completely.
    pub bytes_in: u64,
    pub bytes_stored: u64,
}

/// The end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestEnd {
    pub route: Route,
    pub outcome: Outcome,
    pub status: StatusCode,
    pub took_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_public_code_has_the_name_of_a_success() {
        for code in Code::ALL {
            for success in [Outcome::Served, Outcome::Stored, Outcome::Repeated] {
                assert_ne!(code.name(), success.name());
            }
        }
    }
}
