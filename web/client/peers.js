// Where there is no shared worker, one page of a browser holds the stream of a meet for the others, who talk to it over a
// BroadcastChannel. Two that believe that they are the one cost a stream and nothing else: the store lets only one be first.

import { Host } from "./host.js";
import { randomName } from "./names.js";

/** @typedef {import("./connect.js").Connection} Connection */
/** @typedef {import("./host.js").Port} Port */
/** @typedef {{ type: "who" | "leader" | "resigned" | "ask" | "tell", from: string, to?: string, data?: any }} Said */

/** Who leads says so within this time, unless it is frozen. */
const ANSWER_MS = 400;

/**
 * @param {string} key
 * @returns {Promise<Connection>}
 */
export async function joinPeers(key) {
  const name = randomName();
  const channel = new BroadcastChannel(`liftrelay ${key}`);
  const say = (/** @type {Omit<Said, "from">} */ said) => {
    try {
      channel.postMessage({ ...said, from: name });
    } catch (error) {
      // Nobody listens any more: the channel was closed, which hosts and pages learn in their own time.
      if (/** @type {DOMException} */ (error).name !== "InvalidStateError") throw error;
    }
  };
  const leader = await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), ANSWER_MS);
    channel.onmessage = ({ data: { type, from } }) => {
      if (type !== "leader") return;
      clearTimeout(timer);
      resolve(from);
    };
    say({ type: "who" });
  });
  return leader === null ? lead(channel, name, say) : follow(channel, leader, name, say);
}

/**
 * @param {BroadcastChannel} channel
 * @param {string} leader
 * @param {string} name
 * @param {(said: Omit<Said, "from">) => void} say
 * @returns {Connection}
 */
function follow(channel, leader, name, say) {
  /** @type {Connection} */
  const connection = {
    onmessage: null,
    isToAnotherPage: true,
    postMessage: (data) => say({ type: "ask", to: leader, data }),
    close: () => channel.close(),
  };
  channel.onmessage = (/** @type {MessageEvent<Said>} */ { data: { type, from, to, data } }) => {
    if (type === "tell" && to === name) connection.onmessage?.({ data });
    if (type === "resigned" && from === leader) connection.onlost?.();
  };
  return connection;
}

/**
 * @param {BroadcastChannel} channel
 * @param {string} name
 * @param {(said: Omit<Said, "from">) => void} say
 * @returns {Connection}
 */
function lead(channel, name, say) {
  const host = new Host("this-page");
  const { port1, port2 } = new MessageChannel();
  host.serve(port1);
  /** @type {Map<string, Port>} */
  const pages = new Map();
  const portOf = (/** @type {string} */ page) => {
    /** @type {Port} */
    const port = { onmessage: null, postMessage: (data) => say({ type: "tell", to: page, data }) };
    pages.set(page, port);
    host.serve(port);
    return port;
  };
  let leads = true;
  const resign = () => {
    if (!leads) return;
    leads = false;
    host.close();
    say({ type: "resigned" });
    channel.close();
    removeEventListener("pagehide", resign);
    document.removeEventListener("freeze", resign);
    connection.onlost?.();
  };
  /** @type {Connection} */
  const connection = { onmessage: null, postMessage: (data) => port2.postMessage(data), close: resign };
  port2.onmessage = (event) => connection.onmessage?.(event);
  channel.onmessage = (/** @type {MessageEvent<Said>} */ { data: { type, from, to, data } }) => {
    if (type === "ask" && to === name) (pages.get(from) ?? portOf(from)).onmessage?.({ data });
    if (type === "leader" && from < name) resign();
    else if (type === "who" || type === "leader") say({ type: "leader" });
  };
  // A page that stops running must not keep the others waiting.
  addEventListener("pagehide", resign);
  document.addEventListener("freeze", resign);
  say({ type: "leader" });
  return connection;
}
