/** Addresses of the gateway, which a proxy may show below a path of its own (`web.base_path`). */

/** That path, like "/chat"; empty at the root. */
export const BASE = document.documentElement.dataset.base ?? "";

/** Where the browser finds a path of the gateway's; a whole address stays as it is. */
export const at = (/** @type {string} */ path) => (path.startsWith("/") ? BASE + path : path);
