// The server's time, as well as somebody can tell it who only hears from it.

/** Long enough to meet a quick message and to remember it while little happens, short enough to follow clocks that drift. */
const REMEMBERED_MS = 300000;

/** This screen's time, which no one sets. */
export const here = () => performance.timeOrigin + performance.now();

export class ServerClock {
  /**
   * How far the server is at least ahead of this screen, as each message had it: none is early. The first says most; one that says
   * less than a later one is of no use any more.
   * @type {{ ahead: number, heardAt: number }[]}
   */
  #heard = [];
  #isExact = false;
  #rememberedMs;

  /** @param {number} [rememberedMs] how long a message counts */
  constructor(rememberedMs = REMEMBERED_MS) {
    this.#rememberedMs = rememberedMs;
  }

  /**
   * @param {number} told the server's time in a message; NaN where it told none
   * @param {number} heardAt this screen's time
   */
  hear(told, heardAt) {
    if (Number.isNaN(told)) return;
    if (!this.#isExact) this.#heard = [];
    this.#isExact = true;
    this.#keep(told, heardAt);
  }

  /**
   * The head of an answer has whole seconds, and perhaps those of a proxy: better than nothing, and than nothing else.
   * @param {number} told
   * @param {number} heardAt
   */
  hearDate(told, heardAt) {
    if (!this.#isExact) this.#keep(told, heardAt);
  }

  /**
   * An entry was committed before it came: by little if it is news, so that the fraction of the second shows, and if it is not, no harm.
   * @param {number} committedAt
   * @param {number} heardAt
   */
  hearEntry(committedAt, heardAt) {
    if (this.#heard.length > 0) this.#keep(committedAt, heardAt);
  }

  /**
   * The server's time. The message that was under way for the shortest time is nearest the truth.
   * @param {number} now this screen's time
   */
  now(now) {
    return now + (this.#heard[0]?.ahead ?? 0);
  }

  /**
   * @param {number} told
   * @param {number} heardAt
   */
  #keep(told, heardAt) {
    if (Number.isNaN(told)) return;
    const ahead = told - heardAt;
    this.#heard = this.#heard.filter((one) => one.ahead > ahead && heardAt - one.heardAt < this.#rememberedMs);
    this.#heard.push({ ahead, heardAt });
  }
}
