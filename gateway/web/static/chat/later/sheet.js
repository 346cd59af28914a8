/** The style of everything that is loaded on demand; importing this module waits for it. */

import { make } from "../../shared/dom.js";

const sheet = make("link");
sheet.rel = "stylesheet";
sheet.href = new URL("later.css", import.meta.url);
await new Promise((done) => {
  sheet.onload = sheet.onerror = done;
  document.head.append(sheet);
});
