// The end of a meet. There is no way back, so it takes the meet's id.

import { byId } from "../meet-page.js";
import { onSubmit, textOf } from "../parts.js";

/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */

const digits = (/** @type {string} */ text) => text.replace(/\D/g, "");

export class Finish {
  #form = byId("finish", HTMLFormElement);
  #finished = byId("finished", HTMLElement);
  /** @type {Meet | null} */
  #meet = null;

  constructor() {
    onSubmit(this.#form, (data) => this.#finish(textOf(data, "meetId")));
  }

  /** Offers to finish a meet. Gives the way to stop. @param {Meet} meet */
  show(meet) {
    this.#meet = meet;
    this.#form.reset();
    return meet.subscribe(({ meet: standing }) => {
      const isFinished = standing === "finished";
      this.#form.hidden = isFinished;
      this.#finished.hidden = !isFinished;
    });
  }

  /** @param {string} typed */
  async #finish(typed) {
    const meet = this.#meet;
    if (meet === null) return;
    if (digits(typed) !== digits(meet.identity.meetId)) throw new Error("This is not the id of this meet, so nothing has happened; it stands at the top of the page.");
    const { pending } = meet.status;
    if (pending > 0) throw new Error(`${pending} edits of this browser are not on the server yet; finish once nothing is pending.`);
    await meet.call("POST", "/finish");
    this.#form.reset();
  }
}
