// A search in a log of any length. It works in slices, so that typing never waits for it, and puts each entry into words once.

/** @typedef {import("../client/liftrelay.d.ts").Entry} Entry */

/** Half a frame: what else the page has to do finds its place between two slices. */
const SLICE_MS = 8;

export class LogSearch {
  #nameOf;
  #done;
  /** @type {readonly Entry[]} */
  #entries = [];
  /** What the entries say, in their order. @type {string[]} */
  #texts = [];
  /** @type {string[]} */
  #words = [];
  /** @type {Entry[]} */
  #hits = [];
  /** How many entries have been looked at. */
  #looked = 0;
  #isAsked = false;

  /** What was found when the search last came to the end of the log. @type {readonly Entry[]} */
  found = [];

  /**
   * @param {(key: string) => string} nameOf the lifter whom a key is about
   * @param {() => void} done is called whenever all entries have been looked at
   */
  constructor(nameOf, done) {
    this.#nameOf = nameOf;
    this.#done = done;
  }

  /**
   * Finds the entries in which every word occurs. Asked again with the same words, it goes on with what the log has grown by.
   * @param {readonly Entry[]} entries another array is another log
   * @param {string[]} words in lower case
   */
  find(entries, words) {
    const isOther = entries !== this.#entries;
    if (isOther) [this.#entries, this.#texts, this.found] = [entries, [], []];
    if (isOther || words.join(" ") !== this.#words.join(" ")) [this.#words, this.#hits, this.#looked] = [words, [], 0];
    this.#ask();
  }

  #ask() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    setTimeout(() => {
      this.#isAsked = false;
      this.#look();
    });
  }

  #look() {
    const until = performance.now() + SLICE_MS;
    while (this.#looked < this.#entries.length) {
      if (performance.now() > until) return this.#ask();
      if (this.#fits(this.#looked)) this.#hits.push(this.#entries[this.#looked]);
      this.#looked += 1;
    }
    this.found = this.#hits;
    this.#done();
  }

  /** @param {number} place */
  #fits(place) {
    const { updateKey } = this.#entries[place];
    const text = (this.#texts[place] ??= textOf(this.#entries[place]));
    /** @type {string | undefined} Names change, and most words are found without them. */
    let name;
    return this.#words.every((word) => text.includes(word) || (name ??= this.#nameOf(updateKey).toLowerCase()).includes(word));
  }
}

/** @param {Entry} entry */
function textOf({ serverSeqNum, updateKey, updateValue, op, locationName }) {
  return [serverSeqNum, updateKey, JSON.stringify(updateValue ?? ""), op, locationName].join(" ").toLowerCase();
}
