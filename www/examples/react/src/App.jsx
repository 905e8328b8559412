// A form with react-hook-form: the value of its field `photos` is the keys of the pictures.
import { guestToken } from "@the-form/preflight";
import { ImageUpload } from "@the-form/preflight/react";
import { Controller, useForm } from "react-hook-form";

const endpoint = import.meta.env.VITE_EDGE ?? "http://127.0.0.1:8787";
const token = guestToken(endpoint); // for your own users: a function that asks your back end

export function App() {
  const { control, handleSubmit, watch } = useForm({ defaultValues: { photos: [] } });
  const send = ({ photos }) => alert(`Your back end gets ${photos.length} keys.`);
  return (
    <form onSubmit={handleSubmit(send)}>
      <label htmlFor="photos">Photos</label>
      <Controller
        name="photos"
        control={control}
        rules={{ validate: (keys) => keys.length > 0 || "Add a picture." }}
        render={({ field, fieldState }) => (
          <>
            <ImageUpload {...field} id="photos" endpoint={endpoint} token={token} maxFiles={3} />
            <p role="alert">{fieldState.error?.message}</p>
          </>
        )}
      />
      <button>Send</button>
      <output>{watch("photos").join("\n")}</output>
    </form>
  );
}
