// For the warm-up room: who is on, who is how many attempts out, and who comes in the next flight.

import { groupsOf, inGroup } from "../logic/now.js";
import { kgAt, orderAt } from "../logic/order.js";
import { box } from "../tree.js";
import { heading } from "./parts.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../logic/meet.js").Entry} Entry */
/** @typedef {import("../logic/meet.js").Lift} Lift */

const ROWS = 12;

/** @param {View} view */
export function drawWarmUp(view) {
  const { now, words, meet } = view;
  if (meet.entries.length === 0) return [];
  const rows = view.params.rows || ROWS;
  const turns = now.queue.slice(0, rows).map(({ entry, attempt }, index) => {
    const label = index === 0 && entry === now.current ? words.say("onThePlatform") : words.say("attemptsOut", { count: index + (now.current ? 0 : 1) });
    return row(view, entry, now.lift, attempt, label, entry === now.current, String(index));
  });
  const current = heading(words.say("flight", { flight: now.flight }), words.say(now.lift));
  return [box("lr-column", [current, ...turns], { key: "now" }), nextFlight(view, rows)].filter((tree) => tree !== false);
}

/**
 * @param {View} view
 * @param {number} rows
 */
function nextFlight(view, rows) {
  const { now, words, meet } = view;
  const entries = meet.entries.filter(({ platform }) => platform === now.platform);
  const groups = groupsOf(entries);
  const at = groups.findIndex(({ day, flight, lift }) => day === now.day && flight === now.flight && lift === now.lift);
  const next = groups[at + 1];
  if (at < 0 || next === undefined || next.day !== now.day) return false;
  const order = orderAt(inGroup(entries, next), next.lift, 1).slice(0, rows);
  const lines = order.map((entry, index) => row(view, entry, next.lift, 1, String(index + 1), false, String(index)));
  return box("lr-column", [heading(words.say("nextFlight", { flight: next.flight, lift: words.say(next.lift) })), ...lines], { key: "next" });
}

/**
 * @param {View} view
 * @param {Entry} entry
 * @param {Lift} lift
 * @param {number} attempt
 * @param {string} label
 * @param {boolean} isCurrent
 * @param {string} key
 */
function row(view, entry, lift, attempt, label, isCurrent, key) {
  const rack = lift === "squat" ? entry.squatRack : lift === "bench" ? entry.benchRack : "";
  return box(
    "lr-row",
    [
      box("lr-out", label),
      box("lr-name", entry.name),
      box("lr-rack", rack === "" ? "" : view.words.say("rack", { rack })),
      box("lr-nth", String(attempt)),
      box("lr-weight", view.weight(kgAt(entry, lift, attempt))),
    ],
    { key, data: { current: String(isCurrent) } },
  );
}
