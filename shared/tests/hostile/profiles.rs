//! Files hidden in colour profiles. An accepted image is stored without the hidden file, with the colours of the clean image.

use super::{
    alone, fixture,
    polyglots::{chunks, hidden, inserted, made, png, position, segment, stored},
};
use image_rules::{Action, Policy};

type Tag = ([u8; 4], Vec<u8>);

fn be(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("short").to_be_bytes()
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
}

/// The profile of the fixtures, from the JPEG: sRGB by Little CMS.
fn profile() -> Vec<u8> {
    let jpeg = fixture("jpeg/profile.jpg");
    let at = position(&jpeg, b"ICC_PROFILE\0") + 14;
    jpeg[at..at + number(&jpeg, at)].to_vec()
}

fn fixture(name: &str) -> Vec<u8> {
    let all = fixture::all();
    all.into_iter().find(|fixture| fixture.name == name).expect("a fixture").bytes
}

fn tags(profile: &[u8]) -> Vec<Tag> {
    let entry = |at: usize| {
        let (from, length) = (number(profile, at + 4), number(profile, at + 8));
        (profile[at..at + 4].try_into().expect("a name"), profile[from..from + length].to_vec())
    };
    (0..number(profile, 128)).map(|tag| entry(132 + 12 * tag)).collect()
}

/// A profile with the header of another and these tags, with `gap` after each.
fn assembled(header: &[u8], tags: &[Tag], gap: &[u8]) -> Vec<u8> {
    let mut out = [&header[..128], &be(tags.len())].concat();
    let mut at = out.len() + 12 * tags.len();
    for (name, data) in tags {
        out.extend([&name[..], &be(at), &be(data.len())].concat());
        at += data.len() + gap.len();
    }
    for (_, data) in tags {
        out.extend([&data[..], gap].concat());
    }
    let size = be(out.len());
    out[..4].copy_from_slice(&size);
    out
}

/// Every way to hide a payload in a profile that still defines its colours.
fn polyglots(payload: &[u8]) -> Vec<Vec<u8>> {
    let clean = profile();
    let plain = tags(&clean);
    let text = [b"text\0\0\0\0", payload, b"\0"].concat();
    let with = |name: &[u8; 4], data: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut tags = plain.clone();
        for (_, old) in tags.iter_mut().filter(|tag| tag.0 == *name) {
            *old = data(old);
        }
        assembled(&clean, &tags, b"")
    };
    let private = [&plain[..], &[(*b"priv", text.clone())]].concat();
    vec![
        assembled(&clean, &private, b""),
        with(b"desc", &|_| text.clone()),
        with(b"cprt", &|_| text.clone()),
        with(b"rXYZ", &|old| [old, payload].concat()),
        with(b"rTRC", &|old| [old, payload].concat()),
        assembled(&clean, &plain, payload),
        [&clean, payload].concat(),
    ]
}

const WAYS: usize = 7;

/// The JPEG with its profile in two parts, the second from the payload on, or in one.
fn in_jpeg(clean: &[u8], profile: &[u8], split: Option<usize>) -> Vec<u8> {
    let at = position(clean, b"ICC_PROFILE\0") - 4;
    let end = at + 2 + usize::from(u16::from_be_bytes([clean[at + 2], clean[at + 3]]));
    let part =
        |of: [u8; 2], data: &[u8]| segment(0xE2, &[b"ICC_PROFILE\0", &of[..], data].concat());
    let parts = match split.map(|at| profile.split_at(at)) {
        Some((first, second)) => [part([1, 2], first), part([2, 2], second)].concat(),
        None => part([1, 1], profile),
    };
    [&clean[..at], &parts, &clean[end..]].concat()
}

fn in_png(clean: &[u8], name: &[u8], stream: &[u8]) -> Vec<u8> {
    let mut chunks = chunks(clean);
    let old = chunks.iter_mut().find(|(kind, _)| kind == b"iCCP").expect("a profile");
    old.1 = [name, &[0, 0], stream].concat();
    png(&chunks)
}

fn in_webp(clean: &[u8], profile: &[u8]) -> Vec<u8> {
    let at = position(clean, b"ICCP");
    let size = u32::from_le_bytes(clean[at + 4..at + 8].try_into().expect("four bytes")) as usize;
    let end = at + 8 + size.next_multiple_of(2);
    let mut data = profile.to_vec();
    data.resize(data.len().next_multiple_of(2), 0);
    let size = u32::try_from(profile.len()).expect("short").to_le_bytes();
    let mut out = [&clean[..at + 4], &size, &data, &clean[end..]].concat();
    let size = u32::try_from(out.len() - 8).expect("short").to_le_bytes();
    out[4..8].copy_from_slice(&size);
    out
}

#[test]
fn in_a_profile() {
    for way in 0..WAYS {
        for name in ["jpeg/profile.jpg", "jpeg/private.jpg"] {
            hidden(name, true, |clean, payload| in_jpeg(clean, &polyglots(payload)[way], None));
            hidden(name, true, |clean, payload| {
                let profile = &polyglots(payload)[way];
                in_jpeg(clean, profile, Some(position(profile, payload)))
            });
        }
        hidden("png/private.png", true, |clean, payload| {
            in_png(clean, b"sRGB", &stored(&polyglots(payload)[way]))
        });
        hidden("webp/private.webp", true, |clean, payload| {
            in_webp(clean, &polyglots(payload)[way])
        });
    }
}

#[test]
fn around_the_profile_of_a_png() {
    hidden("png/private.png", true, |clean, payload| {
        in_png(clean, b"sRGB", &[&stored(&profile())[..], payload].concat())
    });
    let _turn = alone();
    let named =
        in_png(&fixture("png/private.png"), b"<script>alert(1)</script>", &stored(&profile()));
    let made_of_it = made(&named, &Policy::EDGE).expect("a sound picture");
    let clean = made(&fixture("png/private.png"), &Policy::EDGE).expect("a sound fixture");
    assert_eq!(made_of_it.bytes(), clean.bytes());
}

#[test]
fn in_data_that_resembles_a_profile() {
    for name in ["jpeg/baseline-420.jpg", "jpeg/gray.jpg", "jpeg/cmyk.jpg"] {
        hidden(name, true, |clean, payload| {
            let private = assembled(&profile(), &[(*b"priv", payload.to_vec())], b"");
            inserted(clean, 2, &segment(0xE2, &[b"ICC_PROFILE\0\x01\x01", &private[..]].concat()))
        });
    }
    hidden("png/rgb8.png", true, |clean, payload| {
        let mut chunks = chunks(clean);
        let private = assembled(&profile(), &[(*b"priv", payload.to_vec())], b"");
        chunks.insert(1, (*b"iCCP", [b"_\0\0", &stored(&private)[..]].concat()));
        png(&chunks)
    });
    let _turn = alone();
    // A byte for each thousand: more than any profile needs.
    let bomb = in_png(&fixture("png/private.png"), b"_", &flat(8 * 1024 * 1024));
    let made_of_it = made(&bomb, &Policy::EDGE).expect("a sound picture");
    assert!(chunks(made_of_it.bytes()).iter().all(|(kind, _)| kind != b"iCCP"));
}

/// Zeros, compressed with deflate.
fn flat(bytes: usize) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; bytes], 6)
}

/// The profile in a file, decompressed if necessary.
fn stored_profile(bytes: &[u8]) -> Vec<u8> {
    if bytes.starts_with(b"\x89PNG") {
        let chunks = chunks(bytes);
        let (_, data) = chunks.iter().find(|(kind, _)| kind == b"iCCP").expect("a profile");
        return fdeflate::decompress_to_vec(&data[3..]).expect("a zlib stream");
    }
    let at = position(bytes, b"acsp") - 36;
    bytes[at..at + number(bytes, at)].to_vec()
}

#[test]
fn colours_stay_and_a_stored_image_is_unchanged() {
    let _turn = alone();
    let before = tags(&profile());
    for name in ["jpeg/profile.jpg", "jpeg/private.jpg", "png/private.png", "webp/private.webp"] {
        for max_edge in [2048, 20] {
            let policy = Policy { max_edge, ..Policy::EDGE };
            let first = made(&fixture(name), &policy).expect("a sound fixture");
            assert!(first.removed().icc > 0, "{name}: the report names the removed bytes");
            let profile = stored_profile(first.bytes());
            let after = tags(&profile);
            for colour in [b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"] {
                let data = |tags: &[Tag]| tags.iter().find(|tag| tag.0 == *colour).cloned();
                assert!(data(&before).is_some(), "{name}");
                assert_eq!(data(&after), data(&before), "{name}");
            }
            let second = made(first.bytes(), &policy).expect("a stored image");
            assert_eq!((second.action(), second.removed().icc), (Action::Keep, 0), "{name}");
            assert_eq!(second.bytes(), first.bytes(), "{name}");
        }
    }
}
