// The lifter on the platform: who, what, and how it stands.

import { isOut, liftsOf, mainEvent } from "../logic/totals.js";
import { box } from "../tree.js";
import { attemptBoxes, groupWords, sumOf } from "./parts.js";

/** @typedef {import("../view.js").View} View */

/** @param {View} view */
export function drawLowerThird(view) {
  const { lifter } = view;
  return lifter === null ? noLifter(view) : [lifterCard(view, lifter)];
}

/**
 * @param {View} view
 * @param {import("../logic/meet.js").Entry} lifter
 */
function lifterCard(view, lifter) {
  const { words, now } = view;
  const lift = liftsOf(mainEvent(lifter)).includes(now.lift) || lifter === now.current ? now.lift : liftsOf(mainEvent(lifter))[0];
  const facts = [view.classText(lifter), lifter.divisions[0], lifter.team || lifter.country, lifter.guest ? words.say("guest") : ""].filter(Boolean);
  const sum = sumOf(view, lifter);
  return box(
    "lr-card",
    [
      box("lr-who", [box("lr-name", lifter.name), box("lr-facts", facts.map((fact) => box("lr-fact", fact, { tag: "span" })))]),
      box("lr-lift", [box("lr-label", words.say(lift)), box("lr-attempts-row", attemptBoxes(view, lifter, lift))]),
      figure("lr-total", sum.label, isOut(lifter) ? words.say("noTotal") : view.weight(sum.kg)),
      figure("lr-points", view.meet.formula === "Total" ? "" : view.meet.formula.replace(/^IPF GL.*/, "GL"), view.points(sum.points)),
      figure("lr-place", words.say("place"), sum.place > 0 && sum.points > 0 ? String(sum.place) : ""),
    ],
    { key: lifter.id },
  );
}

/**
 * @param {string} cls
 * @param {string} label
 * @param {string} value
 */
function figure(cls, label, value) {
  return value !== "" && label !== "" && box(`lr-figure ${cls}`, [box("lr-label", label), box("lr-value", value)], { key: cls });
}

/**
 * Between lifters the meet itself.
 * @param {View} view
 */
function noLifter(view) {
  const { meet } = view;
  if (meet.entries.length === 0 && meet.name === "") return [];
  const facts = meet.entries.length > 0 ? groupWords(view).slice(0, 2) : [];
  const who = box("lr-who", [box("lr-name", meet.name), box("lr-facts", facts.map((fact) => box("lr-fact", fact, { tag: "span" })))]);
  return [box("lr-card", [who], { key: "meet" })];
}
