// The live log, newest first, and a search in it.

import { element } from "../board.js";
import { byId, write } from "../meet-page.js";
import { lifterOf, timeText, valueText } from "../parts.js";
import { LogSearch } from "./search.js";

/** @typedef {import("../client/liftrelay.d.ts").Entry} Entry */
/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */

/** More lines at once than anybody reads only make the page slow. */
const SHOWN_STEP = 100;

export class LogList {
  #list = byId("log", HTMLElement);
  #count = byId("log-count", HTMLElement);
  #said = byId("log-said", HTMLElement);
  #more = byId("log-more", HTMLElement);
  #form = byId("search", HTMLFormElement);
  #search = new LogSearch((key) => this.#lifter(key), () => this.#askDraw());
  #look;
  /** @type {Meet | null} */
  #meet = null;
  /** From 1 on. @type {Entry[]} */
  #entries = [];
  /** Lines on the page, by number. @type {Map<number, HTMLElement>} */
  #lines = new Map();
  /** @type {string[]} */
  #words = [];
  #shown = SHOWN_STEP;
  #isReading = false;
  #isAsked = false;

  /** @param {(number: number) => void} look shows the meet as of an update */
  constructor(look) {
    this.#look = look;
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", () => this.#find());
    this.#more.addEventListener("click", () => {
      this.#shown += SHOWN_STEP;
      this.#draw();
    });
  }

  /**
   * Shows the log of a meet. Gives the way to stop.
   * @param {Meet} meet
   */
  show(meet) {
    this.#meet = meet;
    this.#startOver();
    this.#form.reset();
    this.#find();
    const stops = [meet.on("reset", () => this.#startOver()), meet.subscribe(() => void this.#read(meet))];
    return () => {
      for (const stop of stops) stop();
      this.#meet = null;
      this.#startOver();
    };
  }

  /** When an update was committed; empty where it is not here. @param {number} number */
  timeOf(number) {
    return this.#entries[number - 1]?.at ?? "";
  }

  #startOver() {
    this.#entries = [];
    this.#lines.clear();
    this.#list.replaceChildren();
  }

  /** Reads what is new, until nothing is. @param {Meet} meet */
  async #read(meet) {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#meet === meet && meet.status.lastNumber !== this.#entries.length) {
        if (meet.status.lastNumber < this.#entries.length) this.#startOver();
        const known = this.#entries;
        const news = await meet.log(known.length);
        // Meanwhile the history may have been replaced.
        if (known !== this.#entries) continue;
        if (news.length === 0) break;
        for (const entry of news) known.push(entry);
        this.#refresh();
      }
    } catch {
      // The next status asks again; why it failed stands at the link.
    } finally {
      this.#isReading = false;
    }
    // Another meet may have been opened during the last read.
    if (this.#meet !== null && this.#meet !== meet) void this.#read(this.#meet);
  }

  #find() {
    const field = /** @type {HTMLInputElement} */ (this.#form.elements.namedItem("words"));
    this.#words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    this.#shown = SHOWN_STEP;
    this.#refresh();
  }

  #refresh() {
    if (this.#words.length > 0) this.#search.find(this.#entries, this.#words);
    else this.#askDraw();
  }

  #askDraw() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      this.#draw();
    });
  }

  #draw() {
    const found = this.#words.length === 0 ? this.#entries : this.#search.found;
    const shown = found.slice(-this.#shown).reverse();
    const numbers = new Set(shown.map(({ serverSeqNum }) => serverSeqNum));
    for (const [number, line] of this.#lines) {
      if (numbers.has(number)) continue;
      line.remove();
      this.#lines.delete(number);
    }
    // Lines that stay where they are keep the focus.
    shown.forEach((entry, position) => {
      const line = this.#lineOf(entry);
      const there = this.#list.children[position] ?? null;
      if (there !== line) this.#list.insertBefore(line, there);
    });
    write(this.#count, String(this.#entries.length));
    write(this.#said, this.#words.length > 0 ? `${found.length} of ${this.#entries.length} updates` : this.#entries.length > 0 ? "" : "Nothing has changed yet.");
    this.#more.hidden = found.length <= shown.length;
  }

  /** @param {string} key */
  #lifter(key) {
    return lifterOf(/** @type {any} */ (this.#meet?.state ?? null), key);
  }

  /** @param {Entry} entry */
  #lineOf(entry) {
    const line = this.#lines.get(entry.serverSeqNum) ?? this.#newLine(entry);
    this.#lines.set(entry.serverSeqNum, line);
    return line;
  }

  /** @param {Entry} entry */
  #newLine(entry) {
    const { serverSeqNum, at, updateKey, locationName, priority, overrules } = entry;
    const look = element("button", { text: "Look" });
    look.type = "button";
    look.setAttribute("aria-label", `The meet as of update ${serverSeqNum}`);
    look.addEventListener("click", () => this.#look(serverSeqNum));
    const what = element("span", { className: "what" }, element("code", { text: updateKey }));
    const lifter = this.#lifter(updateKey);
    if (lifter) what.append(element("span", { className: "lifter", text: lifter }));
    const where = element("span", { className: "where", text: `${locationName} (${priority})` });
    if (overrules) where.append(element("span", { className: "overrules", text: `overrules ${overrules.join(", ")}` }));
    const when = element("time", { className: "when", text: timeText(at) });
    when.dateTime = at;
    return element("li", {}, element("span", { className: "seq", text: String(serverSeqNum) }), when, what, valueOf(entry), where, look);
  }
}

/** @param {Entry} entry */
function valueOf({ op, updateValue, previousValue }) {
  const old = previousValue === undefined ? "" : `${valueText(previousValue)} → `;
  return element("span", { className: "value" }, element("span", { className: "old", text: old }), op === "remove" ? "removed" : valueText(updateValue));
}
