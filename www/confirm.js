// The dialog that asks before a picture is deleted; its markup is in the page.
import { showError, whileBusy } from "./dom.js";
import { $ } from "./language.js";

const dialog = $("#confirm");
let pending;

/**
 * Opens the dialog. "Delete" runs `deletePicture`, whose error is shown in the dialog; after it the dialog closes, the focus returns to
 * the button that opened it, and `onDeleted` runs.
 */
export function confirmDeletion({ image, text, deletePicture, onDeleted }) {
  pending = { deletePicture, onDeleted };
  $("img", dialog).src = image;
  $("#confirm-text").textContent = text;
  showError($("#confirm-problem"));
  dialog.returnValue = "no";
  dialog.showModal();
}

$("form", dialog).addEventListener("submit", (event) => {
  if (event.submitter?.value !== "yes") return;
  event.preventDefault();
  const { deletePicture, onDeleted } = pending;
  whileBusy(event.submitter, async () => {
    try {
      await deletePicture();
      dialog.close("yes");
      onDeleted();
    } catch (error) {
      showError($("#confirm-problem"), error.message);
    }
  });
});
