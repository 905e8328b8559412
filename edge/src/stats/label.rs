//! The names that counts are kept under: closed sets, so that no caller can make more of them.

use image_rules::Code;

use crate::route::Endpoint;

/// What a request was about, for people: the areas of the administrators' page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Not requests: the files that uploads brought, each with its own end.
    Files,
    /// `POST /images`, and tickets for it.
    Uploads,
    /// Pictures that were handed out.
    Pictures,
    /// The list of pictures: registering, reading, deleting.
    Images,
    /// Tokens, keys and accounts.
    Auth,
    /// Administrators.
    Admin,
    /// The policy, health, and whatever is not there.
    Other,
}

impl Area {
    /// All areas of requests.
    pub const REQUESTS: [Self; 6] =
        [Self::Uploads, Self::Pictures, Self::Images, Self::Auth, Self::Admin, Self::Other];

    /// As it stands in the registry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Uploads => "uploads",
            Self::Pictures => "pictures",
            Self::Images => "images",
            Self::Auth => "auth",
            Self::Admin => "admin",
            Self::Other => "other",
        }
    }
}

/// The class of an address: its name in metrics and logs, and its area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// As it stands in metrics and logs.
    pub name: &'static str,
    /// What it is about.
    pub area: Area,
}

const fn route(name: &'static str, area: Area) -> Route {
    Route { name, area }
}

impl Route {
    /// What is not there, or not with this method.
    pub const UNKNOWN: Self = route("unknown", Area::Other);
    /// `POST /images`
    pub const UPLOAD: Self = route("upload", Area::Uploads);

    /// The class of an endpoint.
    #[must_use]
    pub const fn of(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Upload => Self::UPLOAD,
            Endpoint::Ticket => route("ticket", Area::Uploads),
            Endpoint::ListImages => route("list_images", Area::Images),
            Endpoint::RegisterImage => route("register_image", Area::Images),
            Endpoint::ReadImage(_) => route("read_image", Area::Images),
            Endpoint::DeleteImage(_) => route("delete_image", Area::Images),
            Endpoint::Picture(_) => route("picture", Area::Pictures),
            Endpoint::GuestToken => route("guest_token", Area::Auth),
            Endpoint::SignUp => route("sign_up", Area::Auth),
            Endpoint::Login => route("login", Area::Auth),
            Endpoint::Refresh => route("refresh", Area::Auth),
            Endpoint::Logout => route("logout", Area::Auth),
            Endpoint::ReadUser(_) => route("read_user", Area::Auth),
            Endpoint::ChangeUser(_) => route("change_user", Area::Auth),
            Endpoint::PublicKeys => route("public_keys", Area::Auth),
            Endpoint::Admin(_) => route("admin", Area::Admin),
            Endpoint::Policy => route("policy", Area::Other),
            Endpoint::Alive => route("healthz", Area::Other),
            Endpoint::Ready => route("readyz", Area::Other),
            Endpoint::Metrics => route("metrics", Area::Other),
            Endpoint::Preflight { .. } => route("preflight", Area::Other),
            Endpoint::Panic | Endpoint::Memory => route("fault", Area::Other),
        }
    }
}

/// How a request or a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A request that was served.
    Served,
    /// A file that was stored.
    Stored,
    /// A file that was there already.
    Repeated,
    /// Not served, with the public code that the caller was told.
    Refused(Code),
}

impl Outcome {
    /// As it stands in the registry: the public code, or one of three words that are none.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Served => "SERVED",
            Self::Stored => "STORED",
            Self::Repeated => "REPEATED",
            Self::Refused(code) => code.name(),
        }
    }
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
