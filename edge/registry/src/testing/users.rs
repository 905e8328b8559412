//! Users in memory.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use edge_types::{Email, Role, UserId};

use super::FakeRegistry;
use crate::{
    Created, NewUser, PasswordHash, RefreshFamily, Registry, RegistryError, Reservation,
    TokenRotation, User, UserChange, UserStore,
};

/// Users in memory; fails when the registry beside it does.
#[derive(Default)]
pub struct FakeUserStore {
    pub users: RefCell<Vec<(User, PasswordHash)>>,
    pub families: RefCell<Vec<RefreshFamily>>,
    /// By address: the user and the end.
    pub reservations: RefCell<BTreeMap<String, (UserId, u64)>>,
    /// Whether the next `create` fails, as when a request is cancelled before it.
    pub cut_off: Cell<bool>,
    registry: Rc<FakeRegistry>,
}

impl FakeUserStore {
    /// In the same database as this registry.
    pub fn beside(registry: Rc<FakeRegistry>) -> Self {
        Self { registry, ..Self::default() }
    }

    /// The user, with an image only while it is registered.
    fn visible(&self, user: &User) -> User {
        let find_registered = self.registry.keys();
        let image_key = user.image_key.clone().filter(|key| find_registered.contains(key));
        User { image_key, ..user.clone() }
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
            created_ms: new.created_ms,
        };
        users.push((user, new.password.clone()));
        Ok(Created::Now)
    }

    async fn by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, RegistryError> {
        self.registry.probe().await?;
        let users = self.users.borrow();
        let found = users.iter().find(|(user, _)| user.email == email.as_str());
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

    async fn open(&self, family: &RefreshFamily) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        let mut families = self.families.borrow_mut();
        families.retain(|it| it.user != family.user || it.expires_ms > family.created_ms);
        families.push(family.clone());
        Ok(())
    }

    async fn rotate(&self, rotation: &TokenRotation<'_>) -> Result<Option<UserId>, RegistryError> {
        self.registry.probe().await?;
        let mut families = self.families.borrow_mut();
        let good = families.iter_mut().find(|family| {
            family.id == rotation.family
                && family.token == rotation.last
                && family.revoked_ms.is_none()
                && family.expires_ms > rotation.now_ms
        });
        Ok(good.map(|family| {
            rotation.next.clone_into(&mut family.token);
            family.expires_ms = rotation.expires_ms;
            family.user.clone()
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
}
