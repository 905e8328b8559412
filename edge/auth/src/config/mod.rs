//! The variables that say which tokens are accepted.

mod issuers;

use edge_types::{Reader, Role};

use crate::{
    Issuer, KeyServerUrl, SigningKey,
    issuer::Subjects,
    key_set::{KeySet, OwnKeys},
};

/// Which tokens are accepted, and the key that signs those that are issued here.
#[derive(Debug)]
pub struct AuthConfig {
    /// The key that signs the tokens issued here, and those that verify them.
    pub signing: SigningKey,
    pub own: OwnKeys,
    /// The issuer of the single variables.
    pub platform: Issuer,
    /// Those of `AUTH_ISSUERS`.
    pub issuers: Vec<Issuer>,
}

impl AuthConfig {
    /// [`None`] without a usable signing key; the reader has the problems.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let signing = signing_key(reader);
        let own = own_keys(reader, signing.as_ref());
        let mut platform = platform(reader);
        let issuers = issuers::read(reader);
        let issuer = platform.iss.as_deref();
        if issuer.is_some() && issuers.iter().any(|other| other.iss.as_deref() == issuer) {
            reader.problem("AUTH_ISSUER", "an issuer that is not one of AUTH_ISSUERS");
        }
        let names = issuers.iter().filter_map(Issuer::name).cloned().collect();
        platform.subjects = Subjects::Plain { reserved: names };
        Some(Self { signing: signing?, own, platform, issuers })
    }

    /// The issuer of tokens that name this one.
    pub(crate) fn issuer(&self, iss: Option<&str>) -> Option<&Issuer> {
        let named = self.issuers.iter().find(|issuer| issuer.iss.as_deref() == iss);
        named.or_else(|| {
            let wanted = self.platform.iss.as_deref();
            (wanted.is_none() || iss == wanted).then_some(&self.platform)
        })
    }
}

fn signing_key(reader: &mut Reader<'_>) -> Option<SigningKey> {
    let jwk = reader.text("SIGNING_JWK").unwrap_or_default();
    let key = SigningKey::from_jwk(&jwk);
    if key.is_err() {
        reader.problem("SIGNING_JWK", "a private P-256 JWK (make dev writes one)");
    }
    key.ok()
}

fn own_keys(reader: &mut Reader<'_>, signing: Option<&SigningKey>) -> OwnKeys {
    let mut own = OwnKeys::default();
    if let Some(signing) = signing {
        own.add(signing);
    }
    if let Some(text) = reader.text("SIGNING_JWK_PREVIOUS")
        && let Err(reason) = own.add_previous(&text)
    {
        reader.problem("SIGNING_JWK_PREVIOUS", reason.expected());
    }
    own
}

/// The issuer of the single variables: the short form for one that is trusted with back ends, too.
fn platform(reader: &mut Reader<'_>) -> Issuer {
    const EXPECTED: &str = "set, because AUTH_JWKS_URL is: the keys of a shared identity provider sign for all its customers";
    let mut keys = KeySet::default();
    if let Some(text) = reader.text("AUTH_HS256_SECRET")
        && let Err(reason) = keys.add_secret(&text)
    {
        reader.problem("AUTH_HS256_SECRET", reason.expected());
    }
    if let Some(text) = reader.text("AUTH_JWKS")
        && let Err(reason) = keys.add_jwks(&text)
    {
        reader.problem("AUTH_JWKS", reason.expected());
    }
    let key_server = reader.parsed("AUTH_JWKS_URL", KeyServerUrl::EXPECTED, KeyServerUrl::parse);
    let has_key_server = reader.text("AUTH_JWKS_URL").is_some();
    let mut read = |variable| {
        if has_key_server { reader.required(variable, EXPECTED) } else { reader.text(variable) }
    };
    let (issuer, audience) = (read("AUTH_ISSUER"), read("AUTH_AUDIENCE"));
    let mut roles = vec![Role::Service, Role::User, Role::Guest];
    if reader.flag("PLATFORM_ADMIN", false) {
        roles.insert(0, Role::Admin);
    }
    Issuer {
        subjects: Subjects::Plain { reserved: Vec::new() },
        iss: issuer,
        audience,
        keys,
        key_server,
        roles,
        role_claim: "role".to_owned(),
        role_map: None,
        user_claim: "sub".to_owned(),
    }
}
