// React: the element is an element like any other; its token is a property, its news are events.
import "@the-form/preflight/element";
import { guestToken } from "@the-form/preflight";
import { useState } from "react";
import { createRoot } from "react-dom/client";

const EDGE = import.meta.env.VITE_EDGE ?? "http://127.0.0.1:8787";
const token = guestToken(EDGE);

function App() {
  const [keys, setKeys] = useState([]);
  return (
    <>
      <image-upload endpoint={EDGE} token={token} max-files="3" onchange={({ target }) => setKeys(target.value)} />
      <output>{keys.join("\n")}</output>
    </>
  );
}

createRoot(document.querySelector("#app")).render(<App />);
