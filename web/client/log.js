// The log as the server ordered it, as far as it is here, and the state that follows from it.

import { adopt, emptyState, isSame } from "./json.js";
import { parseKey } from "./keys.js";
import { fold, obstacle } from "./state.js";

/** @typedef {import("./liftrelay.d.ts").Entry} Entry */
/** @typedef {import("./state.js").Read} Read */
/** @typedef {{ meetId: string, locationName: string, clientId: string }} Identity */
/** @typedef {{ entries: Entry[], cursor: string, chain?: string | null, head: number, more: boolean }} Page */

/** The cursor before the first entry. */
export const START = "0";

/** @param {string} cursor */
export function seqOf(cursor) {
  return parseInt(cursor, 10);
}

/** Entries from 1 on without gaps. */
export class Log {
  /** @type {Entry[]} */
  entries = [];
  cursor = START;
  /** The chain at the ends of pages: between two of them a log cannot be handed back. @type {Map<number, string>} */
  chains = new Map();
  /** This client's own entries: number by `localSeqNum`. @type {Map<number, number>} */
  own = new Map();
  #state = emptyState();
  /** @type {import("./state.js").Fresh} */
  #fresh = new WeakSet();

  /** Behind the last entry. What was handed out stays as it is. */
  get state() {
    this.#fresh = new WeakSet();
    return this.#state;
  }

  get head() {
    return this.entries.length;
  }

  /** @param {number} seq */
  get(seq) {
    return this.entries[seq - 1];
  }

  /**
   * Takes the next entry in; one that is not the next is here already.
   * @param {Entry} entry
   * @param {Identity | null} identity
   */
  push(entry, identity) {
    if (entry.serverSeqNum !== this.head + 1) return false;
    this.entries.push(entry);
    if (entry.localSeqNum !== undefined && wrote(identity, entry)) this.own.set(entry.localSeqNum, entry.serverSeqNum);
    const update = read(entry);
    if (update !== null && !obstacle(this.#state, update.path, update.op)) this.#state = fold(this.#state, update, this.#fresh);
    return true;
  }

  /**
   * The end of a page whose entries are here.
   * @param {Page} page
   */
  endPage(page) {
    if (seqOf(page.cursor) !== this.head) return;
    this.cursor = page.cursor;
    if (page.chain) this.chains.set(this.head, page.chain);
  }

  /**
   * Whether a log with this head shows that what was acked is not part of it any more.
   * @param {import("./replica.js").Acked} acked
   * @param {number} head
   */
  hasLost({ seq, merged, number }, head) {
    return seq > head || (!merged && seq <= this.head && !this.own.has(number));
  }

  /**
   * How many entries both logs start with.
   * @param {Log} other
   */
  shared(other) {
    const at = this.entries.findIndex((entry, place) => !isSameEntry(entry, other.entries[place]));
    return at < 0 ? this.head : at;
  }
}

/**
 * Whether an entry is this client's.
 * @param {Identity | null} identity
 * @param {Entry} entry
 */
export function wrote(identity, entry) {
  return identity !== null && entry.locationName === identity.locationName && entry.clientId === identity.clientId;
}

/**
 * @param {Entry | undefined} one
 * @param {Entry | undefined} two
 */
export function isSameEntry(one, two) {
  if (one === undefined || two === undefined) return false;
  const face = (/** @type {Entry} */ { serverSeqNum, commit, at, localSeqNum, op, priority, locationName, clientId, updateKey }) =>
    JSON.stringify([serverSeqNum, commit, Date.parse(at), localSeqNum, op ?? "set", priority, locationName, clientId, updateKey]);
  return face(one) === face(two) && (one.op === "remove" || isSame(one.updateValue ?? null, two.updateValue ?? null));
}

/**
 * Whether this is a page of a log: something on the way may answer in the server's place.
 * @param {any} page
 */
export function isPage(page) {
  const isEntry = (/** @type {any} */ entry) => Number.isInteger(entry?.serverSeqNum) && (entry.opaque || typeof entry.updateKey === "string");
  return Array.isArray(page?.updatesRelayed) && page.updatesRelayed.every(isEntry) && typeof page.cursor === "string" && Number.isInteger(page.headSeqNum);
}

/**
 * Key and value of an entry, read; null where its key cannot be.
 * @param {Entry} entry
 * @returns {Read | null}
 */
export function read({ updateKey, op = "set", updateValue = null }) {
  const path = parseKey(updateKey);
  return path && { path, op, value: op === "remove" ? null : adopt(updateValue) };
}
