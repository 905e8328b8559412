// The texts of the element in both languages. The sentences of refusals come from the image rules and the edge.
import type { FormPolicy } from "../client/policy.js";
import type { Code } from "../codes.js";
import { ConnectionBroken, Refusal } from "../errors.js";
import type { DialogTexts } from "./dialog-texts.js";
import type { MetadataKind } from "../preflight/messages.js";

const en = {
  language: "en",
  choose: "Choose pictures",
  chooseOne: "Choose a picture",
  hint: "or drop them here, or paste",
  chooseFolder: "Choose a folder",
  noPictures: "The folder contains no pictures.",
  camera: "Take a photo",
  cameraFailed: "The camera cannot be used. Allow it in your browser, or choose a picture.",
  types: "JPEG, PNG, GIF, WebP and more",
  square: "square",
  ratio: (ratio: string) => `in the ratio ${ratio} (width to height)`,
  minSize: (width: number, height: number) => `at least ${width}\u00a0×\u00a0${height} pixels`,
  minWidth: (pixels: number) => `at least ${pixels} pixels wide`,
  minHeight: (pixels: number) => `at least ${pixels} pixels high`,
  count: (max: number) => (max === 1 ? "one picture" : `up to ${max} pictures`),
  shrunk: (size: string) => `Files above ${size} are made smaller.`,
  opens: (date: string) => `Pictures can be added from ${date}.`,
  closed: (date: string) => `Pictures could be added until ${date}.`,
  queued: "In the queue",
  loading: "Getting ready…",
  checking: "Checking",
  sending: (percent: number) => `Sending, ${percent}\u00a0%`,
  storing: "Storing",
  challenge: (percent: number) => `Checking your browser${percent > 0 ? `, ${percent}\u00a0%` : ""}`,
  waiting: "Waiting for the network",
  kept: "Kept on this device until the network is back",
  stored: "Stored",
  held: "Stored; it is shown after a review",
  turnedDown: (reason: string) => `Not accepted: ${reason}`,
  connectionBroken: "The connection broke. Check your network and try again.",
  failed: "The picture could not be sent because of a fault on our side, not your network. Try again later.",
  editName: (name: string) => `Edit ${name}`,
  overall: (stored: number, total: number) => `${stored} of ${total} pictures stored`,
  retry: (name: string) => `Try ${name} again`,
  move: (name: string, position: number, total: number) => `Move ${name}, ${position} of ${total}. Use the arrow keys.`,
  remove: (name: string) => `Remove ${name}`,
  tooMany: (max: number) => (max === 1 ? "One picture is enough. Remove it to choose another." : `At most ${max} pictures. Remove one to add another.`),
  missing: "Add a picture.",
  busy: "Wait until all pictures are stored.",
  unnamed: "Picture",
  removedKinds: (kinds: string) => `Removed: ${kinds}`,
  kinds: {
    exif: "camera data",
    gps: "location",
    thumbnail: "thumbnail",
    xmp: "editing data",
    iptc: "captions and credits",
    icc: "texts in the colour profile",
    comment: "comments",
    vendor: "manufacturer data",
    trailing: "data after the end",
  } satisfies Record<MetadataKind, string>,
  announceChallenge: "Your browser is being checked. This takes a moment.",
  announceStored: (name: string) => `${name} is stored.`,
  announceRefused: (name: string, sentence: string) => `${name} was not accepted. ${sentence}`,
  announceWaiting: (name: string) => `${name} is waiting for the network.`,
  announceRemoved: (name: string) => `${name} was removed.`,
  announceMoved: (name: string, position: number, total: number) => `${name} is now ${position} of ${total}.`,
  /** Sentences of refusals in place of those of the image rules and the service, which are in English and Korean. */
  refusals: {} as Partial<Record<Code, string>>,
};

export type Texts = typeof en;
/** Texts of a page in place of those of the element, for other languages or other words. */
export type ImageUploadTexts = { [Name in keyof Texts]?: Name extends "kinds" ? Partial<Texts["kinds"]> : Texts[Name] } & Partial<DialogTexts>;

const ko: Texts = {
  language: "ko",
  choose: "사진 고르기",
  chooseOne: "사진 한 장 고르기",
  hint: "여기에 놓거나 붙여넣어도 됩니다",
  chooseFolder: "폴더 고르기",
  noPictures: "폴더에 사진이 없습니다.",
  camera: "사진 찍기",
  cameraFailed: "카메라를 쓸 수 없습니다. 브라우저에서 카메라를 허용하거나 사진을 골라 주세요.",
  types: "JPEG, PNG, GIF, WebP 등",
  square: "정사각형",
  ratio: (ratio) => `가로세로 비율 ${ratio}`,
  minSize: (width, height) => `${width}\u00a0×\u00a0${height}픽셀 이상`,
  minWidth: (pixels) => `가로 ${pixels}픽셀 이상`,
  minHeight: (pixels) => `세로 ${pixels}픽셀 이상`,
  count: (max) => `${max}장까지`,
  shrunk: (size) => `${size}가 넘는 파일은 줄여서 보냅니다.`,
  opens: (date) => `사진은 ${date}부터 올릴 수 있습니다.`,
  closed: (date) => `사진은 ${date}까지 올릴 수 있었습니다.`,
  queued: "대기 중",
  loading: "준비 중…",
  checking: "확인 중",
  sending: (percent) => `전송 중 ${percent}%`,
  storing: "저장 중",
  challenge: (percent) => `브라우저를 확인하는 중${percent > 0 ? ` ${percent}%` : ""}`,
  waiting: "네트워크 연결을 기다리는 중",
  kept: "연결될 때까지 이 기기에 보관합니다",
  stored: "저장됨",
  held: "저장됨. 검토 후에 공개됩니다",
  turnedDown: (reason) => `받지 않은 사진입니다: ${reason}`,
  connectionBroken: "연결이 끊어졌습니다. 네트워크를 확인하고 다시 시도해 주세요.",
  failed: "네트워크가 아니라 저희 쪽 문제로 사진을 보내지 못했습니다. 잠시 후 다시 시도해 주세요.",
  editName: (name) => `${name} 편집`,
  overall: (stored, total) => `사진 ${total}장 중 ${stored}장 저장됨`,
  retry: (name) => `${name} 다시 시도`,
  move: (name, position, total) => `${name} 옮기기, ${total}장 중 ${position}번째. 화살표 키로 옮깁니다.`,
  remove: (name) => `${name} 빼기`,
  tooMany: (max) => `사진은 ${max}장까지 올릴 수 있습니다. 더 올리려면 한 장을 빼 주세요.`,
  missing: "사진을 추가해 주세요.",
  busy: "사진이 모두 저장될 때까지 기다려 주세요.",
  unnamed: "사진",
  removedKinds: (kinds) => `지운 정보: ${kinds}`,
  kinds: {
    exif: "카메라 정보",
    gps: "촬영 위치",
    thumbnail: "미리보기",
    xmp: "편집 정보",
    iptc: "설명 및 저작권 정보",
    icc: "색상 프로필의 부가 정보",
    comment: "메모",
    vendor: "제조사 정보",
    trailing: "끝에 덧붙은 데이터",
  },
  announceChallenge: "브라우저를 확인하고 있습니다. 잠시만 기다려 주세요.",
  announceStored: (name) => `${name} 사진이 저장되었습니다.`,
  announceRefused: (name, sentence) => `${name} 사진을 올릴 수 없습니다. ${sentence}`,
  announceWaiting: (name) => `${name} 사진이 네트워크 연결을 기다리고 있습니다.`,
  announceRemoved: (name) => `${name} 사진을 뺐습니다.`,
  announceMoved: (name, position, total) => `${name} 사진을 ${total}장 중 ${position}번째로 옮겼습니다.`,
  refusals: {},
};

/** The texts for a language tag; English for other languages, and where `own` has no text. */
export function textsFor(language: string, own: ImageUploadTexts = {}): Texts {
  const texts = /^ko\b/i.test(language) ? ko : en;
  return { ...texts, ...own, kinds: { ...texts.kinds, ...own.kinds } };
}

/** What a policy asks of pictures, in two sentences; `maxFiles` is the largest number of them. */
export function describePolicy(
  { acceptedTypes, minWidth, minHeight, aspectRatio, form, limits }: FormPolicy,
  language = globalThis.navigator?.language ?? "",
  maxFiles = form?.maxFilesPerUser ?? Infinity,
  texts = textsFor(language),
): string {
  const names = acceptedTypes.map(nameOfType);
  const types = names.length > 3 ? texts.types : new Intl.ListFormat(texts.language, { type: "disjunction" }).format(names);
  const parts = [
    types,
    aspectRatio && (aspectRatio === "1:1" ? texts.square : texts.ratio(aspectRatio)),
    minWidth && minHeight ? texts.minSize(minWidth, minHeight) : minWidth ? texts.minWidth(minWidth) : minHeight && texts.minHeight(minHeight),
    maxFiles < Infinity && texts.count(maxFiles),
  ];
  return `${parts.filter(Boolean).join(", ")}. ${texts.shrunk(sizeOf(limits.maxBytes))}`;
}

/** Why a form takes no pictures now; empty when it takes some. */
export function whyClosed({ form }: FormPolicy, texts: Texts): string {
  const date = (timestamp: string) => new Date(timestamp).toLocaleString(texts.language, { dateStyle: "long", timeStyle: "short" });
  if (form?.state === "not_yet_open" && form.opensAt) return texts.opens(date(form.opensAt));
  return form?.state === "closed" && form.closesAt ? texts.closed(date(form.closesAt)) : "";
}

/** `JPEG` for `image/jpeg`. */
function nameOfType(type: string): string {
  return type === "image/webp" ? "WebP" : type.slice("image/".length).toUpperCase();
}

export function sizeOf(bytes: number): string {
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)}\u00a0KB` : `${Number((bytes / 2 ** 20).toFixed(1))}\u00a0MB`;
}

/** What went wrong, for the person who uploads. Errors that only developers can fix have one general sentence. */
export function sentenceOf(error: unknown, texts: Texts): string {
  if (error instanceof Refusal) return texts.refusals[error.code] ?? error.message;
  return error instanceof ConnectionBroken ? texts.connectionBroken : texts.failed;
}
