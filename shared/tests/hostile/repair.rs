//! Corrects checksums and sizes after a mutation, so that it passes the first checks. The fuzz targets use it as well.

/// Corrects the checksums of a PNG and the size of a RIFF file.
pub fn repair(bytes: &mut [u8]) {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => repair_png(bytes),
        [b'R', b'I', b'F', b'F', ..] => repair_riff(bytes),
        _ => {}
    }
}

/// Writes the right checksum after every chunk.
fn repair_png(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4).and_then(|it| it.try_into().ok()) {
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let Some(end) = at.checked_add(8).and_then(|start| start.checked_add(length)) else {
            return;
        };
        let Some(covered) = bytes.get(at + 4..end) else { return };
        let checksum = crc32fast::hash(covered).to_be_bytes();
        write(bytes, end, &checksum);
        at = end + 4;
    }
}

/// Sets the RIFF size to the length of the file.
fn repair_riff(bytes: &mut [u8]) {
    let size = u32::try_from(bytes.len().saturating_sub(8)).unwrap_or(0);
    write(bytes, 4, &size.to_le_bytes());
}

fn write(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (byte, value) in bytes.iter_mut().skip(at).zip(value) {
        *byte = *value;
    }
}
