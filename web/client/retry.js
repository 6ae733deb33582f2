// When to try again.

const RETRY_MS = { least: 250, most: 5000 };
/** Short polls: brisk for so long after something happened, and the pauses between them. */
export const SHORT_MS = { active: 2000, least: 250, most: 60000 };

/** @param {number} idleMs since something happened */
export function shortPauseMs(idleMs) {
  return idleMs < SHORT_MS.active ? SHORT_MS.least : Math.min(idleMs / 2, SHORT_MS.most);
}

/** Counts failures in a row and gives pauses with full jitter: a hall that comes back must not come back all at once. */
export class Retry {
  #failures = 0;
  #notBefore = 0;
  #wake = () => {};

  /** Something came through. */
  succeeded() {
    this.#failures = 0;
  }

  /**
   * Something failed: nothing is tried for a while.
   * @param {number} [askedMs] what the server asks for wins
   */
  failed(askedMs) {
    const longest = Math.min(RETRY_MS.least * 2 ** this.#failures, RETRY_MS.most);
    const above = Math.min(2 * longest, RETRY_MS.most) - RETRY_MS.least;
    this.#failures += 1;
    this.pause(askedMs ?? RETRY_MS.least + above * Math.random());
  }

  /** @param {number} forMs */
  pause(forMs) {
    this.#notBefore = Math.max(this.#notBefore, Date.now() + forMs);
  }

  /** Ends a pause early. */
  wake() {
    this.#notBefore = 0;
    this.#wake();
  }

  /** Resolves when something may be tried. */
  async due() {
    for (let left = this.#left(); left > 0; left = this.#left()) await this.#sleep(left);
  }

  #left() {
    return this.#notBefore - Date.now();
  }

  /**
   * @param {number} forMs
   * @returns {Promise<void>}
   */
  #sleep(forMs) {
    return new Promise((resolve) => {
      const before = this.#wake;
      const timer = setTimeout(resolve, forMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
        before();
      };
    });
  }
}
