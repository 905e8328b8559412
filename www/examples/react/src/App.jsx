// A field for pictures, and the keys that a form would send.
import { guestToken } from "@the-form/preflight";
import { useState } from "react";

import { ImageField } from "./ImageField.jsx";

const EDGE = import.meta.env.VITE_EDGE ?? "http://127.0.0.1:8787";
const token = guestToken(EDGE);

export function App() {
  const [keys, setKeys] = useState([]);
  return (
    <>
      <ImageField endpoint={EDGE} max-files="3" token={token} onKeys={setKeys} />
      <output>{keys.join("\n")}</output>
    </>
  );
}
