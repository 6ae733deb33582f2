// Which rung to stand on: evidence in, choice out. Requests always work where anything works, so a client starts with them;
// streams are proven beside them, one at a time, the best first. What a proxy does is told by what came through.

/** @typedef {import("./streams.js").StreamKind} StreamKind */
/** @typedef {{ failures: number, notBefore: number }} Rung */

/** Best first. @type {StreamKind[]} */
const STREAMS = ["websocket", "sse", "ndjson"];
const WAIT_MAX_MS = 25000;
/** Below this a held request is no better than one that is answered at once. */
const WAIT_MIN_MS = 1000;
/** A request that broke sooner than this was not cut for its age. */
const TOO_SHORT_FOR_AGE_MS = 500;
/** Pauses before a rung that failed is probed again: the first, and the longest. */
const PROBE_AGAIN_MS = { first: 5000, most: 300000 };
/** A stream that lived this long and delivered is closed for its age, not because it does not work. */
const LIVED_MS = 4000;
/** Where requests were held for nothing at all, so many short ones come before the next that is held. */
const SHORT_POLLS = 20;

export class Climb {
  #waitMs = WAIT_MAX_MS;
  #shortPolls = 0;
  /** @type {{ [kind: string]: Rung }} */
  #rungs = Object.fromEntries(STREAMS.map((kind) => [kind, { failures: 0, notBefore: 0 }]));
  /** The stream that carries. @type {StreamKind | null} */
  #current = null;

  /** @returns {import("./liftrelay.d.ts").Transport} */
  get transport() {
    return this.#current ?? (this.waitMs === 0 ? "short-poll" : "long-poll");
  }

  /** How long the server may hold a request; 0 where holding does not get through. */
  get waitMs() {
    return this.#waitMs < WAIT_MIN_MS ? 0 : this.#waitMs;
  }

  /**
   * The better rung that is worth a probe now.
   * @param {number} now
   */
  probe(now) {
    const better = this.#current === null ? STREAMS : STREAMS.slice(0, STREAMS.indexOf(this.#current));
    return better.find((kind) => this.#rungs[kind].notBefore <= now) ?? null;
  }

  /**
   * A probe's HELLO has arrived: this rung carries from now on.
   * @param {StreamKind} kind
   */
  proven(kind) {
    this.#current = kind;
  }

  /**
   * A probe came to nothing.
   * @param {StreamKind} kind
   * @param {number} now
   */
  failed(kind, now) {
    const rung = this.#rungs[kind];
    rung.notBefore = now + Math.min(PROBE_AGAIN_MS.first * 2 ** rung.failures, PROBE_AGAIN_MS.most);
    rung.failures += 1;
  }

  /**
   * The stream that carried has ended. One that had delivered for a while is opened again at once.
   * @param {StreamKind} kind
   * @param {number} livedMs
   * @param {number} now
   */
  ended(kind, livedMs, now) {
    this.#current = null;
    if (livedMs < LIVED_MS) this.failed(kind, now);
    else this.#rungs[kind] = { failures: 0, notBefore: 0 };
  }

  /** The network is another one, perhaps: everything is worth a probe again. */
  forget() {
    for (const kind of STREAMS) this.#rungs[kind] = { failures: 0, notBefore: 0 };
  }

  /**
   * A request that might be held for `askedMs` was answered after `tookMs`.
   * @param {number} askedMs
   * @param {number} tookMs
   */
  answered(askedMs, tookMs) {
    if (askedMs === 0) {
      this.#shortPolls += 1;
      if (this.waitMs === 0 && this.#shortPolls >= SHORT_POLLS) [this.#waitMs, this.#shortPolls] = [WAIT_MIN_MS, 0];
    } else if (tookMs >= askedMs) {
      // It was held all the time, so a little more may get through.
      this.#waitMs = Math.min(1.25 * this.#waitMs + 250, WAIT_MAX_MS);
    }
  }

  /**
   * A request that might be held for `askedMs` was cut after `tookMs`. Tells whether its age is the likely reason, so that
   * nothing is wrong but the wait.
   * @param {number} askedMs
   * @param {number} tookMs
   */
  cut(askedMs, tookMs) {
    const isForAge = askedMs > 0 && tookMs >= TOO_SHORT_FOR_AGE_MS;
    if (isForAge) [this.#waitMs, this.#shortPolls] = [Math.min(tookMs, askedMs, this.#waitMs) / 2, 0];
    return isForAge;
  }
}
