/** The chat page starts. */

import { Page } from "./page.js";

new Page().start();
