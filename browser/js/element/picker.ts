// The ways to add pictures: the file chooser, the camera, drop and paste.
import { create, hasFocus, icon } from "./dom.js";
import type { Texts } from "./texts.js";

export class Picker {
  readonly element: HTMLDivElement;
  readonly chooseButton: HTMLButtonElement;
  readonly #onFiles: (files: File[]) => void;
  readonly #cameraButton: HTMLButtonElement;
  readonly #chooseText = create("span");
  readonly #cameraText = create("span");
  readonly #hint = create("p", { className: "hint", part: "hint" });
  readonly #types = create("p", { className: "types", part: "types", id: "types" });
  /** Takes the focus where the buttons are hidden. */
  readonly #problem = create("p", { className: "problem", part: "problem", id: "problem", role: "alert", tabIndex: -1 });
  readonly #fileInput = create("input", { type: "file", accept: "image/*", hidden: true, tabIndex: -1 });
  readonly #cameraInput = create("input", { type: "file", accept: "image/*", capture: "environment", hidden: true, tabIndex: -1 });
  #isDisabled = false;

  /** `onFiles` gets all files, whatever their type. */
  constructor(onFiles: (files: File[]) => void) {
    this.#onFiles = onFiles;
    const button = (className: string, part: string, input: HTMLInputElement, ...content: (Node | string)[]) =>
      create("button", { type: "button", className, part, "aria-describedby": "problem types", onclick: () => input.click() }, ...content);
    this.chooseButton = button("button", "choose", this.#fileInput, this.#chooseText);
    this.#cameraButton = button("button secondary camera", "camera", this.#cameraInput, icon("camera"), this.#cameraText);
    const symbol = create("div", { className: "symbol" }, icon("upload"));
    const buttons = create("div", { className: "buttons" }, this.chooseButton, this.#cameraButton);
    const content = [symbol, buttons, this.#hint, this.#types, this.#problem, this.#fileInput, this.#cameraInput];
    this.element = create("div", { className: "drop", part: "drop" }, ...content);
    for (const input of [this.#fileInput, this.#cameraInput]) {
      input.addEventListener("change", () => {
        const files = [...(input.files ?? [])];
        // So that the same file can be chosen again.
        input.value = "";
        this.#onFiles(files);
      });
    }
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
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length > 0 && !this.#isDisabled) this.#onFiles(files);
    });
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
  render(texts: Texts, isSingle: boolean, asked = texts.types, types = ["image/*"]): void {
    this.#chooseText.textContent = isSingle ? texts.chooseOne : texts.choose;
    this.#cameraText.textContent = texts.camera;
    this.#hint.textContent = texts.hint;
    this.#types.textContent = asked;
    this.#fileInput.multiple = !isSingle;
    this.#fileInput.accept = types.join();
  }

  /** Whether one of the buttons has the focus. */
  get hasFocus(): boolean {
    return hasFocus(this.chooseButton) || hasFocus(this.#cameraButton);
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
    this.chooseButton.disabled = this.#cameraButton.disabled = isDisabled;
    this.element.classList.toggle("disabled", isDisabled);
    this.element.classList.toggle("full", isProblemOnly);
  }
}
