// The attempt board of a flight, as it hangs in a hall.

import { contests, LIFTS } from "../logic/meet.js";
import { isOut } from "../logic/totals.js";
import { box } from "../tree.js";
import { attemptBox, groupWords, heading, pageOf, sumOf } from "./parts.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../logic/meet.js").Entry} Entry */

const ROWS = 14;
const ATTEMPTS = [1, 2, 3];

/** @param {View} view */
export function drawBoard(view) {
  const { now, words, meet } = view;
  if (now.order.length === 0) return [];
  const lifts = LIFTS.filter((lift) => now.order.some((entry) => contests(entry, lift)));
  const { items, note } = pageOf(view, now.order, ROWS);
  const title = words.say("lifter");
  const head = box(
    "lr-head",
    [
      box("lr-name", title),
      box("lr-class", words.say("weightClass")),
      ...lifts.map((lift) => box("lr-lift-name", words.say(lift), { key: lift, data: { now: String(lift === now.lift) } })),
      box("lr-weight", words.say("total")),
      box("lr-points", view.meet.formula === "Total" ? "" : words.say("points")),
      box("lr-nth", "#"),
    ],
    { key: "head" },
  );
  const rows = items.map((entry) => row(view, entry, lifts));
  const group = [...groupWords(view), note].filter(Boolean).join(" · ");
  return [heading(meet.name, group), box("lr-table", [head, ...rows], { key: "table", vars: { "--lifts": String(lifts.length) } })];
}

/**
 * @param {View} view
 * @param {Entry} entry
 * @param {import("../logic/meet.js").Lift[]} lifts
 */
function row(view, entry, lifts) {
  const sum = sumOf(view, entry);
  const total = isOut(entry) ? "–" : view.weight(sum.kg);
  const attempts = lifts.map((lift) => box("lr-attempts-row", ATTEMPTS.map((attempt) => attemptBox(view, entry, lift, attempt)), { key: lift }));
  return box(
    "lr-row",
    [
      box("lr-name", entry.name),
      box("lr-class", view.classText(entry)),
      ...attempts,
      box("lr-weight", total, { data: { total: String(sum.place > 0) } }),
      box("lr-points", view.points(sum.points)),
      box("lr-nth", sum.place > 0 ? String(sum.place) : ""),
    ],
    { key: entry.id, data: { current: String(entry === view.now.current) } },
  );
}
