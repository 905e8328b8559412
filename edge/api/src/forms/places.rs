//! The places of pictures in forms with a limit. Nothing here is called for other forms.

use edge_ledger::{ConfirmPlace, FormPlace, LedgerClient, ReleasePlace, ReservePlace};
use edge_registry::ImageRow;
use edge_storage::ObjectKey;
use edge_types::{FormId, FormLimit, FormName, FormRefusal, Problem, Subject, UserId, log};

use super::look_up;
use crate::{
    app::App,
    error::{ApiError, InternalError},
    form_cache::Form,
    ports::Ports,
};

/// How long a registration may take after the lease of its upload.
const REGISTRATION_S: u32 = 60;

/// Reserves a place for a picture of this owner. A form without a limit has no places.
///
/// # Errors
/// `FORM_FULL`.
pub async fn reserve<P: Ports>(
    app: &App<P>,
    form: &Form,
    key: &ObjectKey,
    owner: &UserId,
) -> Result<(), ApiError> {
    let Some(counted_since_ms) = form.counted_since_ms else { return Ok(()) };
    let (max_files, max_files_per_user) = (form.policy.max_files, form.policy.max_files_per_user);
    let command = ReservePlace {
        key: key.clone(),
        owner: owner.clone(),
        max_files,
        max_files_per_user,
        counted_since_ms,
        lease_s: app.config.uploads.lease_s.saturating_add(REGISTRATION_S),
    };
    let reserved = app.ports.ledger().send(&subject(&form.name), command).await?;
    reserved.map_err(|which| {
        let limit = match which {
            FormLimit::Form => max_files,
            FormLimit::User => max_files_per_user,
        };
        let limit = limit.unwrap_or_default();
        Problem::form(FormRefusal::Full { which, limit }).into()
    })
}

/// Keeps the place of a picture that is stored. When the ledger does not answer, the end of the lease decides.
pub async fn confirm<P: Ports>(app: &App<P>, form: &FormName, key: &ObjectKey, owner: &UserId) {
    let command = ConfirmPlace { key: key.clone(), owner: owner.clone() };
    if let Err(error) = app.ports.ledger().send(&subject(form), command).await {
        log::error("place_unconfirmed", &[("cause", &error.to_string())]);
    }
}

/// Frees the place of a picture that was not stored. When the ledger does not answer, its lease ends by itself.
pub async fn release<P: Ports>(app: &App<P>, form: &FormName, key: &ObjectKey, owner: &UserId) {
    let command = ReleasePlace { key: key.clone(), owner: owner.clone() };
    if let Err(error) = app.ports.ledger().send(&subject(form), command).await {
        log::error("place_unreleased", &[("cause", &error.to_string())]);
    }
}

/// The place of a registered picture, which its removal must free. The database is asked, not the cache: a form that has
/// got its limit just now has counted the picture.
///
/// # Errors
/// A database that fails.
pub async fn place_of<P: Ports>(
    app: &App<P>,
    row: &ImageRow,
) -> Result<Option<FormPlace>, InternalError> {
    let name = row.form_id.as_deref().and_then(FormId::from_text).and_then(|id| id.name());
    let (Some(name), Some(owner)) = (name, UserId::parse(&row.owner)) else { return Ok(None) };
    let form = look_up(app, &name).await?;
    let is_counted = form.is_some_and(|form| form.counted_since_ms.is_some());
    Ok(is_counted.then_some(FormPlace { form: name, owner }))
}

fn subject(form: &FormName) -> Subject {
    Subject::Form(form.clone())
}
