//! Accounts on the D1 database of the registry. Values are bound, never written into the statement.

use serde::Deserialize;
use worker::{D1Database, D1PreparedStatement, D1Type};

use super::d1::{bind, first, found, in_time, number, text};
use crate::{
    accounts::{
        Accounts, Change, Created, Email, Family, NewUser, Nickname, PasswordHash, Reservation,
        Turn, User,
    },
    auth::{Role, UserId},
    registry::RegistryFault,
    storage::ObjectKey,
};

/// Users and families in D1.
pub struct D1Accounts(pub D1Database);

// One statement each, so that of several who ask at once one succeeds.
const END_RESERVATIONS: &str = "DELETE FROM reservations WHERE until_ms <= ?1";
const RESERVE: &str = "INSERT INTO reservations (email, user, until_ms) SELECT ?1, ?2, ?3 \
     WHERE NOT EXISTS (SELECT 1 FROM users WHERE email = ?1) \
     ON CONFLICT (email) DO UPDATE SET until_ms = excluded.until_ms WHERE user = excluded.user \
     RETURNING user AS id";
const RELEASE: &str = "DELETE FROM reservations WHERE email = ?1 AND user = ?2";
const INSERT: &str = "INSERT INTO users (id, email, password, nickname, picture_key, created_ms) \
     SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS \
     (SELECT 1 FROM reservations WHERE email = ?2 AND user <> ?1 AND until_ms > ?6) \
     ON CONFLICT DO NOTHING RETURNING id";
const ID_TAKEN: &str = "SELECT id FROM users WHERE id = ?1 AND email <> ?2";
// A picture that was deleted is nobody's profile any more.
const BY_EMAIL: &str = "SELECT users.*, images.key AS registered_key FROM users \
     LEFT JOIN images ON images.key = users.picture_key WHERE users.email = ?1";
const BY_ID: &str = "SELECT users.*, images.key AS registered_key FROM users \
     LEFT JOIN images ON images.key = users.picture_key WHERE users.id = ?1";
const CHANGE: &str = "UPDATE users SET nickname = CASE ?2 WHEN 1 THEN ?3 ELSE nickname END, \
     picture_key = CASE ?4 WHEN 1 THEN ?5 ELSE picture_key END WHERE id = ?1";

const FORGET: &str = "DELETE FROM families WHERE user = ?1 AND expires_ms <= ?2";
const OPEN: &str = "INSERT INTO families (id, user, token, created_ms, expires_ms) \
     VALUES (?1, ?2, ?3, ?4, ?5)";
const ROTATE: &str = "UPDATE families SET token = ?3, expires_ms = ?4 WHERE id = ?1 AND token = ?2 \
     AND revoked_ms IS NULL AND expires_ms > ?5 RETURNING user";
const FAMILY: &str = "SELECT * FROM families WHERE id = ?1";
const REVOKE: &str =
    "UPDATE families SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL RETURNING user";

#[derive(Deserialize)]
struct UserRow {
    id: String,
    email: String,
    password: String,
    role: Role,
    nickname: Option<String>,
    registered_key: Option<String>,
    created_ms: u64,
}

#[derive(Deserialize)]
struct IdRow {
    #[serde(rename = "id")]
    _id: String,
}

#[derive(Deserialize)]
struct OwnerRow {
    user: String,
}

#[derive(Deserialize)]
struct FamilyRow {
    id: String,
    user: String,
    token: String,
    created_ms: u64,
    expires_ms: u64,
    revoked_ms: Option<u64>,
}

impl D1Accounts {
    fn bind(&self, sql: &str, values: &[D1Type<'_>]) -> Result<D1PreparedStatement, RegistryFault> {
        bind(&self.0, sql, values)
    }

    async fn user(
        &self,
        sql: &str,
        value: &str,
    ) -> Result<Option<(User, PasswordHash)>, RegistryFault> {
        let row: Option<UserRow> = first(self.bind(sql, &[D1Type::Text(value)])?).await?;
        row.map(UserRow::user).transpose()
    }
}

impl Accounts for D1Accounts {
    async fn reserve(&self, reservation: &Reservation<'_>) -> Result<bool, RegistryFault> {
        let Reservation { email, id, now_ms, until_ms } = *reservation;
        let names = [email.as_str(), id.as_str()].map(D1Type::Text);
        let values: Vec<_> = names.into_iter().chain([number(until_ms)]).collect();
        let statements =
            vec![self.bind(END_RESERVATIONS, &[number(now_ms)])?, self.bind(RESERVE, &values)?];
        let results = in_time(self.0.batch(statements)).await?;
        Ok(!found::<IdRow>(&results, 1)?.is_empty())
    }

    async fn release(&self, email: &Email, id: &UserId) -> Result<(), RegistryFault> {
        let names = [email.as_str(), id.as_str()].map(D1Type::Text);
        in_time(self.bind(RELEASE, &names)?.run()).await.map(|_| ())
    }

    async fn create(&self, user: &NewUser<'_>) -> Result<Created, RegistryFault> {
        let names = [user.email.as_str(), user.id.as_str()].map(D1Type::Text);
        let values = [
            D1Type::Text(user.id.as_str()),
            D1Type::Text(user.email.as_str()),
            D1Type::Text(&user.password.0),
            text(user.nickname.map(Nickname::as_str)),
            text(user.picture_key.map(ObjectKey::as_str)),
            number(user.created_ms),
        ];
        let statements = vec![self.bind(INSERT, &values)?, self.bind(RELEASE, &names)?];
        let results = in_time(self.0.batch(statements)).await?;
        if !found::<IdRow>(&results, 0)?.is_empty() {
            return Ok(Created::Now);
        }
        let names = [user.id.as_str(), user.email.as_str()].map(D1Type::Text);
        let taken: Option<IdRow> = first(self.bind(ID_TAKEN, &names)?).await?;
        Ok(taken.map_or(Created::EmailTaken, |_| Created::IdTaken))
    }

    async fn by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, RegistryFault> {
        self.user(BY_EMAIL, email.as_str()).await
    }

    async fn by_id(&self, id: &UserId) -> Result<Option<User>, RegistryFault> {
        Ok(self.user(BY_ID, id.as_str()).await?.map(|(user, _)| user))
    }

    async fn change(&self, id: &UserId, change: &Change) -> Result<Option<User>, RegistryFault> {
        let values = [
            D1Type::Text(id.as_str()),
            number((!change.nickname.keeps()).into()),
            text(change.nickname.value().map(Nickname::as_str)),
            number((!change.picture_key.keeps()).into()),
            text(change.picture_key.value().map(ObjectKey::as_str)),
        ];
        in_time(self.bind(CHANGE, &values)?.run()).await?;
        self.by_id(id).await
    }

    async fn open(&self, family: &Family) -> Result<(), RegistryFault> {
        let user = D1Type::Text(family.user.as_str());
        let values = [
            D1Type::Text(&family.id),
            D1Type::Text(family.user.as_str()),
            D1Type::Text(&family.token),
            number(family.created_ms),
            number(family.expires_ms),
        ];
        let forget = self.bind(FORGET, &[user, number(family.created_ms)])?;
        let open = self.bind(OPEN, &values)?;
        in_time(self.0.batch(vec![forget, open])).await.map(|_| ())
    }

    async fn rotate(&self, turn: &Turn<'_>) -> Result<Option<UserId>, RegistryFault> {
        let values = [
            D1Type::Text(turn.family),
            D1Type::Text(turn.last),
            D1Type::Text(turn.next),
            number(turn.expires_ms),
            number(turn.now_ms),
        ];
        let row: Option<OwnerRow> = first(self.bind(ROTATE, &values)?).await?;
        row.map(|row| user_id(&row.user)).transpose()
    }

    async fn family(&self, id: &str) -> Result<Option<Family>, RegistryFault> {
        let row: Option<FamilyRow> = first(self.bind(FAMILY, &[D1Type::Text(id)])?).await?;
        row.map(FamilyRow::family).transpose()
    }

    async fn revoke(&self, id: &str, now_ms: u64) -> Result<bool, RegistryFault> {
        let values = [D1Type::Text(id), number(now_ms)];
        let row: Option<OwnerRow> = first(self.bind(REVOKE, &values)?).await?;
        Ok(row.is_some())
    }
}

impl UserRow {
    fn user(self) -> Result<(User, PasswordHash), RegistryFault> {
        let user = User {
            id: user_id(&self.id)?,
            email: self.email,
            role: self.role,
            nickname: self.nickname,
            picture_key: self.registered_key,
            created_ms: self.created_ms,
        };
        Ok((user, PasswordHash(self.password)))
    }
}

impl FamilyRow {
    fn family(self) -> Result<Family, RegistryFault> {
        Ok(Family {
            id: self.id,
            user: user_id(&self.user)?,
            token: self.token,
            created_ms: self.created_ms,
            expires_ms: self.expires_ms,
            revoked_ms: self.revoked_ms,
        })
    }
}

fn user_id(text: &str) -> Result<UserId, RegistryFault> {
    UserId::parse(text).ok_or_else(|| RegistryFault("no id of a user".to_owned()))
}
