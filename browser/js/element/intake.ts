// The ways in which pictures come: chosen, taken with the camera, dropped, pasted.
import { hasFocus, icon, make, readFrom } from "./dom.js";
import type { Texts } from "./texts.js";

export class Intake {
  readonly element: HTMLDivElement;
  readonly chooseButton: HTMLButtonElement;
  readonly #take: (files: File[]) => void;
  readonly #camera: HTMLButtonElement;
  readonly #chooseText = make("span");
  readonly #cameraText = make("span");
  readonly #hint = make("p", { className: "hint", part: "hint" });
  readonly #types = make("p", { className: "types", part: "types", id: "types" });
  readonly #problem = make("p", { className: "problem", part: "problem", id: "problem", role: "alert" });
  readonly #files = make("input", { type: "file", accept: "image/*", hidden: true, tabIndex: -1 });
  readonly #photo = make("input", { type: "file", accept: "image/*", capture: "environment", hidden: true, tabIndex: -1 });
  #isOff = false;

  /** `take` is given what came, whatever it is. */
  constructor(take: (files: File[]) => void) {
    this.#take = take;
    const way = (className: string, part: string, input: HTMLInputElement, ...content: (Node | string)[]) =>
      make("button", { type: "button", className, part, "aria-describedby": "problem types", onclick: () => input.click() }, ...content);
    this.chooseButton = way("way", "choose", this.#files, this.#chooseText);
    this.#camera = way("way second camera", "camera", this.#photo, icon("camera"), this.#cameraText);
    const sign = make("div", { className: "sign", part: "sign" }, icon("upload"));
    const ways = make("div", { className: "ways" }, this.chooseButton, this.#camera);
    const content = [sign, ways, this.#hint, this.#types, this.#problem, this.#files, this.#photo];
    this.element = make("div", { className: "drop", part: "drop" }, ...content);
    for (const input of [this.#files, this.#photo]) {
      input.addEventListener("change", () => {
        const chosen = [...(input.files ?? [])];
        // So that the same file can be chosen again.
        input.value = "";
        this.#take(chosen);
      });
    }
  }

  /** Takes what is dropped on `host`, and what is pasted while nothing else has the focus. */
  listen(host: HTMLElement, signal: AbortSignal): void {
    const over = (isOver: boolean) => this.element.classList.toggle("over", isOver && !this.#isOff);
    const on = (type: "dragenter" | "dragover" | "dragleave" | "drop", act: (event: DragEvent) => void) =>
      host.addEventListener(type, act, { signal });
    for (const type of ["dragenter", "dragover"] as const) {
      on(type, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = this.#isOff ? "none" : "copy";
        over(true);
      });
    }
    on("dragleave", ({ relatedTarget }) => over(relatedTarget instanceof Node && host.contains(relatedTarget)));
    on("drop", (event) => {
      event.preventDefault();
      over(false);
      this.#offer([...(event.dataTransfer?.files ?? [])]);
    });
    const paste = (event: ClipboardEvent) => {
      const focused = document.activeElement;
      const isOurs = focused === host || focused === document.body || focused === null || host.contains(focused);
      const files = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
      if (!isOurs || files.length === 0 || event.defaultPrevented || this.#isOff) return;
      event.preventDefault();
      this.#offer(files);
    };
    document.addEventListener("paste", paste, { signal });
  }

  show(texts: Texts, isOne: boolean): void {
    this.#chooseText.textContent = isOne ? texts.chooseOne : texts.choose;
    this.#cameraText.textContent = texts.camera;
    this.#hint.textContent = texts.hint;
    this.#types.textContent = texts.types;
    this.#files.multiple = !isOne;
  }

  /** Whether one of the buttons has the focus. */
  get hasFocus(): boolean {
    return hasFocus(this.chooseButton) || hasFocus(this.#camera);
  }

  /** Moves the focus to the sentence that says what is wrong. */
  readProblem(): void {
    readFrom(this.#problem);
  }

  /** Says what is wrong with what came, or nothing. */
  set problem(sentence: string) {
    this.#problem.textContent = sentence;
    this.#problem.hidden = sentence === "";
  }

  /** Whether nothing is taken, and whether because there is no room. */
  set off({ isDisabled, isFull }: { isDisabled: boolean; isFull: boolean }) {
    this.#isOff = isDisabled;
    this.chooseButton.disabled = this.#camera.disabled = isDisabled;
    this.element.classList.toggle("off", isDisabled);
    this.element.classList.toggle("full", isFull);
  }

  #offer(files: File[]): void {
    if (files.length > 0 && !this.#isOff) this.#take(files);
  }
}
