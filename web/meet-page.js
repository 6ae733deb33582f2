// What every page of a meet shows: its name, the board, the latest attempt and the state of the link.

import { BoardTable } from "./board.js";
import { attemptText, boardOf, meetNameOf } from "./meet-view.js";

/** @typedef {"connecting" | "live" | "reconnecting" | "refused" | "finished"} Link */

/**
 * What is shown, as it is now.
 * @typedef {object} Shown
 * @property {import("./meet-state.js").JsonObject} state
 * @property {string} meetId
 * @property {string} meetName what whoever made the meet called it
 * @property {import("./meet-view.js").AttemptPlace | null} attempt the one that changed last
 */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${id}`);
}

/**
 * Writes only what changed: the status is read aloud whenever its text is written.
 * @param {HTMLElement} place
 * @param {string} text
 */
export function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

export class MeetPage {
  #shown;
  #showMore;
  #table = new BoardTable(byId("board", HTMLTableElement));
  #link = byId("link-state", HTMLElement);
  #linkText = byId("link-text", HTMLElement);
  #name = byId("meet-name", HTMLElement);
  #latest = byId("latest", HTMLElement);
  #noLifters = byId("no-lifters", HTMLElement);
  #isAsked = false;
  /** @type {import("./meet-view.js").AttemptPlace | null} */
  #marked = null;

  /**
   * @param {Shown} shown
   * @param {() => void} showMore what this page shows besides
   */
  constructor(shown, showMore) {
    this.#shown = shown;
    this.#showMore = showMore;
  }

  /** However many messages come at once, the page is drawn once a frame. */
  askShow() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    window.requestAnimationFrame(() => this.#show());
  }

  /**
   * @param {Link} link
   * @param {string} why
   */
  showLink(link, why) {
    this.#link.dataset.state = link;
    write(this.#linkText, why ? `${link}: ${why}` : link);
  }

  #show() {
    this.#isAsked = false;
    const { state, meetId, meetName, attempt } = this.#shown;
    const name = meetNameOf(state) || meetName || `Meet ${meetId}`;
    write(this.#name, name);
    document.title = `${name} · liftrelay`;
    const board = boardOf(state);
    this.#table.show(board);
    this.#noLifters.hidden = board.rows.length > 0;
    write(this.#latest, attempt ? attemptText(state, attempt) : "");
    if (attempt && attempt !== this.#marked) this.#table.mark(attempt);
    this.#marked = attempt;
    this.#showMore();
  }
}
