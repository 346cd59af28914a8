/** What the page of the connections does not need at first. */

import { toast } from "./page.js";

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
    toast("This part of the page could not be loaded. Reload the page if the gateway was updated.");
    throw error;
  }
}
