//! Profiles of today and of before, what is left of them, and what hides in others.

use super::*;

fn be(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_be_bytes()
}

/// A profile of these tags, each behind the last, with gaps.
fn profile(version: u8, space: &[u8], tags: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut out = alloc::vec![0xAA; HEADER_BYTES];
    out[8..12].copy_from_slice(&[version, 0x20, 0xAA, 0xAA]);
    out[12..24].copy_from_slice(&[b"mntr", space, b"XYZ "].concat());
    out[36..40].copy_from_slice(b"acsp");
    out[64..68].copy_from_slice(&be(1));
    out.extend(be(tags.len()));
    let mut at = out.len() + tags.len() * ENTRY_BYTES;
    for (name, data) in tags {
        out.extend([&name[..], &be(at), &be(data.len())].concat());
        at += data.len() + 3;
    }
    for (_, data) in tags {
        out.extend_from_slice(data);
        out.extend(b"PK\x03");
    }
    let size = be(out.len());
    out[..4].copy_from_slice(&size);
    out
}

fn xyz(first: u8) -> Vec<u8> {
    [&b"XYZ \xAA\xAA\xAA\xAA"[..], &[first; 12], b"<script>"].concat()
}

const CURVE: &[u8] = b"curv\xAA\xAA\xAA\xAA\0\0\0\x01\x02\x33<script>";
const CURVE_KEPT: &[u8] = b"curv\0\0\0\0\0\0\0\x01\x02\x33";

fn rgb(version: u8, more: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let [red, green, blue] = [xyz(1), xyz(2), xyz(3)];
    let mut tags: Vec<(&[u8; 4], &[u8])> = alloc::vec![
        (b"rTRC", CURVE),
        (b"gTRC", CURVE),
        (b"bTRC", CURVE),
        (b"bXYZ", &blue),
        (b"gXYZ", &green),
        (b"rXYZ", &red),
    ];
    tags.extend(more);
    profile(version, b"RGB ", &tags)
}

/// Rebuilt, and rebuilt again to the same.
fn kept(profile: &[u8], inks: bool) -> Option<Vec<u8>> {
    let out = rebuilt(profile, inks)?;
    assert_eq!(rebuilt(&out, inks).as_ref(), Some(&out), "rebuilding twice changes nothing");
    assert_eq!(out[..4], be(out.len()));
    assert!(out.len() <= profile.len() + MAX_GROWTH);
    Some(out)
}

fn said<'a>(profile: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    tag(profile, table(profile).unwrap(), name)
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn colours_stay_and_nothing_else_does() {
    let text = b"text\0\0\0\0<script>\0";
    let private: [(&[u8; 4], &[u8]); 4] =
        [(b"cprt", text), (b"desc", text), (b"PK\x03\x04", b"<script>"), (b"dmnd", text)];
    for version in [2, 4] {
        let hiding = [&rgb(version, &private)[..], b"<script>"].concat();
        let out = kept(&hiding, false).unwrap();
        for (name, first) in [(b"rXYZ", 1), (b"gXYZ", 2), (b"bXYZ", 3)] {
            assert_eq!(said(&out, name), Some(&[&b"XYZ \0\0\0\0"[..], &[first; 12]].concat()[..]));
        }
        for name in [b"rTRC", b"gTRC", b"bTRC"] {
            assert_eq!(said(&out, name), Some(CURVE_KEPT));
        }
        for part in [&b"script"[..], b"PK\x03", b"dmnd", &[0xAA]] {
            assert!(!has(&out, part), "{part:?}");
        }
        let (desc, cprt): (&[u8], &[u8]) =
            if version == 2 { (b"desc", b"text") } else { (b"mluc", b"mluc") };
        assert!(said(&out, b"desc").unwrap().starts_with(desc));
        assert!(said(&out, b"cprt").unwrap().starts_with(cprt));
        assert_eq!(number(&out, 64), Some(1), "the rendering intent");
        // One curve for three tags.
        assert_eq!(out.windows(4).filter(|it| it == b"curv").count(), 1);
    }
    let untold = kept(&rgb(2, &[]), false).unwrap();
    assert_eq!((said(&untold, b"desc"), said(&untold, b"cprt")), (None, None));
}

#[test]
fn long_curves_that_are_shared_stay() {
    // Three of 2 KiB at one place, as in the sRGB profile of 1998: apart they are longer than the profile.
    let curve = [&b"curv\0\0\0\0\0\0\x04\0"[..], &[0x5A; 2 * 1024]].concat();
    let [red, green, blue] = [xyz(1), xyz(2), xyz(3)];
    let tags: [(&[u8; 4], &[u8]); 6] = [
        (b"rXYZ", &red),
        (b"gXYZ", &green),
        (b"bXYZ", &blue),
        (b"rTRC", &curve),
        (b"gTRC", &curve),
        (b"bTRC", &curve),
    ];
    let shared = kept(&profile(2, b"RGB ", &tags), false).unwrap();
    assert!(shared.len() < 2 * curve.len());
    assert_eq!(said(&shared, b"bTRC"), Some(&curve[..]));
}

#[test]
fn what_is_no_profile_for_the_picture_goes() {
    let sound = rgb(2, &[]);
    assert!(rebuilt(&sound, false).is_some());
    assert_eq!(rebuilt(&sound, true), None, "not for inks");
    for (at, value) in [(0, 1), (8, 1), (8, 5), (12, b'l'), (16, b'L'), (20, b'R'), (36, b'A')] {
        let mut broken = sound.clone();
        broken[at] = value;
        assert_eq!(rebuilt(&broken, false), None, "{at}");
    }
    for length in 0..sound.len() {
        assert_eq!(rebuilt(&sound[..length], false), None, "cut to {length}");
    }
    let private: [(&[u8; 4], &[u8]); 1] = [(b"priv", b"%PDF-1.7")];
    assert_eq!(rebuilt(&profile(4, b"RGB ", &private), false), None);
    let gray: [(&[u8; 4], &[u8]); 1] = [(b"kTRC", CURVE)];
    assert!(kept(&profile(4, b"GRAY", &gray), false).is_some());
    assert_eq!(rebuilt(&profile(4, b"RGB ", &gray), false), None);
    let many = [(b"priv", &b"x"[..]); MAX_TAGS + 1];
    assert_eq!(rebuilt(&rgb(2, &many), false), None);
}

#[test]
fn every_byte_may_be_wrong() {
    let table = lut_of_parts(3, 3);
    let sound = rgb(4, &[(b"A2B0", &table), (b"chad", &[&b"sf32"[..], &[0; 40]].concat())]);
    for at in 0..sound.len() {
        for value in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut broken = sound.clone();
            broken[at] = value;
            kept(&broken, false);
        }
    }
}

/// mft1 or mft2 with a grid of two points a side, and something behind it.
fn lut(kind: &[u8], inputs: u8, outputs: u8) -> (Vec<u8>, usize) {
    let (width, entries) = if kind == b"mft1" { (1, 256) } else { (2, 5) };
    let mut out = [kind, &[0, 0, 0, 0, inputs, outputs, 2, 0], &[7; 36]].concat();
    if kind == b"mft2" {
        out.extend([0, 5, 0, 5]);
    }
    let (i, o) = (usize::from(inputs), usize::from(outputs));
    out.resize(out.len() + width * (entries * (i + o) + o * (1 << i)), 9);
    let length = out.len();
    out.extend(b"<script>");
    (out, length)
}

/// mAB with everything that it can have, between gaps; the first and second curves are the same.
fn lut_of_parts(inputs: u8, outputs: u8) -> Vec<u8> {
    let mut out = [&b"mAB \0\0\0\0"[..], &[inputs, outputs, 0, 0], &[0; 20]].concat();
    let curves = |count: u8, gamma: u8| {
        [b"para\0\0\0\0\0\0\xAA\xAA\0\x01\0", &[gamma][..]].concat().repeat(usize::from(count))
    };
    let grid = [
        &[2; 16][..usize::from(inputs)],
        &[0xAA; 16][usize::from(inputs)..],
        &[1, 0xAA, 0xAA, 0xAA],
        &alloc::vec![5; (1 << inputs) * usize::from(outputs)],
    ]
    .concat();
    let parts =
        [curves(outputs, 1), Vec::from([3; 48]), curves(outputs, 1), grid, curves(inputs, 2)];
    for (number, part) in parts.iter().enumerate() {
        out.extend(b"<script>");
        let at = be(out.len());
        out[12 + 4 * number..16 + 4 * number].copy_from_slice(&at);
        out.extend_from_slice(part);
        out.resize(out.len().next_multiple_of(4), 0xAA);
    }
    out
}

#[test]
fn tables_are_as_long_as_they_say() {
    for kind in [b"mft1", b"mft2"] {
        let (from, length) = lut(kind, 4, 3);
        let (to, _) = lut(kind, 3, 4);
        let inks = profile(2, b"CMYK", &[(b"A2B0", &from), (b"B2A0", &to), (b"A2B1", &to)]);
        let out = kept(&inks, true).unwrap();
        assert_eq!(said(&out, b"A2B0"), Some(&from[..length]));
        assert!(said(&out, b"B2A0").is_some() && said(&out, b"A2B1").is_none());
        assert!(!has(&out, b"script"));
        assert_eq!(rebuilt(&inks, false), None, "not for light");
    }
}

#[test]
fn the_parts_of_a_table_are_separated() {
    for inputs in [3, 4] {
        let table = lut_of_parts(inputs, 3);
        let space = if inputs == 3 { b"RGB " } else { b"CMYK" };
        let out = kept(&profile(4, space, &[(b"A2B0", &table)]), inputs == 4).unwrap();
        let made = said(&out, b"A2B0").unwrap();
        assert!(!has(&out, b"script") && !has(&out, &[0xAA]));
        let at = |part: usize| number(made, 12 + 4 * part).unwrap() as usize;
        assert_eq!((at(0), at(2)), (32, 32), "the same curves are there once");
        assert_eq!(made[at(1)..at(1) + 48], [3; 48]);
        assert_eq!(made[at(3)..at(3) + usize::from(inputs)], [2; 4][..usize::from(inputs)]);
        assert_eq!(made[at(3) + 16..at(3) + 20], [1, 0, 0, 0]);
    }
}

#[test]
fn data_told_many_times_over_does_not_grow() {
    // Five parts that overlap are longer apart.
    let curves = b"para\0\0\0\0\0\0\0\0\0\x01\0\0".repeat(40);
    let mut table = [&b"mAB \0\0\0\0\x03\x03\0\0"[..], &[0; 20], &curves].concat();
    for (part, at) in [(0, 32), (2, 48), (4, 64)] {
        table[12 + 4 * part..16 + 4 * part].copy_from_slice(&be(at));
    }
    let cut = &table[..32 + 5 * 16];
    let out = kept(&rgb(4, &[(b"A2B0", &table), (b"A2B1", cut)]), false).unwrap();
    assert!(out.len() < 2 * table.len());
}
