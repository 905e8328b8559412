//! Messages for the person who sent the picture, in English and Korean: the message of the code, with details of the
//! cause where it has some, such as the file type or the size.

use alloc::{borrow::Cow, format, string::String};

use crate::{AspectRatio, ImageError, Language, error::Corrupt, format::ForeignType};

impl ImageError {
    /// A sentence that says what is wrong and what to do. It names nothing but the file itself.
    #[must_use]
    pub fn message(&self, language: Language) -> Cow<'static, str> {
        let particular = match language {
            Language::En => self.english(),
            Language::Ko => self.korean(),
        };
        particular.unwrap_or(Cow::Borrowed(self.code().message(language)))
    }

    /// Nothing where the code's own sentence says it all.
    fn english(&self) -> Option<Cow<'static, str>> {
        Some(match *self {
            Self::Foreign(ForeignType { name: "HEIC" })
            | Self::Disguised { actual: ForeignType { name: "HEIC" }, .. } => {
                "HEIC pictures are not accepted. Save it as JPEG; on an iPhone: Settings, Camera, \
                 Formats, Most Compatible."
                    .into()
            }
            Self::NotDecodable(ForeignType { name: "HEIC" }) => {
                "This browser cannot open HEIC pictures. Save it as JPEG and choose that, or use \
                 Safari; on an iPhone: Settings, Camera, Formats, Most Compatible."
                    .into()
            }
            Self::NotDecodable(ForeignType { name }) => format!(
                "This browser cannot open {name} pictures. Save it as JPEG or PNG and choose that."
            )
            .into(),
            Self::Foreign(ForeignType { name }) => format!(
                "The file is of another type ({name}). Only JPEG, PNG, GIF and WebP pictures are accepted."
            )
            .into(),
            Self::FormatNotAccepted { format, accepted } => format!(
                "{} pictures are not accepted here. Choose a picture in {}.",
                format.name(),
                accepted.names(" or "),
            )
            .into(),
            Self::TooSmall { width, height, min_width, min_height } => {
                too_small_english((width, height), (min_width, min_height)).into()
            }
            Self::WrongRatio { width, height, ratio } => {
                wrong_ratio_english((width, height), ratio).into()
            }
            Self::Empty => "The file is empty (0 bytes). Choose another picture.".into(),
            Self::Disguised { declared, actual } => format!(
                "The file is named as {} but is of another type ({}). Choose the original picture.",
                declared.name(),
                actual.name,
            )
            .into(),
            Self::TooManyBytes { size_bytes, limit_bytes } => format!(
                "The file has {}; {} is the most. Choose a smaller one or shrink it before sending.",
                Megabytes(size_bytes.div_ceil(TENTH)),
                Megabytes(limit_bytes / TENTH),
            )
            .into(),
            Self::DeclaredMismatch { declared, actual } => format!(
                "The file is named as {} but is {}. Change the end of its name to .{} and choose it again.",
                declared.name(),
                actual.name(),
                actual.extension(),
            )
            .into(),
            Self::TooManyPixels { pixels, limit } => format!(
                "The picture has {} megapixels; {} is the most. Make it smaller first.",
                pixels.div_ceil(MEGAPIXEL),
                limit / MEGAPIXEL,
            )
            .into(),
            Self::TooManyFrames { limit } => {
                format!("The animation has more than {limit} frames. Make it shorter first.").into()
            }
            Self::TooMuchWork { is_animated: true, .. } => {
                "The animation takes too long to process here. Make fewer or smaller frames.".into()
            }
            Self::TooMuchWork { is_animated: false, .. } => {
                "The picture takes too long to process here. Make it smaller first.".into()
            }
            Self::AnimationTooLarge => {
                "This animation is too large and cannot be made smaller here. Make it smaller first, or save \
                 it as an animated GIF."
                    .into()
            }
            Self::Corrupt(Corrupt::Truncated) => {
                "The picture's end is missing. Get the whole file and send it again.".into()
            }
            Self::Corrupt(Corrupt::Unsupported) => {
                "The picture is in a rare variant of its format that browsers do not show. Save it \
                 again as an ordinary one."
                    .into()
            }
            _ => return None,
        })
    }

    fn korean(&self) -> Option<Cow<'static, str>> {
        Some(match *self {
            Self::Foreign(ForeignType { name: "HEIC" })
            | Self::Disguised { actual: ForeignType { name: "HEIC" }, .. } => {
                "HEIC 사진은 올릴 수 없습니다. JPEG로 저장해 주세요. 아이폰에서는 설정 > 카메라 > 포맷 > \
                 높은 호환성을 고르면 됩니다."
                    .into()
            }
            Self::NotDecodable(ForeignType { name: "HEIC" }) => {
                "이 브라우저는 HEIC 사진을 열 수 없습니다. JPEG로 저장해 다시 고르거나 Safari를 사용해 주세요. \
                 아이폰에서는 설정 > 카메라 > 포맷 > 높은 호환성을 고르면 됩니다."
                    .into()
            }
            Self::NotDecodable(ForeignType { name }) => format!(
                "이 브라우저는 {name} 사진을 열 수 없습니다. JPEG나 PNG로 저장해 다시 골라 주세요."
            )
            .into(),
            Self::Foreign(ForeignType { name }) => format!(
                "다른 형식의 파일({name})입니다. JPEG, PNG, GIF, WebP 사진만 올릴 수 있습니다."
            )
            .into(),
            Self::FormatNotAccepted { format, accepted } => format!(
                "여기에는 {} 사진을 올릴 수 없습니다. {} 사진을 골라 주세요.",
                format.name(),
                accepted.names(", "),
            )
            .into(),
            Self::TooSmall { width, height, min_width, min_height } => {
                too_small_korean((width, height), (min_width, min_height)).into()
            }
            Self::WrongRatio { width, height, ratio } => {
                wrong_ratio_korean((width, height), ratio).into()
            }
            Self::Empty => "빈 파일(0바이트)입니다. 다른 사진을 골라 주세요.".into(),
            Self::Disguised { declared, actual } => format!(
                "이름은 {} 파일이지만 실제로는 다른 형식({})입니다. 원본 사진을 골라 주세요.",
                declared.name(),
                actual.name,
            )
            .into(),
            Self::TooManyBytes { size_bytes, limit_bytes } => format!(
                "파일 용량이 {}로 한도 {}를 넘습니다. 더 작은 파일을 고르거나 줄여서 보내 주세요.",
                Megabytes(size_bytes.div_ceil(TENTH)),
                Megabytes(limit_bytes / TENTH),
            )
            .into(),
            Self::DeclaredMismatch { declared, actual } => format!(
                "이름은 {} 파일이지만 실제로는 {} 형식입니다. 파일 이름의 끝을 .{}로 바꾸어 다시 골라 주세요.",
                declared.name(),
                actual.name(),
                actual.extension(),
            )
            .into(),
            Self::TooManyPixels { pixels, limit } => format!(
                "사진이 {}백만 화소로 한도 {}백만 화소를 넘습니다. 크기를 줄인 뒤 올려 주세요.",
                pixels.div_ceil(MEGAPIXEL),
                limit / MEGAPIXEL,
            )
            .into(),
            Self::TooManyFrames { limit } => {
                format!("애니메이션이 {limit}프레임을 넘습니다. 더 짧게 만들어 올려 주세요.").into()
            }
            Self::TooMuchWork { is_animated: true, .. } => {
                "애니메이션을 처리하는 데 시간이 너무 오래 걸립니다. 프레임 수나 크기를 줄여 올려 주세요.".into()
            }
            Self::TooMuchWork { is_animated: false, .. } => {
                "사진을 처리하는 데 시간이 너무 오래 걸립니다. 크기를 줄인 뒤 올려 주세요.".into()
            }
            Self::AnimationTooLarge => {
                "움직이는 그림이 너무 커서 여기서 줄일 수 없습니다. 크기를 줄이거나 움직이는 GIF로 저장해 올려 주세요."
                    .into()
            }
            Self::Corrupt(Corrupt::Truncated) => {
                "사진 파일의 뒷부분이 없습니다. 전체 파일을 다시 받아 올려 주세요.".into()
            }
            Self::Corrupt(Corrupt::Unsupported) => {
                "브라우저가 보여 줄 수 없는 드문 방식으로 저장된 사진입니다. 일반 형식으로 다시 저장해 주세요."
                    .into()
            }
            _ => return None,
        })
    }
}

/// The sentence about a picture that is too small.
fn too_small_english(size: (u32, u32), least: (Option<u32>, Option<u32>)) -> String {
    let (width, height) = size;
    let least = match least {
        (Some(width), Some(height)) => format!("{width} pixels wide and {height} pixels high"),
        (Some(width), None) => format!("{width} pixels wide"),
        (None, height) => format!("{} pixels high", height.unwrap_or_default()),
    };
    format!(
        "The picture has {width} x {height} pixels; it must be at least {least}. Choose a larger one."
    )
}

/// The same in Korean.
fn too_small_korean(size: (u32, u32), least: (Option<u32>, Option<u32>)) -> String {
    let (width, height) = size;
    let least = match least {
        (Some(width), Some(height)) => format!("가로 {width}픽셀, 세로 {height}픽셀"),
        (Some(width), None) => format!("가로 {width}픽셀"),
        (None, height) => format!("세로 {}픽셀", height.unwrap_or_default()),
    };
    format!("사진 크기가 {width} x {height}픽셀입니다. {least} 이상인 사진을 골라 주세요.")
}

/// The sentence about a picture with other proportions.
fn wrong_ratio_english((width, height): (u32, u32), ratio: AspectRatio) -> String {
    let proportions = if ratio.is_square() {
        String::from("as wide as high")
    } else {
        format!("in the ratio {ratio} (width to height)")
    };
    format!(
        "The picture has {width} x {height} pixels; it must be {proportions}. Crop it or choose another."
    )
}

/// The same in Korean.
fn wrong_ratio_korean((width, height): (u32, u32), ratio: AspectRatio) -> String {
    let proportions = if ratio.is_square() {
        String::from("정사각형")
    } else {
        format!("가로세로 비율 {ratio}")
    };
    format!(
        "사진 크기가 {width} x {height}픽셀입니다. {proportions} 사진만 올릴 수 있습니다. 잘라 내거나 다른 사진을 골라 주세요."
    )
}

const MEGAPIXEL: u64 = 1_000_000;

/// A tenth of a megabyte as operating systems show it: 1024 x 1024 bytes.
const TENTH: u64 = 1024 * 1024 / 10;

/// Tenths of megabytes, shown with one digit after the point. The size is rounded up and the limit
/// down, so that they never read alike.
struct Megabytes(u64);

impl core::fmt::Display for Megabytes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{} MB", self.0 / 10, self.0 % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    #[test]
    fn a_sentence_names_the_actual_and_the_allowed_value() {
        for (refusal, en, ko) in [
            (
                ImageError::TooManyBytes { size_bytes: 5_242_881, limit_bytes: 5_242_880 },
                "The file has 5.1 MB; 5.0 MB is the most. Choose a smaller one or shrink it before sending.",
                "파일 용량이 5.1 MB로 한도 5.0 MB를 넘습니다. 더 작은 파일을 고르거나 줄여서 보내 주세요.",
            ),
            (
                ImageError::TooManyPixels { pixels: 280_000_000, limit: 50_000_000 },
                "The picture has 280 megapixels; 50 is the most. Make it smaller first.",
                "사진이 280백만 화소로 한도 50백만 화소를 넘습니다. 크기를 줄인 뒤 올려 주세요.",
            ),
            (
                ImageError::TooMuchWork { work_ms: 2_001, limit_ms: 2_000, is_animated: true },
                "The animation takes too long to process here. Make fewer or smaller frames.",
                "애니메이션을 처리하는 데 시간이 너무 오래 걸립니다. 프레임 수나 크기를 줄여 올려 주세요.",
            ),
            (
                ImageError::TooMuchWork { work_ms: 2_001, limit_ms: 2_000, is_animated: false },
                "The picture takes too long to process here. Make it smaller first.",
                "사진을 처리하는 데 시간이 너무 오래 걸립니다. 크기를 줄인 뒤 올려 주세요.",
            ),
            (
                ImageError::Foreign(ForeignType { name: "PDF" }),
                "The file is of another type (PDF). Only JPEG, PNG, GIF and WebP pictures are accepted.",
                "다른 형식의 파일(PDF)입니다. JPEG, PNG, GIF, WebP 사진만 올릴 수 있습니다.",
            ),
            (
                ImageError::NotDecodable(ForeignType { name: "TIFF" }),
                "This browser cannot open TIFF pictures. Save it as JPEG or PNG and choose that.",
                "이 브라우저는 TIFF 사진을 열 수 없습니다. JPEG나 PNG로 저장해 다시 골라 주세요.",
            ),
            (
                ImageError::DeclaredMismatch { declared: Format::Png, actual: Format::Jpeg },
                "The file is named as PNG but is JPEG. Change the end of its name to .jpeg and choose it again.",
                "이름은 PNG 파일이지만 실제로는 JPEG 형식입니다. 파일 이름의 끝을 .jpeg로 바꾸어 다시 골라 주세요.",
            ),
            (
                ImageError::Empty,
                "The file is empty (0 bytes). Choose another picture.",
                "빈 파일(0바이트)입니다. 다른 사진을 골라 주세요.",
            ),
        ] {
            assert_eq!(refusal.message(Language::En), en);
            assert_eq!(refusal.message(Language::Ko), ko);
        }
    }

    /// A person reads them, who knows no header, field or method and has no token.
    #[test]
    fn no_sentence_contains_terms_of_programmers() {
        const WORDS: [&str; 14] = [
            "header",
            "헤더",
            "Authorization",
            "Bearer",
            "token",
            "토큰",
            "ticket",
            "티켓",
            "POST",
            "body",
            "field",
            "method",
            "메서드",
            "image/",
        ];
        let codes = crate::Code::ALL.iter().flat_map(|code| {
            [code.message(Language::En), code.message(Language::Ko)].map(Cow::Borrowed)
        });
        let foreign = ForeignType { name: "PDF" };
        let causes = [
            ImageError::Empty,
            ImageError::Foreign(foreign),
            ImageError::Disguised { declared: Format::Png, actual: foreign },
            ImageError::DeclaredMismatch { declared: Format::Png, actual: Format::Gif },
            ImageError::AnimationTooLarge,
        ];
        let causes =
            causes.iter().flat_map(|it| [it.message(Language::En), it.message(Language::Ko)]);
        for sentence in codes.chain(causes) {
            for word in WORDS {
                assert!(!sentence.contains(word), "{word}: {sentence}");
            }
        }
    }

    #[test]
    fn a_cause_without_details_has_the_sentence_of_its_code() {
        for refusal in [Corrupt::BadPixels.into(), ImageError::Unrecognised] {
            for language in [Language::En, Language::Ko] {
                assert_eq!(refusal.message(language), refusal.code().message(language));
            }
        }
    }

    #[test]
    fn sentences_name_what_is_asked() {
        let small = |min_width, min_height| ImageError::TooSmall {
            width: 120,
            height: 80,
            min_width,
            min_height,
        };
        let ratio = |text| ImageError::WrongRatio {
            width: 120,
            height: 80,
            ratio: AspectRatio::parse(text).expect("a ratio"),
        };
        for (error, en, ko) in [
            (
                small(Some(200), Some(100)),
                "200 pixels wide and 100 pixels high",
                "가로 200픽셀, 세로 100픽셀",
            ),
            (small(Some(200), None), "at least 200 pixels wide.", "가로 200픽셀 이상"),
            (small(None, Some(100)), "at least 100 pixels high.", "세로 100픽셀 이상"),
            (ratio("1:1"), "as wide as high", "정사각형"),
            (ratio("4:3"), "in the ratio 4:3", "비율 4:3"),
            (
                ImageError::FormatNotAccepted {
                    format: Format::Gif,
                    accepted: crate::Formats::from_media_types(["image/jpeg", "image/png"])
                        .expect("types"),
                },
                "GIF pictures are not accepted here. Choose a picture in JPEG or PNG.",
                "여기에는 GIF 사진을 올릴 수 없습니다. JPEG, PNG 사진을 골라 주세요.",
            ),
        ] {
            let message = error.message(Language::En);
            assert!(message.contains(en), "{message}");
            let message = error.message(Language::Ko);
            assert!(message.contains(ko), "{message}");
        }
    }
}
