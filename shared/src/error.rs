//! Why a picture was refused, with typed causes. [`ImageError::code`] maps each to its public code.

use thiserror::Error;

use crate::{AspectRatio, Code, Format, Formats, format::ForeignType};

/// A refusal by the image rules.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {self:?}", self.code().name())]
pub enum ImageError {
    /// There are no bytes.
    Empty,
    /// More bytes than the policy takes.
    TooManyBytes {
        /// What came.
        size_bytes: u64,
        /// What the policy takes.
        limit_bytes: u64,
    },
    /// A declared media type that is not one of the four formats.
    DeclaredNotAccepted,
    /// One of the four formats that is not taken here.
    FormatNotAccepted {
        /// What the bytes are.
        format: Format,
        /// What is taken.
        accepted: Formats,
    },
    /// A file type that we know by name and do not take.
    Foreign(ForeignType),
    /// A file type that this browser would have had to decode, and did not.
    NotDecodable(ForeignType),
    /// Bytes that are no file type we know.
    Unrecognised,
    /// The declared type is another than the bytes show.
    DeclaredMismatch {
        /// What the caller said.
        declared: Format,
        /// What the bytes are.
        actual: Format,
    },
    /// A file type that we know by name and do not take, declared as one of the four formats.
    Disguised {
        /// What the caller said.
        declared: Format,
        /// What the bytes are.
        actual: ForeignType,
    },
    /// The container or the pixel stream is broken.
    Corrupt(#[from] Corrupt),
    /// More pixels than the limits allow.
    TooManyPixels {
        /// Width times height of the canvas.
        pixels: u64,
        /// What the limits allow.
        limit: u64,
    },
    /// More frames than the limits allow.
    TooManyFrames {
        /// What the limits allow.
        limit: u32,
    },
    /// Carrying out the plan, or inspecting the picture, would take longer than the limits allow.
    TooMuchWork {
        /// The estimate.
        work_ms: u64,
        /// What the limits allow.
        limit_ms: u64,
        /// Whether it has frames that could be fewer.
        is_animated: bool,
    },
    /// More passes over the picture than any encoder writes.
    TooManyScans {
        /// What the limits allow.
        limit: u32,
    },
    /// Decoding would need more memory than the limits allow.
    TooMuchMemory {
        /// The computed peak.
        peak_bytes: u64,
        /// What the limits allow.
        limit_bytes: u64,
    },
    /// An animation that would have to be made smaller in a format where that is not done.
    AnimationTooLarge,
    /// The picture is smaller than is asked for, or would be once it is stored.
    TooSmall {
        /// Of the upright picture.
        width: u32,
        /// Of the upright picture.
        height: u32,
        /// What is asked for.
        min_width: Option<u32>,
        /// What is asked for.
        min_height: Option<u32>,
    },
    /// The picture has other proportions than are asked for.
    WrongRatio {
        /// Of the upright picture.
        width: u32,
        /// Of the upright picture.
        height: u32,
        /// What is asked for.
        ratio: AspectRatio,
    },
}

/// What is broken in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{self:?}")]
pub enum Corrupt {
    /// The bytes end before the picture does.
    Truncated,
    /// A length, size or offset that cannot be.
    BadLength,
    /// A checksum that does not match.
    BadChecksum,
    /// A header whose values the format forbids.
    BadHeader,
    /// Parts missing, doubled or in an order that the format forbids.
    BadStructure,
    /// A width or height of zero.
    NoPixels,
    /// No picture data at all in an otherwise sound container.
    NoImageData,
    /// A variant of the format that no browser shows.
    Unsupported,
    /// The pixel stream does not decode to its end.
    BadPixels,
}

impl ImageError {
    /// The public code of this refusal.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Empty => Code::FileMissing,
            Self::TooManyBytes { .. } => Code::FileTooLarge,
            Self::DeclaredNotAccepted
            | Self::FormatNotAccepted { .. }
            | Self::Foreign(_)
            | Self::NotDecodable(_) => Code::InvalidFileType,
            Self::Unrecognised | Self::DeclaredMismatch { .. } | Self::Disguised { .. } => {
                Code::InvalidFileSignature
            }
            Self::Corrupt(_) => Code::ImageCorrupt,
            Self::TooManyPixels { .. }
            | Self::TooManyFrames { .. }
            | Self::TooManyScans { .. }
            | Self::TooMuchMemory { .. }
            | Self::TooMuchWork { .. }
            | Self::AnimationTooLarge => Code::ImageTooLarge,
            Self::TooSmall { .. } | Self::WrongRatio { .. } => Code::ImageDimensions,
        }
    }
}
