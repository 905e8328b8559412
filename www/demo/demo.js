// The demo: each file is checked in a Web Worker, sent with a guest token, and shown from its URL.
// It has no rules of its own; it calls the browser package and the API.
import { guestToken, preflight, Refusal, upload, warmUp } from "../preflight/index.js";
import { TEXTS } from "./texts.js";

const $ = (selector, root = document) => root.querySelector(selector);
let language = navigator.languages.some((tag) => tag.startsWith("ko")) ? "ko" : "en";
language = localStorage.getItem("language") ?? language;
const policy = fetch("/policy").then((answer) => answer.text());
// One guest for all pictures of this page.
const token = guestToken("", language);
warmUp();

speak(language);
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => speak(button.dataset.language));
}

async function speak(chosen) {
  language = chosen;
  localStorage.setItem("language", chosen);
  document.documentElement.lang = chosen;
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === chosen));
  }
  for (const element of document.querySelectorAll("[data-text]:not(#limits)")) {
    element.textContent = TEXTS[chosen][element.dataset.text];
  }
  const { limits } = JSON.parse(await policy);
  $("#limits").textContent = TEXTS[language].types(Math.floor(limits.maxBytes / 2 ** 20));
}

const drop = $("#drop");
const files = $("#files");
files.addEventListener("change", () => {
  take(files.files);
  files.value = "";
});
for (const type of ["dragenter", "dragover"]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const type of ["dragleave", "drop"]) drop.addEventListener(type, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  take(event.dataTransfer.files);
});
// A picture that misses the target must not replace the page.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());
window.addEventListener("paste", (event) => take(event.clipboardData.files));

function take(list) {
  for (const file of list) handle(file, addCard(file));
}

async function handle(file, card) {
  const texts = TEXTS[language];
  try {
    card.step("check", texts.check);
    const prepared = await preflight(file, { policy, language });
    card.done("check", texts.checked(Math.max(1, Math.round(prepared.elapsedMs))));
    card.describe(prepared, texts);

    card.step("send", texts.send);
    const stored = await upload(prepared.blob, {
      endpoint: "",
      token,
      fileName: prepared.fileName,
      language,
      onProgress: (sent, total) => card.progress(sent / total),
    });
    card.done("send", texts.sent);
    card.done("store", texts.stored);
    card.show(stored, prepared, texts);
    announce(texts.storedAnnounce(file.name));
  } catch (error) {
    const sentence = error instanceof Refusal ? error.message : texts.offline;
    card.refuse(error.code, sentence);
    announce(texts.refusedAnnounce(file.name, sentence));
  }
}

function announce(sentence) {
  $("#announcer").textContent = sentence;
}

const size = (bytes) => (bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`);

const formatName = (format) => (format === "webp" ? "WebP" : format.toUpperCase());
const kindNames = (kinds, texts) => kinds.map((kind) => texts.kinds[kind]).join(", ");

function addCard(file) {
  const card = $("#upload").content.firstElementChild.cloneNode(true);
  const image = $("img", card);
  const local = URL.createObjectURL(file);
  image.addEventListener("error", () => card.classList.add("no-preview"));
  image.src = local;
  $(".name", card).textContent = file.name;
  $(".meta", card).textContent = size(file.size);
  $("#uploads").prepend(card);

  const label = (step, text, state) => {
    const element = $(`[data-step=${step}]`, card);
    element.textContent = text;
    element.className = state;
  };
  return {
    step: (step, text) => label(step, text, "now"),
    done: (step, text) => label(step, text, "done"),
    progress: (part) => ($("progress", card).value = part),
    describe({ report, originalSize }, texts) {
      const turned = report.orientation >= 5;
      const [width, height] = turned ? [report.height, report.width] : [report.width, report.height];
      $(".meta", card).textContent = `${formatName(report.format)} · ${width} × ${height} · ${size(originalSize)}`;
      const kinds = Object.keys(texts.kinds).filter((kind) => kind !== "icc" && report.metadata[kind] > 0);
      const found = $(".found", card);
      found.hidden = kinds.length === 0;
      found.textContent = texts.found(kindNames(kinds, texts));
    },
    show(stored, { originalSize, removed }, texts) {
      image.src = stored.imageUrl;
      image.addEventListener("load", () => URL.revokeObjectURL(local), { once: true });
      const { width, height, fileSize } = stored;
      const bytes = fileSize < originalSize ? `${size(originalSize)} → ${size(fileSize)}` : size(fileSize);
      $(".meta", card).textContent = `${formatName(stored.contentType.slice(6))} · ${width} × ${height} · ${bytes}`;
      if (removed.length > 0) {
        $(".found", card).textContent = texts.removed(kindNames(removed, texts));
        $(".found", card).hidden = false;
      }
      const link = $(".result a", card);
      link.href = stored.imageUrl;
      link.textContent = new URL(stored.imageUrl).pathname;
      const copy = $(".copy", card);
      copy.textContent = texts.copy;
      copy.addEventListener("click", async () => {
        await navigator.clipboard.writeText(stored.key);
        copy.textContent = texts.copied;
      });
      $(".result", card).hidden = false;
      card.classList.add("stored");
    },
    refuse(code, sentence) {
      const refusal = $(".refusal", card);
      $("code", refusal).textContent = code ?? "";
      $("span", refusal).textContent = sentence;
      refusal.hidden = false;
      card.classList.add("refused");
    },
  };
}
