//! Small bodies, most of them JSON.

use edge_auth::Principal;
use edge_types::Problem;
use http::request::Parts;
use image_rules::Code;
use serde::de::DeserializeOwned;

use super::{AnnouncedBody, BodyStream, read::read_body};
use crate::{error::ApiError, request::is_json};

/// The largest body has a URL, a name and a token.
const MAX_BYTES: u64 = 16 * 1024;

/// Reads a JSON object of an authenticated caller.
///
/// # Errors
/// `MALFORMED_REQUEST` for anything but this object.
pub async fn read_json_of<T: DeserializeOwned>(
    _caller: &Principal,
    head: &Parts,
    body: impl BodyStream,
) -> Result<T, ApiError> {
    read_json(head, body).await
}

/// Reads a JSON object at an open endpoint, which has counted the client IP.
///
/// # Errors
/// `MALFORMED_REQUEST` for anything but this object.
pub async fn read_json<T: DeserializeOwned>(
    head: &Parts,
    body: impl BodyStream,
) -> Result<T, ApiError> {
    serde_json::from_slice(&json_object(head, body).await?)
        .map_err(|error| malformed(&error).into())
}

/// The text of an object, which may be malformed behind its first byte.
async fn json_object(head: &Parts, body: impl BodyStream) -> Result<Vec<u8>, ApiError> {
    if !is_json(head) {
        return Err(Code::MalformedRequest.into());
    }
    let bytes = read_small_body(head, body).await?;
    // Serde also accepts an array, with the members in the order of the source.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Code::MalformedRequest.into());
    }
    Ok(bytes)
}

/// Reads the body of a request that is no upload.
///
/// # Errors
/// `MALFORMED_REQUEST` for an empty or too large body.
pub async fn read_small_body(head: &Parts, body: impl BodyStream) -> Result<Vec<u8>, ApiError> {
    // Checked before reading, because no memory is reserved for it.
    if AnnouncedBody::new(head).length.is_some_and(|bytes| bytes > MAX_BYTES) {
        return Err(Code::MalformedRequest.into());
    }
    read_body(body, None, MAX_BYTES).await.map_err(|error| match error {
        // An empty or too large body is no missing or too large file here.
        ApiError::Client(problem) if problem.image.is_some() => Code::MalformedRequest.into(),
        error => error,
    })
}

/// Names an unknown field. Other messages of serde may quote a value, which may be a secret.
fn malformed(error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    match unknown {
        Some((name, _)) => Problem::field(name, None),
        None => Problem::new(Code::MalformedRequest),
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use futures_util::{StreamExt, stream};
    use http::header;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Wanted {
        name: Option<String>,
    }

    fn read(content_type: &str, text: &str) -> Option<Wanted> {
        let head = http::Request::builder().header(header::CONTENT_TYPE, content_type);
        let (head, ()) = head.body(()).expect("valid").into_parts();
        let body = stream::iter([Ok(text.as_bytes().to_vec())]);
        block_on(read_json(&head, body)).ok()
    }

    #[test]
    fn only_a_json_object_with_its_content_type_is_accepted() {
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
    fn an_unknown_field_is_named_and_no_value_is_quoted() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only its errors are read")]
        struct Strict {
            size: Option<u64>,
        }
        let problem = |text: &str| {
            let head = http::Request::builder().header(header::CONTENT_TYPE, "application/json");
            let (head, ()) = head.body(()).expect("valid").into_parts();
            let body = stream::iter([Ok(text.as_bytes().to_vec())]);
            match block_on(read_json::<Strict>(&head, body)) {
                Err(ApiError::Client(problem)) => problem,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(problem("{\"siez\":1}"), Problem::field("siez", None));
        assert_eq!(problem("{\"size\":\"hunter2\"}"), Problem::new(Code::MalformedRequest));
    }

    #[test]
    fn a_body_with_too_large_a_content_length_is_rejected_unread() {
        let announce = |bytes: u64| {
            let head = http::Request::builder()
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::CONTENT_LENGTH, bytes);
            let (head, ()) = head.body(()).expect("valid").into_parts();
            let mut asked = false;
            let body = stream::iter([Ok(b"{}".to_vec())]).inspect(|_| asked = true);
            let read = block_on(read_json::<Wanted>(&head, body));
            (read.is_ok(), asked)
        };
        assert_eq!(announce(MAX_BYTES), (true, true));
        assert_eq!(announce(MAX_BYTES + 1), (false, false));
    }
}
