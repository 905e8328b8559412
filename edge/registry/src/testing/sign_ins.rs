//! Sign-in at providers, in memory.

use edge_types::{Email, Role, UserId, timestamp};
use serde_json::{Value, json};

use super::FakeUserStore;
use crate::{
    Identity, IdentityLink, IdentityUser, LinkReason, PasswordHash, Registry, RegistryError,
    SignInStore, User, UserStore, WhichSessions,
};

/// An account at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeIdentity {
    pub user: UserId,
    pub issuer: String,
    pub subject: String,
    pub created_ms: u64,
}

impl SignInStore for FakeUserStore {
    async fn add_sign_in(
        &self,
        digest: &str,
        content: &str,
        expires_ms: u64,
    ) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        let kept = (content.to_owned(), expires_ms);
        self.sign_ins.borrow_mut().insert(digest.to_owned(), kept);
        Ok(())
    }

    async fn sign_in(&self, digest: &str, now_ms: u64) -> Result<Option<String>, RegistryError> {
        self.registry.probe().await?;
        let kept = self.sign_ins.borrow().get(digest).cloned();
        Ok(kept.filter(|(_, expires_ms)| *expires_ms > now_ms).map(|(content, _)| content))
    }

    async fn take_sign_in(
        &self,
        digest: &str,
        now_ms: u64,
    ) -> Result<Option<String>, RegistryError> {
        let kept = self.sign_in(digest, now_ms).await?;
        self.sign_ins.borrow_mut().remove(digest);
        Ok(kept)
    }

    async fn user_of(&self, identity: Identity<'_>) -> Result<Option<User>, RegistryError> {
        self.registry.probe().await?;
        let id = self.identities.borrow().iter().find_map(|it| {
            let is_it = it.issuer == identity.issuer && it.subject == identity.subject;
            is_it.then(|| it.user.clone())
        });
        match id {
            Some(id) => self.by_id(&id).await,
            None => Ok(None),
        }
    }

    async fn user_at(&self, email: &Email) -> Result<Option<User>, RegistryError> {
        self.registry.probe().await?;
        let users = self.users.borrow();
        Ok(users.iter().find(|(user, _)| user.email == email.as_str()).map(|it| it.0.clone()))
    }

    async fn add_user_of(&self, new: &IdentityUser<'_>) -> Result<bool, RegistryError> {
        let is_taken = match new.email {
            Some(email) => self.user_at(email).await?.is_some(),
            None => false,
        };
        if is_taken || self.user_of(new.identity).await?.is_some() {
            return Ok(false);
        }
        let user = User {
            id: new.id.clone(),
            email: new.email.map(|email| email.as_str().to_owned()).unwrap_or_default(),
            role: Role::User,
            nickname: None,
            image_key: None,
            image_review: None,
            created_ms: new.created_ms,
            has_verified_email: new.email.is_some(),
        };
        // Nobody has the password whose hash is empty.
        self.users.borrow_mut().push((user, PasswordHash(String::new())));
        self.add_identity(new.id, new.identity, new.created_ms);
        self.registry.add_new_event(new.event);
        Ok(true)
    }

    async fn link(&self, link: &IdentityLink<'_>) -> Result<bool, RegistryError> {
        let Some(user) = self.by_id(link.user).await? else { return Ok(false) };
        let holds = match link.reason {
            LinkReason::BothVerified => user.has_verified_email,
            LinkReason::TakenOver => !user.has_verified_email,
            LinkReason::Proved => true,
        };
        if !holds || user.role != Role::User || self.user_of(link.identity).await?.is_some() {
            return Ok(false);
        }
        if link.reason == LinkReason::TakenOver {
            self.identities.borrow_mut().retain(|it| it.user != *link.user);
            self.links.borrow_mut().retain(|it| it.user.as_ref() != Some(link.user));
            self.revoke_of(link.user, WhichSessions::All, link.now_ms).await?;
            for (user, password) in self.users.borrow_mut().iter_mut() {
                if user.id == *link.user {
                    user.has_verified_email = true;
                    password.0.clear();
                }
            }
        }
        self.add_identity(link.user, link.identity, link.now_ms);
        Ok(true)
    }

    async fn identities_of(&self, user: &UserId) -> Result<Value, RegistryError> {
        self.registry.probe().await?;
        let identities = self.identities.borrow();
        let view = |it: &FakeIdentity| {
            let created_at = timestamp(it.created_ms);
            json!({ "issuer": it.issuer, "subject": it.subject, "createdAt": created_at })
        };
        Ok(identities.iter().filter(|it| it.user == *user).map(view).collect())
    }

    async fn delete_expired_sign_ins(&self, now_ms: u64) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        self.sign_ins.borrow_mut().retain(|_, (_, expires_ms)| *expires_ms > now_ms);
        Ok(())
    }
}

impl FakeUserStore {
    fn add_identity(&self, user: &UserId, identity: Identity<'_>, created_ms: u64) {
        self.identities.borrow_mut().push(FakeIdentity {
            user: user.clone(),
            issuer: identity.issuer.to_owned(),
            subject: identity.subject.to_owned(),
            created_ms,
        });
    }
}
