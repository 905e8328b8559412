// A form whose value is the keys of the pictures.
import "../../preflight/element/index.js";
import { guestToken } from "../../preflight/index.js";

const form = document.querySelector("form");
// The source of tokens; with your own users, your back end.
form.querySelector("image-upload").token = guestToken("");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  form.querySelector("output").textContent = new FormData(form).getAll("photo").join("\n");
});
