// What an OpenLifter that is served with the hook, or that has the middleware, can do: go live, join, leave.

import { createMeet, joinMeet, openMeet, savedMeets } from "../client/liftrelay.js";
import { meetKey } from "../client/names.js";
import { Binding } from "./binding.js";
import { watchTyping } from "./typing.js";

/** @typedef {import("./binding.js").Store} Store */
/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */
/** @typedef {{ platform?: number | null }} Own whose display this browser publishes, if any */

const MEMORY = "liftrelay-openlifter";
const SERVER = new URL(import.meta.url).origin;
const REPLACE = "Joining replaces the meet in this browser with the one you join. A backup of what is here now is saved as a file first. Join?";

export class LiveApp {
  #store;
  #binding;
  /** @type {Meet | null} */
  meet = null;
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
   * @param {Omit<import("../client/liftrelay.d.ts").JoinOptions, "server"> & Own} options
   */
  async join({ platform = null, ...options }) {
    if (!confirm(REPLACE)) return null;
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
    this.meet = await openMeet(saved);
    this.#binding.follow(this.meet, platform);
  }

  /** What is here stays here, and goes its own way. */
  async leave() {
    this.#binding.release();
    localStorage.removeItem(MEMORY);
    await this.meet?.leave();
    this.meet = null;
  }

  /**
   * Only now that the store and the meet are the same may a page that is loaded anew take the meet for the truth.
   * @param {Meet} meet
   * @param {number | null} platform
   */
  #keep(meet, platform) {
    this.meet?.close();
    this.meet = meet;
    const { server, meetId, locationName } = meet.identity;
    localStorage.setItem(MEMORY, JSON.stringify({ server, meetId, locationName, platform }));
    return meet;
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
  const link = document.createElement("a");
  const url = URL.createObjectURL(new Blob([JSON.stringify(state)], { type: "application/json" }));
  link.href = url;
  link.download = `${(state.meet.name || "meet").replace(/[^\p{L}\p{N} ._-]/gu, "-")} before joining.openlifter`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
