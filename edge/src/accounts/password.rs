//! Passwords: which are taken, and how they are kept and checked (argon2id, RFC 9106).

use argon2::{Argon2, Params, PasswordHasher};
use sha2::{Digest, Sha256};

use super::PasswordHash;
use crate::{
    app::{App, Ports},
    error::{Failure, Fault},
    memory::{Purpose, reserve},
};

/// The second choice of OWASP's Password Storage Cheat Sheet, 19 MiB twice: its first, 46 MiB once,
/// is as hard to attack, but two of them would not fit into the 64 MiB that an isolate's requests
/// share.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const MEMORY_BYTES: u64 = MEMORY_KIB as u64 * 1024;

/// Those whose address is unknown are checked against this salt, so that their answer takes as long.
const NOBODYS_SALT: &[u8] = b"nobody has this.";

/// A password that may be chosen: 8 to 128 characters, whatever they are (NIST SP 800-63B §3.1.1.2
/// asks for eight and for no rules beyond). It is shown nowhere, and so has no `Debug`.
pub struct Password(String);

impl Password {
    /// From text of the right length.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        (8..=128).contains(&text.chars().count()).then_some(Self(text))
    }
}

/// What became of checking a password.
pub struct Checked {
    /// Whether it was right.
    pub right: bool,
    /// The same for the same password of the same address, and as hard to go back from as the hash
    /// that it was made of.
    pub trace: String,
}

/// What is kept of a password.
///
/// # Errors
/// `BUSY` without memory for it.
pub async fn seal<P: Ports>(app: &App<P>, password: &Password) -> Result<PasswordHash, Failure> {
    let salt = app.ports.random();
    let sealed = digest(app, own_params(), password.0.as_bytes(), &salt).await?;
    Ok(PasswordHash(sealed.to_string()))
}

/// Checks what somebody says is the password. Without anything to check against it is wrong, and
/// that takes as long to find out.
///
/// # Errors
/// `BUSY` without memory for it.
pub async fn check<P: Ports>(
    app: &App<P>,
    kept: Option<&PasswordHash>,
    said: &str,
) -> Result<Checked, Failure> {
    const UNREADABLE: Failure = Failure::Fault(Fault::Password);
    let kept = match kept {
        None => None,
        Some(kept) => Some(argon2::PasswordHash::new(&kept.0).map_err(|_| UNREADABLE)?),
    };
    let (params, salt) = match &kept {
        None => (own_params(), NOBODYS_SALT),
        Some(kept) => {
            let params = Params::try_from(kept).map_err(|_| UNREADABLE)?;
            (Some(params), kept.salt.as_deref().ok_or(UNREADABLE)?)
        }
    };
    let made = digest(app, params, said.as_bytes(), salt).await?;
    let output = made.hash.ok_or(UNREADABLE)?;
    // Compared in a time that says nothing of where they differ.
    let right = kept.is_some_and(|kept| kept.hash == Some(output));
    let trace = format!("{:.16}", format!("{:x}", Sha256::digest(output.as_bytes())));
    Ok(Checked { right, trace })
}

fn own_params() -> Option<Params> {
    Params::new(MEMORY_KIB, PASSES, LANES, None).ok()
}

/// One at a time in an isolate, as a decode is, and from the same memory.
async fn digest<P: Ports>(
    app: &App<P>,
    params: Option<Params>,
    password: &[u8],
    salt: &[u8],
) -> Result<argon2::PasswordHash, Failure> {
    let params = params.ok_or(Failure::Fault(Fault::Password))?;
    let lease = reserve(app, Purpose::Decode, MEMORY_BYTES).await?;
    let made = Argon2::from(params).hash_password_with_salt(password, salt);
    drop(lease);
    made.map_err(|_| Failure::Fault(Fault::Password))
}
