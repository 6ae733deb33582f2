// A meet as a page sees it: a copy of what the host has, and calls to it.

import { connect } from "./connect.js";
import { LiveError } from "./errors.js";
import { adopt, emptyState, valueAt } from "./json.js";
import { parseKey } from "./keys.js";
import { keyOf, randomName } from "./names.js";
import { changed, changes } from "./state.js";

/** @typedef {import("./connect.js").Connection} Connection */
/** @typedef {import("./host.js").Told} Told */
/** @typedef {import("./json.js").JsonObject} JsonObject */
/** @typedef {import("./liftrelay.d.ts").Change} Change */
/** @typedef {import("./liftrelay.d.ts").Edit} Edit */
/** @typedef {import("./liftrelay.d.ts").Events} Events */
/** @typedef {import("./liftrelay.d.ts").Identity} Identity */
/** @typedef {import("./liftrelay.d.ts").SetAside} SetAside */
/** @typedef {import("./liftrelay.d.ts").Status} Status */
/** @typedef {{ message: any, resolve: (value: any) => void, reject: (error: Error) => void }} Asked */

/** So often it is looked whether the host still answers; one that has let two looks pass is gone. */
const LOOK_MS = 2000;
/** A timer that is so late has slept. */
const SLEPT_MS = 15000;

export class Page {
  /** @type {Identity} */
  identity = /** @type {any} */ (null);
  /** @type {Status} */
  status = /** @type {any} */ (null);
  /** @type {SetAside[]} */
  setAside = [];
  state = emptyState();
  #open;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {Map<number, Asked>} */
  #asked = new Map();
  #lastId = 0;
  #name = randomName();
  /** @type {Set<(status: Status) => void>} */
  #subscribers = new Set();
  /** @type {{ [name: string]: Set<(event: any) => void> }} */
  #listeners = {};
  #unanswered = 0;
  #lookedAt = Date.now();
  #isClosed = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #looking;
  /** @type {[EventTarget, string, EventListener][]} */
  #watched = [];

  /** @param {{ meet?: unknown, view?: unknown, password?: string, isConflictFree?: boolean }} open */
  constructor(open) {
    this.#open = open;
  }

  /**
   * Opens a meet or a view of one.
   * @param {{ meet?: unknown, view?: unknown, password?: string, isConflictFree?: boolean }} open
   */
  static async open(open) {
    const page = new Page(open);
    await page.#attach().catch((error) => {
      page.close();
      throw error;
    });
    if (typeof document !== "undefined") page.#watchPage();
    return page;
  }

  /** @param {string} key */
  get(key) {
    const path = parseKey(key);
    return path === null ? undefined : valueAt(this.state, ...path);
  }

  /** @param {(status: Status) => void} listener */
  subscribe(listener) {
    this.#subscribers.add(listener);
    listener(this.status);
    return () => void this.#subscribers.delete(listener);
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(event: Events[Name]) => void} listener
   */
  on(name, listener) {
    const listeners = (this.#listeners[name] ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** @returns {Promise<void>} */
  settled() {
    return new Promise((resolve) => {
      const stop = this.subscribe(({ link, pending, lastNumber, head, rebuilding }) => {
        if (link !== "up" || pending > 0 || lastNumber < head || rebuilding) return;
        queueMicrotask(() => stop());
        resolve();
      });
    });
  }

  /** @param {Edit[]} edits */
  push(edits) {
    return this.#ask("push", { edits, seen: this.status.lastNumber, call: `${this.#name} ${this.#lastId}` });
  }

  /** @param {number} number */
  retry(number) {
    return this.#ask("retry", { number });
  }

  /** @param {number} number */
  drop(number) {
    return this.#ask("drop", { number });
  }

  /** @type {import("./liftrelay.d.ts").Meet["syncChain"]} */
  async syncChain(decide) {
    const chain = `${this.#name} ${this.#lastId}`;
    for (let step = await this.#ask("chain", { chain }); ; ) {
      if (step.done) return step.value;
      const here = setInterval(() => this.#post({ id: 0, ask: "ping" }), LOOK_MS);
      try {
        const decision = await decide(step.value);
        step = await this.#ask("chain", { chain, decision });
      } catch (error) {
        this.#post({ id: 0, ask: "chain", chain, isOver: true });
        throw error;
      } finally {
        clearInterval(here);
      }
    }
  }

  /** @param {boolean} isConflictFree */
  setConflictFree(isConflictFree) {
    this.#open = { ...this.#open, isConflictFree };
    return this.#ask("setConflictFree", { isConflictFree });
  }

  /** @param {string} key */
  isEditable(key) {
    return this.#ask("isEditable", { key });
  }

  /** @param {number} [after] */
  log(after = 0) {
    return this.#ask("log", { after });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {import("./json.js").Json} [body]
   */
  call(method, path, body) {
    return this.#ask("call", { method, path, body });
  }

  async leave() {
    await this.#ask("leave");
    this.close();
  }

  close() {
    if (this.#isClosed) return;
    this.#post({ id: 0, ask: "bye" });
    this.#isClosed = true;
    clearInterval(this.#looking);
    for (const [target, name, listener] of this.#watched) target.removeEventListener(name, listener);
    for (const { reject } of this.#asked.values()) reject(new LiveError("the meet was closed", "closed"));
    this.#asked.clear();
    const connection = this.#connection;
    this.#connection = null;
    // What was said last has to get out first.
    setTimeout(() => connection?.close(), 0);
    if (this.status) this.#stands({ ...this.status, link: "closed", why: "" });
  }

  async #attach() {
    this.#unanswered = 0;
    const connection = await connect(keyOf(this.#open));
    if (this.#isClosed) return connection.close();
    this.#connection = connection;
    connection.onmessage = ({ data }) => this.#said(data);
    connection.onlost = () => this.#reattach(connection);
    const waiting = [...this.#asked.values()];
    const { identity, state, status, setAside } = await this.#ask("open", this.#open);
    this.identity = identity;
    this.setAside = setAside;
    const before = this.state;
    this.state = /** @type {JsonObject} */ (adopt(state));
    if (this.status) this.#emit("remote", { changes: changes(before, this.state) });
    this.#stands(status);
    for (const { message } of waiting) this.#post(message);
  }

  /**
   * Whoever held the stream is gone. Calls that were under way are made again where that does no harm; those that are made
   * meanwhile wait.
   * @param {Connection} lost
   */
  #reattach(lost) {
    if (this.#isClosed || lost !== this.#connection) return;
    this.#connection = null;
    lost.close();
    for (const [id, { message, reject }] of this.#asked) {
      if (message.ask === "push" || message.ask === "log") continue;
      this.#asked.delete(id);
      reject(new LiveError("the page that held the stream was closed; try again", "closed"));
    }
    const again = () =>
      this.#attach().catch((error) => {
        // Lost once more while it was opened: the next is being looked for already.
        if (error.code !== "closed") this.#stands({ ...this.status, link: "broken", why: error.message });
      });
    // Not all at once: the first to be there leads.
    setTimeout(again, 200 * Math.random());
  }

  /**
   * @param {string} ask
   * @param {object} [asked]
   * @returns {Promise<any>}
   */
  #ask(ask, asked = {}) {
    if (this.#isClosed) return Promise.reject(new LiveError("the meet is closed", "closed"));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const message = { ...asked, id, ask };
      this.#asked.set(id, { message, resolve, reject });
      try {
        this.#post(message);
      } catch (error) {
        // Functions and the like do not travel.
        this.#asked.delete(id);
        reject(new LiveError(`this is no JSON: ${error}`, "edit"));
      }
    });
  }

  /** @param {any} message */
  #post(message) {
    this.#connection?.postMessage(message);
  }

  /** @param {{ id?: number, ok?: any, error?: { message: string, code: string, status: number }, told?: Told }} said */
  #said({ id = 0, ok, error, told }) {
    this.#unanswered = 0;
    if (told) return this.#told(told);
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error) asked?.reject(new LiveError(error.message, error.code, error.status));
    else asked?.resolve(ok);
  }

  /** @param {Told} told */
  #told({ changes: found = [], rejected = [], overruled = [], entries = [], everything, setAside, isOwn, status }) {
    this.state = changed(this.state, found);
    this.setAside = setAside ?? this.setAside;
    this.status = status;
    if (everything) this.#emit("reset", { changes: found });
    else if (found.length > 0 && !isOwn) this.#emit("remote", { changes: found });
    if (entries.length > 0) this.#emit("relayed", { entries });
    if (rejected.length > 0) this.#emit("rejected", { setAside: rejected });
    if (overruled.length > 0) this.#emit("overruled", { overruled });
    this.#stands(status);
  }

  /** @param {Status} status */
  #stands(status) {
    this.status = this.#connection?.isToAnotherPage ? { ...status, carrier: "another-page" } : status;
    for (const listener of [...this.#subscribers]) attempt(listener, this.status);
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {Events[Name]} event
   */
  #emit(name, event) {
    for (const listener of [...(this.#listeners[name] ?? [])]) attempt(listener, event);
  }

  /** Looks after the host, and tells it what happens to the page: it may have slept, or have another network. */
  #watchPage() {
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    const wake = (/** @type {boolean} */ isCutOff) => () => void this.#ask("wake", { isCutOff }).catch(() => {});
    this.#watch(globalThis, "online", wake(true));
    this.#watch(globalThis, "offline", wake(true));
    this.#watch(document, "resume", wake(true));
    this.#watch(document, "visibilitychange", () => {
      this.#lookedAt = Date.now();
      wake(false)();
    });
    this.#watch(globalThis, "pageshow", (event) => {
      if (/** @type {PageTransitionEvent} */ (event).persisted) wake(true)();
    });
    this.#watch(globalThis, "pagehide", (event) => {
      if (!(/** @type {PageTransitionEvent} */ (event).persisted)) this.#post({ id: 0, ask: "bye" });
    });
  }

  /**
   * @param {EventTarget} target
   * @param {string} name
   * @param {EventListener} listener
   */
  #watch(target, name, listener) {
    target.addEventListener(name, listener);
    this.#watched.push([target, name, listener]);
  }

  #look() {
    const sinceMs = Date.now() - this.#lookedAt;
    this.#lookedAt = Date.now();
    // Timers of hidden pages are late without any sleep.
    if (sinceMs > SLEPT_MS && !document.hidden) void this.#ask("wake", { isCutOff: true }).catch(() => {});
    this.#unanswered += 1;
    if (this.#unanswered > 2 && this.#connection) this.#reattach(this.#connection);
    else this.#post({ id: 0, ask: "ping" });
  }
}

/**
 * A listener's fault is its own.
 * @template T
 * @param {(value: T) => void} listener
 * @param {T} value
 */
function attempt(listener, value) {
  try {
    listener(value);
  } catch (error) {
    setTimeout(() => {
      throw error;
    }, 0);
  }
}
