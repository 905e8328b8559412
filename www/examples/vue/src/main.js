// Vue, with the component and the composable.
import { createApp } from "vue";

import App from "./App.vue";

createApp(App).mount("#app");
