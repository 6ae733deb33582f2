// The locations of a meet that is being made: a row each.

import { element } from "./board.js";

/** @typedef {import("./client/liftrelay.d.ts").Location} Location */

const LOCATIONS_MAX = 64;
const PRIORITY_NEW = 20;

export class NewLocations {
  #list;
  #add;
  #usual;

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} add
   * @param {Location[]} usual what is proposed; this browser is the first
   */
  constructor(list, add, usual) {
    this.#list = list;
    this.#add = add;
    this.#usual = usual;
    add.addEventListener("click", () => {
      const row = this.#row({ locationName: "", priority: PRIORITY_NEW });
      this.#list.append(row);
      this.#count();
      row.querySelector("input")?.focus();
    });
    this.reset();
  }

  reset() {
    this.#list.replaceChildren(...this.#usual.map((location) => this.#row(location)));
    this.#chooseFirst();
    this.#count();
  }

  #chooseFirst() {
    const first = this.#list.querySelector("input[type=radio]");
    if (first instanceof HTMLInputElement) first.checked = true;
  }

  /** @returns {{ locations: Location[], here: string }} */
  read() {
    const rows = [...this.#list.children].map((row) => [...row.querySelectorAll("input")]);
    const locations = rows.map(([name, priority]) => ({ locationName: name.value.trim(), priority: priority.valueAsNumber }));
    const names = new Set(locations.map(({ locationName }) => locationName));
    if (names.size < locations.length) throw new Error("Two locations have the same name; each needs one of its own.");
    const here = rows.findIndex(([, , chosen]) => chosen.checked);
    if (here < 0) throw new Error("Choose which of the locations this browser is.");
    return { locations, here: locations[here].locationName };
  }

  /** @param {Location} location */
  #row({ locationName, priority }) {
    const name = element("input");
    Object.assign(name, { value: locationName, required: true, maxLength: 64, autocomplete: "off" });
    const weight = element("input");
    Object.assign(weight, { type: "number", value: String(priority), required: true, min: "-1000000000", max: "1000000000", step: "1" });
    const here = element("input");
    Object.assign(here, { type: "radio", name: "here" });
    const remove = element("button", { text: "Remove" });
    remove.type = "button";
    const row = element("li", { className: "location-row" }, labelled("Name", name), labelled("Priority", weight), labelled("This browser", here), remove);
    remove.addEventListener("click", () => {
      row.remove();
      if (here.checked) this.#chooseFirst();
      this.#count();
      this.#add.focus();
    });
    return row;
  }

  /** A meet has at least one location. */
  #count() {
    const rows = [...this.#list.querySelectorAll("button")];
    for (const button of rows) button.disabled = rows.length === 1;
    if (this.#add instanceof HTMLButtonElement) this.#add.disabled = rows.length >= LOCATIONS_MAX;
  }
}

/** @param {string} text @param {HTMLElement} field */
function labelled(text, field) {
  return element("label", {}, `${text} `, field);
}
