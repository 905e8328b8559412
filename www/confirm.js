// The dialog that asks before a picture is deleted; the markup is the page's.
import { complain, whileBusy } from "./dom.js";
import { $ } from "./language.js";

const dialog = $("#confirm");
let asked;

/**
 * Asks. "Delete" runs `erase`, whose error is shown in the dialog; when that is done the dialog closes, the focus goes
 * back to the button that opened it, and `then` runs.
 */
export function confirmDeletion({ image, text, erase, then }) {
  asked = { erase, then };
  $("img", dialog).src = image;
  $("#confirm-text").textContent = text;
  complain($("#confirm-problem"));
  dialog.returnValue = "no";
  dialog.showModal();
}

$("form", dialog).addEventListener("submit", (event) => {
  if (event.submitter?.value !== "yes") return;
  event.preventDefault();
  const { erase, then } = asked;
  whileBusy(event.submitter, async () => {
    try {
      await erase();
      dialog.close("yes");
      then();
    } catch (error) {
      complain($("#confirm-problem"), error.message);
    }
  });
});
