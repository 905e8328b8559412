// The ways to add pictures: the file chooser, the camera, drop and paste.
import { create, hasFocus, icon } from "./dom.js";
import type { Texts } from "./texts.js";

/** At most so many files of a folder are read. */
const MAX_FOLDER_FILES = 1_000;
/** Systems that do not know a type give its files none. */
const PICTURE = /^image\/|\.(hei[cf]|avif|jxl)$/i;

export class Picker {
  readonly element: HTMLDivElement;
  readonly chooseButton: HTMLButtonElement;
  readonly #onFiles: (files: File[]) => void;
  readonly #cameraButton: HTMLButtonElement;
  readonly #chooseText = create("span");
  readonly #cameraText = create("span");
  readonly #folderButton: HTMLButtonElement;
  readonly #folderText = create("span");
  readonly #folderInput = create("input", { type: "file", webkitdirectory: true, hidden: true, tabIndex: -1 });
  readonly #onWebcam: () => void;
  #noPictures = "";
  readonly #hint = create("p", { className: "hint", part: "hint" });
  readonly #types = create("p", { className: "types", part: "types", id: "types" });
  /** Takes the focus where the buttons are hidden. */
  readonly #problem = create("p", { className: "problem", part: "problem", id: "problem", role: "alert", tabIndex: -1 });
  readonly #fileInput = create("input", { type: "file", accept: "image/*", hidden: true, tabIndex: -1 });
  readonly #cameraInput = create("input", { type: "file", accept: "image/*", capture: "environment", hidden: true, tabIndex: -1 });
  #isDisabled = false;

  /** `onFiles` gets all files, whatever their type, and those of folders that may be pictures. */
  constructor(onFiles: (files: File[]) => void, onWebcam: () => void) {
    this.#onFiles = onFiles;
    this.#onWebcam = onWebcam;
    const button = (className: string, part: string, onclick: () => void, ...content: (Node | string)[]) =>
      create("button", { type: "button", className, part, "aria-describedby": "problem types", onclick }, ...content);
    this.chooseButton = button("button", "choose", () => this.#fileInput.click(), this.#chooseText);
    this.#folderButton = button("button secondary", "folder", () => this.#folderInput.click(), icon("folder"), this.#folderText);
    this.#cameraButton = button("button secondary camera", "camera", () => this.#capture(), icon("camera"), this.#cameraText);
    const symbol = create("div", { className: "symbol" }, icon("upload"));
    const buttons = create("div", { className: "buttons" }, this.chooseButton, this.#folderButton, this.#cameraButton);
    const content = [symbol, buttons, this.#hint, this.#types, this.#problem, this.#fileInput, this.#folderInput, this.#cameraInput];
    this.element = create("div", { className: "drop", part: "drop" }, ...content);
    for (const input of [this.#fileInput, this.#cameraInput]) {
      input.addEventListener("change", () => {
        const files = [...(input.files ?? [])];
        // So that the same file can be chosen again.
        input.value = "";
        this.#onFiles(files);
      });
    }
    this.#folderInput.addEventListener("change", () => {
      const files = [...(this.#folderInput.files ?? [])];
      this.#folderInput.value = "";
      this.#addFolder(files);
    });
  }

  /** Takes what is dropped on `host`, and what is pasted while nothing else has the focus. */
  listen(host: HTMLElement, signal: AbortSignal): void {
    const setDragOver = (isOver: boolean) => this.element.classList.toggle("dragover", isOver && !this.#isDisabled);
    const on = (type: "dragenter" | "dragover" | "dragleave" | "drop", listener: (event: DragEvent) => void) =>
      host.addEventListener(type, listener, { signal });
    for (const type of ["dragenter", "dragover"] as const) {
      on(type, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = this.#isDisabled ? "none" : "copy";
        setDragOver(true);
      });
    }
    on("dragleave", ({ relatedTarget }) => setDragOver(relatedTarget instanceof Node && host.contains(relatedTarget)));
    on("drop", (event) => {
      event.preventDefault();
      setDragOver(false);
      const { files = [], items = [] } = event.dataTransfer ?? {};
      if (files.length === 0 || this.#isDisabled) return;
      // Entries can be read during the event only.
      const entries = [...items].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
      if (entries.some(({ isDirectory }) => isDirectory)) void filesOf(entries).then((files) => this.#addFolder(files));
      else this.#onFiles([...files]);
    });
    // A page that may not use cameras sees none.
    const mediaDevices = navigator.mediaDevices as Partial<MediaDevices> | undefined;
    const findCamera = async () => {
      const devices = (await mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
      this.#cameraButton.classList.toggle("webcam", devices.some(({ kind }) => kind === "videoinput"));
    };
    void findCamera();
    mediaDevices?.addEventListener?.("devicechange", findCamera, { signal });
    const onPaste = (event: ClipboardEvent) => {
      const focused = document.activeElement;
      const isOurs = focused === host || focused === document.body || focused === null || host.contains(focused);
      const files = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
      if (!isOurs || files.length === 0 || event.defaultPrevented || this.#isDisabled) return;
      event.preventDefault();
      this.#onFiles(files);
    };
    document.addEventListener("paste", onPaste, { signal });
  }

  /** `asked` says what pictures have to be like, and `types` which files may be chosen, where a form has a policy. */
  render(texts: Texts, isSingle: boolean, hasFolders: boolean, asked = texts.types, types = ["image/*"]): void {
    this.#folderText.textContent = texts.chooseFolder;
    this.#folderButton.hidden = !hasFolders || isSingle;
    this.#noPictures = texts.noPictures;
    this.#chooseText.textContent = isSingle ? texts.chooseOne : texts.choose;
    this.#cameraText.textContent = texts.camera;
    this.#hint.textContent = texts.hint;
    this.#types.textContent = asked;
    this.#fileInput.multiple = !isSingle;
    this.#fileInput.accept = types.join();
  }

  /** Whether one of the buttons has the focus. */
  get hasFocus(): boolean {
    return [this.chooseButton, this.#folderButton, this.#cameraButton].some(hasFocus);
  }

  /** What has the focus when the field gets it: the button, or the sentence that says why there is none. */
  get anchor(): HTMLElement {
    return this.chooseButton.disabled ? this.#problem : this.chooseButton;
  }

  /** The sentence that says what is wrong with what was chosen; empty for none. */
  set problem(sentence: string) {
    this.#problem.textContent = sentence;
    this.#problem.hidden = sentence === "";
  }

  /** Whether it takes no files, and whether only the problem is shown, which says why. */
  setDisabled(isDisabled: boolean, isProblemOnly: boolean): void {
    this.#isDisabled = isDisabled;
    this.chooseButton.disabled = this.#folderButton.disabled = this.#cameraButton.disabled = isDisabled;
    this.element.classList.toggle("disabled", isDisabled);
    this.element.classList.toggle("full", isProblemOnly);
  }

  /** Phones have a camera of their own in the file chooser. */
  #capture(): void {
    if (this.#cameraButton.classList.contains("webcam") && !matchMedia("(pointer: coarse)").matches) this.#onWebcam();
    else this.#cameraInput.click();
  }

  #addFolder(files: File[]): void {
    const pictures = files.filter(({ name, type }) => PICTURE.test(type || name) && !name.startsWith("."));
    if (pictures.length > 0) this.#onFiles(pictures.slice(0, MAX_FOLDER_FILES));
    else this.problem = this.#noPictures;
  }
}

/** The files of dropped entries and of their folders, in the order of their names. */
async function filesOf(entries: readonly FileSystemEntry[]): Promise<File[]> {
  const files: File[] = [];
  for (const entry of entries) {
    if (files.length >= MAX_FOLDER_FILES) break;
    if (entry.isFile) {
      // A file that was deleted meanwhile is left out.
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)).catch(() => undefined);
      if (file) files.push(file);
    } else {
      files.push(...(await filesOf(await entriesOf((entry as FileSystemDirectoryEntry).createReader()))));
    }
  }
  return files;
}

/** A reader returns some hundred entries at a time, and none at its end. */
async function entriesOf(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  const entries: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => []);
    if (some.length === 0) return entries.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
    entries.push(...some);
  }
}
