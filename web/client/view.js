// One meet that is open in this browser to be looked at with a view key: the server's state, and what is relayed on top of it.

import { here, ServerClock } from "./clock.js";
import { Fault } from "./fault.js";
import { adopt, emptyState } from "./json.js";
import { Ladder } from "./ladder.js";
import { read, seqOf } from "./log.js";
import { Requests } from "./requests.js";
import { Retry } from "./retry.js";
import { changes, fold, obstacle } from "./state.js";

/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("./answer.js").ReceivedPage} ReceivedPage */
/** @typedef {import("./host.js").Told} Told */
/** @typedef {import("./liftrelay.d.ts").Link} Link */
/** @typedef {import("./liftrelay.d.ts").Status} Status */
/** @typedef {import("./liftrelay.d.ts").ViewOptions} ViewOptions */

const WAIT_MS = 25000;
/** A view key may be refused because the server has lost the meet; it gets it back from editors. */
const REFUSED_PAUSE_MS = 15000;

export class ViewSeat {
  identity = null;
  #state = emptyState();
  /** Empty where the state has to be asked for. */
  #cursor = "";
  #head = 0;
  #wasSeen = false;
  /** @type {Status["meet"]} */
  #meet = null;
  /** @type {{ link: Link, why: string }} */
  #link = { link: "connecting", why: "" };
  #clock = new ServerClock();
  #requests;
  #ladder;
  #carrier;
  #tell;
  #retry = new Retry();
  #turn = 0;
  #isClosed = false;

  /**
   * @param {Required<ViewOptions>} view
   * @param {Status["carrier"]} carrier
   * @param {(told: Told) => void} tell
   */
  constructor({ server, meetId, viewKey }, carrier, tell) {
    this.#requests = new Requests(server, meetId, viewKey, (date) => this.#clock.hearDate(Date.parse(date ?? ""), here()));
    this.#ladder = new Ladder(this.#requests);
    this.#carrier = carrier;
    this.#tell = tell;
    void this.#run();
  }

  get snapshot() {
    return { identity: this.identity, state: this.#state, status: this.#status, setAside: [] };
  }

  /** @returns {Status} */
  get #status() {
    const own = { pending: 0, unanswered: 0, conflicts: 0, rebuilding: false, conflictFree: /** @type {const} */ ("off"), storage: /** @type {const} */ ("memory"), locations: [], viewers: 0 };
    const lastNumber = this.#cursor === "" ? 0 : seqOf(this.#cursor);
    const serverNow = this.#clock.now(here());
    return { ...this.#link, transport: this.#ladder.transport, lastNumber, head: this.#head, meet: this.#meet, carrier: this.#carrier, serverNow, ...own };
  }

  /** @param {{ isCutOff: boolean }} asked */
  async wake({ isCutOff }) {
    this.#turn += 1;
    if (isCutOff) this.#ladder.reset();
    this.#retry.wake();
  }

  close() {
    this.#isClosed = true;
    this.#ladder.close();
    this.#retry.wake();
  }

  async #run() {
    while (!this.#isClosed) {
      await this.#retry.due();
      const turn = this.#turn;
      try {
        await (this.#cursor === "" ? this.#askForAll() : this.#follow());
        this.#retry.succeeded();
      } catch (error) {
        if (turn === this.#turn && !this.#isClosed) this.#failed(error);
      }
    }
  }

  async #askForAll() {
    const { state, serverSeqNum, cursor } = await this.#requests.call("GET", "/state");
    const before = this.#state;
    this.#state = /** @type {import("./json.js").JsonObject} */ (adopt(state));
    [this.#cursor, this.#head] = [cursor, Math.max(serverSeqNum, seqOf(cursor))];
    this.#link = { link: "up", why: "" };
    this.#told({ changes: changes(before, this.#state), everything: this.#wasSeen });
    this.#wasSeen = true;
  }

  async #follow() {
    // Whether the server is back is told at once, not after a wait.
    const waitMs = this.#link.link === "up" ? WAIT_MS : 0;
    const { kind, page, meet, serverTime = "" } = await this.#ladder.pull(this.#cursor, waitMs);
    this.#clock.hear(Date.parse(serverTime), here());
    this.#meet = meet ?? this.#meet;
    this.#link = { link: "up", why: "" };
    const isBroken = kind !== "done" || (page && !this.#take(page));
    if (isBroken) this.#cursor = "";
    if (!page || isBroken) this.#told({});
    // Where nothing is held, a reader need not be in a hurry.
    if (this.#ladder.transport === "short-poll") this.#retry.pause(1000);
  }

  /**
   * Folds a page; false where entries are missing before it.
   * @param {ReceivedPage} page
   */
  #take({ updatesRelayed, cursor, headSeqNum }) {
    const before = this.#state;
    const fresh = new WeakSet();
    let last = seqOf(this.#cursor);
    const entries = updatesRelayed.filter(({ serverSeqNum }) => serverSeqNum > last);
    for (const entry of entries) {
      if (entry.serverSeqNum > last + 1) return false;
      last = entry.serverSeqNum;
      const update = entry.opaque ? null : read(entry);
      if (update && !obstacle(this.#state, update.path, update.op)) this.#state = fold(this.#state, update, fresh);
    }
    if (seqOf(cursor) > last) return false;
    if (seqOf(cursor) === last) this.#cursor = cursor;
    this.#clock.hearEntry(Date.parse(entries[entries.length - 1]?.at ?? ""), here());
    this.#head = headSeqNum;
    this.#told({ changes: changes(before, this.#state), entries });
    return true;
  }

  /** @param {unknown} error */
  #failed(error) {
    const fault = error instanceof Fault ? error : new Fault("unreadable", String(error));
    if (fault.isPassing) this.#retry.failed(fault.retryAfterMs);
    else this.#retry.pause(REFUSED_PAUSE_MS);
    this.#link = { link: fault.isPassing ? "down" : "refused", why: fault.message };
    this.#told({});
  }

  /** @param {Partial<Told>} told */
  #told({ changes: changed = [], everything = false, entries }) {
    this.#tell({ changes: changed, everything, entries, rejected: [], overruled: [], setAside: [], status: this.#status });
  }
}
