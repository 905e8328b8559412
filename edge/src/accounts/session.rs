//! What somebody gets who has shown who they are: an access token, a refresh token in its cookie, and
//! what both say.

use http::{StatusCode, header};
use serde::Serialize;

use super::{Accounts, Family, RefreshToken, User};
use crate::{
    app::{App, Ports},
    auth::{self, Role},
    call::Call,
    error::Failure,
    response::{self, Answer, timestamp},
    route::{Body, base_url},
};

/// A user as the contract tells of them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Person {
    id: String,
    email: String,
    nickname: Option<String>,
    role: Role,
    profile_image_url: Option<String>,
    profile_image_key: Option<String>,
    created_at: String,
}

impl Person {
    pub(super) fn new(user: User, base_url: &str) -> Self {
        let url = |key: &String| format!("{base_url}/{key}");
        Self {
            id: user.id.to_string(),
            email: user.email,
            nickname: user.nickname,
            role: user.role,
            profile_image_url: user.picture_key.as_ref().map(url),
            profile_image_key: user.picture_key,
            created_at: timestamp(user.created_ms),
        }
    }
}

/// What the access token says, for those who do not take it apart.
#[derive(Serialize)]
struct Payload<'a> {
    sub: &'a str,
    email: &'a str,
    role: Role,
    iat: u64,
    exp: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Session<'a> {
    access_token: String,
    expires_in: u32,
    payload: Payload<'a>,
    user: Person,
}

/// Begins a family for somebody who has just shown who they are. A cookie that came with the request
/// plays no part in it, so that nobody can choose the session of another.
///
/// # Errors
/// When the database or the signing key does not work.
pub(super) async fn open<P: Ports>(app: &App<P>, user: &User) -> Result<RefreshToken, Failure> {
    let token = RefreshToken::first(&app.ports);
    let now_ms = app.ports.now_ms();
    let family = Family {
        id: token.family(),
        user: user.id.clone(),
        token: token.digest(),
        created_ms: now_ms,
        expires_ms: now_ms + u64::from(app.config.accounts.refresh_token_s) * 1000,
        revoked_ms: None,
    };
    app.ports.accounts().open(&family).await?;
    Ok(token)
}

/// The answer with both tokens.
///
/// # Errors
/// When the signing key does not work.
pub(super) fn answer<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    (status, message): (StatusCode, &str),
    user: User,
    token: &RefreshToken,
) -> Result<Answer<Body<P>>, Failure> {
    let now_ms = app.ports.now_ms();
    let expires_in = app.config.accounts.access_token_s;
    let access_token = auth::issue_access_token(app, &user.id, user.role, &user.email, expires_in)?;
    let (sub, email) = (user.id.to_string(), user.email.clone());
    let iat = now_ms / 1000;
    let exp = iat + u64::from(expires_in);
    let payload = Payload { sub: &sub, email: &email, role: user.role, iat, exp };
    let user = Person::new(user, &base_url(&app.config, call.head));
    let session = Session { access_token, expires_in, payload, user };
    let mut answer = response::never_cached(response::message(status, message, &session, now_ms));
    let cookie = token.cookie(app.config.accounts.refresh_token_s);
    answer.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(answer)
}
