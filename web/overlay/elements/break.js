// The countdown of a break.

import { clockText } from "../logic/clock.js";
import { text } from "../logic/meet.js";
import { box } from "../tree.js";

/** @typedef {import("../view.js").View} View */

/** @param {View} view */
export function drawBreak(view) {
  const { words, meet } = view;
  const reading = breakReading(view);
  const title = text(view.topic("break"), "title").trim() || words.say("break");
  return [
    box("lr-title", title, { key: "title" }),
    reading !== null && box("lr-label", words.say("backIn"), { key: "label" }),
    reading !== null && box("lr-time", clockText(reading.remainingMs), { key: "time" }),
    meet.name !== "" && box("lr-more", meet.name, { key: "meet" }),
  ].filter((tree) => tree !== false);
}

/**
 * What is left of a break that has an end.
 * @param {View} view
 * @returns {import("../logic/clock.js").Reading | null}
 */
export function breakReading(view) {
  const until = Date.parse(text(view.topic("break"), "until"));
  if (Number.isNaN(until)) return null;
  const remainingMs = Math.max(0, until - view.serverNow);
  return { remainingMs, running: remainingMs > 0 };
}
