// Binds OpenLifter's store to a meet: every action's changes become edits, and what the meet has becomes the store's state.

import { isSame } from "../client/json.js";
import { lookupOf, withMeet } from "./apply.js";
import { copyOf, displayEdits, editsOf, nothing } from "./diff.js";

/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */
/** @typedef {import("../client/liftrelay.d.ts").Edit} Edit */
/** @typedef {import("./shape.js").OpenLifterState} OpenLifterState */
/** @typedef {{ type: string, [member: string]: any }} Action */
/** @typedef {{ getState: () => OpenLifterState, dispatch: (action: any) => unknown }} Store */

/**
 * @typedef {object} Manners
 * @property {(question: string) => boolean} ask whether a person wants it
 * @property {(action: Action) => boolean} isWrittenBack whether an action comes from a box that nobody typed into
 * @property {(error: unknown) => void} tell what went wrong with an edit
 */

/** An upload of a large meet does not fit one request. */
const EDITS_AT_ONCE = 500;

/** What replaces more than one field of one lifter, and the question that goes before it. */
const QUESTIONS = new Map([
  ["OVERWRITE_STORE", "This replaces the whole meet, here and for everybody who is live with it. Replace it?"],
  ["MERGE_PLATFORM", "This replaces all lifters of a platform, here and for everybody who is live with the meet. Replace them?"],
]);
const QUESTION_OF_ALL = "This removes or replaces all lifters, here and for everybody who is live with the meet. Go on?";

export class Binding {
  #store;
  #manners;
  /** @type {Meet | null} */
  #meet = null;
  /** @type {number | null} */
  #platform = null;
  /** What the store had when its changes were last looked for. */
  #shown = nothing();
  #underWay = 0;
  /** Changes are not looked for before the end of what the page does now. */
  #isHeld = false;
  /** The replacement that is being dispatched by this binding itself. @type {Action | null} */
  #own = null;
  /** @type {(() => void)[]} */
  #stops = [];

  /**
   * @param {Store} store
   * @param {Manners} manners
   */
  constructor(store, manners) {
    this.#store = store;
    this.#manners = manners;
  }

  /**
   * Makes the meet of what the store has. Where that cannot be done, the store is bound to nothing and keeps what it has.
   * @param {Meet} meet
   * @param {number | null} platform whose display this browser publishes, if any
   */
  async upload(meet, platform) {
    const state = this.#store.getState();
    this.#begin(meet, platform, state);
    this.#underWay += 1;
    try {
      await inBatches(meet, editsOf(nothing(), state, platform));
    } catch (error) {
      this.release();
      throw error;
    } finally {
      this.#underWay -= 1;
    }
    this.#reconcile();
  }

  /**
   * Makes the store's state of the meet, and keeps the two in step from now on.
   * @param {Meet} meet
   * @param {number | null} platform
   */
  follow(meet, platform) {
    this.#begin(meet, platform, this.#store.getState());
    this.#reconcile();
    const display = displayEdits(nothing(), this.#shown, platform);
    void this.#push(display.filter(({ key, value }) => !isSame(meet.get(key), value)));
  }

  /** Leaves the store as it is; the meet goes on without it. */
  release() {
    for (const stop of this.#stops.splice(0)) stop();
    this.#meet = null;
  }

  /**
   * Carries an action out, unless nobody wants it.
   * @param {any} action
   * @param {(action: any) => unknown} next
   */
  perform(action, next) {
    if (this.#meet === null || action === this.#own) return next(action);
    if (this.#manners.isWrittenBack(action)) return action;
    const question = QUESTIONS.get(action.type);
    if (question && !this.#manners.ask(question)) return action;
    const result = next(action);
    if (action.type === "DELETE_REGISTRATION") this.#hold(this.#meet);
    if (!this.#isHeld) this.#capture();
    return result;
  }

  /**
   * A CSV file that overwrites removes one lifter after the other and adds its own, in one go: what it is shows behind the last.
   * @param {Meet} meet
   */
  #hold(meet) {
    if (this.#isHeld) return;
    this.#isHeld = true;
    queueMicrotask(() => {
      this.#isHeld = false;
      if (this.#meet !== meet) return;
      if (this.#removesAll && !this.#manners.ask(QUESTION_OF_ALL)) this.#bringBack();
      this.#capture();
      this.#reconcile();
    });
  }

  get #removesAll() {
    const here = new Set(this.#store.getState().registration.entries.map(({ id }) => id));
    const { entries } = this.#shown.registration;
    return entries.length > 1 && !entries.some(({ id }) => here.has(id));
  }

  #bringBack() {
    const local = this.#store.getState();
    const entries = structuredClone(this.#shown.registration.entries);
    this.#replace({ ...local, registration: { ...local.registration, entries, lookup: lookupOf(entries) } });
  }

  /**
   * @param {Meet} meet
   * @param {number | null} platform
   * @param {OpenLifterState} state
   */
  #begin(meet, platform, state) {
    this.release();
    this.#meet = meet;
    this.#platform = platform;
    this.#shown = copyOf(state);
    this.#stops = [meet.on("remote", () => this.#reconcile()), meet.on("reset", () => this.#reconcile())];
  }

  #capture() {
    const state = this.#store.getState();
    const edits = editsOf(this.#shown, state, this.#platform);
    if (edits.length === 0) return;
    this.#shown = copyOf(state, this.#shown);
    void this.#push(edits);
  }

  /** @param {Edit[]} edits */
  async #push(edits) {
    const meet = this.#meet;
    if (meet === null || edits.length === 0) return;
    this.#underWay += 1;
    try {
      await inBatches(meet, edits);
    } catch (error) {
      this.#manners.tell(error);
    } finally {
      this.#underWay -= 1;
      if (this.#meet === meet) this.#reconcile();
    }
  }

  /**
   * The meet decides what the store holds, but not while it has yet to hear of edits made here: they would vanish for a moment. What
   * it refused vanishes for good, and can be found among its `setAside`.
   */
  #reconcile() {
    if (this.#meet === null || this.#isHeld || this.#underWay > 0 || this.#meet.status.link === "broken") return;
    const local = this.#store.getState();
    const store = withMeet(local, this.#meet.state, this.#meet.identity.slot);
    if (store === local) return;
    const before = this.#shown;
    this.#shown = copyOf(store, before);
    this.#replace(store);
    void this.#push(displayEdits(before, this.#shown, this.#platform));
  }

  /** @param {OpenLifterState} store */
  #replace(store) {
    this.#own = { type: "OVERWRITE_STORE", store };
    this.#store.dispatch(this.#own);
    this.#own = null;
  }
}

/**
 * What one action changed is one batch, unless it is more than a person can change.
 * @param {Meet} meet
 * @param {Edit[]} edits
 */
async function inBatches(meet, edits) {
  const batches = [];
  for (let at = 0; at < edits.length; at += EDITS_AT_ONCE) batches.push(edits.slice(at, at + EDITS_AT_ONCE));
  await Promise.all(batches.map((batch) => meet.push(batch)));
}
