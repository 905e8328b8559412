// Takes a photo with a camera of a desktop computer. It loads when a person asks for it.
import { openDialog } from "./dialog.js";
import { dialogTextsFor } from "./dialog-texts.js";
import { create, icon } from "./dom.js";
import type { ImageUploadTexts, Texts } from "./texts.js";

/** More than what services keep; cameras give their nearest size. */
const IDEAL = { width: { ideal: 4096 }, height: { ideal: 2160 } };

/** The photo; undefined when the person cancels. Rejects when the camera cannot be used. */
export async function takePhoto(root: ShadowRoot, texts: Texts, language: string, own?: ImageUploadTexts): Promise<File | undefined> {
  const words = dialogTextsFor(language, own);
  const stream = await navigator.mediaDevices.getUserMedia({ video: IDEAL });
  try {
    const video = create("video", { muted: true, playsInline: true, srcObject: stream, ariaLabel: texts.camera });
    let photo: Promise<Blob | null> | undefined;
    const isTaken = await openDialog(root, texts.camera, "", (finish) => {
      const capture = create("button", { type: "button", className: "button", part: "capture", disabled: true }, icon("camera"), words.capture);
      const cancel = create("button", { type: "button", className: "button secondary", part: "cancel", onclick: () => finish(false) }, words.cancel);
      video.addEventListener("playing", () => {
        capture.disabled = false;
        capture.focus();
      });
      capture.addEventListener("click", () => {
        photo = pictureOf(video);
        finish(true);
      });
      video.autoplay = true;
      return [video, create("div", { className: "row" }, capture, cancel)];
    });
    const blob = isTaken && (await photo);
    return blob ? new File([blob], `${texts.unnamed} ${new Date().toLocaleTimeString(texts.language)}.jpeg`.replaceAll(":", "."), { type: blob.type }) : undefined;
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}

function pictureOf(video: HTMLVideoElement): Promise<Blob | null> {
  const canvas = create("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  // The image rules encode it again, so the first encoding loses next to nothing.
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.97));
}
