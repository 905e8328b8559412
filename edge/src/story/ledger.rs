//! An account on the Worker's own ports: its clock, its randomness, its copies.

use super::*;
use crate::{
    auth::UserId,
    delivery::addresses,
    ledger::{
        desk::Desk,
        memory::MemoryShelf,
        message::{Admit, Envelope, Leave, Question, Removal, Reply, Terms},
    },
    storage::Stem,
};

fn ask(world: &World, shelf: &MemoryShelf, question: Question) -> Reply {
    let envelope = Envelope { account: "user:7".to_owned(), question };
    block_on(Desk { shelf, reach: world }.answer(envelope)).expect("answers")
}

fn leave(world: &World, shelf: &MemoryShelf) -> Leave {
    let terms = Terms { rate_per_minute: 10, daily_count: 10, daily_bytes: 1000 };
    let admit = Admit { terms, bytes: 1, lease_s: 300, ticket: None };
    let Reply::Admission(admission) = ask(world, shelf, Question::Admit(admit)) else {
        panic!("an admission")
    };
    admission.outcome.expect("admitted")
}

#[test]
fn each_upload_has_a_name_of_its_own_and_a_lease_by_the_clock() {
    let (world, shelf) = (World::default(), MemoryShelf::default());
    let [first, second] = [(); 2].map(|()| leave(&world, &shelf));
    assert_ne!(first.stem, second.stem, "at the very same moment");
    assert_eq!(first.until_ms, NOW_MS + 300_000);
}

#[test]
fn with_a_picture_go_the_copies_of_all_its_variants() {
    let (world, shelf) = (World::default(), MemoryShelf::default());
    let owner = UserId::parse("7").expect("valid");
    let key = Stem::new(&owner, NOW_MS, [1; 16]).key(Format::Gif).expect("a key");
    let base_url = "https://image.the-form";
    let other = Stem::new(&owner, NOW_MS, [2; 16]).key(Format::Gif).expect("a key");
    for address in addresses(base_url, &key).chain(addresses(base_url, &other)) {
        let facts = ObjectFacts { size_bytes: 1, etag: "\"1\"".to_owned() };
        let picture = Picture { content: vec![1], facts, format: Format::Gif };
        world.copies.keep(&address, picture);
    }
    let reply = ask(&world, &shelf, Question::Remove { key });
    assert_eq!(reply, Reply::Removal(Removal::Finished));
    let left: Vec<_> = world.copies.kept.borrow().keys().cloned().collect();
    let mut expected: Vec<_> = addresses(base_url, &other).collect();
    expected.sort();
    assert_eq!(left, expected);
}
