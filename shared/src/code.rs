//! The closed set of public codes: each with its HTTP status, its backend code and its sentences.
//!
//! The one source for Rust, TypeScript (generated from here), metrics and docs. It decides no
//! refusal itself; the caller that refuses selects the code.

/// The language a sentence is answered in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, the default.
    #[default]
    En,
    /// Korean.
    Ko,
}

impl Language {
    /// The better of the two for an `Accept-Language` header (RFC 9110 §12.5.4): the one with the
    /// higher weight, English on a tie or when neither is asked for.
    #[must_use]
    pub fn negotiate(accept_language: &str) -> Self {
        let mut weight_ko = 0;
        let mut weight_en = 0;
        for range in accept_language.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let weight = parts.find_map(weight_permille).unwrap_or(1000);
            let primary = tag.split('-').next().unwrap_or_default();
            if primary.eq_ignore_ascii_case("ko") {
                weight_ko = weight_ko.max(weight);
            } else if primary.eq_ignore_ascii_case("en") {
                weight_en = weight_en.max(weight);
            }
        }
        if weight_ko > weight_en { Self::Ko } else { Self::En }
    }

    /// The tag for `Content-Language`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }
}

/// `q=0.8` as 800; nothing for another parameter or a malformed weight.
fn weight_permille(parameter: &str) -> Option<u32> {
    let value = parameter.trim().strip_prefix("q=")?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let mut permille = whole * 1000;
    let mut unit = 100;
    for digit in fraction.chars() {
        permille += digit.to_digit(10)? * unit;
        unit /= 10;
    }
    Some(permille.min(1000))
}

macro_rules! codes {
    ($($variant:ident $name:literal $status:literal $backend:literal $title:literal $en:literal $ko:literal)*) => {
        /// Why a request was refused, as the caller sees it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $en] $variant,)*
        }

        impl Code {
            /// Every code there is, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that travels: in answers, metrics and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status it is answered with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The code that existing back ends know it by.
            #[must_use]
            pub const fn backend_code(self) -> &'static str {
                match self { $(Self::$variant => $backend,)* }
            }

            /// A few words that name the problem, always in English (RFC 9457 `title`).
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// A sentence that says what is wrong and what to do.
            #[must_use]
            pub const fn message(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, Language::En) => $en, (Self::$variant, Language::Ko) => $ko,)*
                }
            }
        }
    };
}

codes! {
    TokenMissing "TOKEN_MISSING" 401 "AUTH-003" "Token missing"
        "You are not signed in. Sign in and try again."
        "로그인이 필요합니다. 로그인한 뒤 다시 시도해 주세요."
    TokenExpired "TOKEN_EXPIRED" 401 "AUTH-003" "Token expired"
        "Your sign-in has expired. Sign in again, then try again."
        "로그인이 만료되었습니다. 다시 로그인한 뒤 시도해 주세요."
    TokenInvalid "TOKEN_INVALID" 401 "AUTH-003" "Token invalid"
        "Your sign-in could not be verified. Reload the page or sign in again."
        "로그인 정보를 확인할 수 없습니다. 페이지를 새로 고치거나 다시 로그인해 주세요."
    CredentialsInvalid "CREDENTIALS_INVALID" 401 "AUTH-001" "Credentials invalid"
        "The e-mail address or the password is wrong."
        "이메일 또는 비밀번호가 올바르지 않습니다."
    EmailTaken "EMAIL_TAKEN" 409 "AUTH-002" "E-mail address taken"
        "There is already an account with this e-mail address. Sign in instead."
        "이미 가입된 이메일입니다. 로그인해 주세요."
    AlreadyLoggedIn "ALREADY_LOGGED_IN" 409 "AUTH-008" "Already logged in"
        "You are already logged in. Log out first to change accounts."
        "이미 로그인되어 있습니다. 다른 계정을 쓰려면 먼저 로그아웃해 주세요."
    RoleNotAllowed "ROLE_NOT_ALLOWED" 403 "AUTH-004" "Role not allowed"
        "Your account is not allowed to do this."
        "이 계정에는 이 작업을 할 권한이 없습니다."
    UserMismatch "USER_MISMATCH" 403 "AUTH-005" "User mismatch"
        "This belongs to another account. Sign in with that account and try again."
        "다른 계정의 것입니다. 그 계정으로 로그인한 뒤 다시 시도해 주세요."
    UserBanned "USER_BANNED" 403 "AUTH-006" "User banned"
        "Uploads from here are blocked for a while because of repeated misuse."
        "반복된 오용으로 업로드가 일시적으로 차단되었습니다."
    TicketRequired "TICKET_REQUIRED" 403 "AUTH-007" "Ticket required"
        "This upload needs a permission that is missing. Reload the page and send the picture again."
        "업로드에 필요한 허가가 없습니다. 페이지를 새로 고치고 사진을 다시 보내 주세요."
    TicketSpent "TICKET_SPENT" 403 "AUTH-009" "Ticket spent"
        "The permission for this upload has already been used. Reload the page and send the picture again."
        "이 업로드의 허가는 이미 사용되었습니다. 페이지를 새로 고치고 사진을 다시 보내 주세요."
    GuestNotAllowed "GUEST_NOT_ALLOWED" 403 "AUTH-010" "Guests not allowed"
        "You must sign in before you can add pictures here."
        "여기에 사진을 올리려면 먼저 로그인해 주세요."
    ChallengeRequired "CHALLENGE_REQUIRED" 403 "AUTH-011" "Challenge required"
        "There were many requests from your network, so your browser must be checked first. Reload the page and try again."
        "같은 네트워크에서 온 요청이 많아 먼저 브라우저를 확인해야 합니다. 페이지를 새로 고치고 다시 시도해 주세요."
    EmailNotVerified "EMAIL_NOT_VERIFIED" 403 "AUTH-012" "E-mail address not verified"
        "Your e-mail address is not verified yet. Open the link in the mail that we sent you, then try again."
        "아직 이메일 주소가 확인되지 않았습니다. 보내 드린 메일의 링크를 연 뒤 다시 시도해 주세요."
    LinkInvalid "LINK_INVALID" 410 "AUTH-013" "Link invalid"
        "This link has expired or was used before. Ask for a new one."
        "링크가 만료되었거나 이미 사용되었습니다. 새 링크를 요청해 주세요."
    SignInFailed "SIGN_IN_FAILED" 401 "AUTH-015" "Sign-in failed"
        "Signing in did not work. Please start again."
        "로그인하지 못했습니다. 처음부터 다시 시도해 주세요."
    PasswordCommon "PASSWORD_COMMON" 422 "AUTH-016" "Password too common"
        "This password is among the first that are guessed. Choose another, such as several words."
        "누구나 쉽게 추측하는 비밀번호입니다. 단어 여러 개를 이어 쓰는 등 다른 비밀번호를 골라 주세요."
    UserErasing "USER_ERASING" 409 "AUTH-017" "User is being erased"
        "Everything that is kept about this account is being deleted, so nothing can be added. Try again later."
        "이 계정에 관한 모든 정보를 삭제하는 중이어서 아무것도 추가할 수 없습니다. 나중에 다시 시도해 주세요."
    FileMissing "FILE_MISSING" 400 "IMAGE-001" "File missing"
        "No picture was sent. Choose a picture and try again."
        "보낸 사진이 없습니다. 사진을 고르고 다시 시도해 주세요."
    FileTooLarge "FILE_TOO_LARGE" 413 "IMAGE-002" "File too large"
        "The file has too many bytes. Choose a smaller one or shrink it before sending."
        "파일 용량이 너무 큽니다. 더 작은 파일을 고르거나 줄여서 보내 주세요."
    InvalidFileType "INVALID_FILE_TYPE" 400 "IMAGE-003" "File type not accepted"
        "Only JPEG, PNG, GIF and WebP pictures are accepted. Save the picture as one of these."
        "JPEG, PNG, GIF, WebP 사진만 올릴 수 있습니다. 이 형식 중 하나로 저장해 주세요."
    InvalidFileSignature "INVALID_FILE_SIGNATURE" 400 "IMAGE-004" "File is not what it claims to be"
        "The contents of the file are not what its type says. Choose the original picture."
        "파일 내용이 표시된 형식과 다릅니다. 원본 사진을 선택해 주세요."
    InvalidImageUrl "INVALID_IMAGE_URL" 400 "IMAGE-005" "Not an image URL of ours"
        "This is not the address of a picture of this service. Choose the picture again."
        "이 서비스의 사진 주소가 아닙니다. 사진을 다시 골라 주세요."
    ImageCorrupt "IMAGE_CORRUPT" 422 "IMAGE-006" "Image damaged"
        "The picture is damaged or incomplete. Choose another or save it again."
        "사진이 손상되었거나 불완전합니다. 다른 사진을 고르거나 다시 저장해 주세요."
    ImageTooLarge "IMAGE_TOO_LARGE" 422 "IMAGE-007" "Image too large to open"
        "The picture has too many pixels or frames to be opened safely. Make it smaller first."
        "사진의 픽셀 또는 프레임 수가 너무 많습니다. 크기를 줄인 뒤 올려 주세요."
    ImageNotFound "IMAGE_NOT_FOUND" 404 "IMAGE-008" "Image not found"
        "There is no such picture, or it has been removed."
        "사진이 없거나 삭제되었습니다."
    ImageAlreadyRegistered "IMAGE_ALREADY_REGISTERED" 409 "IMAGE-009" "Image already registered"
        "This picture is already registered."
        "이미 등록된 사진입니다."
    ImageDimensions "IMAGE_DIMENSIONS" 422 "IMAGE-010" "Image has the wrong dimensions"
        "The picture is too small or has other proportions than are asked for. Choose another."
        "사진이 너무 작거나 가로세로 비율이 맞지 않습니다. 다른 사진을 골라 주세요."
    SignatureInvalid "SIGNATURE_INVALID" 403 "IMAGE-011" "Signature invalid"
        "This address does not allow you to see the picture. Open the page again to get a new address."
        "이 주소로는 사진을 볼 수 없습니다. 페이지를 다시 열어 새 주소를 받아 주세요."
    AddressExpired "ADDRESS_EXPIRED" 403 "IMAGE-012" "Address expired"
        "The address of this picture has expired. Open the page again to get a new one."
        "이 사진의 주소가 만료되었습니다. 페이지를 다시 열어 새 주소를 받아 주세요."
    ReviewDecided "REVIEW_DECIDED" 409 "IMAGE-013" "Review decided"
        "This picture does not wait for a review: it was decided already, or needs none."
        "검토를 기다리는 사진이 아닙니다. 이미 결정되었거나 검토가 필요 없는 사진입니다."
    FormNotFound "FORM_NOT_FOUND" 404 "FORM-001" "Form not found"
        "There is no such form. Reload the page and try again."
        "없는 설문입니다. 페이지를 새로 고치고 다시 시도해 주세요."
    FormClosed "FORM_CLOSED" 403 "FORM-002" "Form closed"
        "This form takes no pictures now."
        "지금은 이 설문에 사진을 올릴 수 없습니다."
    FormFull "FORM_FULL" 409 "FORM-003" "Form full"
        "This form takes no more pictures."
        "이 설문에는 사진을 더 올릴 수 없습니다."
    FormRequired "FORM_REQUIRED" 400 "FORM-004" "Form required"
        "The picture was sent without its form. Reload the page and send it again."
        "사진이 설문 없이 전송되었습니다. 페이지를 새로 고치고 다시 보내 주세요."
    MalformedRequest "MALFORMED_REQUEST" 400 "COMMON-001" "Malformed request"
        "What was sent could not be read. Check what you entered, or reload the page, and try again."
        "보낸 내용을 읽을 수 없습니다. 입력한 내용을 확인하거나 페이지를 새로 고친 뒤 다시 시도해 주세요."
    NotFound "NOT_FOUND" 404 "COMMON-002" "Not found"
        "There is nothing at this address. Check that it is complete."
        "이 주소에는 아무것도 없습니다. 주소가 맞는지 확인해 주세요."
    MethodNotAllowed "METHOD_NOT_ALLOWED" 405 "COMMON-003" "Method not allowed"
        "This address cannot be used in this way. Reload the page and try again."
        "이 주소는 이런 방식으로 쓸 수 없습니다. 페이지를 새로 고치고 다시 시도해 주세요."
    RequestTimeout "REQUEST_TIMEOUT" 408 "COMMON-008" "Request too slow"
        "The connection was too slow, so the upload was stopped. Try again with a better connection."
        "연결이 너무 느려 전송을 멈추었습니다. 연결이 더 나은 곳에서 다시 시도해 주세요."
    RateLimited "RATE_LIMITED" 429 "COMMON-004" "Too many requests"
        "Too many requests in a short time. Wait a minute, then try again."
        "짧은 시간에 요청이 너무 많습니다. 잠시 후 다시 시도해 주세요."
    QuotaExceeded "QUOTA_EXCEEDED" 429 "COMMON-005" "Daily quota used up"
        "Today's upload quota is used up. Try again tomorrow."
        "오늘의 업로드 한도를 모두 사용했습니다. 내일 다시 시도해 주세요."
    Busy "BUSY" 503 "COMMON-006" "Busy"
        "The service is busy right now. Try again in a moment."
        "지금은 요청이 많습니다. 잠시 후 다시 시도해 주세요."
    StorageUnavailable "STORAGE_UNAVAILABLE" 503 "COMMON-007" "Storage unavailable"
        "The picture could not be stored right now and was not kept. Try again in a moment."
        "지금은 사진을 저장할 수 없습니다. 잠시 후 다시 시도해 주세요."
    UploadsOff "UPLOADS_OFF" 503 "COMMON-009" "Uploads switched off"
        "Uploads are switched off for now. Pictures that were sent before can still be seen. Try again later."
        "지금은 업로드가 중지되어 있습니다. 이미 올린 사진은 볼 수 있습니다. 나중에 다시 시도해 주세요."
    Internal "INTERNAL" 500 "COMMON-999" "Internal error"
        "Something went wrong on our side. Try again; if it happens again, tell us the request id."
        "서버 오류가 발생했습니다. 다시 시도하고, 계속되면 요청 번호를 알려 주세요."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_statuses_are_errors() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert!((400..600).contains(&code.status()), "{code:?}");
            for other in &Code::ALL[index + 1..] {
                assert_ne!(code.name(), other.name());
            }
        }
    }

    #[test]
    fn every_sentence_exists_in_both_languages() {
        for code in Code::ALL {
            assert!(code.message(Language::En).ends_with('.'), "{code:?}");
            let korean = code.message(Language::Ko);
            assert!(korean.chars().any(|c| ('가'..='힣').contains(&c)), "{code:?}");
        }
    }

    #[test]
    fn the_language_with_the_higher_weight_wins() {
        for (header, expected) in [
            ("", Language::En),
            ("ko", Language::Ko),
            ("ko-KR,ko;q=0.9,en-US;q=0.8", Language::Ko),
            ("en-US,en;q=0.9,ko;q=0.8", Language::En),
            ("fr, ko;q=0.3", Language::Ko),
            ("ko;q=0, en", Language::En),
            ("ko;q=banana;q=0.2,en;q=0.1", Language::Ko),
        ] {
            assert_eq!(Language::negotiate(header), expected, "{header}");
        }
    }
}
