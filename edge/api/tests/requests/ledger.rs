//! A ledger over the ports of the Worker: their clock, their randomness, their edge cache.

use edge_api::{
    copy_url,
    ports::{EdgeCache, Picture},
};
use edge_auth::testing::NOW_MS;
use edge_ledger::{
    AdmitUpload, CachedStorage, DeriveImage, LedgerCommand, LedgerRequest, LedgerService,
    RemovalOutcome, RemoveImage, UploadGrant, testing::FakeLedgerStorage,
};
use edge_storage::{ObjectFacts, UploadKey};
use edge_types::{UploadLimits, UserId};
use futures_executor::block_on;
use image_rules::Format;

use crate::harness::{BASE_URL, TestHarness};

fn execute<C: LedgerCommand>(
    deps: &TestHarness,
    storage: &CachedStorage<FakeLedgerStorage>,
    command: C,
) -> C::Reply {
    let request = LedgerRequest { subject: "user:7".to_owned(), command: command.into() };
    let reply = block_on(LedgerService { storage, deps }.execute(request)).expect("succeeds");
    serde_json::from_str(&reply).expect("JSON")
}

fn admit(deps: &TestHarness, storage: &CachedStorage<FakeLedgerStorage>) -> UploadGrant {
    let limits = UploadLimits { rate_per_minute: 10, daily_count: 10, daily_bytes: 1000 };
    let command = AdmitUpload { limits, bytes: 1, lease_s: 300, ticket: None };
    execute(deps, storage, command).outcome.expect("admitted")
}

#[test]
fn each_upload_has_its_own_key_and_a_lease_by_the_clock() {
    let (deps, storage) = (TestHarness::default(), CachedStorage::fake());
    let [first, second] = [(); 2].map(|()| admit(&deps, &storage));
    assert_ne!(first.upload_key, second.upload_key, "in the same millisecond");
    assert_eq!(first.until_ms, NOW_MS + 300_000);
}

#[test]
fn a_removal_purges_the_copies_of_derived_pictures() {
    let (deps, storage) = (TestHarness::default(), CachedStorage::fake());
    let owner = UserId::parse("7").expect("valid");
    let [key, other] = [1, 2].map(|random| {
        UploadKey::new(&owner, NOW_MS, [random; 16]).object_key(Format::Gif).expect("a key")
    });
    let name = "thumb".to_owned();
    let lease = DeriveImage { key: key.clone(), name: name.clone(), lease_ms: Some(1) };
    execute(&deps, &storage, lease);
    let urls = |key| [None, Some(&*name)].map(|derived| copy_url(BASE_URL, key, derived));
    for url in urls(&key).into_iter().chain(urls(&other)) {
        let facts = ObjectFacts { size_bytes: 1, etag: "\"1\"".to_owned() };
        deps.edge_cache.put(&url, Picture { content: vec![1], facts, format: Format::Gif });
    }
    let removal = execute(&deps, &storage, RemoveImage::new(key.clone()));
    assert_eq!((removal.outcome, removal.derived), (RemovalOutcome::Finished, vec![name.clone()]));
    let left: Vec<_> = deps.edge_cache.copies.borrow().keys().cloned().collect();
    assert_eq!(left, urls(&other));
}
