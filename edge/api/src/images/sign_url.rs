//! `POST /images/{id}/url`: a URL under which a private picture can be read for some time, or any picture in any size.

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
    delivery::{PictureQuery, picture_url},
    error::ApiError,
    look_up::record_look_up,
    ports::Ports,
    request::image_base_url,
    response::{self, HandlerResult},
    signed_urls::SignedUrls,
};

/// An hour, or the longest time that is allowed.
const DEFAULT_S: u32 = 3600;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    expires_in: Option<u32>,
    v: Option<String>,
    w: Option<u32>,
    h: Option<u32>,
    fit: Option<String>,
    q: Option<u32>,
    format: Option<String>,
}

impl Wanted {
    /// The query of the size and the format.
    fn size(&self) -> Result<String, Problem> {
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let parameters = [
            ("fit", self.fit.clone()),
            ("format", self.format.clone()),
            ("h", number(self.h)),
            ("q", number(self.q)),
            ("v", self.v.clone()),
            ("w", number(self.w)),
        ];
        let mut query = Vec::new();
        for (name, value) in parameters {
            let Some(value) = value else { continue };
            if value.contains('&') {
                return Err(Problem::field(name, Some("one value")));
            }
            query.push(format!("{name}={value}"));
        }
        Ok(query.join("&"))
    }
}

/// What is expected of a size of a public picture where nothing can be signed.
const WITHOUT_KEY: &str =
    "one of VARIANT_WIDTHS without h, fit and q, because URL_SIGNING_KEY is not set";

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
    let size = wanted.size()?;
    let row = find(app, caller, id).await?;
    record_look_up(app, caller, &format!("user:{}", row.owner)).await?;
    let object = row.object().ok_or(Code::ImageNotFound)?;
    let source = object.format().ok_or(Code::ImageNotFound)?;
    let query = PictureQuery::parse(&size, "", &app.config, source)?;
    let (base_url, now_ms) = (image_base_url(&app.config, context.head), app.ports.now_ms());
    let signed_urls = SignedUrls::new(&app.config, &base_url, now_ms);
    let data = if object.is_private() {
        let ends_s = now_ms / 1000 + u64::from(lifetime_s);
        // Private pictures are stored only where there is a key; it may have been removed since.
        let url = signed_urls.url_until(&object, &size, ends_s);
        let url = url.ok_or(ApiError::from(Code::SignatureInvalid))?;
        Signed { url, expires_at: Some(timestamp(ends_s * 1000)) }
    } else if query.is_free {
        Signed { url: picture_url(&base_url, &object, &size), expires_at: None }
    } else {
        let url = signed_urls.sized(&object, &size);
        let url = url.ok_or_else(|| Problem::field("w", Some(WITHOUT_KEY)))?;
        Signed { url, expires_at: None }
    };
    Ok(response::success(StatusCode::OK, "sign_image_url_success", &data, now_ms))
}
