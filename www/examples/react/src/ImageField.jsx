// A field for pictures. A ref sets token and listener, because React sets neither while it hydrates server-rendered HTML.
import "@the-form/preflight/react";
import { useCallback } from "react";

export function ImageField({ token, onKeys, ...attributes }) {
  const field = useCallback(
    (element) => {
      const changed = () => onKeys(element.value);
      element.token = token;
      element.addEventListener("change", changed);
      return () => element.removeEventListener("change", changed);
    },
    [token, onKeys],
  );
  return <image-upload ref={field} {...attributes} />;
}
