//! `GET` and `PATCH /users/{id}`: who somebody is here, for themselves and for administrators.

use http::StatusCode;
use image_rules::Code;
use serde::Deserialize;

use super::{Accounts, Change, Edit, Nickname, User, session::Person};
use crate::{
    admission::caller,
    app::{App, Ports},
    auth::{Principal, UserId},
    call::Call,
    error::Failure,
    intake::{Chunks, read_json},
    registry::{Catalogue, ImageId, Registry},
    response::{self, Answer},
    route::{Body, Endpoint, base_url},
    storage::ObjectKey,
};

/// What is to be changed; `null` removes what is there.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wanted {
    nickname: Edit<String>,
    profile_image_id: Edit<ImageId>,
    profile_image_key: Edit<String>,
}

/// Tells of a user.
///
/// # Errors
/// `USER_MISMATCH`, before anything is looked up; `NOT_FOUND`.
pub async fn read<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    id: UserId,
) -> Result<Answer<Body<P>>, Failure> {
    reaching(app, call, &Endpoint::ReadUser(id.clone()), &id).await?;
    let user = app.ports.accounts().by_id(&id).await?.ok_or(Code::NotFound)?;
    Ok(answer(app, call, "get_user_success", user))
}

/// Changes nickname and picture.
///
/// # Errors
/// As for [`read`]; `IMAGE_NOT_FOUND` or `USER_MISMATCH` for a picture that is not registered or not
/// the user's, `MALFORMED_REQUEST`.
pub async fn change<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    id: UserId,
    body: impl Chunks,
) -> Result<Answer<Body<P>>, Failure> {
    let caller = reaching(app, call, &Endpoint::ChangeUser(id.clone()), &id).await?;
    let wanted: Wanted = read_json(&caller, call.head, body).await?;
    let change =
        Change { nickname: wanted.nickname()?, picture_key: wanted.picture(app, &id).await? };
    let user = app.ports.accounts().change(&id, &change).await?.ok_or(Code::NotFound)?;
    Ok(answer(app, call, "update_user_success", user))
}

async fn reaching<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    endpoint: &Endpoint,
    id: &UserId,
) -> Result<Principal, Failure> {
    let caller = caller(app, call, endpoint).await?;
    caller.must_reach(endpoint, id)?;
    Ok(caller)
}

fn answer<P: Ports>(app: &App<P>, call: &Call<'_>, message: &str, user: User) -> Answer<Body<P>> {
    let person = Person::new(user, &base_url(&app.config, call.head));
    let now_ms = app.ports.now_ms();
    response::never_cached(response::message(StatusCode::OK, message, &person, now_ms))
}

impl Wanted {
    fn nickname(&self) -> Result<Edit<Nickname>, Failure> {
        Ok(match &self.nickname {
            Edit::Keep => Edit::Keep,
            Edit::Remove => Edit::Remove,
            Edit::Set(text) => Edit::Set(Nickname::parse(text).ok_or(Code::MalformedRequest)?),
        })
    }

    /// A registered picture of that user.
    async fn picture<P: Ports>(
        &self,
        app: &App<P>,
        id: &UserId,
    ) -> Result<Edit<ObjectKey>, Failure> {
        let registry = app.ports.registry();
        let row = match (&self.profile_image_id, &self.profile_image_key) {
            (Edit::Keep, Edit::Keep) => return Ok(Edit::Keep),
            (Edit::Remove, Edit::Keep) | (Edit::Keep, Edit::Remove) => return Ok(Edit::Remove),
            (Edit::Set(image), Edit::Keep) => registry.get(*image).await?,
            (Edit::Keep, Edit::Set(key)) => {
                registry.find(&ObjectKey::parse(key).ok_or(Code::InvalidImageUrl)?).await?
            }
            _ => return Err(Code::MalformedRequest.into()),
        };
        let row = row.ok_or(Code::ImageNotFound)?;
        if row.owner != id.as_str() {
            return Err(Code::UserMismatch.into());
        }
        Ok(Edit::Set(ObjectKey::parse(&row.key).ok_or(Code::ImageNotFound)?))
    }
}
