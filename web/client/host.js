// Holds the meets that are open in this browser, one stream each, and serves pages over ports.

import { LiveError, liveError } from "./errors.js";
import { keyOf } from "./names.js";
import { Seat } from "./seat.js";
import { ViewSeat } from "./view.js";

/** @typedef {import("./liftrelay.d.ts").Change} Change */
/** @typedef {import("./liftrelay.d.ts").Entry} Entry */
/** @typedef {import("./liftrelay.d.ts").Overruled} Overruled */
/** @typedef {import("./liftrelay.d.ts").SetAside} SetAside */
/** @typedef {import("./liftrelay.d.ts").Status} Status */

/**
 * What pages are told: a new status, and what has happened before it.
 * @typedef {object} Told
 * @property {Status} status
 * @property {Change[]} [changes]
 * @property {SetAside[]} [rejected]
 * @property {Overruled[]} [overruled]
 * @property {boolean} [everything]
 * @property {Entry[]} [entries]
 * @property {SetAside[]} [setAside]
 * @property {boolean} [isOwn] it is this page's doing
 */

/**
 * A way to one page, for one meet.
 * @typedef {object} Port
 * @property {(message: any) => void} postMessage
 * @property {((event: any) => any) | null} onmessage
 * @property {boolean} [isHeard] something came since this was last looked at
 */

/** @typedef {{ seat: Seat | ViewSeat, ports: Set<Port> }} Open */

const ASKS = ["push", "retry", "drop", "log", "call", "leave", "wake", "chain", "setConflictFree", "isEditable"];

export class Host {
  #carrier;
  /** @type {Map<string, Promise<Open>>} */
  #opening = new Map();

  /** @param {Status["carrier"]} carrier */
  constructor(carrier) {
    this.#carrier = carrier;
  }

  /**
   * Serves a page until it says goodbye.
   * @param {Port} port
   */
  serve(port) {
    let key = "";
    port.onmessage = async ({ data: { id, ask, ...asked } }) => {
      port.isHeard = true;
      try {
        if (ask === "open") {
          key = keyOf(asked);
          const { seat, ports } = await this.#open(key, asked);
          // In one go, so that what happens next is told after the snapshot that it changes.
          port.postMessage({ id, ok: seat.snapshot });
          ports.add(port);
        } else {
          port.postMessage({ id, ok: await this.#carryOut(key, port, ask, asked) });
        }
      } catch (error) {
        const { message, code, status } = liveError(error);
        port.postMessage({ id, error: { message, code, status } });
      }
    };
  }

  /** Ends everything: another page holds the streams from now on. */
  close() {
    for (const opening of this.#opening.values()) opening.then(({ seat }) => seat.close(), () => {});
    this.#opening.clear();
  }

  /**
   * @param {string} key
   * @param {any} asked
   */
  async #open(key, { meet, view, password = "", isConflictFree }) {
    const known = this.#opening.get(key);
    const opening = known ?? this.#seat(meet, view, password);
    this.#opening.set(key, opening);
    opening.catch(() => this.#opening.delete(key));
    const open = await opening;
    if (open.seat instanceof Seat) {
      if (known) await open.seat.join(meet, password);
      if (isConflictFree !== undefined) await open.seat.setConflictFree({ isConflictFree });
    }
    return open;
  }

  /**
   * @param {any} meet
   * @param {any} view
   * @param {string} password
   * @returns {Promise<Open>}
   */
  async #seat(meet, view, password) {
    /** @type {Set<Port>} */
    const ports = new Set();
    const tell = (/** @type {Told} */ told, /** @type {unknown} */ by = null) => {
      for (const port of ports) port.postMessage({ told: port === by ? { ...told, isOwn: true } : told });
    };
    const seat = view ? new ViewSeat(view, this.#carrier, tell) : await Seat.open(meet, password, this.#carrier, tell);
    return { seat, ports };
  }

  /**
   * @param {string} key
   * @param {Port} port
   * @param {string} ask
   * @param {any} asked
   */
  async #carryOut(key, port, ask, asked) {
    if (ask === "ping") return null;
    const open = await this.#opening.get(key);
    if (!open) throw new LiveError("the meet is not open", "closed");
    if (ask === "bye") return this.#leave(key, port, open);
    const carryOut = ASKS.includes(ask) ? /** @type {any} */ (open.seat)[ask] : undefined;
    if (!carryOut) throw new LiveError("a view key only looks", "read-only");
    const result = await carryOut.call(open.seat, asked, port);
    if (ask === "leave") this.#opening.delete(key);
    return result;
  }

  /**
   * @param {string} key
   * @param {Port} port
   * @param {Open} open
   */
  #leave(key, port, { seat, ports }) {
    ports.delete(port);
    if (seat instanceof Seat) seat.gone(port);
    if (ports.size > 0) return;
    seat.close();
    this.#opening.delete(key);
  }
}
