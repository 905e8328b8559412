//! Accounts in memory, for tests.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use super::{
    Accounts, Change, Created, Email, Family, NewUser, PasswordHash, Reservation, Turn, User,
};
use crate::{
    auth::{Role, UserId},
    registry::{Registry, RegistryFault, memory::MemoryRegistry},
};

/// Keeps users and families in order of their coming; fails when the registry beside it does.
#[derive(Default)]
pub struct MemoryAccounts {
    /// The users and their passwords' hashes.
    pub users: RefCell<Vec<(User, PasswordHash)>>,
    /// The families.
    pub families: RefCell<Vec<Family>>,
    /// Reserved addresses, for whom and until when.
    pub reservations: RefCell<BTreeMap<String, (UserId, u64)>>,
    /// Whether the next user cannot be added, as when a request is cut off before.
    pub cut_off: Cell<bool>,
    registry: Rc<MemoryRegistry>,
}

impl MemoryAccounts {
    /// In the same database as this registry.
    #[must_use]
    pub fn beside(registry: Rc<MemoryRegistry>) -> Self {
        Self { registry, ..Self::default() }
    }

    /// A user as they are told of: with a picture only while it is registered.
    fn told(&self, user: &User) -> User {
        let registered = self.registry.keys();
        let picture_key = user.picture_key.clone().filter(|key| registered.contains(key));
        User { picture_key, ..user.clone() }
    }
}

impl Accounts for MemoryAccounts {
    async fn reserve(&self, reservation: &Reservation<'_>) -> Result<bool, RegistryFault> {
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

    async fn release(&self, email: &Email, id: &UserId) -> Result<(), RegistryFault> {
        self.registry.probe().await?;
        self.reservations.borrow_mut().retain(|it, (user, _)| it != email.as_str() || user != id);
        Ok(())
    }

    async fn create(&self, new: &NewUser<'_>) -> Result<Created, RegistryFault> {
        self.registry.probe().await?;
        if self.cut_off.take() {
            return Err(RegistryFault("cut off".to_owned()));
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
            picture_key: new.picture_key.map(ToString::to_string),
            created_ms: new.created_ms,
        };
        users.push((user, new.password.clone()));
        Ok(Created::Now)
    }

    async fn by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, RegistryFault> {
        self.registry.probe().await?;
        let users = self.users.borrow();
        let found = users.iter().find(|(user, _)| user.email == email.as_str());
        Ok(found.map(|(user, password)| (self.told(user), password.clone())))
    }

    async fn by_id(&self, id: &UserId) -> Result<Option<User>, RegistryFault> {
        self.registry.probe().await?;
        let users = self.users.borrow();
        Ok(users.iter().find(|(user, _)| user.id == *id).map(|(user, _)| self.told(user)))
    }

    async fn change(&self, id: &UserId, change: &Change) -> Result<Option<User>, RegistryFault> {
        self.registry.probe().await?;
        let mut users = self.users.borrow_mut();
        let Some((user, _)) = users.iter_mut().find(|(user, _)| user.id == *id) else {
            return Ok(None);
        };
        if !change.nickname.keeps() {
            user.nickname = change.nickname.value().map(|name| name.as_str().to_owned());
        }
        if !change.picture_key.keeps() {
            user.picture_key = change.picture_key.value().map(ToString::to_string);
        }
        Ok(Some(self.told(user)))
    }

    async fn open(&self, family: &Family) -> Result<(), RegistryFault> {
        self.registry.probe().await?;
        let mut families = self.families.borrow_mut();
        families.retain(|it| it.user != family.user || it.expires_ms > family.created_ms);
        families.push(family.clone());
        Ok(())
    }

    async fn rotate(&self, turn: &Turn<'_>) -> Result<Option<UserId>, RegistryFault> {
        self.registry.probe().await?;
        let mut families = self.families.borrow_mut();
        let good = families.iter_mut().find(|family| {
            family.id == turn.family
                && family.token == turn.last
                && family.revoked_ms.is_none()
                && family.expires_ms > turn.now_ms
        });
        Ok(good.map(|family| {
            turn.next.clone_into(&mut family.token);
            family.expires_ms = turn.expires_ms;
            family.user.clone()
        }))
    }

    async fn family(&self, id: &str) -> Result<Option<Family>, RegistryFault> {
        self.registry.probe().await?;
        Ok(self.families.borrow().iter().find(|family| family.id == id).cloned())
    }

    async fn revoke(&self, id: &str, now_ms: u64) -> Result<bool, RegistryFault> {
        self.registry.probe().await?;
        let mut families = self.families.borrow_mut();
        let open = families.iter_mut().find(|it| it.id == id && it.revoked_ms.is_none());
        Ok(open.map(|family| family.revoked_ms = Some(now_ms)).is_some())
    }
}
