// What an overlay knows of its meet: from the server, and until that is there from what it showed last.

import { here, ServerClock } from "../client/clock.js";
import { adopt, emptyState, isContainer } from "../client/json.js";
import { watch } from "../watch.js";

/** @typedef {import("../client/json.js").JsonObject} JsonObject */
/** @typedef {import("../client/liftrelay.d.ts").Status} Status */
/** @typedef {import("../client/liftrelay.d.ts").View} View */
/** @typedef {import("./params.js").Params} Params */

const KEPT = "liftrelay.overlay.";
const KEEP_EVERY_MS = 2000;
/** The client is next door, so that its word is seldom late, and it may come to know the server's time better. */
const CLOCK_MS = 30_000;

export class Link {
  #params;
  #changed;
  #keepAt = 0;
  #keepTimer = 0;
  #clock = new ServerClock(CLOCK_MS);
  /** What is shown: as old as the address wants it, and never changed in place. */
  meet = emptyState();
  /** Of the last update in it. */
  number = 0;
  /** @type {Status["link"]} */
  state = "connecting";
  why = "";
  /** Since when nothing comes; null while all is well. @type {number | null} */
  lostAt = here();

  /**
   * @param {Params} params
   * @param {() => void} changed
   */
  constructor(params, changed) {
    this.#params = params;
    this.#changed = changed;
    this.#recall();
  }

  open() {
    const { meet: meetId, key: viewKey } = this.#params;
    if (meetId === "" || viewKey === "") return this.linked("refused", "the address has no meet or no view key");
    watch({ meetId, viewKey }, { told: (status, view) => this.#told(status, view), lost: (why) => this.linked("down", why) });
  }

  /**
   * @param {Status} status
   * @param {View} view
   */
  #told({ link, why, lastNumber, serverNow = NaN }, view) {
    this.linked(link, why);
    // Before that there may be nothing yet, and what was shown stays.
    if (link !== "up") return;
    this.#clock.hear(serverNow, here());
    this.show(/** @type {JsonObject} */ (view.state), lastNumber);
  }

  /**
   * @param {Status["link"]} state
   * @param {string} why
   */
  linked(state, why) {
    [this.state, this.why] = [state, why];
    this.lostAt = state === "up" ? null : (this.lostAt ?? here());
    this.#changed();
  }

  /**
   * Shows this state of the meet, as late as the address wants it.
   * @param {JsonObject} meet
   * @param {number} number
   */
  show(meet, number) {
    if (this.#params.delayMs > 0) setTimeout(() => this.#take(meet, number), this.#params.delayMs);
    else this.#take(meet, number);
  }

  /** The server's time at the moment that is shown. */
  get serverNow() {
    return this.#clock.now(here()) - this.#params.delayMs;
  }

  /** How far the server's clock is ahead of this screen's. */
  get aheadMs() {
    return this.#clock.now(0);
  }

  /**
   * @param {JsonObject} meet
   * @param {number} number
   */
  #take(meet, number) {
    if (meet === this.meet) return;
    [this.meet, this.number] = [meet, number];
    this.#keepSoon();
    this.#changed();
  }

  #keepSoon() {
    clearTimeout(this.#keepTimer);
    this.#keepTimer = setTimeout(() => this.#keep(), Math.max(0, this.#keepAt - Date.now()));
  }

  /** For the next start without a server. Storage may be full or forbidden: then it starts with nothing. */
  #keep() {
    this.#keepAt = Date.now() + KEEP_EVERY_MS;
    const name = `${KEPT}${this.#params.meet}`;
    try {
      for (const other of Object.keys(localStorage)) if (other.startsWith(KEPT) && other !== name) localStorage.removeItem(other);
      localStorage.setItem(name, JSON.stringify({ seqNum: this.number, state: this.meet }));
    } catch {
      // Nothing depends on it.
    }
  }

  #recall() {
    if (this.#params.meet === "") return;
    try {
      const { seqNum, state } = JSON.parse(localStorage.getItem(`${KEPT}${this.#params.meet}`) ?? "null") ?? {};
      const meet = adopt(state ?? null);
      if (isContainer(meet) && !Array.isArray(meet)) [this.meet, this.number] = [meet, Number(seqNum)];
    } catch {
      // What cannot be read is as good as nothing.
    }
  }
}
