//! The names that counts are kept under: a closed set, so that no caller can make more of them.

use http::Method;
use image_rules::Code;

/// What a request was about.
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

    /// The area of a request.
    #[must_use]
    pub fn of(method: &Method, path: &str) -> Self {
        let below = |folder: &str| path.strip_prefix(folder).is_some_and(|it| it.starts_with('/'));
        match path {
            "/images" if *method == Method::POST => Self::Uploads,
            "/images" => Self::Images,
            "/users" => Self::Auth,
            _ if below("/images") => Self::Images,
            _ if below("/uploads") => Self::Uploads,
            _ if below("/users") && path.contains("/images/") => Self::Pictures,
            _ if below("/users") || below("/auth") || below("/.well-known") => Self::Auth,
            _ if below("/admin") => Self::Admin,
            _ => Self::Other,
        }
    }

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
    fn every_address_has_its_area() {
        for (method, path, expected) in [
            (Method::POST, "/images", Area::Uploads),
            (Method::GET, "/images", Area::Images),
            (Method::POST, "/images/metadata", Area::Images),
            (Method::POST, "/uploads/tickets", Area::Uploads),
            (Method::GET, "/users/1/images/x.jpeg", Area::Pictures),
            (Method::POST, "/users/signup", Area::Auth),
            (Method::GET, "/auth/guest-token", Area::Auth),
            (Method::GET, "/admin/api/status", Area::Admin),
            (Method::GET, "/administrator", Area::Other),
            (Method::GET, "/readyz", Area::Other),
        ] {
            assert_eq!(Area::of(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn no_public_code_has_the_name_of_a_success() {
        for code in Code::ALL {
            for success in [Outcome::Served, Outcome::Stored, Outcome::Repeated] {
                assert_ne!(code.name(), success.name());
            }
        }
    }
}
