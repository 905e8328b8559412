//! Rebuilds colour profiles (ICC.1:2022 section 7) with nothing in them but colours: the tags that define what the
//! numbers of a picture mean, each at the length of its type, without gaps, under a header without free fields.
//! Texts are replaced and all other tags are left out.

use alloc::vec::Vec;

mod element;

use element::{Element, Kind, Space};

const HEADER_BYTES: usize = 128;
/// Signature, place and size of a tag.
const ENTRY_BYTES: usize = 12;

/// As many as Little CMS takes; a printer's profile has about twenty.
const MAX_TAGS: usize = 100;

/// The size of the replaced texts (see `element`), by which a rebuilt profile may grow.
const MAX_GROWTH: usize = 256;

/// The tags that are kept (section 9.2), in the order in which they are written.
const KEPT: [(&[u8; 4], Kind); 19] = [
    (b"desc", Kind::Description),
    (b"cprt", Kind::Text),
    (b"wtpt", Kind::Xyz),
    (b"bkpt", Kind::Xyz),
    (b"chad", Kind::Matrix),
    (b"rXYZ", Kind::Xyz),
    (b"gXYZ", Kind::Xyz),
    (b"bXYZ", Kind::Xyz),
    (b"rTRC", Kind::Curve),
    (b"gTRC", Kind::Curve),
    (b"bTRC", Kind::Curve),
    (b"kTRC", Kind::Curve),
    (b"A2B0", Kind::FromDevice),
    (b"A2B1", Kind::FromDevice),
    (b"A2B2", Kind::FromDevice),
    (b"B2A0", Kind::ToDevice),
    (b"B2A1", Kind::ToDevice),
    (b"B2A2", Kind::ToDevice),
    (b"cicp", Kind::CodePoints),
];

/// The rebuilt profile; nothing when it is invalid or its colour space does not match the picture (`inks`).
/// Rebuilding is idempotent.
pub(crate) fn rebuilt(profile: &[u8], inks: bool) -> Option<Vec<u8>> {
    let old: &[u8; HEADER_BYTES] = profile.first_chunk()?;
    let size = usize::try_from(number(profile, 0)?).ok()?;
    let profile = profile.get(..size)?;
    let (header, space) = header(old)?;
    let table = table(profile)?;
    if inks != (space == Space::Inks) {
        return None;
    }
    let mut body = Vec::with_capacity(size);
    let mut tags: Vec<(&[u8; 4], usize, usize)> = Vec::new();
    for (name, kind) in KEPT {
        let Some(data) = tag(profile, table, name) else { continue };
        body.resize(body.len().next_multiple_of(4), 0);
        let start = body.len();
        let element = Element { kind, space, major: *old.get(8)? };
        if element.write(data, &mut body).is_none() {
            body.truncate(start);
            continue;
        }
        // Tags may share their data, as the three curves of most profiles do.
        let (before, written) = body.split_at_checked(start)?;
        let same =
            |(_, at, length): &&(_, usize, usize)| before.get(*at..*at + *length) == Some(written);
        let (at, length) = match tags.iter().find(same) {
            Some(&(_, at, length)) => {
                body.truncate(start);
                (at, length)
            }
            // Tags that overlap would be longer apart.
            None if body.len() > size + MAX_GROWTH => return None,
            None => (start, written.len()),
        };
        tags.push((name, at, length));
    }
    let has = |names: &[&[u8; 4]]| names.iter().all(|name| tags.iter().any(|tag| tag.0 == *name));
    let says_colours = has(&[b"A2B0"])
        || match space {
            Space::Rgb => has(&[b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"]),
            Space::Gray => has(&[b"kTRC"]),
            Space::Inks => false,
        };
    says_colours.then(|| assembled(&header, &tags, &body))?
}

fn assembled(
    header: &[u8; HEADER_BYTES],
    tags: &[(&[u8; 4], usize, usize)],
    body: &[u8],
) -> Option<Vec<u8>> {
    let base = HEADER_BYTES + 4 + tags.len() * ENTRY_BYTES;
    let size = (base + body.len()).next_multiple_of(4);
    let mut out = Vec::with_capacity(size);
    out.extend(u32::try_from(size).ok()?.to_be_bytes());
    out.extend_from_slice(header.get(4..)?);
    out.extend(u32::try_from(tags.len()).ok()?.to_be_bytes());
    for (name, at, length) in tags {
        out.extend(*name);
        out.extend(u32::try_from(base + at).ok()?.to_be_bytes());
        out.extend(u32::try_from(*length).ok()?.to_be_bytes());
    }
    out.extend_from_slice(body);
    out.resize(size, 0);
    Some(out)
}

/// The header with version, class, colour spaces and rendering intent only (section 7.2). The date is constant, the
/// illuminant is D50 by definition.
fn header(old: &[u8; HEADER_BYTES]) -> Option<([u8; HEADER_BYTES], Space)> {
    let mut new = [0; HEADER_BYTES];
    let mut put = |at: usize, bytes: &[u8]| -> Option<()> {
        new.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
        Some(())
    };
    let [major, minor] = *old.get(8..)?.first_chunk()?;
    let (class, space, connection) = (old.get(12..16)?, old.get(16..20)?, old.get(20..24)?);
    let is_known = (2..=4).contains(&major)
        && matches!(class, b"scnr" | b"mntr" | b"prtr" | b"spac")
        && matches!(connection, b"XYZ " | b"Lab ")
        && old.get(36..40)? == b"acsp";
    if !is_known {
        return None;
    }
    put(8, &[major, minor])?;
    put(12, old.get(12..24)?)?;
    put(24, &[0x07, 0xD0, 0, 1, 0, 1])?;
    put(36, b"acsp")?;
    let intent = number(old, 64)?;
    put(64, &if intent <= 3 { intent } else { 0 }.to_be_bytes())?;
    put(68, &[0, 0, 0xF6, 0xD6, 0, 1, 0, 0, 0, 0, 0xD3, 0x2D])?;
    let space = match space {
        b"GRAY" => Space::Gray,
        b"RGB " => Space::Rgb,
        b"CMYK" => Space::Inks,
        _ => return None,
    };
    Some((new, space))
}

fn table(profile: &[u8]) -> Option<&[u8]> {
    let count = usize::try_from(number(profile, HEADER_BYTES)?).ok()?;
    let start = HEADER_BYTES + 4;
    (count <= MAX_TAGS).then(|| profile.get(start..start + count * ENTRY_BYTES))?
}

/// What the first tag of this name holds.
fn tag<'a>(profile: &'a [u8], table: &[u8], name: &[u8]) -> Option<&'a [u8]> {
    let entry = table.chunks_exact(ENTRY_BYTES).find(|entry| entry.starts_with(name))?;
    let at = usize::try_from(number(entry, 4)?).ok()?;
    let length = usize::try_from(number(entry, 8)?).ok()?;
    profile.get(at..at.checked_add(length)?)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
