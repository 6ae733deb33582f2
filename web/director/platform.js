// Who is on a platform of a meet that OpenLifter does not score: lifters by name, and whom the overlays show.

import { keyText, valueAt } from "../meet-state.js";
import { byId, write } from "../meet-page.js";
import { blankEntry, nextEntryId } from "../openlifter/shape.js";
import { LETTER, readMeet } from "../overlay/logic/meet.js";
import { nowOf } from "../overlay/logic/now.js";
import { onSubmit, saying, textOf } from "../parts.js";

/** @typedef {import("../client/liftrelay.d.ts").Edit} Edit */
/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */

export class Platform {
  #call = byId("call", HTMLFormElement);
  #add = byId("add-lifter", HTMLFormElement);
  #called = byId("called", HTMLElement);
  #number = byId("platform-number", HTMLInputElement);
  #lifters = /** @type {HTMLSelectElement} */ (this.#call.elements.namedItem("entry"));
  /** @type {Meet | null} */
  #meet = null;
  #isAsked = false;

  constructor() {
    onSubmit(this.#call, (data) => this.#push((meet) => [this.#callOf(meet, Number(textOf(data, "entry")))]));
    onSubmit(this.#add, async (data) => {
      await this.#push((meet) => this.#newLifter(meet, textOf(data, "name").trim()));
      this.#add.reset();
    });
    byId("end-call", HTMLElement).addEventListener("click", () => {
      const said = /** @type {HTMLElement} */ (this.#call.querySelector(".said"));
      void saying(said, () => this.#push(() => [{ key: this.#key(), op: "remove" }]));
    });
    this.#number.addEventListener("input", () => this.#askDraw());
  }

  /** Shows the platforms of a meet. Gives the way to stop. @param {Meet} meet */
  show(meet) {
    this.#meet = meet;
    this.#add.reset();
    const stop = meet.subscribe(() => this.#askDraw());
    return () => {
      stop();
      this.#meet = null;
      this.#lifters.replaceChildren();
      delete this.#lifters.dataset.shown;
    };
  }

  get #platform() {
    return this.#number.valueAsNumber || 1;
  }

  #key() {
    return keyText(["display", String(this.#platform)]);
  }

  /** @param {(meet: Meet) => Edit[]} editsOf */
  async #push(editsOf) {
    if (this.#meet !== null) await this.#meet.push(editsOf(this.#meet));
  }

  /** The first one of a platform has nobody to wait for. @param {Meet} meet @param {string} name */
  #newLifter(meet, name) {
    if (name === "") throw new Error("A lifter needs a name.");
    const known = Object.keys(valueAt(/** @type {any} */ (meet.state), "registration", "entries") ?? {}).map((id) => ({ id: Number(id) }));
    const id = nextEntryId(meet.identity.slot, 0, known);
    /** @type {Edit} */
    const edit = { key: keyText(["registration", "entries", String(id)]), op: "create", value: { ...blankEntry(), id, name, platform: this.#platform } };
    const isFirst = this.#standing(meet).entries.length === 0;
    return isFirst ? [edit, this.#callOf(meet, id)] : [edit];
  }

  /** @param {Meet} meet @param {number} id @returns {Edit} */
  #callOf(meet, id) {
    const { entries, now } = this.#standing(meet);
    const { day, flight } = entries.find((entry) => entry.id === String(id)) ?? now;
    // Which attempt it is follows from what is declared.
    return { key: this.#key(), value: { day, flight, lift: LETTER[now.lift], currentEntryId: id } };
  }

  /** @param {Meet} meet */
  #standing({ state }) {
    const read = readMeet(/** @type {any} */ (state));
    const entries = read.entries.filter(({ platform }) => platform === this.#platform);
    return { entries, now: nowOf(/** @type {any} */ (state), read, this.#platform) };
  }

  #askDraw() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      if (this.#meet !== null) this.#draw(this.#meet);
    });
  }

  /** @param {Meet} meet */
  #draw(meet) {
    const { entries, now } = this.#standing(meet);
    write(this.#called, now.current?.name || (now.current === null ? "nobody" : "a lifter without a name"));
    const choices = entries.map(({ id, name }) => [name || `entry ${id}`, id]).sort(([a], [b]) => (a < b ? -1 : 1));
    // Somebody may have the list open.
    const wanted = JSON.stringify(choices);
    if (this.#lifters.dataset.shown === wanted) return;
    const chosen = this.#lifters.value;
    this.#lifters.dataset.shown = wanted;
    this.#lifters.replaceChildren(...choices.map(([name, id]) => new Option(name, id)));
    if (entries.some(({ id }) => id === chosen)) this.#lifters.value = chosen;
  }
}
