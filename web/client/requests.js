// The resources of one meet, call by call. Nothing is retried here.

import { Fault, faultOf } from "./fault.js";
import { isPage } from "./log.js";

/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("./liftrelay.d.ts").Json} Json */

/** How long a request may take besides what the server was asked to wait: a hall's network is slow, a black hole is silent. */
const ANSWER_MS = 10000;
const PAGE_ENTRIES = 1000;

/**
 * @typedef {object} Asked
 * @property {unknown} [body]
 * @property {string} [token]
 * @property {number} [waitMs] how long the server may hold the request
 * @property {AbortSignal} [signal]
 * @property {Dated} [dated]
 */

/** @typedef {(date: string | null) => void} Dated takes the time that an answer bears */

/**
 * Sends a request and reads the answer.
 * @param {string} address
 * @param {string} method
 * @param {Asked} asked
 */
export async function send(address, method, { body, token, waitMs = 0, signal, dated }) {
  const stop = new AbortController();
  const abort = () => stop.abort();
  const timer = setTimeout(abort, waitMs + ANSWER_MS);
  signal?.addEventListener("abort", abort);
  try {
    if (signal?.aborted) abort();
    const response = await open(address, method, { body, token, signal: stop.signal });
    dated?.(response.headers.get("Date"));
    const text = await response.text().catch((error) => {
      throw new Fault("cut", String(error));
    });
    return { status: response.status, json: jsonOf(response, text), retryAfter: response.headers.get("Retry-After") };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * @param {string} address
 * @param {string} method
 * @param {{ body?: unknown, token?: string, signal: AbortSignal, accept?: string }} asked
 */
export async function open(address, method, { body, token, signal, accept = "application/json" }) {
  /** @type {{ [name: string]: string }} */
  const headers = { Accept: accept };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(address, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal, cache: "no-store", redirect: "error" });
  } catch (error) {
    throw new Fault("unreachable", `the server cannot be reached: ${error}`);
  }
}

/**
 * The JSON of an answer, if it speaks JSON: whatever else answers is not our server.
 * @param {Response} response
 * @param {string} text
 */
export function jsonOf(response, text) {
  const isJson = /^application\/(?:problem\+)?json/.test(response.headers.get("Content-Type") ?? "");
  if (!isJson || text === "") return null;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Fault("unreadable", `the answer cannot be read: ${error}`);
  }
}

/**
 * The body of a success.
 * @param {Awaited<ReturnType<typeof send>>} arrived
 */
export function read({ status, json, retryAfter }) {
  if (status >= 400) throw faultOf(status, json, retryAfter);
  if (json === null && status !== 204) throw new Fault("unreadable", "something on the way answered in the server's place");
  return json;
}

/**
 * What a push, a pull or both came to.
 * @param {number} status
 * @param {any} json
 * @param {string | null} [retryAfter]
 * @returns {Answer}
 */
export function answerOf(status, json, retryAfter = null) {
  const kinds = { "meet-finished": "finished", "server-behind": "behind", "history-changed": "history" };
  const kind = status === 409 ? kinds[/** @type {keyof typeof kinds} */ (json?.code)] : "done";
  if (kind === undefined || (status !== 409 && status >= 400)) throw faultOf(status, json, retryAfter);
  // An UPDATE_RESULT has no entries, and its number is no pull position.
  const page = kind === "done" && isPage(json) ? json : null;
  const isOurs = kind !== "done" || page || (Array.isArray(json?.updateAcks) && Array.isArray(json.updatesRejected));
  if (!isOurs) throw new Fault("unreadable", "something on the way answered in the server's place");
  return { kind: /** @type {Answer["kind"]} */ (kind), acks: json.updateAcks, rejections: json.updatesRejected, page, meet: page?.status, head: json.cursor };
}

export class Requests {
  /**
   * @param {string} server its origin
   * @param {string} meetId
   * @param {string} token of a session or view key; a new session replaces it
   * @param {Dated} [dated]
   */
  constructor(server, meetId, token, dated) {
    this.dated = dated;
    this.server = server;
    this.base = `${server}/v1/meets/${meetId.replace(/\D/g, "")}`;
    this.token = token;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  async call(method, path, body) {
    return read(await send(this.base + path, method, { body, token: this.token, dated: this.dated }));
  }

  /**
   * @param {string} after
   * @param {number} waitMs
   * @param {AbortSignal} [signal]
   */
  async pull(after, waitMs, signal) {
    const path = `/updates?after=${after}&wait=${waitMs / 1000}&limit=${PAGE_ENTRIES}`;
    const { status, json, retryAfter } = await send(this.base + path, "GET", { token: this.token, waitMs, signal, dated: this.dated });
    return answerOf(status, json, retryAfter);
  }

  /**
   * @param {object[]} updates
   * @param {AbortSignal} [signal]
   */
  async push(updates, signal) {
    const { status, json, retryAfter } = await send(`${this.base}/updates`, "POST", { body: { updates }, token: this.token, signal });
    return answerOf(status, json, retryAfter);
  }
}
