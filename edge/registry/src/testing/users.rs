//! Users in memory.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use edge_types::{Email, Role, UserId};

use super::{FakeRegistry, mail_links::FakeLink, sign_ins::FakeIdentity};
use crate::{
    Created, NewPassword, NewUser, PasswordHash, RefreshFamily, Registry, RegistryError,
    Reservation, TokenRotation, User, UserChange, UserStore, WhichSessions,
};

/// Users in memory; fails when the registry beside it does.
#[derive(Default)]
pub struct FakeUserStore {
    pub users: RefCell<Vec<(User, PasswordHash)>>,
    pub families: RefCell<Vec<RefreshFamily>>,
    /// By address: the user and the end.
    pub reservations: RefCell<BTreeMap<String, (UserId, u64)>>,
    pub links: RefCell<Vec<FakeLink>>,
    pub identities: RefCell<Vec<FakeIdentity>>,
    /// By digest: the content and the end.
    pub sign_ins: RefCell<BTreeMap<String, (String, u64)>>,
    /// Whether the next `create` fails, as when a request is cancelled before it.
    pub cut_off: Cell<bool>,
    pub(super) registry: Rc<FakeRegistry>,
}

impl FakeUserStore {
    /// In the same database as this registry.
    pub fn beside(registry: Rc<FakeRegistry>) -> Self {
        Self { registry, ..Self::default() }
    }

    /// The user, with an image only while it is registered.
    fn visible(&self, user: &User) -> User {
        let rows = self.registry.rows.borrow();
        let row = rows.iter().find(|row| Some(&row.key) == user.image_key.as_ref());
        let (image_key, image_review) =
            (row.map(|it| it.key.clone()), row.and_then(|it| it.review));
        User { image_key, image_review, ..user.clone() }
    }
}

impl UserStore for FakeUserStore {
    async fn reserve(&self, reservation: &Reservation<'_>) -> Result<bool, RegistryError> {
        self.registry.probe().await?;
        let Reservation { email, id, now_ms, until_ms } = *reservation;
        let email = email.as_str();
        let mut reservations = self.reservations.borrow_mut();
        reservations.retain(|_, (_, until_ms)| *until_ms > now_ms);
        let is_free = reservations.get(email).is_none_or(|(user, _)| user == id)
            && self.users.borrow().iter().all(|(user, _)| user.email != email);
        if is_free {
            reservations.insert(email.to_owned(), (id.clone(), until_ms));
        }
        Ok(is_free)
    }

    async fn release(&self, email: &Email, id: &UserId) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        self.reservations.borrow_mut().retain(|it, (user, _)| it != email.as_str() || user != id);
        Ok(())
    }

    async fn create(&self, new: &NewUser<'_>) -> Result<Created, RegistryError> {
        self.registry.probe().await?;
        if self.cut_off.take() {
            return Err(RegistryError("cut off".to_owned()));
        }
        let mut users = self.users.borrow_mut();
        let mut reservations = self.reservations.borrow_mut();
        let reserved = reservations.get(new.email.as_str());
        if users.iter().any(|(user, _)| user.email == new.email.as_str())
            || reserved.is_some_and(|(id, until_ms)| id != new.id && *until_ms > new.created_ms)
        {
            return Ok(Created::EmailTaken);
        }
        reservations.remove(new.email.as_str());
        if users.iter().any(|(user, _)| user.id == *new.id) {
            return Ok(Created::IdTaken);
        }
        let user = User {
            id: new.id.clone(),
            email: new.email.as_str().to_owned(),
            role: Role::User,
            nickname: new.nickname.map(|name| name.as_str().to_owned()),
            image_key: new.image_key.map(ToString::to_string),
            image_review: None,
            created_ms: new.created_ms,
            has_verified_email: false,
        };
        users.push((user, new.password.clone()));
        self.registry.add_new_event(new.event);
        Ok(Created::Now)
    }

    async fn by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, RegistryError> {
        self.registry.probe().await?;
        let users = self.users.borrow();
        let found =
            users.iter().find(|(user, hash)| user.email == email.as_str() && !hash.0.is_empty());
        Ok(found.map(|(user, password)| (self.visible(user), password.clone())))
    }

    async fn by_id(&self, id: &UserId) -> Result<Option<User>, RegistryError> {
        self.registry.probe().await?;
        let users = self.users.borrow();
        Ok(users.iter().find(|(user, _)| user.id == *id).map(|(user, _)| self.visible(user)))
    }

    async fn change(
        &self,
        id: &UserId,
        change: &UserChange,
    ) -> Result<Option<User>, RegistryError> {
        self.registry.probe().await?;
        let mut users = self.users.borrow_mut();
        let Some((user, _)) = users.iter_mut().find(|(user, _)| user.id == *id) else {
            return Ok(None);
        };
        if !change.nickname.keeps() {
            user.nickname = change.nickname.value().map(|name| name.as_str().to_owned());
        }
        if !change.image_key.keeps() {
            user.image_key = change.image_key.value().map(ToString::to_string);
        }
        Ok(Some(self.visible(user)))
    }

    async fn change_password(
        &self,
        change: &NewPassword<'_>,
    ) -> Result<Option<u32>, RegistryError> {
        self.registry.probe().await?;
        let is_theirs =
            |it: &&mut (User, PasswordHash)| it.0.id == *change.user && it.1.0 == change.old.0;
        let has_changed = self.users.borrow_mut().iter_mut().find(is_theirs).map(|(_, hash)| {
            *hash = change.new.clone();
        });
        if has_changed.is_none() {
            return Ok(None);
        }
        self.revoke_of(change.user, change.ends, change.now_ms).await.map(Some)
    }

    async fn open(&self, family: &RefreshFamily) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        let mut families = self.families.borrow_mut();
        families.retain(|it| it.user != family.user || it.expires_ms > family.created_ms);
        families.push(family.clone());
        Ok(())
    }

    async fn rotate(
        &self,
        rotation: &TokenRotation<'_>,
    ) -> Result<Option<(UserId, u64)>, RegistryError> {
        self.registry.probe().await?;
        let TokenRotation { now_ms, lifetime_ms, family_lifetime_ms, .. } = *rotation;
        let mut families = self.families.borrow_mut();
        let good = families.iter_mut().find(|family| {
            family.id == rotation.family
                && family.token == rotation.last
                && family.is_open(now_ms)
                && family.created_ms + family_lifetime_ms > now_ms
        });
        Ok(good.map(|family| {
            rotation.next.clone_into(&mut family.token);
            family.used_ms = now_ms;
            family.expires_ms = (now_ms + lifetime_ms).min(family.created_ms + family_lifetime_ms);
            (family.user.clone(), family.expires_ms)
        }))
    }

    async fn family(&self, id: &str) -> Result<Option<RefreshFamily>, RegistryError> {
        self.registry.probe().await?;
        Ok(self.families.borrow().iter().find(|family| family.id == id).cloned())
    }

    async fn revoke(&self, id: &str, now_ms: u64) -> Result<bool, RegistryError> {
        self.registry.probe().await?;
        let mut families = self.families.borrow_mut();
        let open = families.iter_mut().find(|it| it.id == id && it.revoked_ms.is_none());
        Ok(open.map(|family| family.revoked_ms = Some(now_ms)).is_some())
    }

    async fn sessions(
        &self,
        user: &UserId,
        now_ms: u64,
        limit: u32,
    ) -> Result<Vec<RefreshFamily>, RegistryError> {
        self.registry.probe().await?;
        let families = self.families.borrow();
        let open = families.iter().filter(|family| family.user == *user && family.is_open(now_ms));
        let mut open: Vec<_> = open.cloned().collect();
        open.sort_by_key(|family| core::cmp::Reverse(family.used_ms));
        open.truncate(limit as usize);
        Ok(open)
    }

    async fn revoke_of(
        &self,
        user: &UserId,
        which: WhichSessions<'_>,
        now_ms: u64,
    ) -> Result<u32, RegistryError> {
        self.registry.probe().await?;
        let mut count = 0;
        for family in self.families.borrow_mut().iter_mut() {
            if family.user == *user && family.is_open(now_ms) && which.include(&family.id) {
                family.revoked_ms = Some(now_ms);
                count += 1;
            }
        }
        Ok(count)
    }

    async fn session_role(
        &self,
        id: &str,
        user: &UserId,
        now_ms: u64,
    ) -> Result<Option<Role>, RegistryError> {
        self.registry.probe().await?;
        let families = self.families.borrow();
        let is_open = families
            .iter()
            .any(|family| family.id == id && family.user == *user && family.is_open(now_ms));
        let users = self.users.borrow();
        let found = users.iter().find(|(found, _)| is_open && found.id == *user);
        Ok(found.map(|(user, _)| user.role))
    }
}
