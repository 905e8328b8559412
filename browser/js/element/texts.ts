// What the element says, in both languages. The sentences of refusals come from the image rules and the edge.
import type { MetadataKind } from "../report.js";

export interface Texts {
  choose: string;
  chooseOne: string;
  hint: string;
  camera: string;
  types: string;
  queued: string;
  loading: string;
  checking: string;
  sending(percent: number): string;
  storing: string;
  waiting: string;
  kept: string;
  stored: string;
  broken: string;
  fault: string;
  retry(name: string): string;
  remove(name: string): string;
  tooMany(most: number): string;
  missing: string;
  busy: string;
  nameless: string;
  removedKinds(kinds: string): string;
  kinds: Record<MetadataKind, string>;
  saidStored(name: string): string;
  saidRefused(name: string, sentence: string): string;
  saidWaiting(name: string): string;
  saidRemoved(name: string): string;
}

const en: Texts = {
  choose: "Choose pictures",
  chooseOne: "Choose a picture",
  hint: "or drop them here, or paste",
  camera: "Take a photo",
  types: "JPEG, PNG, GIF, WebP and more",
  queued: "In line",
  loading: "Getting ready…",
  checking: "Checking",
  sending: (percent) => `Sending, ${percent}\u00a0%`,
  storing: "Storing",
  waiting: "Waiting for the network",
  kept: "Kept on this device until the network is back",
  stored: "Stored",
  broken: "The connection broke. Check your network and try again.",
  fault: "The picture could not be sent because of a fault on our side, not your network. Try again later.",
  retry: (name) => `Try ${name} again`,
  remove: (name) => `Remove ${name}`,
  tooMany: (most) => (most === 1 ? "One picture is enough. Remove it to choose another." : `At most ${most} pictures. Remove one to add another.`),
  missing: "Add a picture.",
  busy: "Wait until all pictures are stored.",
  nameless: "Picture",
  removedKinds: (kinds) => `Removed: ${kinds}`,
  kinds: {
    exif: "camera data",
    gps: "place",
    thumbnail: "thumbnail",
    xmp: "editing data",
    iptc: "press data",
    icc: "texts in the colour profile",
    comment: "comments",
    vendor: "maker's data",
    trailing: "bytes after the end",
  },
  saidStored: (name) => `${name} is stored.`,
  saidRefused: (name, sentence) => `${name} was not taken. ${sentence}`,
  saidWaiting: (name) => `${name} waits for the network.`,
  saidRemoved: (name) => `${name} is removed.`,
};

const ko: Texts = {
  choose: "사진 고르기",
  chooseOne: "사진 한 장 고르기",
  hint: "여기에 놓거나 붙여넣어도 됩니다",
  camera: "사진 찍기",
  types: "JPEG, PNG, GIF, WebP 등",
  queued: "차례를 기다리는 중",
  loading: "준비 중…",
  checking: "확인 중",
  sending: (percent) => `전송 중 ${percent}%`,
  storing: "저장 중",
  waiting: "네트워크를 기다리는 중",
  kept: "연결될 때까지 이 기기에 보관합니다",
  stored: "저장됨",
  broken: "연결이 끊어졌습니다. 네트워크를 확인하고 다시 시도해 주세요.",
  fault: "네트워크가 아니라 저희 쪽 문제로 사진을 보내지 못했습니다. 잠시 후 다시 시도해 주세요.",
  retry: (name) => `${name} 다시 시도`,
  remove: (name) => `${name} 빼기`,
  tooMany: (most) => `사진은 ${most}장까지 올릴 수 있습니다. 더 올리려면 한 장을 빼 주세요.`,
  missing: "사진을 추가해 주세요.",
  busy: "사진이 모두 저장될 때까지 기다려 주세요.",
  nameless: "사진",
  removedKinds: (kinds) => `지운 정보: ${kinds}`,
  kinds: {
    exif: "카메라 정보",
    gps: "촬영 위치",
    thumbnail: "미리보기",
    xmp: "편집 정보",
    iptc: "보도 정보",
    icc: "색상 프로필의 부가 정보",
    comment: "설명",
    vendor: "제조사 정보",
    trailing: "끝에 덧붙은 데이터",
  },
  saidStored: (name) => `${name} 사진이 저장되었습니다.`,
  saidRefused: (name, sentence) => `${name} 사진을 올릴 수 없습니다. ${sentence}`,
  saidWaiting: (name) => `${name} 사진이 네트워크를 기다립니다.`,
  saidRemoved: (name) => `${name} 사진을 뺐습니다.`,
};

/** The texts for a language tag; English for those that are not there. */
export function textsFor(language: string): Texts {
  return /^ko\b/i.test(language) ? ko : en;
}
