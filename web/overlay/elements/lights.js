// The referees' decisions, all three at once, as the rules want it.

import { valueAt } from "../../meet-state.js";
import { list, text } from "../logic/meet.js";
import { box } from "../tree.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {"good" | "no" | "dark"} Lamp */

/** How long decisions stay after they were shown. */
const SHOWN_MS = 10_000;
const CARDS = ["red", "blue", "yellow"];

/** @param {View} view */
export function drawLights(view) {
  const { lamps, cards } = lightsOf(view);
  const given = cards.some((own) => own.length > 0);
  const reasons = (/** @type {string[]} */ own) => box("lr-cards", own.map((card) => box("lr-reason", "", { data: { card } })));
  return lamps.map((state, index) => box("lr-referee", [box("lr-lamp", "", { data: { state } }), given && reasons(cards[index])]));
}

/**
 * Dark until all three have decided, and once a while has passed.
 * @param {View} view
 * @returns {{ lamps: Lamp[], cards: string[][], goneInMs: number }}
 */
export function lightsOf(view) {
  const topic = view.topic("lights");
  const decisions = list(topic, "decisions").filter((decision) => decision === "good" || decision === "no");
  const shownAt = Date.parse(text(topic, "at"));
  const goneInMs = Number.isNaN(shownAt) ? Infinity : shownAt + SHOWN_MS - view.serverNow;
  if (decisions.length !== 3 || goneInMs <= 0) return { lamps: ["dark", "dark", "dark"], cards: [[], [], []], goneInMs: Infinity };
  const given = (/** @type {number} */ referee) => list(valueAt(topic, "cards", String(referee))).map(String);
  const cards = [0, 1, 2].map((referee) => CARDS.filter((card) => given(referee).includes(card)));
  return { lamps: /** @type {Lamp[]} */ (decisions), cards, goneInMs };
}
