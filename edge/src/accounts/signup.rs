//! `POST /users/signup`: an account, with the picture that was uploaded before it.

use http::StatusCode;
use image_rules::Code;
use serde::Deserialize;

use super::{
    Accounts, Created, Email, NewUser, Nickname, Reservation, User,
    adopt::{Adoption, user_id},
    password::{self, Password},
    session,
};
use crate::{
    app::{App, Ports},
    auth::{Role, UserId},
    call::Call,
    error::{Failure, Fault, Refusal},
    intake::{Chunks, read_open_json},
    log,
    registry::{Event, ImageId},
    response::Answer,
    route::Body,
};

/// How much longer than a guest token an e-mail address stays reserved: a sign-up that was interrupted
/// can be repeated while the token lives, and the last attempt takes less than a minute.
const LEEWAY_MS: u64 = 60_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignUp {
    email: String,
    password: String,
    nickname: Option<String>,
    image_key: Option<String>,
    image_id: Option<ImageId>,
    guest_token: Option<String>,
}

/// Adds an account and logs its owner in. Whatever is wrong, there is no account then.
///
/// # Errors
/// `EMAIL_TAKEN`, `MALFORMED_REQUEST`, and what stands in the way of adopting the picture.
pub async fn sign_up<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    body: impl Chunks,
) -> Result<Answer<Body<P>>, Failure> {
    let said: SignUp = read_open_json(call.head, body).await?;
    let email = Email::parse(&said.email).ok_or(Code::MalformedRequest)?;
    let nickname = match &said.nickname {
        Some(text) => Some(Nickname::parse(text).ok_or(Code::MalformedRequest)?),
        None => None,
    };
    let adoption = said.adoption(app).await?;
    let password = Password::parse(said.password).ok_or(Code::MalformedRequest)?;
    if app.ports.accounts().by_email(&email).await?.is_some() {
        return Err(Code::EmailTaken.into());
    }
    let password = password::seal(app, &password).await?;
    let id = new_id(app, adoption.as_ref())?;
    if let Some(adoption) = &adoption {
        claim_reserved(app, adoption, &email).await?;
    }
    let new = NewUser {
        id: &id,
        email: &email,
        password: &password,
        nickname: nickname.as_ref(),
        picture_key: adoption.as_ref().map(|adoption| &adoption.key),
        created_ms: app.ports.now_ms(),
    };
    let user = create(app, &new).await?;
    let reason = if adoption.is_some() { "with_picture" } else { "without_picture" };
    app.record(Event {
        mark: format!("signup:{}", user.id),
        at_ms: user.created_ms,
        kind: "signup".to_owned(),
        subject: format!("user:{}", user.id),
        reason: reason.to_owned(),
        until_ms: None,
        detail: None,
    })
    .await;
    let token = session::open(app, &user).await?;
    session::answer(app, call, (StatusCode::CREATED, "signup_success"), user, &token)
}

impl SignUp {
    /// The picture to adopt, if one is named: by its key or its number, with its guest's token.
    async fn adoption<P: Ports>(&self, app: &App<P>) -> Result<Option<Adoption>, Failure> {
        match (&self.image_key, self.image_id, &self.guest_token) {
            (None, None, _) => Ok(None),
            (_, _, None) => Err(Code::UserMismatch.into()),
            (key, id, Some(token)) => Adoption::new(app, key.as_deref(), id, token).await.map(Some),
        }
    }
}

/// Claims the picture while the e-mail address is reserved: of several sign-ups for one address only the
/// one that is going to have it claims anything, and the pictures of the others stay claimable.
async fn claim_reserved<P: Ports>(
    app: &App<P>,
    adoption: &Adoption,
    email: &Email,
) -> Result<(), Failure> {
    let (accounts, id, now_ms) = (app.ports.accounts(), adoption.id(), app.ports.now_ms());
    let until_ms = now_ms + u64::from(app.config.guest_token_s) * 1000 + LEEWAY_MS;
    if !accounts.reserve(&Reservation { email, id, now_ms, until_ms }).await? {
        return Err(Code::EmailTaken.into());
    }
    let claimed = adoption.claim(app).await;
    // A retry cannot change a refusal, so the address is free again. After anything else the sign-up may
    // be repeated by the same user, for whom it stays reserved.
    if let Err(Failure::Refused(Refusal { code, .. })) = &claimed
        && *code != Code::Busy
        && let Err(fault) = accounts.release(email, id).await
    {
        log::error("reservation_unreleased", &[("cause", &fault.0)]);
    }
    claimed
}

fn new_id<P: Ports>(app: &App<P>, adoption: Option<&Adoption>) -> Result<UserId, Failure> {
    let id = match adoption {
        Some(adoption) => Some(adoption.id().clone()),
        None => user_id(&app.ports.random()),
    };
    id.ok_or(Failure::Fault(Fault::Signing))
}

async fn create<P: Ports>(app: &App<P>, new: &NewUser<'_>) -> Result<User, Failure> {
    match app.ports.accounts().create(new).await? {
        Created::Now => Ok(User {
            id: new.id.clone(),
            email: new.email.as_str().to_owned(),
            role: Role::User,
            nickname: new.nickname.map(|name| name.as_str().to_owned()),
            picture_key: new.picture_key.map(ToString::to_string),
            created_ms: new.created_ms,
        }),
        Created::EmailTaken => Err(Code::EmailTaken.into()),
        Created::IdTaken => Err(Code::ImageAlreadyRegistered.into()),
    }
}
