/** The modules that the page of the connections loads on demand. */

import { toast } from "./toast.js";
import { page as words } from "./words.js";

/** @type {Record<string, () => Promise<any>>} */
const LATER = {
  announce: () => import("./actions/announce.js"),
  campaign: () => import("./actions/campaign.js"),
  charts: () => import("./charts.js"),
  drawer: () => import("./table/drawer.js"),
  moderation: () => import("./actions/moderation.js"),
  maintenance: () => import("./actions/maintenance.js"),
};

/**
 * The module `name`. It cannot be loaded any more after the gateway was updated.
 * @param {string} name
 */
export async function load(name) {
  try {
    return await LATER[name]();
  } catch (error) {
    toast(words.notLoaded);
    throw error;
  }
}
