// What an OpenLifter that is served with the hook, or that has the middleware, can do: go live, join, leave.

import { createMeet, joinMeet, openMeet, savedMeets } from "../client/liftrelay.js";
import { meetKey } from "../client/names.js";
import { download } from "../save.js";
import { Binding } from "./binding.js";
import { watchTyping } from "./typing.js";

/** @typedef {import("./binding.js").Store} Store */
/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */
/** @typedef {{ platform?: number | null }} Own whose display this browser publishes, if any */
/** @typedef {{ agree?: (question: string) => Promise<boolean> }} Agree how a person is asked; by the browser itself, if left out */

const MEMORY = "liftrelay-openlifter";
const SERVER = new URL(import.meta.url).origin;
const REPLACE = "Joining replaces the meet in this browser with the one you join. A backup of what is here now is saved as a file first. Join?";

export class LiveApp {
  #store;
  #binding;
  /** @type {Meet | null} */
  meet = null;
  /** Whose display this browser publishes, if any. @type {number | null} */
  platform = null;
  /** @type {Set<(meet: Meet | null) => void>} */
  #listeners = new Set();
  /** Waits for the autosave. */
  #rehydrate = () => {};

  /** @param {Store} store */
  constructor(store) {
    this.#store = store;
    const manners = { ask: (/** @type {string} */ question) => confirm(question), isWrittenBack: watchTyping(window), tell: (/** @type {unknown} */ error) => console.error(error) };
    this.#binding = new Binding(store, manners);
  }

  /**
   * Every action of the store goes through here.
   * @param {any} action
   * @param {(action: any) => any} next
   */
  perform(action, next) {
    const result = this.#binding.perform(action, next);
    this.#rehydrate();
    return result;
  }

  /**
   * Calls `listener` with the meet now and whenever it is another one or none. Gives the way to stop it.
   * @param {(meet: Meet | null) => void} listener
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this.meet);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Makes a meet of what is here.
   * @param {Omit<import("../client/liftrelay.d.ts").CreateOptions, "server"> & Own} options
   */
  async goLive({ platform = null, ...options }) {
    const meetName = this.#store.getState().meet.name || undefined;
    const session = await createMeet({ meetName, ...options, server: SERVER });
    const meet = await openMeet(session, options);
    await this.#binding.upload(meet, platform);
    return this.#keep(meet, platform);
  }

  /**
   * Takes a meet in place of what is here, once a person agreed and what is here is saved. Null where they did not.
   * @param {Omit<import("../client/liftrelay.d.ts").JoinOptions, "server"> & Own & Agree} options
   */
  async join({ platform = null, agree = async (question) => confirm(question), ...options }) {
    if (!(await agree(REPLACE))) return null;
    const session = await joinMeet({ ...options, server: SERVER });
    saveBackup(this.#store.getState());
    const meet = await openMeet(session, options);
    await meet.settled();
    this.#binding.follow(meet, platform);
    return this.#keep(meet, platform);
  }

  /** Goes on with the meet that this browser was live with before its page was loaded anew. */
  async resume() {
    const { platform = null, ...last } = JSON.parse(localStorage.getItem(MEMORY) ?? "{}");
    const saved = last.meetId && (await savedMeets()).find((meet) => meetKey(meet) === meetKey(last));
    if (!saved) return;
    await this.#rehydrated();
    const meet = await openMeet(saved);
    this.#binding.follow(meet, platform);
    this.#show(meet, platform);
  }

  /** What is here stays here, and goes its own way. */
  async leave() {
    this.#binding.release();
    localStorage.removeItem(MEMORY);
    const left = this.meet;
    this.#show(null, null);
    await left?.leave();
  }

  /**
   * Only now that the store and the meet are the same may a page that is loaded anew take the meet for the truth.
   * @param {Meet} meet
   * @param {number | null} platform
   */
  #keep(meet, platform) {
    this.meet?.close();
    const { server, meetId, locationName } = meet.identity;
    localStorage.setItem(MEMORY, JSON.stringify({ server, meetId, locationName, platform }));
    this.#show(meet, platform);
    return meet;
  }

  /**
   * @param {Meet | null} meet
   * @param {number | null} platform
   */
  #show(meet, platform) {
    this.meet = meet;
    this.platform = platform;
    for (const listener of this.#listeners) listener(meet);
  }

  /** OpenLifter reads its autosave after its store is made; before that, the store has nothing to compare with. */
  #rehydrated() {
    return new Promise((/** @type {(value: void) => void} */ resolve) => {
      this.#rehydrate = () => void ((this.#store.getState()._persist?.rehydrated ?? true) && resolve());
      this.#rehydrate();
    });
  }
}

/**
 * A file that OpenLifter can load.
 * @param {import("./shape.js").OpenLifterState} state
 */
function saveBackup(state) {
  const name = `${(state.meet.name || "meet").replace(/[^\p{L}\p{N} ._-]/gu, "-")} before joining.openlifter`;
  download(name, "application/json", JSON.stringify(state));
}
