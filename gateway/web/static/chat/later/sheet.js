/** The style of all that is fetched later; it is there before any of that is shown. */

import { make } from "../../shared/dom.js";

const sheet = make("link");
sheet.rel = "stylesheet";
sheet.href = new URL("later.css", import.meta.url);
await new Promise((done) => {
  sheet.onload = sheet.onerror = done;
  document.head.append(sheet);
});
