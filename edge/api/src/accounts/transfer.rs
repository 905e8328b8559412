//! Transfers a guest's image to the account that the guest signs up for.
//!
//! The e-mail address is reserved first, then the image is claimed, and the account is written last, with its image. The
//! id of the account is derived from guest token and image key, so a client that was interrupted at any step and
//! retries while the guest token lives is the same claimant and continues. Until then there is no account; the image of
//! a sign-up that was interrupted after the claim and never repeated belongs to an id without an account.

use edge_ledger::{ClaimImage, FindPendingImage, LedgerClient};
use edge_registry::{ImageRow, ImageStore, Registry};
use edge_storage::ObjectKey;
use edge_types::{ImageId, Problem, UserId};
use image_rules::Code;
use sha2::{Digest, Sha256};

use crate::{
    app::App, context::RequestContext, error::ApiError, forms, images, ports::Ports, webhooks,
};

/// How a sign-up names the image.
pub(super) enum ImageName {
    Id(ImageId),
    Key(ObjectKey),
}

/// An image and the guest who uploaded it; made only with the guest's token.
pub(super) struct GuestImageTransfer {
    pub(super) key: ObjectKey,
    guest: UserId,
    id: UserId,
}

impl GuestImageTransfer {
    /// # Errors
    /// `IMAGE_NOT_FOUND`, `USER_MISMATCH` for another's image, and the errors of
    /// the token.
    pub(super) async fn new<P: Ports>(
        app: &App<P>,
        name: ImageName,
        guest_token: &str,
    ) -> Result<Self, ApiError> {
        let guest = app.authenticator().authenticate_guest(guest_token).await?.user().clone();
        let key = match name {
            ImageName::Key(key) => key,
            ImageName::Id(id) => key_of(app, &guest, id).await?.ok_or(Code::ImageNotFound)?,
        };
        if key.owner().as_ref() != Some(&guest) {
            return Err(Code::UserMismatch.into());
        }
        let seed = Sha256::new_with_prefix("account of a guest\n");
        let seed = seed.chain_update(guest_token).chain_update("\n").chain_update(key.as_str());
        let id = user_id(&seed.finalize()).ok_or(Code::TokenInvalid)?;
        Ok(Self { key, guest, id })
    }

    /// The id of the new account.
    pub(super) const fn id(&self) -> &UserId {
        &self.id
    }

    /// Claims the image for the new account.
    ///
    /// # Errors
    /// `IMAGE_NOT_FOUND` when it has expired, `IMAGE_ALREADY_REGISTERED` when it is another's, `BUSY` when a retry
    /// continues.
    pub(super) async fn claim<P: Ports>(
        &self,
        app: &App<P>,
        context: &RequestContext<'_>,
    ) -> Result<(), ApiError> {
        let Self { key, guest, id } = self;
        let command = ClaimImage::new(key.clone(), id.clone());
        match images::claim(app, context, guest, command).await {
            // It is the account's already, when the first attempt was interrupted; or the guest's, where guests'
            // images are registered at once.
            Err(ApiError::Client(Problem { code: Code::ImageAlreadyRegistered, .. }))
                if transfer(app, key, guest, id).await? =>
            {
                let row = app.ports.registry().find(key).await?;
                if let Some(row) = row
                    && let Some(place) = forms::place_of(app, &row).await?
                {
                    forms::confirm(app, &place.form, key, &place.owner).await;
                }
                Ok(())
            }
            outcome => outcome.map(|_| ()),
        }
    }
}

/// The key of an image by its number, which that of a guest has also while it is pending.
async fn key_of<P: Ports>(
    app: &App<P>,
    guest: &UserId,
    id: ImageId,
) -> Result<Option<ObjectKey>, ApiError> {
    if id.pending_since_ms().is_some() {
        return Ok(app.ports.ledger().send_to_user(guest, FindPendingImage { id }).await?);
    }
    let row = app.ports.registry().get(id).await?;
    Ok(row.and_then(|row| ObjectKey::parse(&row.key)))
}

/// Makes an image of a guest one of the account, with the event for the back end.
async fn transfer<P: Ports>(
    app: &App<P>,
    key: &ObjectKey,
    guest: &UserId,
    id: &UserId,
) -> Result<bool, ApiError> {
    let registry = app.ports.registry();
    let event = match webhooks::settings(app) {
        Some(_) => registry.find(key).await?.and_then(|row| {
            webhooks::claim_event(app, key, &ImageRow { owner: id.to_string(), ..row })
        }),
        None => None,
    };
    let is_theirs = registry.transfer_ownership(key, guest, id, event.as_ref()).await?;
    webhooks::enqueue_later(app);
    Ok(is_theirs)
}

/// `u` and 128 bits: never the id of a guest or a number of a platform's user.
pub(super) fn user_id(random: &[u8]) -> Option<UserId> {
    let number = u128::from_be_bytes(*random.first_chunk()?);
    UserId::parse(&format!("u{number:032x}"))
}
