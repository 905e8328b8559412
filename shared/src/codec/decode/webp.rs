//! Reads WebP, lossy and lossless, still and animated. RIFF chunks have been walked by `inspect`.

use alloc::{vec, vec::Vec};

use image_webp::{DecodingError, WebPDecoder};

use crate::{
    codec::placeholder,
    container::webp::Chunk,
    cursor::Cursor,
    error::Corrupt,
    hidden_data::{
        self,
        source::{ReadPosition, Source},
    },
    pace::Pace,
    plan::work::cost,
    raster::{Layout, Raster},
    report::Orientation,
};

/// Decodes every frame and refuses hidden data; returns the placeholder of the first.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn verify(
    bytes: &[u8],
    size: (u32, u32),
    orientation: Orientation,
    pace: &Pace,
) -> Result<Vec<u8>, Corrupt> {
    let position = ReadPosition::default();
    let mut decoder = open(bytes, size, &position)?;
    let mut streams =
        if hidden_data::FINDS_HIDDEN_DATA { hidden_data::webp::streams(bytes)? } else { vec![] }
            .into_iter();
    if !decoder.is_animated() {
        let (raster, alpha_bytes) = still(bytes, decoder, pace).await?;
        let hash = placeholder::of_raster(&raster, orientation);
        drop(raster);
        if hidden_data::FINDS_HIDDEN_DATA {
            let streams = streams.next().ok_or(Corrupt::NoImageData)?;
            let alpha_end = alpha_bytes.map_or(position.at(), |read| streams.alpha_start() + read);
            streams.check(bytes, alpha_end, position.at(), pace).await?;
        }
        return Ok(hash);
    }
    let mut raster = canvas(&decoder);
    let mut hash = vec![];
    for frame in 0..decoder.num_frames() {
        let before = position.at();
        pace.begin(call_work(size, 0)).await;
        decoder.read_frame(&mut raster.data).map_err(broken)?;
        pace.add(call_work((0, 0), position.at().saturating_sub(before)));
        if hidden_data::FINDS_HIDDEN_DATA {
            let streams = streams.next().ok_or(Corrupt::NoImageData)?;
            streams.check(bytes, position.before_seek(), position.at(), pace).await?;
        }
        if frame == 0 {
            hash = placeholder::of_raster(&raster, orientation);
        }
    }
    Ok(hash)
}

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn decode(bytes: &[u8], size: (u32, u32), pace: &Pace) -> Result<Raster, Corrupt> {
    let position = ReadPosition::default();
    let decoder = open(bytes, size, &position)?;
    if decoder.is_animated() {
        return whole(decoder, bytes.len(), pace).await;
    }
    Ok(still(bytes, decoder, pace).await?.0)
}

/// The pixels of a still picture, and how many bytes of the chunk of its alpha plane were read if that was decoded by
/// itself.
///
/// The alpha plane is decoded first, in a separate call. Each call then takes less time, and the plane
/// needs a byte a pixel while the pixels are decoded, and not five.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn still(
    bytes: &[u8],
    decoder: WebPDecoder<Source<'_>>,
    pace: &Pace,
) -> Result<(Raster, Option<usize>), Corrupt> {
    let parts = if decoder.has_alpha() { alpha_and_pixels(bytes)? } else { None };
    let Some([alpha, lossy]) = parts else {
        return Ok((whole(decoder, bytes.len(), pace).await?, None));
    };
    let size @ (width, height) = decoder.dimensions();
    let (plane, alpha_bytes) = alpha_plane(alpha, size, pace).await?;
    let pixels = width as usize * height as usize;
    let mut raster = Raster::new(width as usize, height as usize, Layout::Rgba);
    let rgb = raster.data.get_mut(..pixels * 3).ok_or(Corrupt::BadStructure)?;
    decode_alone(b"VP8 ", &[], lossy, size, rgb, pace).await?;
    add_alpha(&mut raster.data, &plane);
    Ok((raster, Some(alpha_bytes)))
}

/// The alpha plane and the lossy pixels of a still picture, if it has both.
fn alpha_and_pixels(bytes: &[u8]) -> Result<Option<[&[u8]; 2]>, Corrupt> {
    let mut chunks = Cursor::new(bytes);
    // The header of RIFF (RFC 9649 section 2.4).
    chunks.take(12)?;
    let mut alpha = None;
    while !chunks.is_empty() {
        let chunk = Chunk::read(&mut chunks)?;
        match (&chunk.kind, alpha) {
            (b"ALPH", _) => alpha = Some(chunk.data),
            (b"VP8 ", Some(alpha)) => return Ok(Some([alpha, chunk.data])),
            (b"VP8 " | b"VP8L", None) => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// The pixels by a single call.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn whole(
    mut decoder: WebPDecoder<Source<'_>>,
    coded_bytes: usize,
    pace: &Pace,
) -> Result<Raster, Corrupt> {
    let mut raster = canvas(&decoder);
    pace.begin(call_work(decoder.dimensions(), coded_bytes)).await;
    decoder.read_image(&mut raster.data).map_err(broken)?;
    Ok(raster)
}

/// Decodes a stream, `head` and the rest, as a separate file.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn decode_alone(
    kind: &[u8; 4],
    head: &[u8],
    rest: &[u8],
    size: (u32, u32),
    out: &mut [u8],
    pace: &Pace,
) -> Result<usize, Corrupt> {
    let length = u32::try_from(head.len() + rest.len()).map_err(|_| Corrupt::BadLength)?;
    let riff = length.checked_add(RIFF_BYTES - 8).ok_or(Corrupt::BadLength)?;
    let parts: [&[u8]; 7] =
        [b"RIFF", &riff.to_le_bytes(), b"WEBP", kind, &length.to_le_bytes(), head, rest];
    let file = parts.concat();
    let position = ReadPosition::default();
    let mut decoder = open(&file, size, &position)?;
    pace.begin(call_work(size, rest.len())).await;
    decoder.read_image(out).map_err(broken)?;
    Ok(position.at().saturating_sub(file.len() - rest.len()))
}

/// The headers of RIFF and of a chunk (RFC 9649 section 2.3).
const RIFF_BYTES: u32 = 12 + 8;

/// The alpha plane in a chunk (section 2.7.1.2), and how many of its bytes were read.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn alpha_plane(
    chunk: &[u8],
    size: (u32, u32),
    pace: &Pace,
) -> Result<(Vec<u8>, usize), Corrupt> {
    let (&info, data) = chunk.split_first().ok_or(Corrupt::Truncated)?;
    let (width, pixels) = (size.0 as usize, size.0 as usize * size.1 as usize);
    let (mut plane, taken) = match info & 3 {
        _ if info >> 4 & 3 > 1 => return Err(Corrupt::BadPixels),
        0 => (data.get(..pixels).ok_or(Corrupt::Truncated)?.to_vec(), pixels),
        1 => {
            // The header of a lossless picture with alpha (RFC 9649 section 3.4), which the chunk leaves out.
            let bits = (size.0 - 1) & 0x3FFF | ((size.1 - 1) & 0x3FFF) << 14 | 1 << 28;
            let [b0, b1, b2, b3] = bits.to_le_bytes();
            let mut rgba = vec![0; pixels * 4];
            let head = &[0x2F, b0, b1, b2, b3];
            let taken = decode_alone(b"VP8L", head, data, size, &mut rgba, pace).await?;
            // Green is the plane. A copy leaves room of the size that all pixels need next; shrinking in place would not.
            (rgba.as_chunks().0.iter().map(|[_, green, ..]: &[u8; 4]| *green).collect(), taken)
        }
        _ => return Err(Corrupt::BadPixels),
    };
    unfilter(&mut plane, width, info >> 2 & 3);
    Ok((plane, 1 + taken))
}

/// Adds to each sample what its neighbours predict.
fn unfilter(plane: &mut [u8], width: usize, method: u8) {
    if method == 0 {
        return;
    }
    let mut above: &mut [u8] = &mut [];
    for row in plane.chunks_exact_mut(width.max(1)) {
        let mut left = None;
        let mut corner = 0;
        for (x, sample) in row.iter_mut().enumerate() {
            let up = above.get(x).copied();
            let predicted = match (left, up, method) {
                (None, None, _) => 0,
                (Some(left), Some(_), 1) | (Some(left), None, _) => left,
                (Some(_), Some(up), 2) | (None, Some(up), _) => up,
                (Some(left), Some(up), _) => gradient(left, up, corner),
            };
            *sample = sample.wrapping_add(predicted);
            left = Some(*sample);
            corner = up.unwrap_or_default();
        }
        above = row;
    }
}

fn gradient(left: u8, up: u8, corner: u8) -> u8 {
    let sum = i16::from(left) + i16::from(up) - i16::from(corner);
    u8::try_from(sum.clamp(0, 255)).unwrap_or_default()
}

/// Makes room in pixels of three bytes, which are followed by as many bytes as there are pixels, for a fourth.
fn add_alpha(data: &mut [u8], plane: &[u8]) {
    for (at, alpha) in plane.iter().enumerate().rev() {
        data.copy_within(at * 3..at * 3 + 3, at * 4);
        if let Some(slot) = data.get_mut(at * 4 + 3) {
            *slot = *alpha;
        }
    }
}

/// What a call takes for so many pixels and bytes of codes. Those of lossy pictures take longest.
fn call_work((width, height): (u32, u32), coded_bytes: usize) -> u64 {
    let pixels = (u64::from(width) * u64::from(height)).saturating_mul(cost::LOSSY_PIXEL);
    pixels.saturating_add((coded_bytes as u64).saturating_mul(cost::LOSSY_BYTE))
}

/// The plan's memory was computed for the size that `inspect` saw.
fn open<'a>(
    bytes: &'a [u8],
    size: (u32, u32),
    position: &'a ReadPosition,
) -> Result<WebPDecoder<Source<'a>>, Corrupt> {
    let decoder = WebPDecoder::new(Source::new(bytes, position)).map_err(broken)?;
    if decoder.dimensions() == size { Ok(decoder) } else { Err(Corrupt::BadStructure) }
}

fn canvas(decoder: &WebPDecoder<Source<'_>>) -> Raster {
    let (width, height) = decoder.dimensions();
    let layout = if decoder.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    Raster::new(width as usize, height as usize, layout)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn broken(error: DecodingError) -> Corrupt {
    match error {
        DecodingError::IoError(_) => Corrupt::Truncated,
        _ => Corrupt::BadPixels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::run;

    const LARGE: &[u8] = include_bytes!("../../../../tests/fixtures/large/lossy-alpha.webp");
    const SMALL: &[u8] = include_bytes!("../../../../tests/fixtures/webp/lossy-alpha.webp");

    /// Where the data of the alpha chunk begin.
    fn alpha(file: &[u8]) -> usize {
        file.windows(4).position(|kind| kind == b"ALPH").expect("an alpha plane") + 8
    }

    /// Decoded here, and by the crate in one go.
    fn both(file: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut decoder = WebPDecoder::new(std::io::Cursor::new(file)).expect("a picture");
        let ours = run!(decode(file, decoder.dimensions(), &Pace::default())).expect("pixels");
        let mut theirs = vec![0; decoder.output_buffer_size().expect("small")];
        decoder.read_image(&mut theirs).expect("pixels");
        (ours.data, theirs)
    }

    #[test]
    fn an_alpha_plane_by_itself_is_what_the_crate_decodes_with_the_pixels() {
        for file in [SMALL, LARGE] {
            let (mut file, at) = (file.to_vec(), alpha(file));
            for filter in 0..4 {
                file[at] = file[at] & 0b11_0011 | filter << 2;
                let (ours, theirs) = both(&file);
                assert!(ours == theirs, "filter {filter}");
            }
        }
    }

    #[test]
    fn an_alpha_plane_may_be_stored_uncompressed() {
        let at = alpha(SMALL);
        let (width, height) =
            WebPDecoder::new(std::io::Cursor::new(SMALL)).expect("a picture").dimensions();
        let plane: Vec<u8> = (0..width * height).map(|at| (at * 7).to_le_bytes()[0]).collect();
        let chunk_bytes = u32::from_le_bytes(SMALL[at - 4..at].try_into().expect("four bytes"));
        let end = at + chunk_bytes.next_multiple_of(2) as usize;
        let length = u32::try_from(plane.len() + 1).expect("small").to_le_bytes();
        let padding = vec![0; (plane.len() + 1) % 2];
        let parts: [&[u8]; 6] =
            [&SMALL[..at - 4], &length, &[0b1000], &plane, &padding, &SMALL[end..]];
        let mut file = parts.concat();
        let riff = u32::try_from(file.len() - 8).expect("small").to_le_bytes();
        file[4..8].copy_from_slice(&riff);
        let (ours, theirs) = both(&file);
        assert!(ours == theirs);
        for info in [0b10_0000, 2, 3] {
            file[at] = info;
            let decoded = run!(decode(&file, (width, height), &Pace::default()));
            assert!(decoded.is_err(), "{info}");
        }
    }
}
