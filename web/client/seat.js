// One meet that is open in this browser to be edited, and the pages that look at it.

import { Core } from "./core.js";
import { readEdit } from "./edit.js";
import { LiveError } from "./errors.js";
import { later } from "./later.js";
import { Live } from "./live.js";
import { meetKey } from "./names.js";
import { openStore } from "./store.js";

/** @typedef {import("./liftrelay.d.ts").Edit} Edit */
/** @typedef {import("./liftrelay.d.ts").Identity} Identity */
/** @typedef {import("./liftrelay.d.ts").Saved} Saved */
/** @typedef {import("./liftrelay.d.ts").Session} Session */
/** @typedef {import("./liftrelay.d.ts").Status} Status */
/** @typedef {import("./host.js").Told} Told */
/** @typedef {import("./replica.js").Record} Record */

/** Calls of pages that are remembered, so that one that is made again is carried out once. */
const CALLS_KEPT = 1000;

export class Seat {
  #store;
  #core;
  #carrier;
  #tell;
  /** @type {Identity | null} */
  identity = null;
  /** @type {Live | null} */
  #live = null;
  /** Numbers of the first edit by the call that made it. @type {Map<string, number[]>} */
  #calls = new Map();
  /** @type {Promise<import("./chains.js").Chains> | null} */
  #chains = null;
  #isConflictFree = false;

  /**
   * @param {import("./store.js").Store} store
   * @param {Status["carrier"]} carrier
   * @param {(told: Told, by?: unknown) => void} tell
   */
  constructor(store, carrier, tell) {
    this.#store = store;
    this.#carrier = carrier;
    this.#tell = tell;
    this.#core = new Core(store, (happened, by) => this.#happened(happened, by));
  }

  /**
   * @param {Session | Saved} meet
   * @param {string} password
   * @param {Status["carrier"]} carrier
   * @param {(told: Told, by?: unknown) => void} tell
   */
  static async open(meet, password, carrier, tell) {
    const store = await openStore(meetKey(meet));
    const seat = new Seat(store, carrier, tell);
    await seat.#core.open();
    await seat.join(meet, password);
    return seat;
  }

  /**
   * A page opens the meet, perhaps with a session that it has just got.
   * @param {Session | Saved} meet
   * @param {string} password
   */
  async join(meet, password) {
    await this.#core.change(({ identity, credentials }) => joining(meet, identity, credentials));
    const { identity } = this.#core.replica;
    if (identity === null) throw new LiveError("this browser does not have the meet any more; join it again", "storage");
    const { priority, slot } = "slot" in meet ? meet : ((await this.#store.remembered()) ?? { priority: 0, slot: 0 });
    this.identity = { server: meet.server, ...identity, priority, slot };
    await this.#store.remember(this.identity);
    if (this.#live) return this.#live.renewed(password);
    this.#live = new Live(this.#core, meet.server, password, () => this.#stands());
    this.#live.start();
  }

  get snapshot() {
    return { identity: this.identity, state: this.#core.replica.state, status: this.status, setAside: this.#setAside };
  }

  /** @returns {Status} */
  get status() {
    const { pending, unanswered, setAside, log, head, meet, rebuild } = this.#core.replica;
    return {
      .../** @type {Live["link"]} */ (this.#live?.link ?? { link: "connecting", why: "" }),
      transport: this.#live?.transport ?? "long-poll",
      pending: pending.size,
      unanswered: unanswered.length,
      conflicts: setAside.size,
      lastNumber: log.head,
      head,
      meet,
      rebuilding: rebuild !== null,
      conflictFree: this.#isConflictFree ? (this.#core.replica.isOnlyOwnNew ? "offline" : "online") : "off",
      storage: this.#store.kind,
      carrier: this.#carrier,
      .../** @type {Live["around"]} */ (this.#live?.around ?? { locations: [], viewers: 0 }),
    };
  }

  get #setAside() {
    return [...this.#core.replica.setAside.values()];
  }

  /**
   * @param {{ edits: Edit[], seen: number, call: string }} asked
   * @param {unknown} by
   */
  async push({ edits, seen, call }, by) {
    /** @type {number[]} */
    let numbers = [];
    await this.#core.change((replica) => {
      const made = this.#calls.get(call);
      if (made) {
        numbers = made;
        return [];
      }
      const { edited } = replica.edit(edits, seen);
      if (!edited) return [];
      numbers = edited.edits.map((_, place) => edited.first + place);
      return [{ edited: { ...edited, call } }];
    }, by);
    this.#live?.edited();
    return numbers;
  }

  /** @param {{ number: number }} asked */
  async retry({ number }) {
    await this.#core.change((replica) => [replica.retry(number)]);
    this.#live?.edited();
  }

  /** @param {{ number: number }} asked */
  drop({ number }) {
    return this.#core.change((replica) => [replica.drop(number)]);
  }

  /**
   * To the next refusal of a chain, or to its end.
   * @param {any} asked
   * @param {import("./host.js").Port} port
   */
  async chain(asked, port) {
    return (await this.#loadChains()).goOn(asked, port);
  }

  #loadChains() {
    const live = /** @type {Live} */ (this.#live);
    this.#chains ??= later(() => import("./chains.js"), "chains.js").then(
      ({ Chains }) => new Chains(live, this.#core),
      (error) => {
        this.#chains = null;
        throw new LiveError(`what sends chains cannot be loaded: ${error}`, "unreachable");
      },
    );
    return this.#chains;
  }

  /** A page has left. @param {import("./host.js").Port} port */
  gone(port) {
    this.#chains?.then((chains) => chains.gone(port), () => {});
  }

  /** @param {{ isConflictFree: boolean }} asked */
  async setConflictFree({ isConflictFree }) {
    this.#isConflictFree = isConflictFree;
    this.#stands();
  }

  /** @param {{ key: string }} asked */
  async isEditable({ key }) {
    try {
      this.#core.replica.checkFree([readEdit({ key, op: "remove" })]);
      return true;
    } catch {
      return false;
    }
  }

  /** @param {{ after: number }} asked */
  async log({ after }) {
    return this.#core.replica.log.entries.slice(after);
  }

  /** @param {{ method: string, path: string, body?: unknown }} asked */
  async call({ method, path, body }) {
    return this.#live?.call(method, path, body);
  }

  async leave() {
    await this.#live?.call("DELETE", "/session").catch(() => {});
    this.close();
    await this.#store.forget();
  }

  /** @param {{ isCutOff: boolean }} asked */
  async wake({ isCutOff }) {
    this.#live?.wake(isCutOff);
  }

  close() {
    this.#live?.close();
  }

  /** The link may be another. */
  #stands() {
    const isUp = this.#live?.link.link === "up";
    this.#core.replica.isOnlyOwnNew = this.#isConflictFree && !isUp;
    // A chain is often begun while nothing can be loaded.
    if (isUp) this.#loadChains().catch(() => {});
    this.#tell({ status: this.status });
  }

  /**
   * @param {import("./core.js").Happened} happened
   * @param {unknown} by
   */
  #happened({ changes, refused, overruled, everything, edited }, by) {
    for (const { call, first, edits } of edited) {
      if (call) this.#calls.set(call, edits.map((_, place) => first + place));
    }
    for (const call of this.#calls.keys()) {
      if (this.#calls.size <= CALLS_KEPT) break;
      this.#calls.delete(call);
    }
    const rejected = this.#setAside.filter(({ number }) => refused.includes(number));
    this.#tell({ changes, rejected, overruled, everything, setAside: this.#setAside, status: this.status }, by);
  }
}

/**
 * @param {Session | Saved} meet
 * @param {import("./log.js").Identity | null} identity
 * @param {import("./replica.js").Credentials | null} credentials
 * @returns {Record[]}
 */
function joining(meet, identity, credentials) {
  if (!("sessionToken" in meet)) return [];
  const { meetId, locationName, clientId, sessionToken, expiresAt, recoveryTicket, ticketVersion } = meet;
  const renewed = { sessionToken, expiresAt, recoveryTicket, ticketVersion };
  if (identity === null) return [{ joined: { meetId, locationName, clientId } }, { renewed }];
  if (identity.clientId !== clientId) throw new LiveError(`this browser is client ${identity.clientId} of the meet, and the session is that of ${clientId}; join again from here`, "storage");
  const isNewer = Date.parse(expiresAt) > Date.parse(credentials?.expiresAt ?? "1970-01-01");
  return isNewer ? [{ renewed }] : [];
}
