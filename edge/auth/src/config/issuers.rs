//! `AUTH_ISSUERS`: a JSON array with one object for each issuer. Every fault is named by its field.

use std::collections::BTreeMap;

use edge_types::{Reader, Role};
use serde_json::{Map, Value};

use crate::{
    Issuer, KeyServerUrl,
    claims::OWN_ISSUER,
    duplicate_members::check_members,
    issuer::{IssuerName, Subjects},
    key_set::KeySet,
    keys::UnusableKey,
};

const VARIABLE: &str = "AUTH_ISSUERS";
/// A token names its issuer, so many cost no time; each has a key set in the memory of every isolate.
const MAX_ISSUERS: usize = 20;
const FIELDS: [&str; 10] = [
    "name",
    "issuer",
    "audience",
    "jwksUrl",
    "jwks",
    "hs256Secret",
    "roles",
    "roleClaim",
    "roleMap",
    "userClaim",
];

/// The issuers that can be used; the reader has the problems of the others.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<Issuer> {
    const EXPECTED: &str = "a JSON array of at most 20 objects, with no member twice";
    let Some(text) = reader.text("AUTH_ISSUERS") else { return Vec::new() };
    let items: Option<Vec<Value>> =
        check_members(text.as_bytes()).ok().and_then(|()| serde_json::from_str(&text).ok());
    let Some(items) = items.filter(|items| items.len() <= MAX_ISSUERS) else {
        reader.problem(VARIABLE, EXPECTED);
        return Vec::new();
    };
    let mut issuers: Vec<Issuer> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let mut fields = Fields { reader: &mut *reader, at, object: item.as_object() };
        let Some(issuer) = issuer(&mut fields) else { continue };
        if issuers.iter().any(|other| other.name() == issuer.name()) {
            fields.problem("name", "a name that no other issuer has");
        }
        if issuers.iter().any(|other| other.iss == issuer.iss) {
            fields.problem("issuer", "an issuer that no other entry has");
        }
        issuers.push(issuer);
    }
    issuers
}

/// The fields of one entry.
struct Fields<'a, 'r> {
    reader: &'a mut Reader<'r>,
    at: usize,
    object: Option<&'a Map<String, Value>>,
}

impl<'a> Fields<'a, '_> {
    fn problem(&mut self, field: &str, expected: &'static str) {
        let variable = match field {
            "" => format!("{VARIABLE}[{}]", self.at),
            field => format!("{VARIABLE}[{}].{field}", self.at),
        };
        self.reader.problem(variable, expected);
    }

    fn get(&self, field: &str) -> Option<&'a Value> {
        self.object?.get(field)
    }

    /// A field that a parser takes; [`None`] when it is not set or refused.
    fn parsed<T>(
        &mut self,
        field: &str,
        expected: &'static str,
        parse: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = parse(self.get(field)?);
        if value.is_none() {
            self.problem(field, expected);
        }
        value
    }

    fn required<T>(
        &mut self,
        field: &str,
        expected: &'static str,
        parse: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        if self.get(field).is_none() {
            self.problem(field, expected);
        }
        self.parsed(field, expected, parse)
    }
}

fn issuer(fields: &mut Fields<'_, '_>) -> Option<Issuer> {
    const NAME: &str = "2 to 12 of a-z and 0-9, and not guest";
    const ISSUER: &str = "the iss of its tokens";
    const AUDIENCE: &str = "the aud of its tokens; required with jwksUrl, because the keys of a shared identity provider sign for all its customers";
    const CLAIM: &str = "the name of a claim, or its path with dots";
    let Some(object) = fields.object else {
        fields.problem("", "an object");
        return None;
    };
    if object.keys().any(|field| !FIELDS.contains(&field.as_str())) {
        fields.problem("", "only the fields name, issuer, audience, jwksUrl, jwks, hs256Secret, roles, roleClaim, roleMap and userClaim");
    }
    let name = fields.required("name", NAME, |value| IssuerName::parse(value.as_str()?));
    let issuer =
        fields.required("issuer", ISSUER, |value| text(value).filter(|text| text != OWN_ISSUER));
    let keys = ["jwksUrl", "jwks", "hs256Secret"];
    if keys.iter().filter(|field| object.contains_key(**field)).count() != 1 {
        fields.problem("", "exactly one of jwksUrl, jwks and hs256Secret");
    }
    let audience = if object.contains_key("jwksUrl") {
        fields.required("audience", AUDIENCE, text)
    } else {
        fields.parsed("audience", AUDIENCE, text)
    };
    let key_server = fields
        .parsed("jwksUrl", KeyServerUrl::EXPECTED, |value| KeyServerUrl::parse(value.as_str()?));
    let keys = key_set(fields);
    let roles = roles(fields);
    let role_map = role_map(fields, &roles);
    let role_claim = fields.parsed("roleClaim", CLAIM, text);
    let user_claim = fields.parsed("userClaim", CLAIM, text);
    Some(Issuer {
        subjects: Subjects::Named(name?),
        iss: Some(issuer?),
        audience,
        keys,
        key_server,
        roles,
        role_claim: role_claim.unwrap_or_else(|| "role".to_owned()),
        role_map,
        user_claim: user_claim.unwrap_or_else(|| "sub".to_owned()),
    })
}

/// Text that claims can have, without line breaks.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn key_set(fields: &mut Fields<'_, '_>) -> KeySet {
    const SECRET: &str = "the name of a secret that is set, such as SHOP_SECRET";
    let mut keys = KeySet::default();
    let mut added: Result<(), UnusableKey> = Ok(());
    if let Some(jwks) = fields.get("jwks") {
        added = keys.add_jwks(&jwks.to_string());
    }
    if let Err(reason) = added {
        fields.problem("jwks", reason.expected());
    }
    let is_name = |name: &&str| {
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        name.bytes().all(allowed)
    };
    let name = fields.parsed("hs256Secret", SECRET, |value| value.as_str().filter(is_name));
    if let Some(name) = name {
        match fields.reader.text(name).map(|secret| keys.add_secret(&secret)) {
            Some(Ok(())) => {}
            Some(Err(reason)) => fields.problem("hs256Secret", reason.expected()),
            None => fields.problem("hs256Secret", SECRET),
        }
    }
    keys
}

fn role(value: &Value) -> Option<Role> {
    Role::try_from(value.as_str()?.to_owned()).ok()
}

fn roles(fields: &mut Fields<'_, '_>) -> Vec<Role> {
    const EXPECTED: &str = "a list of USER, GUEST, SERVICE or ADMIN";
    let parse = |value: &Value| {
        let roles: Option<Vec<_>> = value.as_array()?.iter().map(role).collect();
        roles.filter(|roles| !roles.is_empty())
    };
    fields.parsed("roles", EXPECTED, parse).unwrap_or_else(|| vec![Role::User])
}

fn role_map(fields: &mut Fields<'_, '_>, roles: &[Role]) -> Option<BTreeMap<String, Role>> {
    const EXPECTED: &str = "an object from the issuer's roles to roles that are listed in roles";
    let given = |value: &Value| role(value).filter(|role| roles.contains(role));
    let parse = |value: &Value| {
        let entries = value.as_object()?.iter();
        entries.map(|(name, value)| Some((name.clone(), given(value)?))).collect()
    };
    fields.parsed("roleMap", EXPECTED, parse)
}
