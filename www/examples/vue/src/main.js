// Vue, with a list of its own around the Uploader.
import { createApp } from "vue";

import App from "./App.vue";

createApp(App).mount("#app");
