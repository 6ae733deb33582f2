// The meet as it stood at an update: the server folds the log that far.

import { BoardTable } from "../board.js";
import { byId, write } from "../meet-page.js";
import { adopt } from "../meet-state.js";
import { boardOf } from "../meet-view.js";
import { messageOf, onSubmit, timeText } from "../parts.js";
import { download } from "../save.js";

/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */

/** A slider that is being dragged asks once it rests. */
const REST_MS = 150;

export class TimeTravel {
  #form = byId("travel", HTMLFormElement);
  #past = byId("past", HTMLElement);
  #title = byId("past-title", HTMLElement);
  #empty = byId("past-empty", HTMLElement);
  #said = /** @type {HTMLElement} */ (this.#form.querySelector(".said"));
  #board = new BoardTable(byId("board", HTMLTableElement));
  /** @type {Meet | null} */
  #meet = null;
  /** What is shown. @type {{ number: number, state: any } | null} */
  #shown = null;
  /** Only the last question is answered. */
  #turn = 0;
  #timer = 0;
  #timeOf;

  /** @param {(number: number) => string} timeOf when an update was committed; empty where it is not known */
  constructor(timeOf) {
    this.#timeOf = timeOf;
    onSubmit(this.#form, () => this.#go(this.#field("at").valueAsNumber));
    this.#field("range").addEventListener("input", () => {
      const at = this.#field("range").valueAsNumber;
      this.#field("at").value = String(at);
      window.clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => this.#try(at), REST_MS);
    });
    byId("save-past", HTMLElement).addEventListener("click", () => this.#save());
    byId("past-close", HTMLElement).addEventListener("click", () => {
      this.#close();
      this.#field("at").focus();
    });
  }

  /**
   * Looks at the past of this meet. Gives the way to stop.
   * @param {Meet} meet
   */
  show(meet) {
    this.#meet = meet;
    this.#close();
    const stop = meet.subscribe(({ lastNumber }) => this.#reaches(lastNumber));
    return () => {
      stop();
      this.#meet = null;
      this.#close();
      this.#reaches(0);
    };
  }

  /** @param {number} number of the last update that counts */
  look(number) {
    byId("travel-title", HTMLElement).focus();
    this.#try(number);
  }

  /** @param {number} number */
  #try(number) {
    this.#said.textContent = "";
    this.#said.classList.remove("bad");
    this.#go(number).catch((error) => {
      this.#said.classList.add("bad");
      this.#said.textContent = messageOf(error);
    });
  }

  /** @param {number} number */
  async #go(number) {
    const meet = this.#meet;
    this.#turn += 1;
    const turn = this.#turn;
    const { state, serverSeqNum } = /** @type {any} */ (await meet?.call("GET", `/state?at=${number}`));
    if (turn !== this.#turn) return;
    const at = this.#timeOf(serverSeqNum);
    this.#shown = { number: serverSeqNum, state };
    this.#field("at").value = this.#field("range").value = String(serverSeqNum);
    const board = boardOf(/** @type {any} */ (adopt(state)));
    this.#board.show(board);
    this.#empty.hidden = board.rows.length > 0;
    write(this.#title, `As of update ${serverSeqNum}${at ? `, ${timeText(at)}` : ""}`);
    this.#past.hidden = false;
  }

  #save() {
    if (this.#shown === null || this.#meet === null) return;
    const name = `meet-${this.#meet.identity.meetId.replace(/\D/g, "")}-state-${this.#shown.number}.json`;
    download(name, "application/json", JSON.stringify(this.#shown.state, null, 2));
  }

  #close() {
    this.#turn += 1;
    this.#shown = null;
    this.#past.hidden = true;
  }

  /** @param {number} last */
  #reaches(last) {
    const [at, range] = [this.#field("at"), this.#field("range")];
    if (range.max === String(last)) return;
    // Until somebody looks back, both stand at the end.
    const isAtEnd = this.#shown === null && at.value === range.max;
    at.max = range.max = String(last);
    if (isAtEnd) at.value = range.value = String(last);
  }

  /** @param {string} name */
  #field(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }
}
