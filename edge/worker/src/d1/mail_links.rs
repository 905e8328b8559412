//! Links in mails on D1. A batch is one transaction, so of concurrent uses of a link one succeeds.

use edge_registry::{
    AccountLink, LinkKind, MailLinkStore, OpenLink, OpenedSignUp, PasswordHash, RegistryError,
    SignUpLink, User, UserStore,
};
use edge_types::{Nickname, UserId};
use worker::D1Type;

use super::{D1Registry, FoundRow, number, text};

const DELETE_SIGN_UP_LINKS: &str = "DELETE FROM mail_links WHERE email = ?1 AND kind = 'sign_up'";
const ADD_SIGN_UP_LINK: &str = "INSERT INTO mail_links \
     (digest, kind, email, nickname, expires_ms) \
     SELECT ?1, 'sign_up', ?2, ?3, ?4 WHERE NOT EXISTS \
     (SELECT 1 FROM users WHERE email = ?2) RETURNING digest";
const ADD_LINK: &str = "INSERT INTO mail_links (digest, kind, email, user_id, expires_ms) \
     SELECT ?1, ?2, email, id, ?4 FROM users WHERE email = ?3 RETURNING digest";
const LINK_EMAIL: &str =
    "SELECT email AS text FROM mail_links WHERE digest = ?1 AND kind = ?2 AND expires_ms > ?3";
const SIGN_UP: &str = "INSERT INTO users \
     (id, email, password_hash, nickname, created_ms, verified_ms) \
     SELECT ?2, email, ?4, nickname, ?3, ?3 FROM mail_links \
     WHERE digest = ?1 AND kind = 'sign_up' AND expires_ms > ?3 \
     ON CONFLICT DO NOTHING RETURNING id";
const VERIFY: &str = "UPDATE users SET verified_ms = COALESCE(verified_ms, ?2) WHERE id = \
     (SELECT user_id FROM mail_links WHERE digest = ?1 AND kind = 'verify' AND expires_ms > ?2) \
     RETURNING id AS text";
const RESET: &str = "UPDATE users SET password_hash = ?3, \
     verified_ms = COALESCE(verified_ms, ?2) WHERE id = \
     (SELECT user_id FROM mail_links WHERE digest = ?1 AND kind = 'reset' AND expires_ms > ?2) \
     RETURNING id AS text";
// Before the address is verified.
const UNLINK: &str = "DELETE FROM identities WHERE user_id = \
     (SELECT id FROM users JOIN mail_links ON users.id = mail_links.user_id WHERE digest = ?1 \
     AND kind = 'reset' AND mail_links.expires_ms > ?2 AND verified_ms IS NULL)";
const END_SESSIONS: &str = "UPDATE refresh_families SET revoked_ms = ?2 \
     WHERE revoked_ms IS NULL AND user_id = \
     (SELECT user_id FROM mail_links WHERE digest = ?1 AND kind = 'reset' AND expires_ms > ?2)";
const DELETE_LINK: &str = "DELETE FROM mail_links WHERE digest = ?1";
const DELETE_ALL_LINKS: &str =
    "DELETE FROM mail_links WHERE email = (SELECT email FROM mail_links WHERE digest = ?1)";
const LINKS_OF: &str = "SELECT kind, expires_ms FROM mail_links \
     WHERE user_id = ?1 AND expires_ms > ?2 ORDER BY expires_ms";
const DELETE_EXPIRED_LINKS: &str = "DELETE FROM mail_links WHERE expires_ms <= ?1";

impl MailLinkStore for D1Registry {
    async fn add_sign_up_link(&self, link: &SignUpLink<'_>) -> Result<bool, RegistryError> {
        let email = D1Type::Text(link.email.as_str());
        let values = [
            D1Type::Text(link.digest),
            D1Type::Text(link.email.as_str()),
            text(link.nickname.map(Nickname::as_str)),
            number(link.expires_ms),
        ];
        let statements =
            vec![self.bind(DELETE_SIGN_UP_LINKS, &[email])?, self.bind(ADD_SIGN_UP_LINK, &values)?];
        let results = self.batch(statements).await?;
        Ok(!results.rows::<FoundRow>(1)?.is_empty())
    }

    async fn add_link(&self, link: &AccountLink<'_>) -> Result<bool, RegistryError> {
        let values = [
            D1Type::Text(link.digest),
            D1Type::Text(link.kind.name()),
            D1Type::Text(link.email.as_str()),
            number(link.expires_ms),
        ];
        let row: Option<FoundRow> = self.first(ADD_LINK, &values).await?;
        Ok(row.is_some())
    }

    async fn link_email(
        &self,
        kind: LinkKind,
        digest: &str,
        now_ms: u64,
    ) -> Result<Option<String>, RegistryError> {
        let values = [D1Type::Text(digest), D1Type::Text(kind.name()), number(now_ms)];
        self.first_text(LINK_EMAIL, &values).await
    }

    async fn sign_up_by_link(
        &self,
        opened: &OpenedSignUp<'_>,
    ) -> Result<Option<User>, RegistryError> {
        let OpenedSignUp { digest, password, id, now_ms, event } = *opened;
        let values = [
            D1Type::Text(digest),
            D1Type::Text(id.as_str()),
            number(now_ms),
            D1Type::Text(&password.0),
        ];
        let mut statements = vec![self.bind(SIGN_UP, &values)?];
        if let Some(event) = event {
            let created = "EXISTS (SELECT 1 FROM users WHERE id = ?7)";
            statements.push(self.add_event(event, created, &[id.as_str()])?);
        }
        statements.push(self.bind(DELETE_ALL_LINKS, &[D1Type::Text(digest)])?);
        let results = self.batch(statements).await?;
        if results.rows::<FoundRow>(0)?.is_empty() {
            return Ok(None);
        }
        self.by_id(id).await
    }

    async fn verify_by_link(
        &self,
        digest: &str,
        now_ms: u64,
    ) -> Result<Option<UserId>, RegistryError> {
        let statements = vec![
            self.bind(VERIFY, &[D1Type::Text(digest), number(now_ms)])?,
            self.bind(DELETE_LINK, &[D1Type::Text(digest)])?,
        ];
        let results = self.batch(statements).await?;
        Ok(results.text(0)?.as_deref().and_then(UserId::parse))
    }

    async fn reset_by_link(
        &self,
        digest: &str,
        password: &PasswordHash,
        now_ms: u64,
    ) -> Result<Option<UserId>, RegistryError> {
        let values = || [D1Type::Text(digest), number(now_ms)];
        let reset = [D1Type::Text(digest), number(now_ms), D1Type::Text(&password.0)];
        let statements = vec![
            self.bind(UNLINK, &values())?,
            self.bind(RESET, &reset)?,
            self.bind(END_SESSIONS, &values())?,
            self.bind(DELETE_ALL_LINKS, &[D1Type::Text(digest)])?,
        ];
        let results = self.batch(statements).await?;
        Ok(results.text(1)?.as_deref().and_then(UserId::parse))
    }

    async fn links_of(&self, user: &UserId, now_ms: u64) -> Result<Vec<OpenLink>, RegistryError> {
        self.rows(LINKS_OF, &[D1Type::Text(user.as_str()), number(now_ms)]).await
    }

    async fn delete_expired_links(&self, now_ms: u64) -> Result<(), RegistryError> {
        self.run(DELETE_EXPIRED_LINKS, &[number(now_ms)]).await
    }
}
