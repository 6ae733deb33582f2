// Edits of this browser that did not prevail: refused ones, to be decided about, and taken ones that others overruled later.

import { element } from "./board.js";
import { write } from "./meet-page.js";
import { aboutOf, messageOf, valueAtText } from "./parts.js";

/** @typedef {import("./client/liftrelay.d.ts").Json} Json */
/** @typedef {import("./client/liftrelay.d.ts").Meet} Meet */
/** @typedef {import("./client/liftrelay.d.ts").Overruled} Overruled */
/** @typedef {import("./client/liftrelay.d.ts").SetAside} SetAside */

/**
 * @typedef {object} Places where conflicts are shown
 * @property {HTMLElement} title has the focus once a conflict is decided
 * @property {HTMLElement} count
 * @property {HTMLElement} none
 * @property {HTMLElement} refused
 * @property {HTMLElement} overruled
 * @property {{ retry: string, drop: string }} words
 */

/**
 * Shows the conflicts of a meet. Gives the way to stop.
 * @param {Meet} meet
 * @param {Places} places
 */
export function showConflicts(meet, places) {
  const list = new ConflictList(meet, places);
  return () => list.stop();
}

class ConflictList {
  #meet;
  #places;
  /** @type {unknown} */
  #shown = null;
  #stops;

  /**
   * @param {Meet} meet
   * @param {Places} places
   */
  constructor(meet, places) {
    this.#meet = meet;
    this.#places = places;
    this.#stops = [meet.subscribe(() => this.#showRefused()), meet.on("overruled", ({ overruled }) => this.#addOverruled(overruled))];
  }

  stop() {
    for (const stop of this.#stops) stop();
    this.#places.refused.replaceChildren();
    this.#places.overruled.replaceChildren();
    this.#count();
  }

  #showRefused() {
    const { setAside } = this.#meet;
    if (this.#shown !== setAside) this.#places.refused.replaceChildren(...setAside.map((one) => this.#refusedItem(one)));
    this.#shown = setAside;
    this.#count();
  }

  /** @param {Overruled[]} overruled */
  #addOverruled(overruled) {
    this.#places.overruled.prepend(...overruled.map((one) => this.#overruledItem(one)));
    this.#count();
  }

  #count() {
    const { refused, overruled, count, none } = this.#places;
    const found = refused.children.length + overruled.children.length;
    write(count, String(found));
    none.hidden = found > 0;
  }

  /** @param {SetAside} setAside */
  #refusedItem({ number, edit, reason, standing }) {
    const yours = edit.op === "remove" ? "removed" : valueAtText(edit.key, edit.value);
    const item = conflictItem(this.#meet, edit.key, yours, standing && { ...standing, text: valueAtText(standing.key, standing.value) });
    const { retry, drop } = this.#places.words;
    const retryButton = this.#button(item, retry, edit.key, () => this.#meet.retry(number));
    const dropButton = this.#button(item, drop, edit.key, () => this.#meet.drop(number));
    item.append(element("p", { className: "note", text: reason }), element("div", { className: "actions" }, retryButton, dropButton));
    return item;
  }

  /** @param {Overruled} overruled */
  #overruledItem({ key, old, new: value, locationName, priority }) {
    const item = conflictItem(this.#meet, key, valueAtText(key, old), { text: valueAtText(key, value), locationName, priority });
    const seen = this.#button(item, "Seen", key, async () => {
      item.remove();
      this.#count();
    });
    item.append(element("p", { className: "note", text: "The server had taken yours; it was overruled later." }), element("div", { className: "actions" }, seen));
    return item;
  }

  /**
   * @param {HTMLElement} item
   * @param {string} text
   * @param {string} key
   * @param {() => Promise<void>} act
   */
  #button(item, text, key, act) {
    const button = element("button", { text });
    button.type = "button";
    button.setAttribute("aria-label", `${text}: ${key}`);
    button.addEventListener("click", () => {
      // The button goes with its conflict; whoever works by keyboard stays in the list.
      act().then(() => this.#places.title.focus(), (error) => {
        const said = element("p", { className: "said bad", text: messageOf(error) });
        said.setAttribute("role", "alert");
        item.querySelector(".said")?.remove();
        item.append(said);
      });
    });
    return button;
  }
}

/**
 * @param {Meet} meet
 * @param {string} key
 * @param {string} yours
 * @param {{ text: string, locationName: string, priority: number }} [theirs]
 */
function conflictItem(meet, key, yours, theirs) {
  const facts = element("dl", {}, fact("Yours", yours));
  if (theirs) facts.append(fact("Stands", `${theirs.text} – ${theirs.locationName} (${theirs.priority})`));
  return element("li", { className: "conflict" }, element("p", {}, element("strong", { text: aboutOf(/** @type {any} */ (meet.state), key) }), " ", element("code", { className: "note", text: key })), facts);
}

/** @param {string} name @param {string} text */
function fact(name, text) {
  return element("div", {}, element("dt", { text: name }), element("dd", { text }));
}
