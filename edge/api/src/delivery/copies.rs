//! Copies of pictures near the caller.
//!
//! A deleted picture is gone everywhere within five minutes: what was derived while it was deleted is deleted within two
//! minutes (a lease of one minute, and one more for a write in flight), a copy of it lives for [`EDGE_COPY_S`], and as
//! long again in a shared cache between the edge and the browser.

use edge_storage::ObjectKey;
use http::HeaderValue;

use crate::{config::Config, ports::EdgeCache};

/// How long a copy in the edge cache, and one in another shared cache, is used.
pub const EDGE_COPY_S: u32 = 90;

/// `Cache-Control` of a public picture. Browsers keep it longer than shared caches, which serve people who have not seen it.
pub fn cache_control(config: &Config) -> HeaderValue {
    let max_age_s = config.delivery.max_age_s;
    let shared_s = EDGE_COPY_S.min(max_age_s);
    HeaderValue::try_from(format!("public, max-age={max_age_s}, s-maxage={shared_s}"))
        .unwrap_or(HeaderValue::from_static("no-cache"))
}

/// `Cache-Control` of an original that is served until its derived picture is made.
pub const FOR_NOW: HeaderValue = HeaderValue::from_static("public, max-age=60, s-maxage=0");

/// The URL under which the edge cache has a copy of a picture, or of one that is derived from it.
pub fn copy_url(base_url: &str, key: &ObjectKey, derived: Option<&str>) -> String {
    match derived {
        None => format!("{base_url}/{key}"),
        Some(name) => format!("{base_url}/{key}?derived={name}"),
    }
}

/// Deletes the copies of a picture and of its derived pictures from the edge cache. A private picture has none.
pub async fn purge_copies(
    cache: &impl EdgeCache,
    base_url: &str,
    key: &ObjectKey,
    derived: &[String],
) {
    if key.is_private() {
        return;
    }
    cache.purge(&copy_url(base_url, key, None)).await;
    for name in derived {
        cache.purge(&copy_url(base_url, key, Some(name))).await;
    }
}
