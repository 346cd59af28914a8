// Reads a room's events with the client that is named first, and prints each message's text: node event_source.mjs CLIENT URL
import { createRequire } from "node:module";

const [, , name, url, modules] = process.argv;
const load = createRequire(`${modules}/`);
const found = load(name);
const Source = found.EventSourcePolyfill ?? found.EventSource ?? found;
const source = new Source(url);
source.addEventListener("open", () => console.log("open"));
source.addEventListener("msg", (event) => console.log(`${event.lastEventId} ${JSON.parse(event.data).text}`));
source.addEventListener("error", (event) => console.log(`error ${event.message ?? ""}`));
