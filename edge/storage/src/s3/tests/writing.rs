//! Writing: what is sent, when it is believed, and how often and how long it is tried.

use base64ct::{Base64, Encoding};
use futures_executor::block_on;
use image_rules::Format;
use sha2::{Digest, Sha256};

use super::{
    KEY, broken, denied, key, paths, rejected,
    scripted::{PICTURE, Reply, Scripted, parts, store, store_of},
};
use crate::{
    Description, InvalidReply, NewObject, ObjectMetadata, ObjectStore, StoreError,
    s3::{HttpError, S3Store, ServiceParts, retry},
};

fn digest(bytes: &[u8]) -> String {
    Base64::encode_string(&Sha256::digest(bytes))
}

fn put(store: &S3Store<Scripted>) -> Result<(), StoreError> {
    let (key, bytes, sha256) = (&key(), PICTURE.to_vec(), Sha256::digest(PICTURE).into());
    let metadata = metadata();
    block_on(store.put(NewObject { key, bytes, format: Format::Png, sha256, metadata }))
}

#[test]
fn a_write_has_its_content_type_and_never_overwrites() {
    let store = store([Reply::stored().with("x-amz-checksum-sha256", digest(PICTURE))]);
    assert_eq!(put(&store), Ok(()));
    let [seen] = store.seen().try_into().unwrap_or_else(|_| panic!("one request"));
    assert_eq!(seen.method, "PUT");
    assert_eq!(paths(std::slice::from_ref(&seen)), [format!("https://s3.example/pictures/{KEY}")]);
    assert_eq!(seen.header("content-type"), Some("image/png"));
    assert_eq!(seen.header("cache-control"), Some("public, max-age=86400"));
    assert_eq!(seen.header("if-none-match"), Some("*"));
    assert_eq!(seen.header("x-amz-checksum-sha256"), Some(digest(PICTURE).as_str()));
    assert_eq!(seen.body.as_deref(), Some(PICTURE));
    assert_eq!(seen.timeout_ms, 10_000);
}

fn metadata() -> ObjectMetadata {
    let (form_id, original_name) = (Some("설문-7".to_owned()), Some("고양이.png".to_owned()));
    let (width, height) = (Some(3), Some(2));
    ObjectMetadata { form_id, original_name, width, height, ..ObjectMetadata::default() }
}

#[test]
fn metadata_is_signed_and_read_back_by_head() {
    let service = store([Reply::stored()]);
    assert_eq!(put(&service), Ok(()));
    let seen = service.seen();
    let kept = seen[0].headers.iter().filter(|(name, _)| name.starts_with("x-amz-meta-"));
    let kept: Vec<_> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    assert_eq!(kept.len(), 4, "{kept:?}");
    let signed = seen[0].url.split("X-Amz-SignedHeaders=").nth(1).expect("told");
    for (name, value) in &kept {
        assert!(value.is_ascii(), "{value}");
        assert!(signed.split('&').next().expect("told").contains(name.as_str()), "{signed}");
    }
    let reply = kept.into_iter().fold(Reply::object(PICTURE), |reply, (name, value)| {
        reply.with(Box::leak(name.into_boxed_str()), value)
    });
    let store = store([reply]);
    let found = block_on(store.describe(&key())).expect("answers").expect("there");
    assert_eq!(found, Description { size_bytes: PICTURE.len() as u64, metadata: metadata() });
    assert_eq!(store.methods(), ["HEAD"]);
}

#[test]
fn the_deployment_id_is_read_and_overwritten() {
    let service = store([
        Reply::error(404, "NoSuchKey"),
        Reply::error(503, "SlowDown"),
        Reply::stored(),
        Reply::object(b"d-1\n"),
    ]);
    assert_eq!(block_on(service.deployment_id()), Ok(None));
    assert_eq!(block_on(service.set_deployment_id("d-1")), Ok(()));
    assert_eq!(block_on(service.deployment_id()), Ok(Some("d-1".to_owned())));
    let seen = service.seen();
    let path = "https://s3.example/pictures/deployment-id";
    assert_eq!(paths(&seen), [path; 4]);
    assert_eq!(service.methods(), ["GET", "PUT", "PUT", "GET"]);
    assert_eq!(
        (seen[2].header("if-none-match"), seen[2].body.as_deref()),
        (None, Some(&b"d-1"[..]))
    );
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchBucket")] {
        let asked = block_on(store([Reply::error(status, code)]).deployment_id());
        let expected = if status == 403 { denied(status, code) } else { rejected(status, code) };
        assert_eq!(asked, Err(expected));
    }
}

#[test]
fn the_bucket_may_be_part_of_the_host() {
    let virtual_host = store_of(ServiceParts { path_style: false, ..parts() }, [Reply::stored()]);
    assert_eq!(put(&virtual_host), Ok(()));
    assert_eq!(paths(&virtual_host.seen()), [format!("https://pictures.s3.example/{KEY}")]);
}

#[test]
fn a_success_needs_status_200_an_etag_and_the_right_digest() {
    for (reply, doubt) in [
        (Reply::status(200), InvalidReply::NoEtag),
        (
            Reply::stored().with("x-amz-checksum-sha256", digest(b"other")),
            InvalidReply::OtherDigest,
        ),
    ] {
        assert_eq!(put(&store([reply])), Err(StoreError::InvalidReply(doubt)));
    }
    for status in [201, 202, 204, 206, 301, 302, 304, 307] {
        let store = store([Reply::status(status).with("etag", "\"e1\"")]);
        assert_eq!(put(&store), Err(rejected(status, "")), "{status}");
    }
}

#[test]
fn permanent_errors_are_not_retried() {
    for (status, code) in
        [(400, "BadDigest"), (404, "NoSuchBucket"), (405, ""), (413, "EntityTooLarge")]
    {
        let store = store([Reply::error(status, code)]);
        assert_eq!(put(&store), Err(rejected(status, code)));
        assert!(store.http_client.pauses.borrow().is_empty());
    }
    for (status, code) in [(401, ""), (403, "SignatureDoesNotMatch"), (403, "AccessDenied")] {
        assert_eq!(put(&store([Reply::error(status, code)])), Err(denied(status, code)));
    }
}

#[test]
fn transient_errors_have_three_attempts_with_growing_delays() {
    for (status, code) in [
        (500, "InternalError"),
        (502, ""),
        (503, "SlowDown"),
        (504, ""),
        (429, ""),
        (400, "RequestTimeout"),
    ] {
        let failing = store([0; 3].map(|_| Reply::error(status, code)));
        assert_eq!(put(&failing), Err(rejected(status, code)));
        assert_eq!(failing.methods(), ["PUT"; 3]);
        assert_eq!(*failing.http_client.pauses.borrow(), [200, 400]);

        let recovering =
            store([Reply::error(status, code), Reply::error(status, code), Reply::stored()]);
        assert_eq!(put(&recovering), Ok(()));
    }
    let unreachable = store([broken(), broken(), broken()]);
    assert_eq!(put(&unreachable), Err(StoreError::Unreachable));
}

#[test]
fn a_service_that_stalls_fails_in_bounded_time() {
    let hanging = store([0; 3].map(|_| Reply::InternalError(HttpError::Timeout)));
    assert_eq!(put(&hanging), Err(StoreError::Timeout));
    let timeouts: Vec<_> = hanging.seen().iter().map(|seen| seen.timeout_ms).collect();
    assert_eq!(
        timeouts,
        [10_000, 10_000, 25_000 - 20_000 - 200 - 400],
        "the last has what is left"
    );
    assert_eq!(hanging.spent_ms(), 25_000);
}

#[test]
fn verifying_a_write_takes_no_longer_than_an_attempt() {
    let busy = || Reply::status(412).after_ms(6_000);
    let sure = Reply::object(PICTURE).with("x-amz-checksum-sha256", digest(PICTURE));
    let store = store([broken(), busy(), sure]);
    assert_eq!(put(&store), Ok(()));
    let timeouts: Vec<_> = store.seen().iter().map(|seen| seen.timeout_ms).collect();
    assert_eq!(timeouts, [10_000, 10_000, 4_000]);
}

#[test]
fn a_probe_is_answered_in_the_time_of_one_attempt() {
    let hanging = store([Reply::InternalError(HttpError::Timeout)]);
    assert_eq!(block_on(hanging.probe()), Err(StoreError::Timeout));
    assert_eq!(hanging.spent_ms(), 10_000);
    let failing = store([0; 2].map(|_| Reply::error(503, "SlowDown")));
    assert_eq!(block_on(failing.probe()), Err(rejected(503, "SlowDown")));
}

#[test]
fn pauses_are_random_within_their_bounds() {
    for (attempt, bound) in [(1, 200), (2, 400), (3, 800), (4, 1600), (5, 2000), (u32::MAX, 2000)] {
        let mut pauses: Vec<_> = (0..5000).map(|random| retry::pause_ms(attempt, random)).collect();
        pauses.sort_unstable();
        assert_eq!((pauses.first(), pauses.last()), (Some(&0), Some(&bound)));
    }
}

#[test]
fn another_object_at_the_key_is_never_acknowledged() {
    let occupied = store([Reply::error(412, "PreconditionFailed")]);
    assert_eq!(put(&occupied), Err(StoreError::Exists));
    assert_eq!(occupied.methods(), ["PUT"], "nothing of ours can be there");

    let busy = store([0; 3].map(|_| Reply::error(409, "ConditionalRequestConflict")));
    assert_eq!(put(&busy), Err(StoreError::Exists));
}

/// After a lost answer, the service says that the key is taken.
fn after_a_lost_answer(then: Vec<Reply>) -> S3Store<Scripted> {
    let mut replies = vec![broken(), Reply::status(412)];
    replies.extend(then);
    store(replies)
}

#[test]
fn a_write_whose_response_was_lost_is_acknowledged() {
    let known = Reply::object(PICTURE).with("x-amz-checksum-sha256", digest(PICTURE));
    let by_digest = after_a_lost_answer(vec![known]);
    assert_eq!(put(&by_digest), Ok(()));
    assert_eq!(by_digest.methods(), ["PUT", "PUT", "HEAD"]);
    assert_eq!(by_digest.seen()[2].header("x-amz-checksum-mode"), Some("ENABLED"));

    let by_bytes = after_a_lost_answer(vec![Reply::object(PICTURE), Reply::object(PICTURE)]);
    assert_eq!(put(&by_bytes), Ok(()));
    assert_eq!(by_bytes.methods(), ["PUT", "PUT", "HEAD", "GET"]);
}

#[test]
fn after_a_lost_response_another_object_is_not_acknowledged() {
    let other = b"the bytes of a pigture";
    let with_digest = Reply::object(other).with("x-amz-checksum-sha256", digest(other));
    for then in [
        vec![Reply::object(b"shorter")],
        vec![with_digest],
        vec![Reply::object(other), Reply::object(other)],
    ] {
        assert_eq!(put(&after_a_lost_answer(then)), Err(StoreError::Exists));
    }
    let unknowable = after_a_lost_answer(vec![broken(), Reply::status(412), broken()]);
    assert_eq!(put(&unknowable), Err(StoreError::Unreachable), "not known to be stored");
}

#[test]
fn without_conditional_writes_a_head_precedes_each_put() {
    let store = store([
        Reply::error(501, "NotImplemented"),
        Reply::status(404),
        Reply::stored(),
        Reply::status(404),
        Reply::stored(),
        Reply::object(PICTURE),
    ]);
    assert_eq!(put(&store), Ok(()));
    assert_eq!(put(&store), Ok(()), "the refusal is remembered");
    assert_eq!(put(&store), Err(StoreError::Exists));
    assert_eq!(store.methods(), ["PUT", "HEAD", "PUT", "HEAD", "PUT", "HEAD"]);
    let guards: Vec<_> =
        store.seen().iter().map(|seen| seen.header("if-none-match").is_some()).collect();
    assert_eq!(guards, [true, false, false, false, false, false]);
}

#[test]
fn errors_contain_no_url_and_no_text_of_the_service() {
    let chatty = "<Error><Code>AccessDenied</Code><Message>AKIDEXAMPLE</Message>\
        <CanonicalRequest>X-Amz-Signature=1</CanonicalRequest></Error>";
    let page = "<Code>".to_owned() + &"x".repeat(10_000) + "</Code>";
    for (body, expected) in [
        (chatty, "Denied(Rejection { status: 403, code: Some(AccessDenied) })"),
        (page.as_str(), "Denied(Rejection { status: 403, code: None })"),
        ("<Code>a b</Code>", "Denied(Rejection { status: 403, code: None })"),
    ] {
        let error = put(&store([Reply::status(403).holding(body.as_bytes())])).expect_err("denied");
        assert_eq!(format!("{error:?}"), expected);
    }
}
