// The server's time, as well as somebody can tell it who only hears from it.

/** Two minutes of heartbeats: long enough to meet a quick one, short enough to follow a clock that drifts. */
const SAMPLES_MAX = 8;

/** This screen's time, which no one sets. */
export const here = () => performance.timeOrigin + performance.now();

export class ServerClock {
  /** How far the server is ahead of this screen, as each message had it. @type {number[]} */
  #ahead = [];
  #isExact = false;

  /**
   * @param {number} told the server's time in a message; NaN where it told none
   * @param {number} heardAt this screen's time
   * @param {boolean} [isExact] the head of an answer has whole seconds: better than nothing, and than nothing else
   */
  hear(told, heardAt, isExact = true) {
    if (Number.isNaN(told) || (this.#isExact && !isExact)) return;
    this.#isExact = isExact;
    this.#ahead.push(told - heardAt);
    this.#ahead.splice(0, this.#ahead.length - SAMPLES_MAX);
  }

  /**
   * The server's time. A message is never early, so the one that was under way for the shortest time is nearest the truth.
   * @param {number} now this screen's time
   */
  now(now) {
    return this.#ahead.length === 0 ? now : now + Math.max(...this.#ahead);
  }
}
