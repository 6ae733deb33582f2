// All attempts of one lifter, and what is on the bar.

import { loadingOf } from "../logic/loading.js";
import { currentKg } from "../logic/now.js";
import { liftsOf, mainEvent } from "../logic/totals.js";
import { box } from "../tree.js";
import { attemptBoxes, sumOf } from "./parts.js";

/** @typedef {import("../view.js").View} View */

const LBS_PER_KG = 2.20462262;

/** @param {View} view */
export function drawAttempts(view) {
  const { lifter, words, now } = view;
  if (lifter === null) return [];
  const sum = sumOf(view, lifter);
  const lifts = liftsOf(mainEvent(lifter));
  const row = (/** @type {import("../logic/meet.js").Lift} */ lift) => {
    const isNow = lifter === now.current && lift === now.lift;
    return box("lr-lift-row", [box("lr-label", words.say(lift)), ...attemptBoxes(view, lifter, lift)], { key: lift, data: { now: String(isNow) } });
  };
  return [
    box("lr-heading", [box("lr-title", lifter.name), box("lr-more", view.weightWithUnit(sum.kg))], { key: "heading" }),
    ...lifts.map(row),
    lifter === now.current && barOf(view),
  ].filter((tree) => tree !== false);
}

/** @param {View} view */
function barOf(view) {
  const { meet, now, words } = view;
  const kg = currentKg(now);
  if (kg === 0) return false;
  const { plates, missingKg } = loadingOf(meet, now.lift, kg);
  const own = (/** @type {number} */ kg) => String(Number((meet.unit === "lbs" ? kg * LBS_PER_KG : kg).toFixed(2)));
  const size = (/** @type {number} */ kg) => String(Math.min(1, 0.34 + 0.66 * Math.sqrt(kg / (meet.plates[0]?.kg || 25))).toFixed(2));
  const drawn = plates.map((plate) =>
    box("lr-plate", own(plate.kg), { tag: "span", vars: { "--plate": plate.colour, "--ink": inkOn(plate.colour), "--size": size(plate.kg) } }),
  );
  const missing = missingKg !== 0 && box("lr-plate-missing", "?", { tag: "span" });
  return box("lr-bar", [box("lr-label", words.say("bar", { weight: view.weightWithUnit(kg) })), box("lr-plates", [...drawn, missing])], { key: "bar" });
}

/**
 * Dark or light, whichever can be read on a colour.
 * @param {string} colour
 */
function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#111" : "#fff";
}
