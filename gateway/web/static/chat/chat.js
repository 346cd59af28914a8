/** Starts the chat page. */

import { Page } from "./page.js";

new Page().start();
