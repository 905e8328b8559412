//! Reading, deleting and listing: what each answer means.

use futures_executor::block_on;

use super::{
    denied, key, rejected,
    scripted::{PICTURE, Reply, Seen, store},
};
use crate::{InvalidReply, ObjectFacts, ObjectStore, Page, Span, StoreError};

#[test]
fn objects_are_read_with_size_and_etag() {
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

fn get_span(reply: Reply) -> (Result<Vec<u8>, StoreError>, Vec<Seen>) {
    let store = store([reply]);
    let found = block_on(store.get(&key(), Some(Span { offset: 4, length: 5 })));
    (found.map(|found| found.expect("is there").content), store.seen())
}

fn partial(range: &str) -> Reply {
    Reply::status(206).with("etag", "\"e1\"").with("content-range", range).holding(&PICTURE[4..9])
}

#[test]
fn only_the_requested_span_is_accepted() {
    let (bytes, seen) = get_span(partial("bytes 4-8/22"));
    assert_eq!(bytes, Ok(b"bytes".to_vec()));
    assert_eq!(seen[0].header("range"), Some("bytes=4-8"));

    let doubt = StoreError::InvalidReply(InvalidReply::OtherSpan);
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
fn a_missing_bucket_is_distinguished_from_a_missing_object() {
    for outcome in [
        block_on(store([Reply::error(404, "NoSuchBucket")]).get(&key(), None)).map(|_| ()),
        block_on(store([Reply::error(404, "NoSuchBucket")]).delete(&key())),
        block_on(store([Reply::error(404, "NoSuchBucket")]).probe()),
    ] {
        assert_eq!(outcome, Err(rejected(404, "NoSuchBucket")));
    }
}

#[test]
fn deleting_a_missing_object_succeeds() {
    for reply in [Reply::status(204), Reply::status(200), Reply::error(404, "NoSuchKey")] {
        assert_eq!(block_on(store([reply]).delete(&key())), Ok(()));
    }
    let without = store([Reply::error(501, "NotImplemented")]);
    assert_eq!(block_on(without.delete(&key())), Err(rejected(501, "NotImplemented")), "once");
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
    assert!(queries[0].contains("list-type=2&max-keys=1000"), "{}", queries[0]);
    assert!(queries[1].contains("continuation-token=a%2Fb%2Bc%3D%3D"), "{}", queries[1]);
}

#[test]
fn a_document_that_is_no_listing_is_an_error() {
    for reply in [
        Reply::status(200),
        Reply::status(200).holding(b"<html>welcome</html>"),
        Reply::status(200).holding(b"<ListBucketResult><Contents><Key>users/1</Key>"),
        listing("<IsTruncated>true</IsTruncated>"),
    ] {
        let outcome = block_on(store([reply]).list(None, 10));
        assert_eq!(outcome, Err(StoreError::InvalidReply(InvalidReply::NoListing)));
    }
}
