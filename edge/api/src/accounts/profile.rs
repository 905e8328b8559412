//! `GET` and `PATCH /users/{id}`, for the user and for administrators.

use edge_auth::Principal;
use edge_registry::{Edit, ImageStore, Registry, User, UserChange, UserStore};
use edge_storage::ObjectKey;
use edge_types::{ImageId, Nickname, UserId};
use http::StatusCode;
use image_rules::Code;
use serde::Deserialize;

use super::session::UserView;
use crate::{
    app::App,
    body::{BodyStream, read_json_of},
    context::RequestContext,
    error::ApiError,
    images::named_key,
    look_up::begin_look_up,
    ports::{Ports, StoreContent},
    request::base_urls,
    response::{self, Body, HandlerResult, Response},
};

/// A change; `null` removes a value.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct ProfileChange {
    nickname: Edit<String>,
    image_id: Edit<ImageId>,
    image_key: Edit<String>,
    image_url: Edit<String>,
}

/// Reads a profile.
///
/// # Errors
/// `USER_MISMATCH`, before anything is looked up; `NOT_FOUND`.
pub async fn read_user<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: &UserId,
) -> HandlerResult<P> {
    begin_look_up(app, caller, id).await?;
    let user = app.ports.users().by_id(id).await?.ok_or(Code::NotFound)?;
    Ok(respond(app, context, "get_user_success", user))
}

/// Changes nickname and image.
///
/// # Errors
/// As for [`read_user`]; `IMAGE_NOT_FOUND` for an image that is not registered, `USER_MISMATCH` for another's,
/// `MALFORMED_REQUEST`.
pub async fn change_user<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: &UserId,
    body: impl BodyStream,
) -> HandlerResult<P> {
    caller.check_access(id)?;
    let request: ProfileChange = read_json_of(caller, context.head, body).await?;
    let base_urls = base_urls(&app.config, context.head);
    let image_key = request.image(app, &base_urls, id).await?;
    let change = UserChange { nickname: request.nickname()?, image_key };
    let user = app.ports.users().change(id, &change).await?.ok_or(Code::NotFound)?;
    Ok(respond(app, context, "update_user_success", user))
}

fn respond<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    message: &str,
    user: User,
) -> Response<Body<StoreContent<P>>> {
    let view = UserView::new(user, app, context);
    response::success(StatusCode::OK, message, &view, app.ports.now_ms())
}

impl ProfileChange {
    fn nickname(&self) -> Result<Edit<Nickname>, ApiError> {
        Ok(match &self.nickname {
            Edit::Keep => Edit::Keep,
            Edit::Remove => Edit::Remove,
            Edit::Set(text) => Edit::Set(Nickname::parse(text).ok_or(Code::MalformedRequest)?),
        })
    }

    /// A registered image of the user.
    async fn image<P: Ports>(
        &self,
        app: &App<P>,
        base_urls: &[String],
        id: &UserId,
    ) -> Result<Edit<ObjectKey>, ApiError> {
        use Edit::{Keep, Remove, Set};
        let registry = app.ports.registry();
        let key = match (&self.image_id, &self.image_key, &self.image_url) {
            (Keep, Keep, Keep) => return Ok(Keep),
            (Remove, Keep, Keep) | (Keep, Remove, Keep) | (Keep, Keep, Remove) => {
                return Ok(Remove);
            }
            (Set(_), Keep, Keep) => None,
            (Keep, Set(key), Keep) => named_key(Some(key), None, base_urls),
            (Keep, Keep, Set(url)) => named_key(None, Some(url), base_urls),
            _ => return Err(Code::MalformedRequest.into()),
        };
        let row = match &self.image_id {
            Set(image) => registry.get(*image).await?,
            _ => registry.find(&key.ok_or(Code::InvalidImageUrl)?).await?,
        };
        let row = row.ok_or(Code::ImageNotFound)?;
        if row.owner != id.as_str() {
            return Err(Code::UserMismatch.into());
        }
        Ok(Edit::Set(ObjectKey::parse(&row.key).ok_or(Code::ImageNotFound)?))
    }
}
