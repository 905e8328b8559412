//! The S3 store against a service that answers by heart: what is sent, what each answer means, and
//! how often and how long it is tried.

use futures_executor::block_on;
use image_rules::Format;
use sha2::{Digest, Sha256};

use super::{
    HttpFault, S3Store, retry,
    scripted::{Reply, Scripted, Seen, parts, store, store_of},
};
use crate::storage::{
    Doubt, ErrorCode, NewObject, ObjectFacts, ObjectKey, ObjectStore, Page, Rejection, Span,
    StoreFault,
};

const KEY: &str = "users/123/images/1699876543210-00000000-0000-4000-8000-000000000000.png";
const PICTURE: &[u8] = b"the bytes of a picture";

fn key() -> ObjectKey {
    ObjectKey::parse(KEY).expect("a key")
}

fn digest(bytes: &[u8]) -> String {
    use base64ct::{Base64, Encoding};
    Base64::encode_string(&Sha256::digest(bytes))
}

fn put(store: &S3Store<Scripted>) -> Result<(), StoreFault> {
    let (key, bytes, sha256) = (&key(), PICTURE.to_vec(), Sha256::digest(PICTURE).into());
    block_on(store.put(NewObject { key, bytes, format: Format::Png, sha256 }))
}

fn rejected(status: u16, code: &str) -> StoreFault {
    StoreFault::Rejected(Rejection { status, code: ErrorCode::parse(code) })
}

fn denied(status: u16, code: &str) -> StoreFault {
    StoreFault::Denied(Rejection { status, code: ErrorCode::parse(code) })
}

fn broken() -> Reply {
    Reply::Fault(HttpFault::Broken)
}

fn paths(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.url.split('?').next().unwrap_or_default()).collect()
}

#[test]
fn a_write_says_what_it_is_and_never_overwrites() {
    let store = store([Reply::stored().with("x-amz-checksum-sha256", digest(PICTURE))]);
    assert_eq!(put(&store), Ok(()));
    let [seen] = store.seen().try_into().unwrap_or_else(|_| panic!("one request"));
    assert_eq!(seen.method, "PUT");
    assert_eq!(paths(std::slice::from_ref(&seen)), [format!("https://s3.example/pictures/{KEY}")]);
    assert_eq!(seen.header("content-type"), Some("image/png"));
    assert_eq!(seen.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(seen.header("if-none-match"), Some("*"));
    assert_eq!(seen.header("x-amz-checksum-sha256"), Some(digest(PICTURE).as_str()));
    assert_eq!(seen.body.as_deref(), Some(PICTURE));
    assert_eq!(seen.timeout_ms, 10_000);
}

#[test]
fn the_bucket_may_be_part_of_the_host() {
    let virtual_host =
        store_of(super::ServiceParts { path_style: false, ..parts() }, [Reply::stored()]);
    assert_eq!(put(&virtual_host), Ok(()));
    assert_eq!(paths(&virtual_host.seen()), [format!("https://pictures.s3.example/{KEY}")]);
}

#[test]
fn success_is_believed_only_when_it_looks_like_the_service() {
    for (reply, doubt) in [
        (Reply::status(200), Doubt::NoEtag),
        (Reply::stored().with("x-amz-checksum-sha256", digest(b"other")), Doubt::OtherDigest),
    ] {
        assert_eq!(put(&store([reply])), Err(StoreFault::Untrusted(doubt)));
    }
    for status in [201, 202, 204, 206, 301, 302, 304, 307] {
        let store = store([Reply::status(status).with("etag", "\"e1\"")]);
        assert_eq!(put(&store), Err(rejected(status, "")), "{status}");
    }
}

#[test]
fn what_will_not_pass_by_itself_is_tried_once() {
    for (status, code) in
        [(400, "BadDigest"), (404, "NoSuchBucket"), (405, ""), (413, "EntityTooLarge")]
    {
        let store = store([Reply::error(status, code)]);
        assert_eq!(put(&store), Err(rejected(status, code)));
        assert!(store.outside.pauses.borrow().is_empty());
    }
    for (status, code) in [(401, ""), (403, "SignatureDoesNotMatch"), (403, "AccessDenied")] {
        assert_eq!(put(&store([Reply::error(status, code)])), Err(denied(status, code)));
    }
}

#[test]
fn what_passes_by_itself_is_tried_three_times_with_growing_pauses() {
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
        assert_eq!(*failing.outside.pauses.borrow(), [200, 400]);

        let recovering =
            store([Reply::error(status, code), Reply::error(status, code), Reply::stored()]);
        assert_eq!(put(&recovering), Ok(()));
    }
    let unreachable = store([broken(), broken(), broken()]);
    assert_eq!(put(&unreachable), Err(StoreFault::Unreachable));
}

#[test]
fn a_service_that_hangs_is_given_up_in_bounded_time() {
    let hanging = store([0; 3].map(|_| Reply::Fault(HttpFault::Timeout)));
    assert_eq!(put(&hanging), Err(StoreFault::Timeout));
    let timeouts: Vec<_> = hanging.seen().iter().map(|seen| seen.timeout_ms).collect();
    assert_eq!(
        timeouts,
        [10_000, 10_000, 25_000 - 20_000 - 200 - 400],
        "the last has what is left"
    );
    assert_eq!(hanging.spent_ms(), 25_000);

    let probed = store([Reply::Fault(HttpFault::Timeout)]);
    assert_eq!(block_on(probed.probe()), Err(StoreFault::Timeout));
    assert_eq!(probed.spent_ms(), 10_000, "a probe asks once");
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
fn another_object_at_the_key_is_never_taken_for_ours() {
    let occupied = store([Reply::error(412, "PreconditionFailed")]);
    assert_eq!(put(&occupied), Err(StoreFault::Exists));
    assert_eq!(occupied.methods(), ["PUT"], "nothing of ours can be there");

    let busy = store([0; 3].map(|_| Reply::error(409, "ConditionalRequestConflict")));
    assert_eq!(put(&busy), Err(StoreFault::Exists));
}

/// After a lost answer, the service says that the key is taken.
fn after_a_lost_answer(then: Vec<Reply>) -> S3Store<Scripted> {
    let mut replies = vec![broken(), Reply::status(412)];
    replies.extend(then);
    store(replies)
}

#[test]
fn a_write_whose_answer_was_lost_is_found_again() {
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
fn a_lost_answer_does_not_make_another_object_ours() {
    let other = b"the bytes of a pigture";
    let with_digest = Reply::object(other).with("x-amz-checksum-sha256", digest(other));
    for then in [
        vec![Reply::object(b"shorter")],
        vec![with_digest],
        vec![Reply::object(other), Reply::object(other)],
    ] {
        assert_eq!(put(&after_a_lost_answer(then)), Err(StoreFault::Exists));
    }
    let unknowable = after_a_lost_answer(vec![broken(), Reply::status(412), broken()]);
    assert_eq!(put(&unknowable), Err(StoreFault::Unreachable), "not known to be stored");
}

#[test]
fn a_service_without_conditional_writes_is_asked_first() {
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
    assert_eq!(put(&store), Err(StoreFault::Exists));
    assert_eq!(store.methods(), ["PUT", "HEAD", "PUT", "HEAD", "PUT", "HEAD"]);
    let guards: Vec<_> =
        store.seen().iter().map(|seen| seen.header("if-none-match").is_some()).collect();
    assert_eq!(guards, [true, false, false, false, false, false]);
}

#[test]
fn objects_are_read_with_their_facts() {
    let facts = ObjectFacts { size_bytes: 22, etag: "\"e1\"".to_owned() };
    let store = store([
        Reply::object(PICTURE),
        Reply::object(PICTURE).with("etag", "W/\"e2\""),
        Reply::error(404, "NoSuchKey"),
        Reply::status(404),
    ]);
    let found = block_on(store.get(&key(), None)).expect("works").expect("is there");
    assert_eq!((found.content.as_slice(), &found.facts), (PICTURE, &facts));
    assert_eq!(block_on(store.head(&key())), Ok(Some(facts)));
    assert!(block_on(store.get(&key(), None)).expect("works").is_none());
    assert_eq!(block_on(store.head(&key())), Ok(None));
    assert_eq!(store.methods(), ["GET", "HEAD", "GET", "HEAD"]);
}

fn get_span(reply: Reply) -> (Result<Vec<u8>, StoreFault>, Vec<Seen>) {
    let store = store([reply]);
    let found = block_on(store.get(&key(), Some(Span { offset: 4, length: 5 })));
    (found.map(|found| found.expect("is there").content), store.seen())
}

fn partial(range: &str) -> Reply {
    Reply::status(206).with("etag", "\"e1\"").with("content-range", range).holding(&PICTURE[4..9])
}

#[test]
fn a_span_is_that_span_and_nothing_else() {
    let (bytes, seen) = get_span(partial("bytes 4-8/22"));
    assert_eq!(bytes, Ok(b"bytes".to_vec()));
    assert_eq!(seen[0].header("range"), Some("bytes=4-8"));

    let doubt = StoreFault::Untrusted(Doubt::OtherSpan);
    for reply in [
        Reply::object(PICTURE),
        Reply::object(PICTURE).with("content-range", "bytes 4-8/22"),
        partial("bytes 0-4/22"),
        partial("bytes 4-8/*"),
        partial("4-8/22"),
        Reply::status(206).with("etag", "\"e1\""),
    ] {
        assert_eq!(get_span(reply).0.as_ref(), Err(&doubt));
    }
    assert_eq!(get_span(Reply::error(416, "InvalidRange")).0, Err(rejected(416, "InvalidRange")));
}

#[test]
fn a_missing_bucket_is_no_missing_object() {
    for outcome in [
        block_on(store([Reply::error(404, "NoSuchBucket")]).get(&key(), None)).map(|_| ()),
        block_on(store([Reply::error(404, "NoSuchBucket")]).delete(&key())),
        block_on(store([Reply::error(404, "NoSuchBucket")]).probe()),
    ] {
        assert_eq!(outcome, Err(rejected(404, "NoSuchBucket")));
    }
}

#[test]
fn deleting_what_is_not_there_is_no_fault() {
    for reply in [Reply::status(204), Reply::status(200), Reply::error(404, "NoSuchKey")] {
        assert_eq!(block_on(store([reply]).delete(&key())), Ok(()));
    }
    let forbidden = store([Reply::error(403, "AccessDenied")]);
    assert_eq!(block_on(forbidden.delete(&key())), Err(denied(403, "AccessDenied")));
}

fn listing(inner: &str) -> Reply {
    let head = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    Reply::status(200).holding(format!("{head}{inner}</ListBucketResult>").as_bytes())
}

#[test]
fn keys_are_listed_page_by_page() {
    let store = store([
        listing(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>a/b+c==</NextContinuationToken>\
             <Contents><Key>users/1&amp;2</Key><Size>1</Size></Contents><Contents><Key>users/3</Key></Contents>",
        ),
        listing("<IsTruncated>false</IsTruncated>"),
    ]);
    let first = block_on(store.list(None, 5000)).expect("works");
    let keys = ["users/1&2", "users/3"].map(str::to_owned).to_vec();
    assert_eq!(first, Page { keys, next: Some("a/b+c==".to_owned()) });
    assert_eq!(block_on(store.list(first.next.as_deref(), 10)), Ok(Page::default()));
    let queries: Vec<_> = store.seen().iter().map(|seen| seen.url.clone()).collect();
    assert!(queries[0].contains("list-type=2&max-keys=1000&prefix=users%2F"), "{}", queries[0]);
    assert!(queries[1].contains("continuation-token=a%2Fb%2Bc%3D%3D"), "{}", queries[1]);
}

#[test]
fn a_page_that_is_no_listing_is_no_empty_bucket() {
    for reply in [
        Reply::status(200),
        Reply::status(200).holding(b"<html>welcome</html>"),
        Reply::status(200).holding(b"<ListBucketResult><Contents><Key>users/1</Key>"),
        listing("<IsTruncated>true</IsTruncated>"),
    ] {
        let outcome = block_on(store([reply]).list(None, 10));
        assert_eq!(outcome, Err(StoreFault::Untrusted(Doubt::NoListing)));
    }
}

#[test]
fn no_fault_carries_an_address_or_what_the_service_wrote() {
    let chatty = "<Error><Code>AccessDenied</Code><Message>AKIDEXAMPLE</Message>\
        <CanonicalRequest>X-Amz-Signature=1</CanonicalRequest></Error>";
    let page = "<Code>".to_owned() + &"x".repeat(10_000) + "</Code>";
    for (body, expected) in [
        (chatty, "Denied(Rejection { status: 403, code: Some(AccessDenied) })"),
        (page.as_str(), "Denied(Rejection { status: 403, code: None })"),
        ("<Code>a b</Code>", "Denied(Rejection { status: 403, code: None })"),
    ] {
        let fault = put(&store([Reply::status(403).holding(body.as_bytes())])).expect_err("denied");
        assert_eq!(format!("{fault:?}"), expected);
    }
}
