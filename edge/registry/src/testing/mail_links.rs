//! Links in mails, in memory.

use edge_types::{Role, UserId};

use super::FakeUserStore;
use crate::{
    AccountLink, LinkKind, MailLinkStore, OpenLink, OpenedSignUp, PasswordHash, Registry,
    RegistryError, SignUpLink, User, UserStore, WhichSessions,
};

/// A link in memory.
#[derive(Clone)]
pub struct FakeLink {
    pub kind: LinkKind,
    pub digest: String,
    pub email: String,
    pub user: Option<UserId>,
    pub nickname: Option<String>,
    pub expires_ms: u64,
}

impl FakeUserStore {
    fn usable_link(&self, kind: LinkKind, digest: &str, now_ms: u64) -> Option<FakeLink> {
        let links = self.links.borrow();
        let is_it =
            |it: &&FakeLink| it.kind == kind && it.digest == digest && it.expires_ms > now_ms;
        links.iter().find(is_it).cloned()
    }

    fn delete_links(&self, email: &str) {
        self.links.borrow_mut().retain(|link| link.email != email);
    }
}

impl MailLinkStore for FakeUserStore {
    async fn add_sign_up_link(&self, link: &SignUpLink<'_>) -> Result<bool, RegistryError> {
        self.registry.probe().await?;
        let email = link.email.as_str();
        if self.users.borrow().iter().any(|(user, _)| user.email == email) {
            return Ok(false);
        }
        self.delete_links(email);
        let nickname = link.nickname.map(|name| name.as_str().to_owned());
        self.links.borrow_mut().push(FakeLink {
            kind: LinkKind::SignUp,
            digest: link.digest.to_owned(),
            email: email.to_owned(),
            user: None,
            nickname,
            expires_ms: link.expires_ms,
        });
        Ok(true)
    }

    async fn add_link(&self, link: &AccountLink<'_>) -> Result<bool, RegistryError> {
        self.registry.probe().await?;
        let email = link.email.as_str();
        let users = self.users.borrow();
        let found = users.iter().find(|(user, _)| user.email == email);
        let Some((user, _)) = found else { return Ok(false) };
        self.links.borrow_mut().push(FakeLink {
            kind: link.kind,
            digest: link.digest.to_owned(),
            email: email.to_owned(),
            user: Some(user.id.clone()),
            nickname: None,
            expires_ms: link.expires_ms,
        });
        Ok(true)
    }

    async fn link_email(
        &self,
        kind: LinkKind,
        digest: &str,
        now_ms: u64,
    ) -> Result<Option<String>, RegistryError> {
        self.registry.probe().await?;
        Ok(self.usable_link(kind, digest, now_ms).map(|link| link.email))
    }

    async fn sign_up_by_link(
        &self,
        opened: &OpenedSignUp<'_>,
    ) -> Result<Option<User>, RegistryError> {
        self.registry.probe().await?;
        let link = self.usable_link(LinkKind::SignUp, opened.digest, opened.now_ms);
        let Some(link) = link else { return Ok(None) };
        self.delete_links(&link.email);
        let mut users = self.users.borrow_mut();
        if users.iter().any(|(user, _)| user.email == link.email) {
            return Ok(None);
        }
        let user = User {
            id: opened.id.clone(),
            email: link.email,
            role: Role::User,
            nickname: link.nickname,
            image_key: None,
            image_review: None,
            created_ms: opened.now_ms,
            has_verified_email: true,
        };
        users.push((user.clone(), opened.password.clone()));
        self.registry.add_new_event(opened.event);
        Ok(Some(user))
    }

    async fn verify_by_link(
        &self,
        digest: &str,
        now_ms: u64,
    ) -> Result<Option<UserId>, RegistryError> {
        self.registry.probe().await?;
        let link = self.usable_link(LinkKind::Verify, digest, now_ms);
        let Some(link) = link else { return Ok(None) };
        self.links.borrow_mut().retain(|it| it.digest != digest);
        let mut users = self.users.borrow_mut();
        let Some((user, _)) = users.iter_mut().find(|(it, _)| link.user.as_ref() == Some(&it.id))
        else {
            return Ok(None);
        };
        user.has_verified_email = true;
        Ok(link.user)
    }

    async fn reset_by_link(
        &self,
        digest: &str,
        password: &PasswordHash,
        now_ms: u64,
    ) -> Result<Option<UserId>, RegistryError> {
        self.registry.probe().await?;
        let link = self.usable_link(LinkKind::Reset, digest, now_ms);
        let Some(link) = link else { return Ok(None) };
        self.delete_links(&link.email);
        let is_unverified = self
            .users
            .borrow()
            .iter()
            .any(|(it, _)| link.user.as_ref() == Some(&it.id) && !it.has_verified_email);
        if is_unverified {
            self.identities.borrow_mut().retain(|it| link.user.as_ref() != Some(&it.user));
        }
        let is_theirs = |(it, _): &&mut (User, PasswordHash)| link.user.as_ref() == Some(&it.id);
        let changed = self.users.borrow_mut().iter_mut().find(is_theirs).map(|(user, hash)| {
            user.has_verified_email = true;
            *hash = password.clone();
            user.id.clone()
        });
        let Some(id) = changed else { return Ok(None) };
        self.revoke_of(&id, WhichSessions::All, now_ms).await?;
        Ok(Some(id))
    }

    async fn links_of(&self, user: &UserId, now_ms: u64) -> Result<Vec<OpenLink>, RegistryError> {
        self.registry.probe().await?;
        let links = self.links.borrow();
        let is_theirs = |it: &&FakeLink| it.user.as_ref() == Some(user) && it.expires_ms > now_ms;
        let open = |it: &FakeLink| OpenLink { kind: it.kind, expires_ms: it.expires_ms };
        Ok(links.iter().filter(is_theirs).map(open).collect())
    }

    async fn delete_expired_links(&self, now_ms: u64) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        self.links.borrow_mut().retain(|link| link.expires_ms > now_ms);
        Ok(())
    }
}
