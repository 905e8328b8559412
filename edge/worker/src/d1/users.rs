//! The built-in accounts and their refresh tokens on D1. Each decision is one statement, so that of concurrent
//! calls one succeeds.

use edge_registry::{
    Created, NewPassword, NewUser, PasswordHash, RefreshFamily, RegistryError, Reservation, Review,
    TokenRotation, User, UserChange, UserStore, WhichSessions,
};
use edge_storage::ObjectKey;
use edge_types::{Email, Nickname, Role, UserId};
use serde::Deserialize;
use worker::D1Type;

use super::{D1Registry, FoundRow, number, text};

const DELETE_EXPIRED_RESERVATIONS: &str = "DELETE FROM reservations WHERE until_ms <= ?1";
const RESERVE: &str = "INSERT INTO reservations (email, user_id, until_ms) SELECT ?1, ?2, ?3 \
     WHERE NOT EXISTS (SELECT 1 FROM users WHERE email = ?1) \
     ON CONFLICT (email) DO UPDATE SET until_ms = excluded.until_ms \
     WHERE user_id = excluded.user_id RETURNING user_id AS id";
const RELEASE: &str = "DELETE FROM reservations WHERE email = ?1 AND user_id = ?2";
const CREATE: &str = "INSERT INTO users (id, email, password_hash, nickname, image_key, created_ms) \
     SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS \
     (SELECT 1 FROM reservations WHERE email = ?2 AND user_id <> ?1 AND until_ms > ?6) \
     ON CONFLICT DO NOTHING RETURNING id";
const ID_TAKEN: &str = "SELECT id FROM users WHERE id = ?1 AND email IS NOT ?2";
// A profile does not show an image that was deleted.
pub(super) const BY_EMAIL: &str = "SELECT users.*, images.key AS registered_key, images.review FROM users \
     LEFT JOIN images ON images.key = users.image_key WHERE users.email = ?1";
const BY_ID: &str = "SELECT users.*, images.key AS registered_key, images.review FROM users \
     LEFT JOIN images ON images.key = users.image_key WHERE users.id = ?1";
const CHANGE: &str = "UPDATE users SET nickname = CASE ?2 WHEN 1 THEN ?3 ELSE nickname END, \
     image_key = CASE ?4 WHEN 1 THEN ?5 ELSE image_key END WHERE id = ?1";

const CHANGE_PASSWORD: &str =
    "UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2 RETURNING id";

const DELETE_EXPIRED_FAMILIES: &str =
    "DELETE FROM refresh_families WHERE user_id = ?1 AND expires_ms <= ?2";
const OPEN: &str = "INSERT INTO refresh_families \
     (id, user_id, token_digest, user_agent, created_ms, used_ms, expires_ms) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)";
const ROTATE: &str = "UPDATE refresh_families SET token_digest = ?3, used_ms = ?4, \
     expires_ms = MIN(?4 + ?5, created_ms + ?6) WHERE id = ?1 AND token_digest = ?2 \
     AND revoked_ms IS NULL AND expires_ms > ?4 AND created_ms + ?6 > ?4 \
     RETURNING user_id, expires_ms";
const FAMILY: &str = "SELECT * FROM refresh_families WHERE id = ?1";
const REVOKE: &str = "UPDATE refresh_families SET revoked_ms = ?2 \
     WHERE id = ?1 AND revoked_ms IS NULL RETURNING user_id AS id";
const SESSIONS: &str = "SELECT * FROM refresh_families WHERE user_id = ?1 AND expires_ms > ?2 \
     AND revoked_ms IS NULL ORDER BY used_ms DESC LIMIT ?3";
// `?3` is the only session or the kept one, as `?4` says. With `?5` only if the user has this password now.
const REVOKE_OF: &str = "UPDATE refresh_families SET revoked_ms = ?2 \
     WHERE user_id = ?1 AND expires_ms > ?2 AND revoked_ms IS NULL \
     AND CASE ?4 WHEN 'only' THEN id = ?3 WHEN 'all_but' THEN id <> ?3 ELSE 1 END \
     AND (?5 IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = ?1 AND password_hash = ?5)) \
     RETURNING user_id AS id";
const SESSION_ROLE: &str = "SELECT users.role FROM refresh_families \
     JOIN users ON users.id = refresh_families.user_id WHERE refresh_families.id = ?1 \
     AND users.id = ?2 AND expires_ms > ?3 AND revoked_ms IS NULL";

#[derive(Deserialize)]
struct UserRow {
    id: UserId,
    email: Option<String>,
    password_hash: Option<String>,
    role: Role,
    nickname: Option<String>,
    registered_key: Option<String>,
    review: Option<Review>,
    created_ms: u64,
    verified_ms: Option<u64>,
}

impl UserRow {
    fn user(self) -> (User, Option<PasswordHash>) {
        let user = User {
            id: self.id,
            email: self.email.unwrap_or_default(),
            role: self.role,
            nickname: self.nickname,
            image_key: self.registered_key,
            image_review: self.review,
            created_ms: self.created_ms,
            has_verified_email: self.verified_ms.is_some(),
        };
        (user, self.password_hash.map(PasswordHash))
    }
}

#[derive(Deserialize)]
struct RotatedRow {
    user_id: UserId,
    expires_ms: u64,
}

#[derive(Deserialize)]
struct RoleRow {
    role: Role,
}

#[derive(Deserialize)]
pub(super) struct FamilyRow {
    id: String,
    user_id: UserId,
    token_digest: String,
    user_agent: Option<String>,
    created_ms: u64,
    used_ms: u64,
    expires_ms: u64,
    revoked_ms: Option<u64>,
}

impl From<FamilyRow> for RefreshFamily {
    fn from(row: FamilyRow) -> Self {
        Self {
            id: row.id,
            user: row.user_id,
            token: row.token_digest,
            user_agent: row.user_agent,
            created_ms: row.created_ms,
            used_ms: row.used_ms,
            expires_ms: row.expires_ms,
            revoked_ms: row.revoked_ms,
        }
    }
}

impl UserStore for D1Registry {
    async fn reserve(&self, reservation: &Reservation<'_>) -> Result<bool, RegistryError> {
        let Reservation { email, id, now_ms, until_ms } = *reservation;
        let values = [D1Type::Text(email.as_str()), D1Type::Text(id.as_str()), number(until_ms)];
        let statements = vec![
            self.bind(DELETE_EXPIRED_RESERVATIONS, &[number(now_ms)])?,
            self.bind(RESERVE, &values)?,
        ];
        let results = self.batch(statements).await?;
        Ok(!results.rows::<FoundRow>(1)?.is_empty())
    }

    async fn release(&self, email: &Email, id: &UserId) -> Result<(), RegistryError> {
        self.run(RELEASE, &[email.as_str(), id.as_str()].map(D1Type::Text)).await
    }

    async fn create(&self, user: &NewUser<'_>) -> Result<Created, RegistryError> {
        let (id, email) = (user.id.as_str(), user.email.as_str());
        let values = [
            D1Type::Text(id),
            D1Type::Text(email),
            D1Type::Text(&user.password.0),
            text(user.nickname.map(Nickname::as_str)),
            text(user.image_key.map(ObjectKey::as_str)),
            number(user.created_ms),
        ];
        let mut statements =
            vec![self.bind(CREATE, &values)?, self.bind(RELEASE, &[email, id].map(D1Type::Text))?];
        if let Some(event) = user.event {
            // Not for an account that was there before: its event has the same id, or was delivered.
            let created = "EXISTS (SELECT 1 FROM users WHERE id = ?7 \
                 AND email = ?8 AND created_ms = ?6)";
            statements.push(self.add_event(event, created, &[id, email])?);
        }
        let results = self.batch(statements).await?;
        if !results.rows::<FoundRow>(0)?.is_empty() {
            return Ok(Created::Now);
        }
        let row: Option<FoundRow> = self.first(ID_TAKEN, &[id, email].map(D1Type::Text)).await?;
        Ok(if row.is_some() { Created::IdTaken } else { Created::EmailTaken })
    }

    /// A user without a password is not found: nobody can log in with one.
    async fn by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, RegistryError> {
        let row: Option<UserRow> = self.first(BY_EMAIL, &[D1Type::Text(email.as_str())]).await?;
        let (user, password) = row.map(UserRow::user).unzip();
        Ok(user.zip(password.flatten()))
    }

    async fn by_id(&self, id: &UserId) -> Result<Option<User>, RegistryError> {
        self.user(BY_ID, &[D1Type::Text(id.as_str())]).await
    }

    async fn change(
        &self,
        id: &UserId,
        change: &UserChange,
    ) -> Result<Option<User>, RegistryError> {
        let values = [
            D1Type::Text(id.as_str()),
            number((!change.nickname.keeps()).into()),
            text(change.nickname.value().map(Nickname::as_str)),
            number((!change.image_key.keeps()).into()),
            text(change.image_key.value().map(ObjectKey::as_str)),
        ];
        self.run(CHANGE, &values).await?;
        self.by_id(id).await
    }

    async fn change_password(
        &self,
        change: &NewPassword<'_>,
    ) -> Result<Option<u32>, RegistryError> {
        let NewPassword { user, old, new, ends, now_ms } = *change;
        let values = [user.as_str(), &old.0, &new.0].map(D1Type::Text);
        let statements = vec![
            self.bind(CHANGE_PASSWORD, &values)?,
            self.bind(REVOKE_OF, &revocation(user, ends, now_ms, Some(new)))?,
        ];
        let results = self.batch(statements).await?;
        if results.rows::<FoundRow>(0)?.is_empty() {
            return Ok(None);
        }
        let ended = results.rows::<FoundRow>(1)?.len();
        Ok(Some(u32::try_from(ended).unwrap_or(u32::MAX)))
    }

    async fn open(&self, family: &RefreshFamily) -> Result<(), RegistryError> {
        let (user, created_ms) = (family.user.as_str(), number(family.created_ms));
        let values = [
            D1Type::Text(&family.id),
            D1Type::Text(user),
            D1Type::Text(&family.token),
            text(family.user_agent.as_deref()),
            number(family.created_ms),
            number(family.expires_ms),
        ];
        let statements = vec![
            self.bind(DELETE_EXPIRED_FAMILIES, &[D1Type::Text(user), created_ms])?,
            self.bind(OPEN, &values)?,
        ];
        self.batch(statements).await.map(|_| ())
    }

    async fn rotate(
        &self,
        rotation: &TokenRotation<'_>,
    ) -> Result<Option<(UserId, u64)>, RegistryError> {
        let values = [
            D1Type::Text(rotation.family),
            D1Type::Text(rotation.last),
            D1Type::Text(rotation.next),
            number(rotation.now_ms),
            number(rotation.lifetime_ms),
            number(rotation.family_lifetime_ms),
        ];
        let row: Option<RotatedRow> = self.first(ROTATE, &values).await?;
        Ok(row.map(|row| (row.user_id, row.expires_ms)))
    }

    async fn family(&self, id: &str) -> Result<Option<RefreshFamily>, RegistryError> {
        let row: Option<FamilyRow> = self.first(FAMILY, &[D1Type::Text(id)]).await?;
        Ok(row.map(RefreshFamily::from))
    }

    async fn revoke(&self, id: &str, now_ms: u64) -> Result<bool, RegistryError> {
        let values = [D1Type::Text(id), number(now_ms)];
        let row: Option<FoundRow> = self.first(REVOKE, &values).await?;
        Ok(row.is_some())
    }

    async fn sessions(
        &self,
        user: &UserId,
        now_ms: u64,
        limit: u32,
    ) -> Result<Vec<RefreshFamily>, RegistryError> {
        let values = [D1Type::Text(user.as_str()), number(now_ms), number(limit.into())];
        let rows: Vec<FamilyRow> = self.rows(SESSIONS, &values).await?;
        Ok(rows.into_iter().map(RefreshFamily::from).collect())
    }

    async fn revoke_of(
        &self,
        user: &UserId,
        which: WhichSessions<'_>,
        now_ms: u64,
    ) -> Result<u32, RegistryError> {
        let values = revocation(user, which, now_ms, None);
        let rows: Vec<FoundRow> = self.rows(REVOKE_OF, &values).await?;
        Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
    }

    async fn session_role(
        &self,
        id: &str,
        user: &UserId,
        now_ms: u64,
    ) -> Result<Option<Role>, RegistryError> {
        let values = [D1Type::Text(id), D1Type::Text(user.as_str()), number(now_ms)];
        let row: Option<RoleRow> = self.first(SESSION_ROLE, &values).await?;
        Ok(row.map(|row| row.role))
    }
}

impl D1Registry {
    /// The user whom a statement finds, also one without a password.
    pub(super) async fn user(
        &self,
        sql: &str,
        values: &[D1Type<'_>],
    ) -> Result<Option<User>, RegistryError> {
        let row: Option<UserRow> = self.first(sql, values).await?;
        Ok(row.map(|row| row.user().0))
    }
}

/// The values of [`REVOKE_OF`].
fn revocation<'a>(
    user: &'a UserId,
    which: WhichSessions<'a>,
    now_ms: u64,
    password: Option<&'a PasswordHash>,
) -> [D1Type<'a>; 5] {
    let (id, kind) = match which {
        WhichSessions::All => ("", "all"),
        WhichSessions::Only(id) => (id, "only"),
        WhichSessions::AllBut(id) => (id, "all_but"),
    };
    [
        D1Type::Text(user.as_str()),
        number(now_ms),
        D1Type::Text(id),
        D1Type::Text(kind),
        text(password.map(|hash| &*hash.0)),
    ]
}
