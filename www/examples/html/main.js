// A form whose value is the keys of the pictures: all that a page needs.
import "../../preflight/element/index.js";
import { guestToken } from "../../preflight/index.js";

const form = document.querySelector("form");
// Where tokens come from: with users of your own, your back end.
form.querySelector("image-upload").token = guestToken("");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  form.querySelector("output").textContent = new FormData(form).getAll("photo").join("\n");
});
