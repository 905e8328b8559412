//! A guest's picture becomes that of the account that the guest signs up for.
//!
//! The e-mail address is reserved first, then the picture is claimed, and the account is written last,
//! with its picture. The id of the account is derived from the guest's token and the picture's key, so
//! a client that was interrupted at any step and asks again (while the guest's token lives) is the same
//! claimant and continues. Until then there is no account; the picture of a sign-up that was
//! interrupted after the claim and never repeated belongs to an id without an account.

use image_rules::Code;
use sha2::{Digest, Sha256};

use crate::{
    app::{App, Ports},
    auth::{UserId, authenticate_guest},
    error::{Failure, Refusal},
    images,
    ledger::message::Claim,
    registry::{Catalogue, ImageId},
    storage::ObjectKey,
};

/// A picture and the guest who uploaded it; only their token makes one.
pub(super) struct Adoption {
    pub(super) key: ObjectKey,
    guest: UserId,
    id: UserId,
}

impl Adoption {
    /// For whoever holds the token of the picture's guest.
    ///
    /// # Errors
    /// `INVALID_IMAGE_URL` for what is no key, `IMAGE_NOT_FOUND`, `USER_MISMATCH` for another's
    /// picture, and what is wrong with the token.
    pub(super) async fn new<P: Ports>(
        app: &App<P>,
        key: Option<&str>,
        image_id: Option<ImageId>,
        guest_token: &str,
    ) -> Result<Self, Failure> {
        let key = match (key, image_id) {
            (Some(key), None) => ObjectKey::parse(key),
            (None, Some(id)) => {
                let row = app.ports.registry().get(id).await?.ok_or(Code::ImageNotFound)?;
                ObjectKey::parse(&row.key)
            }
            _ => None,
        };
        let key = key.ok_or(Code::InvalidImageUrl)?;
        let guest = authenticate_guest(app, guest_token).await?.user().clone();
        if key.owner().as_ref() != Some(&guest) {
            return Err(Code::UserMismatch.into());
        }
        let seed = Sha256::new_with_prefix("account of a guest\n");
        let seed = seed.chain_update(guest_token).chain_update("\n").chain_update(key.as_str());
        let id = user_id(&seed.finalize()).ok_or(Code::TokenInvalid)?;
        Ok(Self { key, guest, id })
    }

    /// The id of the account that it is for.
    pub(super) const fn id(&self) -> &UserId {
        &self.id
    }

    /// Makes the picture that account's.
    ///
    /// # Errors
    /// `IMAGE_NOT_FOUND` when it has expired, `IMAGE_ALREADY_REGISTERED` when it is another's,
    /// `BUSY` when asking again will go on.
    pub(super) async fn claim<P: Ports>(&self, app: &App<P>) -> Result<(), Failure> {
        let Self { key, guest, id } = self;
        let claim = Claim { key: key.clone(), by: id.clone(), form_id: None, original_name: None };
        match images::claim(app, guest, claim).await {
            // Its own already, when the first try was cut off; or the guest's, where guests' pictures
            // are registered at once.
            Err(Failure::Refused(Refusal { code: Code::ImageAlreadyRegistered, .. }))
                if app.ports.registry().hand_over(key, guest, id).await? =>
            {
                Ok(())
            }
            outcome => outcome.map(|_| ()),
        }
    }
}

/// `u` and 128 bits: no guest's, and no number that a platform gives its own users.
pub(super) fn user_id(random: &[u8]) -> Option<UserId> {
    let number = u128::from_be_bytes(*random.first_chunk()?);
    UserId::parse(&format!("u{number:032x}"))
}
