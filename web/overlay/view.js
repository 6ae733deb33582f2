// Everything that an element may look at, made once for all elements of a page.

import { valueAt } from "../meet-state.js";
import { weightText } from "../meet-view.js";
import { readingOf } from "./logic/clock.js";
import { readMeet, text } from "./logic/meet.js";
import { nowOf } from "./logic/now.js";
import { classText, mainStanding, standings } from "./logic/places.js";

/** @typedef {import("../meet-state.js").Json} Json */
/** @typedef {import("./logic/meet.js").Entry} Entry */

export class View {
  /** @type {import("./logic/places.js").Standing[] | null} */
  #standings = null;

  /**
   * @param {Json} state
   * @param {import("./params.js").Params} params
   * @param {import("./words.js").Words} words
   * @param {number} serverNow
   */
  constructor(state, params, words, serverNow) {
    this.state = state;
    this.params = params;
    this.words = words;
    this.serverNow = serverNow;
    this.meet = readMeet(state);
    this.now = nowOf(state, this.meet, params.platform);
    /** @type {"kg" | "lbs"} */
    this.unit = params.units === "kg" || params.units === "lbs" ? params.units : this.meet.unit;
  }

  /** What is said of this platform under one of the topics. @param {"lights" | "clock" | "break"} topic */
  topic(topic) {
    return valueAt(this.state, topic, String(this.params.platform));
  }

  get clock() {
    return readingOf(this.topic("clock"), this.serverNow);
  }

  get standings() {
    this.#standings ??= standings(this.meet);
    return this.#standings;
  }

  /** The lifter that the address names, or the one on the platform. */
  get lifter() {
    return this.meet.entries.find(({ id }) => id === this.params.lifter) ?? this.now.current;
  }

  /** @param {Entry} entry */
  standing(entry) {
    return mainStanding(this.standings, entry);
  }

  /** A weight as a number. @param {number} kg */
  weight(kg) {
    return weightText(kg, this.unit);
  }

  /** A weight with its unit, in both where wanted. @param {number} kg */
  weightWithUnit(kg) {
    if (!(kg > 0)) return "";
    const other = this.unit === "kg" ? "lbs" : "kg";
    const own = `${weightText(kg, this.unit)} ${unitText(this.unit)}`;
    return this.params.units === "both" ? `${own} · ${weightText(kg, other)} ${unitText(other)}` : own;
  }

  /** @param {Entry} entry */
  classText(entry) {
    const name = classText(this.meet, entry, this.unit);
    return name === "" ? "" : `${name} ${unitText(this.unit)}`;
  }

  /** Points with two digits; empty where there are none. @param {number} points */
  points(points) {
    return points > 0 && this.meet.formula !== "Total" ? points.toFixed(2) : "";
  }

  /** Which of so many pages is up; by the server's time, so that two screens show the same one. @param {number} pages */
  page(pages) {
    const { rotateMs } = this.params;
    return pages > 1 && rotateMs > 0 ? Math.floor(this.serverNow / rotateMs) % pages : 0;
  }

  /** @param {string} name */
  setting(name) {
    return text(this.state, "overlays", name);
  }
}

/** @param {"kg" | "lbs"} unit */
export function unitText(unit) {
  return unit === "kg" ? "kg" : "lb";
}
