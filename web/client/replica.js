// A meet as this browser holds it: the log, and own edits on top. No I/O and no time: methods look at the replica and give
// records of what should happen; whoever calls them stores a record and then has it applied, which alone changes anything.

import { BATCH_MAX, bytesOf, check, checkAll, checkOwnNew, editOf, overlaps, readEdit } from "./edit.js";
import { EditError } from "./errors.js";
import { Log, seqOf, wrote } from "./log.js";
import { show } from "./pending.js";
import { stands } from "./state.js";

/** @typedef {import("./json.js").JsonObject} JsonObject */
/** @typedef {import("./liftrelay.d.ts").Edit} Edit */
/** @typedef {import("./liftrelay.d.ts").Entry} Entry */
/** @typedef {import("./liftrelay.d.ts").Overruled} Overruled */
/** @typedef {import("./liftrelay.d.ts").SetAside} SetAside */
/** @typedef {import("./state.js").Read} Read */
/** @typedef {import("./log.js").Identity} Identity */
/** @typedef {import("./log.js").Page} Page */
/** @typedef {import("./pending.js").Pending} Pending */
/** @typedef {{ sessionToken: string, expiresAt?: string, recoveryTicket: string, ticketVersion: number }} Credentials */
/** @typedef {{ number: number, seq: number, merged?: boolean }} Acked */
/** @typedef {{ number: number, reason: string, code: string | null, standing?: any }} Refused */
/** @typedef {{ acked?: Acked[], refused?: Refused[], page?: Page, meet?: Status }} Answered */
/** @typedef {{ first: number, edits: Edit[], after: string, insteadOf?: number[], call?: string }} Edited `call`: of the page that made it */
/** @typedef {"live" | "recovering" | "finished"} Status */

/**
 * Something that happens to a replica; exactly one member.
 * @typedef {object} Record
 * @property {Identity} [joined] it belongs to a meet from now on
 * @property {Credentials} [renewed] a new session, a new recovery ticket, or both
 * @property {Edited} [edited] the user changed something
 * @property {{ upTo: number }} [sent] edits up to this number may have reached the server: resent as they are or not at all
 * @property {Answered} [answered] the server said something
 * @property {{ dropped: number[], kept?: number[] }} [decided] the user gave edits up; others go on, on top of what is known now
 * @property {true} [reset] the server's history is another one; until it is whole, the old one is shown
 */

/** @typedef {{ settled: number[], refused: number[], overruled: Overruled[], everything: boolean }} News */

export class Replica {
  /** @type {Identity | null} */
  identity = null;
  /** @type {Credentials | null} */
  credentials = null;
  log = new Log();
  /** The log's state, and pending edits on top; null where it has to be made again. @type {JsonObject | null} */
  #shown = null;
  /** By `localSeqNum`. @type {Map<number, Pending>} */
  pending = new Map();
  /** @type {Map<number, SetAside>} */
  setAside = new Map();
  /** The highest `localSeqNum` that was ever used. */
  lastNumber = 0;
  /** Edits up to here may have been sent. */
  sent = 0;
  /** The server's head, as last heard. */
  head = 0;
  /** @type {Status | null} */
  meet = null;
  /** The server's other history, while it is read. @type {Log | null} */
  rebuild = null;
  /** Conflict-free mode, and the server is out of reach: what existed before is read-only. Of the moment, so no record tells it. */
  isOnlyOwnNew = false;

  /** What is shown: the log's state, and pending edits on top, as far as they can apply. */
  get state() {
    if (this.#shown === null) {
      const fresh = new WeakSet();
      this.#shown = [...this.pending.values()].reduce((state, pending) => show(state, pending, fresh), this.log.state);
    }
    return this.#shown;
  }

  /** Where the next pull goes on. */
  get cursor() {
    return (this.rebuild ?? this.log).cursor;
  }

  /** Pending edits that the server has not answered. */
  get unanswered() {
    return [...this.pending.values()].filter((pending) => pending.acked === null);
  }

  /**
   * Takes edits that belong together. One that is wrong refuses them all.
   * @param {Edit[]} edits
   * @param {number} [seen] the last entry that the user had seen, where that is not the last one here
   * @returns {Record}
   */
  edit(edits, seen = this.log.head) {
    const reads = edits.map(readEdit);
    this.checkFree(reads);
    checkAll(this.state, reads);
    const earlier = reads.length === 1 ? this.#replaceable(reads[0]) : undefined;
    return this.#edited(reads, seen, earlier);
  }

  /**
   * Wants a refused edit again: a new edit, under a number of its own.
   * @param {number} number
   * @returns {Record}
   */
  retry(number) {
    const read = readEdit(this.#aside(number).edit);
    this.checkFree([read]);
    check(this.state, read);
    return this.#edited([read], this.log.head, number);
  }

  /**
   * Gives a refused edit up.
   * @param {number} number
   * @returns {Record}
   */
  drop(number) {
    return { decided: { dropped: [this.#aside(number).number] } };
  }

  /** Edits that can be sent: nothing while the replica has not joined, and while the server's other history is read. */
  get sendable() {
    return this.identity === null || this.rebuild !== null ? [] : this.unanswered;
  }

  /** The next batch: edits without an answer, oldest first, as many as one request takes. */
  batch() {
    const all = this.sendable;
    let [size, end] = [0, 0];
    for (let place = 0; place < all.length; ) {
      const { group } = all[place];
      for (; all[place]?.group === group; place += 1) size += bytesOf(all[place].read);
      if (end > 0 && (place > BATCH_MAX.updates || size > BATCH_MAX.bytes)) break;
      end = place;
    }
    return all.slice(0, end);
  }

  /**
   * Carries a record out, which must be stored.
   * @param {Record} record
   * @returns {News}
   */
  apply(record) {
    /** @type {News} */
    const news = { settled: [], refused: [], overruled: [], everything: false };
    const { joined, renewed, edited, sent, answered, decided, reset } = record;
    this.identity = joined ?? this.identity;
    this.credentials = renewed ?? this.credentials;
    this.sent = Math.max(this.sent, sent?.upTo ?? 0);
    if (reset) this.#reset();
    if (edited) this.#take(edited);
    if (answered) this.#heard(answered, news);
    for (const number of decided?.dropped ?? []) this.#forget(number);
    for (const number of decided?.kept ?? []) {
      const pending = this.pending.get(number);
      if (pending) pending.after = this.log.cursor;
    }
    if (decided) this.#shown = null;
    return news;
  }

  /**
   * Refuses what a finished meet does not take, and what conflict-free mode says must not be changed now.
   * @param {Read[]} reads
   */
  checkFree(reads) {
    if (this.meet === "finished") throw new EditError("the meet is finished and takes no more changes");
    if (this.isOnlyOwnNew) checkOwnNew(reads, this.unanswered.map(({ read }) => read));
  }

  /** @param {number} number */
  #aside(number) {
    const aside = this.setAside.get(number);
    if (!aside) throw new EditError(`no edit ${number} waits for a decision`);
    return aside;
  }

  /**
   * @param {Read[]} reads
   * @param {number} seen
   * @param {number} [earlier]
   * @returns {Record}
   */
  #edited(reads, seen, earlier) {
    const after = seen < this.log.head ? String(seen) : this.log.cursor;
    return { edited: { first: this.lastNumber + 1, edits: reads.map(editOf), after, ...(earlier !== undefined && { insteadOf: [earlier] }) } };
  }

  /**
   * The unsent edit that a later one makes superfluous: the same key set by itself, with nothing in between that concerns it.
   * @param {Read} read
   */
  #replaceable(read) {
    const all = [...this.pending.values()];
    const earlier = all.filter(({ number }) => number > this.sent).reverse().find((pending) => overlaps(pending.read, read));
    if (earlier?.read.op !== "set" || read.op !== "set" || earlier.read.path.length !== read.path.length) return undefined;
    return all.filter(({ group }) => group === earlier.group).length === 1 ? earlier.number : undefined;
  }

  /** @param {number} number */
  #forget(number) {
    this.pending.delete(number);
    this.setAside.delete(number);
  }

  /** @param {Edited} edited */
  #take({ first, edits, after, insteadOf = [] }) {
    this.lastNumber = Math.max(this.lastNumber, first + edits.length - 1);
    if (insteadOf.length > 0) {
      insteadOf.forEach((number) => this.#forget(number));
      this.#shown = null;
    }
    let { state } = this;
    const fresh = new WeakSet();
    for (const [place, edit] of edits.entries()) {
      const read = readEdit(edit);
      const parentStood = stands(state, read.path.slice(0, -1)) && read.path.length > 1;
      const pending = { number: first + place, read, after, group: first, acked: null, parentStood, shown: false };
      this.pending.set(pending.number, pending);
      state = show(state, pending, fresh);
    }
    this.#shown = state;
  }

  /**
   * Rebase in one step: answers and news in, what is still pending on top again.
   * @param {Answered} answered
   * @param {News} news
   */
  #heard({ acked = [], refused = [], page, meet }, news) {
    this.meet = meet ?? this.meet;
    for (const ack of acked) {
      const pending = this.pending.get(ack.number);
      // An answer of the history that is being replaced says nothing about the new one.
      if (pending && this.rebuild === null) pending.acked = ack;
    }
    for (const { number, ...why } of refused) {
      const pending = this.pending.get(number);
      if (!pending) continue;
      this.pending.delete(number);
      this.setAside.set(number, { number, edit: editOf(pending.read), ...why });
      news.refused.push(number);
    }
    if (page) this.#page(page, news);
    this.#settle(news);
    this.#shown = null;
  }

  /**
   * @param {Page} page
   * @param {News} news
   */
  #page(page, news) {
    this.head = page.head;
    const log = this.rebuild ?? this.log;
    for (const entry of page.entries) {
      if (log.push(entry, this.identity) && log === this.log) this.#tellOverruled(entry, news);
    }
    log.endPage(page);
    if (log === this.rebuild) {
      if (!page.more && seqOf(page.cursor) === log.head && log.head >= page.head) this.#swap(log, news);
    } else if (tellsTheHead(page)) {
      this.#forgetLostAcks(page.head);
    }
  }

  /**
   * What the log has now is not pending any more.
   * @param {News} news
   */
  #settle(news) {
    for (const { number, acked } of this.pending.values()) {
      const isMerged = acked?.merged && acked.seq <= this.log.head;
      if (!isMerged && !this.log.own.has(number)) continue;
      this.pending.delete(number);
      news.settled.push(number);
    }
  }

  /**
   * An ack whose entry the log does not have is of a history that the server has lost: the edit is sent again.
   * @param {number} head
   */
  #forgetLostAcks(head) {
    for (const pending of this.pending.values()) {
      if (pending.acked && this.log.hasLost(pending.acked, head)) pending.acked = null;
    }
  }

  /**
   * @param {Entry} entry
   * @param {News} news
   */
  #tellOverruled(entry, news) {
    for (const seq of entry.overrules ?? []) {
      const own = this.log.get(seq);
      if (!own || !wrote(this.identity, own)) continue;
      const [old, by] = [own.updateValue ?? null, entry.updateValue ?? null];
      const { locationName, priority, serverSeqNum } = entry;
      news.overruled.push({ number: own.localSeqNum, key: own.updateKey, old, byKey: entry.updateKey, new: by, locationName, priority, serverSeqNum });
    }
  }

  #reset() {
    this.rebuild = new Log();
    for (const pending of this.pending.values()) pending.acked = null;
  }

  /**
   * The new history takes the old one's place. What this client had seen is now the part that both share. Its own entries that
   * the new one does not have are edits once more: sent again under their old numbers they are committed or refused.
   * @param {Log} fresh
   * @param {News} news
   */
  #swap(fresh, news) {
    const former = this.log;
    const fork = fresh.shared(former);
    [this.log, this.rebuild, news.everything] = [fresh, null, true];
    for (const pending of this.pending.values()) pending.after = String(Math.min(seqOf(pending.after), fork));
    for (const entry of former.entries.slice(fork)) {
      const number = entry.localSeqNum;
      if (number === undefined || fresh.own.has(number) || !wrote(this.identity, entry)) continue;
      const read = readEdit({ key: entry.updateKey, op: entry.op, value: entry.updateValue });
      this.pending.set(number, { number, read, after: String(fork), group: number, acked: null, parentStood: false, shown: false });
    }
    // In the order in which they were made.
    this.pending = new Map([...this.pending].sort(([one], [two]) => one - two));
  }
}

/**
 * Whether the log ends at this page. One with entries may be older than an ack that came another way.
 * @param {Page} page
 */
export function tellsTheHead(page) {
  return page.entries.length === 0 && seqOf(page.cursor) === page.head;
}
