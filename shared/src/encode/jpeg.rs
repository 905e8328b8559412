//! Writes JPEG with mozjpeg-rs, from planes, so that nothing is converted on the way.

use alloc::vec::Vec;

use mozjpeg_rs::{Encoder, Preset, Subsampling};

use super::{EncodeError, Sink};
use crate::{limits::Effort, raster::Planes};

/// From here on colours are not halved: at this quality people look for their edges.
const FULL_CHROMA_QUALITY: u8 = 90;

/// The size of the chroma planes that [`encode`] takes with luma of this size.
pub(crate) const fn chroma_size((width, height): (usize, usize), quality: u8) -> (usize, usize) {
    if quality >= FULL_CHROMA_QUALITY {
        (width, height)
    } else {
        (width.div_ceil(2), height.div_ceil(2))
    }
}

/// How a JPEG is written.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub quality: u8,
    pub effort: Effort,
    pub icc: Option<&'a [u8]>,
}

/// The bytes of a picture, at most `limit` of them.
pub(crate) fn encode(
    planes: &Planes,
    settings: Settings<'_>,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    let luma = &planes.luma;
    let size = |length: usize| u32::try_from(length).map_err(|_| EncodeError::Unwritable);
    let (width, height) = (size(luma.width)?, size(luma.height)?);
    let encoder = encoder(settings);
    let mut sink = Sink::new(limit);
    let written = match &planes.chroma {
        None => encoder.encode_gray_to_writer(&luma.data, width, height, &mut sink),
        Some([blue, red]) => encoder.encode_ycbcr_planar_strided_to_writer(
            &luma.data,
            luma.stride,
            &blue.data,
            blue.stride,
            &red.data,
            red.stride,
            width,
            height,
            &mut sink,
        ),
    };
    sink.finish(written)
}

fn encoder(settings: Settings<'_>) -> Encoder {
    let preset = match settings.effort {
        Effort::Fast => Preset::BaselineFastest,
        Effort::Balanced => Preset::BaselineBalanced,
        Effort::Small => Preset::ProgressiveSmallest,
    };
    let subsampling =
        if settings.quality >= FULL_CHROMA_QUALITY { Subsampling::S444 } else { Subsampling::S420 };
    let encoder = Encoder::new(preset).quality(settings.quality).subsampling(subsampling);
    // What lacks the signature of a profile (ICC.1:2010 section 7.2.9) no decoder takes for one.
    match settings.icc.filter(|profile| profile.get(36..40) == Some(b"acsp")) {
        Some(profile) => encoder.icc_profile(profile.to_vec()),
        None => encoder,
    }
}
