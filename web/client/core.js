// The replica and its store, which change together or not at all.

import { StoreError } from "./errors.js";
import { Replica } from "./replica.js";
import { changes } from "./state.js";
import { Turns } from "./turns.js";

/** @typedef {import("./liftrelay.d.ts").Change} Change */
/** @typedef {import("./replica.js").News} News */
/** @typedef {import("./replica.js").Record} Record */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {News & { changes: Change[], edited: import("./replica.js").Edited[] }} Happened */
/** @typedef {(happened: Happened, by: unknown) => void} Watch */

export class Core {
  replica = new Replica();
  #store;
  #watch;
  #turns = new Turns();

  /**
   * @param {Store} store
   * @param {Watch} watch told what has changed, in order
   */
  constructor(store, watch) {
    this.#store = store;
    this.#watch = watch;
  }

  /** Takes in what the store has. */
  async open() {
    await this.#turns.take(() => this.#catchUp());
  }

  /**
   * Lets `decide` look at the replica, makes what it gives durable, and only then lets it happen.
   * @param {(replica: Replica) => Record[]} decide called again where another page was first
   * @param {unknown} [by] for whoever watches: whose doing it is
   */
  change(decide, by = null) {
    return this.#turns.take(async () => {
      for (;;) {
        const records = decide(this.replica);
        if (records.length === 0) return;
        if (await this.#kept(() => this.#store.append(records))) return this.#apply(records, by);
        await this.#catchUp();
      }
    });
  }

  async #catchUp() {
    this.#apply(await this.#kept(() => this.#store.load()), null);
  }

  /**
   * @template T
   * @param {() => Promise<T>} act
   * @returns {Promise<T>}
   */
  async #kept(act) {
    try {
      return await act();
    } catch (error) {
      throw new StoreError(`this browser cannot keep edits: ${error}`);
    }
  }

  /**
   * @param {Record[]} records
   * @param {unknown} by
   */
  #apply(records, by) {
    const before = this.replica.state;
    /** @type {News} */
    const all = { settled: [], refused: [], overruled: [], everything: false };
    for (const record of records) {
      const news = this.replica.apply(record);
      all.settled.push(...news.settled);
      all.refused.push(...news.refused);
      all.overruled.push(...news.overruled);
      all.everything ||= news.everything;
    }
    const edited = records.flatMap((record) => record.edited ?? []);
    this.#watch({ ...all, edited, changes: changes(before, this.replica.state) }, by);
  }
}
