/** What the page of the connections does not need at first. */

import { toast } from "./page.js";
import { page as words } from "./words.js";

const LATER = {
  announce: () => import("./actions/announce.js"),
  campaign: () => import("./actions/campaign.js"),
  charts: () => import("./charts.js"),
  drawer: () => import("./table/drawer.js"),
  orders: () => import("./actions/orders.js"),
  upkeep: () => import("./actions/upkeep.js"),
};

/** The module `name`. After the gateway was replaced by another version, the old one is gone. */
export async function load(name) {
  try {
    return await LATER[name]();
  } catch (error) {
    toast(words.notLoaded);
    throw error;
  }
}
