/** The list of keys. Fetched when it is opened. */

import { dialog } from "./dialog.js";
import { make } from "../../shared/dom.js";

const KEYS = [
  ["Enter", "send"],
  ["Shift+Enter", "new line"],
  ["↑ in an empty box", "what you sent before"],
  ["Tab, @", "complete a name"],
  ["/", "commands"],
  ["PgUp, PgDn", "scroll the log"],
  ["Esc", "close; mark as read"],
  ["Ctrl+K", "rooms, people, commands, settings"],
  ["Alt+↑, Alt+↓", "previous / next room"],
  ["Alt+A", "the next room with something new"],
  ["F6, Shift+F6", "go round the parts of the page"],
  ["↑ ↓ Home End in the log", "go by message"],
  ["c, Enter in the log", "copy the message, open its link"],
  ["Ctrl+/", "this list"],
];

export function open() {
  const shown = dialog("Keys");
  const list = make("dl", "keys");
  for (const [key, words] of KEYS) list.append(make("dt", "", key), make("dd", "", words));
  shown.append(list);
  shown.showModal();
}
