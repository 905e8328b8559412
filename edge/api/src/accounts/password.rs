//! Passwords that may be chosen, and their hashes (argon2id, RFC 9106).

use argon2::{Argon2, Params, PasswordHasher};
use edge_registry::PasswordHash;
use image_rules::Code;

use crate::{
    app::App,
    error::{ApiError, InternalError},
    ports::Ports,
};

/// The second choice of OWASP's Password Storage Cheat Sheet, 19 MiB twice. Its first, 46 MiB once, is as hard to
/// attack, but two of them exceed the 64 MiB that the requests of an isolate share.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const MEMORY_BYTES: u64 = MEMORY_KIB as u64 * 1024;

/// For unknown addresses, so that their answer takes as long.
const DUMMY_SALT: &[u8] = b"nobody has this.";

/// The 4,000 most frequent passwords of at least 8 characters, in lower case, one a line, in the order of bytes.
const COMMON: &str = include_str!("common_passwords.txt");

/// A password that may be chosen: 8 to 128 characters of any kind (NIST SP 800-63B §3.1.1.2 requires eight and no
/// other rules but a list of common ones). There is no `Debug`, so that it is never printed.
pub struct Password(String);

impl Password {
    /// # Errors
    /// `MALFORMED_REQUEST` for another length, `PASSWORD_COMMON` for one that is guessed first: of the list, or the e-mail
    /// address or what stands before its `@`.
    pub fn parse(text: String, email: &str) -> Result<Self, Code> {
        if !(8..=128).contains(&text.chars().count()) {
            return Err(Code::MalformedRequest);
        }
        let lower = text.to_lowercase();
        let local = email.split('@').next().unwrap_or_default();
        if [email, local].contains(&&*lower) || COMMON.lines().any(|common| common == lower) {
            return Err(Code::PasswordCommon);
        }
        Ok(Self(text))
    }
}

/// Hashes a password.
///
/// # Errors
/// `BUSY` without memory for it.
pub async fn hash<P: Ports>(app: &App<P>, password: &Password) -> Result<PasswordHash, ApiError> {
    let salt = app.ports.random();
    let hash = compute(app, default_params(), password.0.as_bytes(), &salt).await?;
    Ok(PasswordHash(hash.to_string()))
}

/// Whether a password has this hash. Without a hash it is wrong, which takes as long to find out.
///
/// # Errors
/// `BUSY` without memory for it.
pub async fn is_right<P: Ports>(
    app: &App<P>,
    hash: Option<&PasswordHash>,
    password: &str,
) -> Result<bool, ApiError> {
    const UNREADABLE: InternalError = InternalError::PasswordHash;
    let hash = match hash {
        None => None,
        Some(hash) => Some(argon2::PasswordHash::new(&hash.0).map_err(|_| UNREADABLE)?),
    };
    let (params, salt) = match &hash {
        None => (default_params(), DUMMY_SALT),
        Some(hash) => {
            let params = Params::try_from(hash).map_err(|_| UNREADABLE)?;
            (Some(params), hash.salt.as_deref().ok_or(UNREADABLE)?)
        }
    };
    let computed = compute(app, params, password.as_bytes(), salt).await?;
    let output = computed.hash.ok_or(UNREADABLE)?;
    // Compared in constant time.
    Ok(hash.is_some_and(|hash| hash.hash == Some(output)))
}

fn default_params() -> Option<Params> {
    Params::new(MEMORY_KIB, PASSES, LANES, None).ok()
}

/// Reserves memory as a decode does, so that one runs at a time in an isolate.
async fn compute<P: Ports>(
    app: &App<P>,
    params: Option<Params>,
    password: &[u8],
    salt: &[u8],
) -> Result<argon2::PasswordHash, ApiError> {
    let params = params.ok_or(InternalError::PasswordHash)?;
    let lease = app.scheduler().reserve_decode(MEMORY_BYTES).await?;
    let hash = Argon2::from(params).hash_password_with_salt(password, salt);
    drop(lease);
    Ok(hash.map_err(|_| InternalError::PasswordHash)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> Option<Code> {
        Password::parse(text.to_owned(), "ann.lee@example.org").err()
    }

    #[test]
    fn the_list_has_what_passes_the_length() {
        assert_eq!(COMMON.lines().count(), 4_000);
        assert!(COMMON.lines().is_sorted());
        for line in COMMON.lines() {
            assert!((8..=128).contains(&line.len()) && line == line.to_lowercase(), "{line}");
        }
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        for text in
            ["password1", "12345678", "QwertyUiop", "iloveyou", "Ann.Lee@example.org", "ann.LEE"]
        {
            let expected =
                if text.len() < 8 { Code::MalformedRequest } else { Code::PasswordCommon };
            assert_eq!(outcome(text), Some(expected), "{text}");
        }
        for text in
            ["testpassword1", "correct horse", "password1 and more", "비밀번호입니다만", "ann.lee."]
        {
            assert_eq!(outcome(text), None, "{text}");
        }
    }

    #[test]
    fn the_name_of_the_address_is_refused() {
        let of = |email| Password::parse("Jimin.Lee".to_owned(), email).err();
        assert_eq!(of("jimin.lee@example.org"), Some(Code::PasswordCommon));
        assert_eq!(of("jimin@example.org"), None);
    }
}
