//! `POST /images/{id}/url`: a URL under which a private picture can be read for some time.

use edge_auth::Principal;
use edge_types::{ImageId, Problem, timestamp};
use http::StatusCode;
use image_rules::Code;
use serde::{Deserialize, Serialize};

use super::find;
use crate::{
    app::App,
    body::{BodyStream, read_json_of},
    context::RequestContext,
    delivery::{Variant, picture_url},
    error::ApiError,
    look_up::record_look_up,
    ports::Ports,
    request::base_url,
    response::{self, HandlerResult},
    signed_urls::SignedUrls,
};

/// An hour, or the longest time that is allowed.
const DEFAULT_S: u32 = 3600;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    expires_in: Option<u32>,
    /// A smaller size.
    v: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    url: String,
    /// [`None`] for a public picture, whose URL does not end.
    expires_at: Option<String>,
}

/// # Errors
/// `IMAGE_NOT_FOUND`, `USER_MISMATCH`, `MALFORMED_REQUEST` with the field.
pub async fn sign_url<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: ImageId,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let wanted: Wanted = read_json_of(caller, context.head, body).await?;
    let max_s = app.config.signed_url_max_s;
    let lifetime_s = wanted.expires_in.unwrap_or(DEFAULT_S.min(max_s));
    if !(1..=max_s).contains(&lifetime_s) {
        const EXPECTED: &str = "a whole number of seconds from 1 to SIGNED_URL_MAX_S";
        return Err(Problem::field("expiresIn", Some(EXPECTED)).into());
    }
    let variant: Option<Variant> = wanted
        .v
        .map(|name| name.parse())
        .transpose()
        .map_err(|_| Problem::field("v", Some("thumb, small or medium")))?;
    let row = find(app, caller, id).await?;
    record_look_up(app, caller, &format!("user:{}", row.owner)).await?;
    let object = row.object().ok_or(Code::ImageNotFound)?;
    let (base_url, now_ms) = (base_url(&app.config, context.head), app.ports.now_ms());
    let data = if object.is_private() {
        let ends_s = now_ms / 1000 + u64::from(lifetime_s);
        let signed_urls = SignedUrls::new(&app.config, &base_url, now_ms);
        // Private pictures are stored only where there is a key; it may have been removed since.
        let url = signed_urls.url_until(&object, variant, ends_s);
        let url = url.ok_or(ApiError::from(Code::SignatureInvalid))?;
        Signed { url, expires_at: Some(timestamp(ends_s * 1000)) }
    } else {
        Signed { url: picture_url(&base_url, &object, variant), expires_at: None }
    };
    Ok(response::success(StatusCode::OK, "sign_image_url_success", &data, now_ms))
}
