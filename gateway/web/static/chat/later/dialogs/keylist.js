/** The list of keys. Loaded when it is opened. */

import { dialog } from "./dialog.js";
import { make } from "../../../shared/dom.js";
import { keys } from "../words.js";

export function open() {
  const shown = dialog(keys.title);
  const list = make("dl", "keys");
  for (const [key, words] of keys.list) list.append(make("dt", "", key), make("dd", "", words));
  shown.append(list);
  shown.showModal();
}
