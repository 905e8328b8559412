//! A small JSON body, for the addresses that take no picture.

use http::{header, request::Parts};
use image_rules::Code;
use serde::de::DeserializeOwned;

use super::{Announced, Chunks, body::read_body};
use crate::{auth::Principal, error::Failure, route::text_header};

/// The largest question has a URL, a name and a token.
const MAX_BYTES: u64 = 16 * 1024;

/// Whether the media type is JSON's, which no form of another site can send without asking first.
#[must_use]
pub fn is_json(head: &Parts) -> bool {
    let media_type = text_header(head, header::CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Reads a JSON object for a caller who is known.
///
/// # Errors
/// `MALFORMED_REQUEST` for whatever is not this object.
pub async fn read_json<T: DeserializeOwned>(
    _caller: &Principal,
    head: &Parts,
    body: impl Chunks,
) -> Result<T, Failure> {
    read_open_json(head, body).await
}

/// Reads a JSON object where anybody may ask; the address they ask from has been counted.
///
/// # Errors
/// `MALFORMED_REQUEST` for whatever is not this object.
pub async fn read_open_json<T: DeserializeOwned>(
    head: &Parts,
    body: impl Chunks,
) -> Result<T, Failure> {
    if !is_json(head) {
        return Err(Code::MalformedRequest.into());
    }
    // Not begun: nothing keeps memory free for it.
    if Announced::new(head).length.is_some_and(|bytes| bytes > MAX_BYTES) {
        return Err(Code::MalformedRequest.into());
    }
    let bytes = read_body(body, None, MAX_BYTES).await.map_err(|failure| match failure {
        // Whatever is wrong with it, it is no file that is missing or too large.
        Failure::Refused(refusal) if refusal.image.is_some() => Code::MalformedRequest.into(),
        failure => failure,
    })?;
    // A list would be read as well, member by member in the order of our source.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Code::MalformedRequest.into());
    }
    serde_json::from_slice(&bytes).map_err(|_| Code::MalformedRequest.into())
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use futures_util::{StreamExt, stream};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Wanted {
        name: Option<String>,
    }

    fn read(content_type: &str, text: &str) -> Option<Wanted> {
        let head = http::Request::builder().header(header::CONTENT_TYPE, content_type);
        let (head, ()) = head.body(()).expect("valid").into_parts();
        let body = stream::iter([Ok(text.as_bytes().to_vec())]);
        block_on(read_open_json(&head, body)).ok()
    }

    #[test]
    fn only_an_object_of_the_right_type_is_taken() {
        let named = Some(Wanted { name: Some("a".to_owned()) });
        assert_eq!(read("application/json", "{\"name\":\"a\"}"), named);
        assert_eq!(read("Application/JSON; charset=utf-8", " \n{\"name\":\"a\"}"), named);
        assert_eq!(read("application/json", "{}"), Some(Wanted::default()));
        for text in ["", "[]", "[\"a\"]", "null", "\"a\"", "7", "{", "{} {}", "{\"name\":7}"] {
            assert_eq!(read("application/json", text), None, "{text}");
        }
        assert_eq!(read("text/plain", "{}"), None);
    }

    #[test]
    fn one_that_is_announced_as_too_long_is_not_begun() {
        let announce = |bytes: u64| {
            let head = http::Request::builder()
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::CONTENT_LENGTH, bytes);
            let (head, ()) = head.body(()).expect("valid").into_parts();
            let mut asked = false;
            let body = stream::iter([Ok(b"{}".to_vec())]).inspect(|_| asked = true);
            let read = block_on(read_open_json::<Wanted>(&head, body));
            (read.is_ok(), asked)
        };
        assert_eq!(announce(MAX_BYTES), (true, true));
        assert_eq!(announce(MAX_BYTES + 1), (false, false));
    }
}
