// Finds who holds the streams for this page: a shared worker, another page, or itself.

import { later } from "./later.js";

/**
 * @typedef {import("./host.js").Port & Lost} Connection
 * @typedef {object} Lost
 * @property {() => void} close
 * @property {() => void} [onlost] whoever holds the stream is gone
 * @property {boolean} [isToAnotherPage]
 */

/** A worker that has not answered by then will not. */
const WORKER_MS = 3000;

/**
 * @param {string} key of the meet
 * @returns {Promise<Connection>}
 */
export async function connect(key) {
  if (typeof document === "undefined") return alone();
  const worker = await toWorker();
  if (worker) return worker;
  return typeof BroadcastChannel === "undefined" ? alone() : (await later(() => import("./peers.js"), "peers.js")).joinPeers(key);
}

/** Needs nothing but the page. @returns {Promise<Connection>} */
async function alone() {
  // A page with a worker never loads what the worker has.
  const { Host } = await later(() => import("./host.js"), "host.js");
  const host = new Host("alone");
  const { port1, port2 } = new MessageChannel();
  host.serve(port1);
  port2.addEventListener("close", () => host.close());
  return port2;
}

/** @returns {Promise<Connection | null>} null where there is none, or it comes from another origin than the page */
async function toWorker() {
  try {
    const worker = new SharedWorker(new URL("./worker.js", import.meta.url), { type: "module", name: "liftrelay" });
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), WORKER_MS);
      const settle = (/** @type {MessagePort | null} */ port) => {
        clearTimeout(timer);
        resolve(port);
      };
      worker.onerror = () => settle(null);
      worker.port.onmessage = ({ data }) => settle(data.isReady ? worker.port : null);
    });
  } catch {
    return null;
  }
}
