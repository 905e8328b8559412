// Generated from the image rules by `cargo run -p image-rules --example codes_ts`. Do not edit.

/** How much time the encoder spends to reduce the size. */
export type Effort = "fast" | "balanced" | "small";

/** The limits of uploads, the target of processing, and what a form asks of its pictures. */
export interface Policy {
  readonly limits: {
    readonly maxBytes: number;
    readonly maxPixels: number;
    readonly maxFrames: number;
    readonly maxWorkMs: number;
    readonly maxPeakBytes: number;
  };
  readonly maxEdge: number;
  readonly quality: number;
  readonly effort: Effort;
  readonly targetBytes: number | null;
  /** Media types. */
  readonly acceptedTypes: readonly string[];
  /** Of the upright stored picture. */
  readonly minWidth: number | null;
  readonly minHeight: number | null;
  /** Width to height, such as `4:3`, within 1 %. */
  readonly aspectRatio: string | null;
}

/** The status and the sentences of a code. */
export interface CodeMeaning {
  readonly status: number;
  readonly backendCode: string;
  readonly title: string;
  readonly en: string;
  readonly ko: string;
}

/** The reason of a rejection. */
export type Code =
  | "TOKEN_MISSING"
  | "TOKEN_EXPIRED"
  | "TOKEN_INVALID"
  | "CREDENTIALS_INVALID"
  | "EMAIL_TAKEN"
  | "ALREADY_LOGGED_IN"
  | "ROLE_NOT_ALLOWED"
  | "USER_MISMATCH"
  | "USER_BANNED"
  | "TICKET_REQUIRED"
  | "TICKET_SPENT"
  | "GUEST_NOT_ALLOWED"
  | "CHALLENGE_REQUIRED"
  | "EMAIL_NOT_VERIFIED"
  | "LINK_INVALID"
  | "SIGN_IN_FAILED"
  | "PASSWORD_COMMON"
  | "USER_ERASING"
  | "FILE_MISSING"
  | "FILE_TOO_LARGE"
  | "INVALID_FILE_TYPE"
  | "INVALID_FILE_SIGNATURE"
  | "INVALID_IMAGE_URL"
  | "IMAGE_CORRUPT"
  | "IMAGE_TOO_LARGE"
  | "IMAGE_NOT_FOUND"
  | "IMAGE_ALREADY_REGISTERED"
  | "IMAGE_DIMENSIONS"
  | "SIGNATURE_INVALID"
  | "ADDRESS_EXPIRED"
  | "REVIEW_DECIDED"
  | "FORM_NOT_FOUND"
  | "FORM_CLOSED"
  | "FORM_FULL"
  | "FORM_REQUIRED"
  | "MALFORMED_REQUEST"
  | "NOT_FOUND"
  | "METHOD_NOT_ALLOWED"
  | "REQUEST_TIMEOUT"
  | "RATE_LIMITED"
  | "QUOTA_EXCEEDED"
  | "BUSY"
  | "STORAGE_UNAVAILABLE"
  | "UPLOADS_OFF"
  | "INTERNAL";

/** All codes. */
export const CODES: Readonly<Record<Code, CodeMeaning>> = {
  TOKEN_MISSING: {
    status: 401,
    backendCode: "AUTH-003",
    title: "Token missing",
    en: "You are not signed in. Sign in and try again.",
    ko: "로그인이 필요합니다. 로그인한 뒤 다시 시도해 주세요.",
  },
  TOKEN_EXPIRED: {
    status: 401,
    backendCode: "AUTH-003",
    title: "Token expired",
    en: "Your sign-in has expired. Sign in again, then try again.",
    ko: "로그인이 만료되었습니다. 다시 로그인한 뒤 시도해 주세요.",
  },
  TOKEN_INVALID: {
    status: 401,
    backendCode: "AUTH-003",
    title: "Token invalid",
    en: "Your sign-in could not be verified. Reload the page or sign in again.",
    ko: "로그인 정보를 확인할 수 없습니다. 페이지를 새로 고치거나 다시 로그인해 주세요.",
  },
  CREDENTIALS_INVALID: {
    status: 401,
    backendCode: "AUTH-001",
    title: "Credentials invalid",
    en: "The e-mail address or the password is wrong.",
    ko: "이메일 또는 비밀번호가 올바르지 않습니다.",
  },
  EMAIL_TAKEN: {
    status: 409,
    backendCode: "AUTH-002",
    title: "E-mail address taken",
    en: "There is already an account with this e-mail address. Sign in instead.",
    ko: "이미 가입된 이메일입니다. 로그인해 주세요.",
  },
  ALREADY_LOGGED_IN: {
    status: 409,
    backendCode: "AUTH-008",
    title: "Already logged in",
    en: "You are already logged in. Log out first to change accounts.",
    ko: "이미 로그인되어 있습니다. 다른 계정을 쓰려면 먼저 로그아웃해 주세요.",
  },
  ROLE_NOT_ALLOWED: {
    status: 403,
    backendCode: "AUTH-004",
    title: "Role not allowed",
    en: "Your account is not allowed to do this.",
    ko: "이 계정에는 이 작업을 할 권한이 없습니다.",
  },
  USER_MISMATCH: {
    status: 403,
    backendCode: "AUTH-005",
    title: "User mismatch",
    en: "This belongs to another account. Sign in with that account and try again.",
    ko: "다른 계정의 것입니다. 그 계정으로 로그인한 뒤 다시 시도해 주세요.",
  },
  USER_BANNED: {
    status: 403,
    backendCode: "AUTH-006",
    title: "User banned",
    en: "Uploads from here are blocked for a while because of repeated misuse.",
    ko: "반복된 오용으로 업로드가 일시적으로 차단되었습니다.",
  },
  TICKET_REQUIRED: {
    status: 403,
    backendCode: "AUTH-007",
    title: "Ticket required",
    en: "This upload needs a permission that is missing. Reload the page and send the picture again.",
    ko: "업로드에 필요한 허가가 없습니다. 페이지를 새로 고치고 사진을 다시 보내 주세요.",
  },
  TICKET_SPENT: {
    status: 403,
    backendCode: "AUTH-009",
    title: "Ticket spent",
    en: "The permission for this upload has already been used. Reload the page and send the picture again.",
    ko: "이 업로드의 허가는 이미 사용되었습니다. 페이지를 새로 고치고 사진을 다시 보내 주세요.",
  },
  GUEST_NOT_ALLOWED: {
    status: 403,
    backendCode: "AUTH-010",
    title: "Guests not allowed",
    en: "You must sign in before you can add pictures here.",
    ko: "여기에 사진을 올리려면 먼저 로그인해 주세요.",
  },
  CHALLENGE_REQUIRED: {
    status: 403,
    backendCode: "AUTH-011",
    title: "Challenge required",
    en: "There were many requests from your network, so your browser must be checked first. Reload the page and try again.",
    ko: "같은 네트워크에서 온 요청이 많아 먼저 브라우저를 확인해야 합니다. 페이지를 새로 고치고 다시 시도해 주세요.",
  },
  EMAIL_NOT_VERIFIED: {
    status: 403,
    backendCode: "AUTH-012",
    title: "E-mail address not verified",
    en: "Your e-mail address is not verified yet. Open the link in the mail that we sent you, then try again.",
    ko: "아직 이메일 주소가 확인되지 않았습니다. 보내 드린 메일의 링크를 연 뒤 다시 시도해 주세요.",
  },
  LINK_INVALID: {
    status: 410,
    backendCode: "AUTH-013",
    title: "Link invalid",
    en: "This link has expired or was used before. Ask for a new one.",
    ko: "링크가 만료되었거나 이미 사용되었습니다. 새 링크를 요청해 주세요.",
  },
  SIGN_IN_FAILED: {
    status: 401,
    backendCode: "AUTH-015",
    title: "Sign-in failed",
    en: "Signing in did not work. Please start again.",
    ko: "로그인하지 못했습니다. 처음부터 다시 시도해 주세요.",
  },
  PASSWORD_COMMON: {
    status: 422,
    backendCode: "AUTH-016",
    title: "Password too common",
    en: "This password is among the first that are guessed. Choose another, such as several words.",
    ko: "누구나 쉽게 추측하는 비밀번호입니다. 단어 여러 개를 이어 쓰는 등 다른 비밀번호를 골라 주세요.",
  },
  USER_ERASING: {
    status: 409,
    backendCode: "AUTH-017",
    title: "User is being erased",
    en: "Everything that is kept about this account is being deleted, so nothing can be added. Try again later.",
    ko: "이 계정에 관한 모든 정보를 삭제하는 중이어서 아무것도 추가할 수 없습니다. 나중에 다시 시도해 주세요.",
  },
  FILE_MISSING: {
    status: 400,
    backendCode: "IMAGE-001",
    title: "File missing",
    en: "No picture was sent. Choose a picture and try again.",
    ko: "보낸 사진이 없습니다. 사진을 고르고 다시 시도해 주세요.",
  },
  FILE_TOO_LARGE: {
    status: 413,
    backendCode: "IMAGE-002",
    title: "File too large",
    en: "The file has too many bytes. Choose a smaller one or shrink it before sending.",
    ko: "파일 용량이 너무 큽니다. 더 작은 파일을 고르거나 줄여서 보내 주세요.",
  },
  INVALID_FILE_TYPE: {
    status: 400,
    backendCode: "IMAGE-003",
    title: "File type not accepted",
    en: "Only JPEG, PNG, GIF and WebP pictures are accepted. Save the picture as one of these.",
    ko: "JPEG, PNG, GIF, WebP 사진만 올릴 수 있습니다. 이 형식 중 하나로 저장해 주세요.",
  },
  INVALID_FILE_SIGNATURE: {
    status: 400,
    backendCode: "IMAGE-004",
    title: "File is not what it claims to be",
    en: "The contents of the file are not what its type says. Choose the original picture.",
    ko: "파일 내용이 표시된 형식과 다릅니다. 원본 사진을 선택해 주세요.",
  },
  INVALID_IMAGE_URL: {
    status: 400,
    backendCode: "IMAGE-005",
    title: "Not an image URL of ours",
    en: "This is not the address of a picture of this service. Choose the picture again.",
    ko: "이 서비스의 사진 주소가 아닙니다. 사진을 다시 골라 주세요.",
  },
  IMAGE_CORRUPT: {
    status: 422,
    backendCode: "IMAGE-006",
    title: "Image damaged",
    en: "The picture is damaged or incomplete. Choose another or save it again.",
    ko: "사진이 손상되었거나 불완전합니다. 다른 사진을 고르거나 다시 저장해 주세요.",
  },
  IMAGE_TOO_LARGE: {
    status: 422,
    backendCode: "IMAGE-007",
    title: "Image too large to open",
    en: "The picture has too many pixels or frames to be opened safely. Make it smaller first.",
    ko: "사진의 픽셀 또는 프레임 수가 너무 많습니다. 크기를 줄인 뒤 올려 주세요.",
  },
  IMAGE_NOT_FOUND: {
    status: 404,
    backendCode: "IMAGE-008",
    title: "Image not found",
    en: "There is no such picture, or it has been removed.",
    ko: "사진이 없거나 삭제되었습니다.",
  },
  IMAGE_ALREADY_REGISTERED: {
    status: 409,
    backendCode: "IMAGE-009",
    title: "Image already registered",
    en: "This picture is already registered.",
    ko: "이미 등록된 사진입니다.",
  },
  IMAGE_DIMENSIONS: {
    status: 422,
    backendCode: "IMAGE-010",
    title: "Image has the wrong dimensions",
    en: "The picture is too small or has other proportions than are asked for. Choose another.",
    ko: "사진이 너무 작거나 가로세로 비율이 맞지 않습니다. 다른 사진을 골라 주세요.",
  },
  SIGNATURE_INVALID: {
    status: 403,
    backendCode: "IMAGE-011",
    title: "Signature invalid",
    en: "This address does not allow you to see the picture. Open the page again to get a new address.",
    ko: "이 주소로는 사진을 볼 수 없습니다. 페이지를 다시 열어 새 주소를 받아 주세요.",
  },
  ADDRESS_EXPIRED: {
    status: 403,
    backendCode: "IMAGE-012",
    title: "Address expired",
    en: "The address of this picture has expired. Open the page again to get a new one.",
    ko: "이 사진의 주소가 만료되었습니다. 페이지를 다시 열어 새 주소를 받아 주세요.",
  },
  REVIEW_DECIDED: {
    status: 409,
    backendCode: "IMAGE-013",
    title: "Review decided",
    en: "This picture does not wait for a review: it was decided already, or needs none.",
    ko: "검토를 기다리는 사진이 아닙니다. 이미 결정되었거나 검토가 필요 없는 사진입니다.",
  },
  FORM_NOT_FOUND: {
    status: 404,
    backendCode: "FORM-001",
    title: "Form not found",
    en: "There is no such form. Reload the page and try again.",
    ko: "없는 설문입니다. 페이지를 새로 고치고 다시 시도해 주세요.",
  },
  FORM_CLOSED: {
    status: 403,
    backendCode: "FORM-002",
    title: "Form closed",
    en: "This form takes no pictures now.",
    ko: "지금은 이 설문에 사진을 올릴 수 없습니다.",
  },
  FORM_FULL: {
    status: 409,
    backendCode: "FORM-003",
    title: "Form full",
    en: "This form takes no more pictures.",
    ko: "이 설문에는 사진을 더 올릴 수 없습니다.",
  },
  FORM_REQUIRED: {
    status: 400,
    backendCode: "FORM-004",
    title: "Form required",
    en: "The picture was sent without its form. Reload the page and send it again.",
    ko: "사진이 설문 없이 전송되었습니다. 페이지를 새로 고치고 다시 보내 주세요.",
  },
  MALFORMED_REQUEST: {
    status: 400,
    backendCode: "COMMON-001",
    title: "Malformed request",
    en: "What was sent could not be read. Check what you entered, or reload the page, and try again.",
    ko: "보낸 내용을 읽을 수 없습니다. 입력한 내용을 확인하거나 페이지를 새로 고친 뒤 다시 시도해 주세요.",
  },
  NOT_FOUND: {
    status: 404,
    backendCode: "COMMON-002",
    title: "Not found",
    en: "There is nothing at this address. Check that it is complete.",
    ko: "이 주소에는 아무것도 없습니다. 주소가 맞는지 확인해 주세요.",
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    backendCode: "COMMON-003",
    title: "Method not allowed",
    en: "This address cannot be used in this way. Reload the page and try again.",
    ko: "이 주소는 이런 방식으로 쓸 수 없습니다. 페이지를 새로 고치고 다시 시도해 주세요.",
  },
  REQUEST_TIMEOUT: {
    status: 408,
    backendCode: "COMMON-008",
    title: "Request too slow",
    en: "The connection was too slow, so the upload was stopped. Try again with a better connection.",
    ko: "연결이 너무 느려 전송을 멈추었습니다. 연결이 더 나은 곳에서 다시 시도해 주세요.",
  },
  RATE_LIMITED: {
    status: 429,
    backendCode: "COMMON-004",
    title: "Too many requests",
    en: "Too many requests in a short time. Wait a minute, then try again.",
    ko: "짧은 시간에 요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.",
  },
  QUOTA_EXCEEDED: {
    status: 429,
    backendCode: "COMMON-005",
    title: "Daily quota used up",
    en: "Today's upload quota is used up. Try again tomorrow.",
    ko: "오늘의 업로드 한도를 모두 사용했습니다. 내일 다시 시도해 주세요.",
  },
  BUSY: {
    status: 503,
    backendCode: "COMMON-006",
    title: "Busy",
    en: "The service is busy right now. Try again in a moment.",
    ko: "지금은 요청이 많습니다. 잠시 후 다시 시도해 주세요.",
  },
  STORAGE_UNAVAILABLE: {
    status: 503,
    backendCode: "COMMON-007",
    title: "Storage unavailable",
    en: "The picture could not be stored right now and was not kept. Try again in a moment.",
    ko: "지금은 사진을 저장할 수 없습니다. 잠시 후 다시 시도해 주세요.",
  },
  UPLOADS_OFF: {
    status: 503,
    backendCode: "COMMON-009",
    title: "Uploads switched off",
    en: "Uploads are switched off for now. Pictures that were sent before can still be seen. Try again later.",
    ko: "지금은 업로드가 중지되어 있습니다. 이미 올린 사진은 볼 수 있습니다. 나중에 다시 시도해 주세요.",
  },
  INTERNAL: {
    status: 500,
    backendCode: "COMMON-999",
    title: "Internal error",
    en: "Something went wrong on our side. Try again; if it happens again, tell us the request id.",
    ko: "서버 오류가 발생했습니다. 다시 시도하고, 계속되면 요청 번호를 알려 주세요.",
  },
};

/** The default policy of the edge. */
export const EDGE_POLICY: Policy = {"acceptedTypes":["image/jpeg","image/png","image/gif","image/webp"],"aspectRatio":null,"effort":"fast","limits":{"maxBytes":5242880,"maxFrames":200,"maxPeakBytes":67108864,"maxPixels":50000000,"maxWorkMs":2000},"maxEdge":2048,"minHeight":null,"minWidth":null,"quality":80,"targetBytes":null};

/** The default policy of the browser package. */
export const BROWSER_POLICY: Policy = {"acceptedTypes":["image/jpeg","image/png","image/gif","image/webp"],"aspectRatio":null,"effort":"fast","limits":{"maxBytes":52428800,"maxFrames":200,"maxPeakBytes":536870912,"maxPixels":200000000,"maxWorkMs":30000},"maxEdge":2048,"minHeight":null,"minWidth":null,"quality":80,"targetBytes":5242880};
