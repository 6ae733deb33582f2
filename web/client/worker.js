// The shared worker: all pages of a browser in one place.

import { Host } from "./host.js";

const host = new Host("worker");
addEventListener("connect", (event) => {
  for (const port of /** @type {MessageEvent} */ (event).ports) {
    host.serve(port);
    // A page waits for this before it believes in the worker.
    port.postMessage({ isReady: typeof indexedDB !== "undefined" });
  }
});
