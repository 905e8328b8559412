//! Sign-in at providers on D1. A batch is one transaction, so of concurrent calls one succeeds.

use edge_registry::{
    Identity, IdentityLink, IdentityUser, LinkReason, RegistryError, SignInStore, User,
};
use edge_types::{Email, UserId};
use serde_json::Value;
use worker::D1Type;

use super::{D1Registry, FoundRow, number, text, users::BY_EMAIL};

const ADD: &str = "INSERT INTO sign_ins (digest, content, expires_ms) VALUES (?1, ?2, ?3)";
const READ: &str = "SELECT content AS text FROM sign_ins WHERE digest = ?1 AND expires_ms > ?2";
const TAKE: &str = "DELETE FROM sign_ins WHERE digest = ?1 AND expires_ms > ?2 \
     RETURNING content AS text";
const DELETE_EXPIRED: &str = "DELETE FROM sign_ins WHERE expires_ms <= ?1";
const USER_OF: &str = "SELECT users.*, images.key AS registered_key, images.review FROM identities \
     JOIN users ON users.id = identities.user_id LEFT JOIN images ON images.key = users.image_key \
     WHERE identities.issuer = ?1 AND identities.subject = ?2";
const ADD_USER: &str = "INSERT INTO users (id, email, created_ms, verified_ms) \
     SELECT ?3, ?4, ?5, CASE WHEN ?4 IS NULL THEN NULL ELSE ?5 END WHERE NOT EXISTS \
     (SELECT 1 FROM identities WHERE issuer = ?1 AND subject = ?2) AND NOT EXISTS \
     (SELECT 1 FROM reservations WHERE email = ?4 AND until_ms > ?5) \
     ON CONFLICT DO NOTHING RETURNING id";
const ADD_IDENTITY: &str = "INSERT INTO identities (issuer, subject, user_id, created_ms) \
     SELECT ?1, ?2, id, created_ms FROM users WHERE id = ?3 ON CONFLICT DO NOTHING";
// `?5` is whether the address of the account must be unverified; null when it does not matter.
const LINK: &str = "INSERT INTO identities (issuer, subject, user_id, created_ms) \
     SELECT ?1, ?2, id, ?4 FROM users WHERE id = ?3 AND role = 'USER' \
     AND (?5 IS NULL OR (verified_ms IS NULL) = ?5) ON CONFLICT DO NOTHING RETURNING user_id AS id";
const OF_USER: &str = "SELECT json_group_array(json_object('issuer', issuer, 'subject', subject, \
     'createdAt', strftime('%Y-%m-%dT%H:%M:%fZ', created_ms / 1000.0, 'unixepoch'))) AS text \
     FROM identities WHERE user_id = ?1";
// What follows a link that takes over, the loss of the password last: until then the address is unverified.
const IS_TAKEN_OVER: &str = "EXISTS (SELECT 1 FROM identities AS it JOIN users ON users.id = it.user_id \
     WHERE it.issuer = ?1 AND it.subject = ?2 AND it.user_id = ?3 AND users.verified_ms IS NULL)";
const END_IDENTITIES: &str =
    "DELETE FROM identities WHERE user_id = ?3 AND NOT (issuer = ?1 AND subject = ?2) AND ";
const END_LINKS: &str = "DELETE FROM mail_links WHERE user_id = ?3 AND ";
const END_SESSIONS: &str = "UPDATE refresh_families SET revoked_ms = ?4 \
     WHERE user_id = ?3 AND revoked_ms IS NULL AND ";
const END_PASSWORD: &str =
    "UPDATE users SET password_hash = NULL, verified_ms = ?4 WHERE id = ?3 AND ";

impl SignInStore for D1Registry {
    async fn add_sign_in(
        &self,
        digest: &str,
        content: &str,
        expires_ms: u64,
    ) -> Result<(), RegistryError> {
        self.run(ADD, &[D1Type::Text(digest), D1Type::Text(content), number(expires_ms)]).await
    }

    async fn sign_in(&self, digest: &str, now_ms: u64) -> Result<Option<String>, RegistryError> {
        self.first_text(READ, &[D1Type::Text(digest), number(now_ms)]).await
    }

    async fn take_sign_in(
        &self,
        digest: &str,
        now_ms: u64,
    ) -> Result<Option<String>, RegistryError> {
        self.first_text(TAKE, &[D1Type::Text(digest), number(now_ms)]).await
    }

    async fn user_of(&self, identity: Identity<'_>) -> Result<Option<User>, RegistryError> {
        self.user(USER_OF, &[identity.issuer, identity.subject].map(D1Type::Text)).await
    }

    async fn user_at(&self, email: &Email) -> Result<Option<User>, RegistryError> {
        self.user(BY_EMAIL, &[D1Type::Text(email.as_str())]).await
    }

    async fn add_user_of(&self, new: &IdentityUser<'_>) -> Result<bool, RegistryError> {
        let Identity { issuer, subject } = new.identity;
        let id = new.id.as_str();
        let values = [
            D1Type::Text(issuer),
            D1Type::Text(subject),
            D1Type::Text(id),
            text(new.email.map(Email::as_str)),
            number(new.created_ms),
        ];
        let identity = [issuer, subject, id].map(D1Type::Text);
        let mut statements =
            vec![self.bind(ADD_USER, &values)?, self.bind(ADD_IDENTITY, &identity)?];
        if let Some(event) = new.event {
            let created = "EXISTS (SELECT 1 FROM users WHERE id = ?7)";
            statements.push(self.add_event(event, created, &[id])?);
        }
        let results = self.batch(statements).await?;
        Ok(!results.rows::<FoundRow>(0)?.is_empty())
    }

    async fn link(&self, link: &IdentityLink<'_>) -> Result<bool, RegistryError> {
        let must_be_unverified = match link.reason {
            LinkReason::BothVerified => number(0),
            LinkReason::TakenOver => number(1),
            LinkReason::Proved => D1Type::Null,
        };
        let Identity { issuer, subject } = link.identity;
        let [issuer, subject, user] = [issuer, subject, link.user.as_str()];
        let who = || [issuer, subject, user].map(D1Type::Text);
        let [first, second, third] = who();
        let values = [first, second, third, number(link.now_ms), must_be_unverified];
        let mut statements = vec![self.bind(LINK, &values)?];
        if link.reason == LinkReason::TakenOver {
            for sql in [END_IDENTITIES, END_LINKS] {
                statements.push(self.bind(&format!("{sql}{IS_TAKEN_OVER}"), &who())?);
            }
            for sql in [END_SESSIONS, END_PASSWORD] {
                let [first, second, third] = who();
                let values = [first, second, third, number(link.now_ms)];
                statements.push(self.bind(&format!("{sql}{IS_TAKEN_OVER}"), &values)?);
            }
        }
        let results = self.batch(statements).await?;
        Ok(!results.rows::<FoundRow>(0)?.is_empty())
    }

    async fn identities_of(&self, user: &UserId) -> Result<Value, RegistryError> {
        let text = self.first_text(OF_USER, &[D1Type::Text(user.as_str())]).await?;
        let identities = serde_json::from_str(&text.unwrap_or_default());
        identities.map_err(|error| RegistryError(error.to_string()))
    }

    async fn delete_expired_sign_ins(&self, now_ms: u64) -> Result<(), RegistryError> {
        self.run(DELETE_EXPIRED, &[number(now_ms)]).await
    }
}
