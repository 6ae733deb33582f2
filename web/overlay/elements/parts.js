// What several elements are made of.

import { box } from "../tree.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../logic/meet.js").Entry} Entry */
/** @typedef {import("../logic/meet.js").Lift} Lift */

/** Attempts that are shown; more of them only where they are used. */
const SHOWN = 3;

/**
 * The attempts of one lift as boxes.
 * @param {View} view
 * @param {Entry} entry
 * @param {Lift} lift
 */
export function attemptBoxes(view, entry, lift) {
  const attempts = entry.attempts[lift];
  const used = attempts.reduce((used, { kg }, index) => (kg > 0 ? Math.max(used, index + 1) : used), SHOWN);
  return attempts.slice(0, used).map((_, index) => attemptBox(view, entry, lift, index + 1));
}

/**
 * @param {View} view
 * @param {Entry} entry
 * @param {Lift} lift
 * @param {number} attempt
 */
export function attemptBox(view, entry, lift, attempt) {
  const { kg, status } = entry.attempts[lift][attempt - 1];
  const { now } = view;
  const isCurrent = entry === now.current && lift === now.lift && attempt === now.attempt && status === 0;
  const state = status > 0 ? "good" : status < 0 ? "no" : isCurrent ? "current" : kg > 0 ? "open" : "none";
  return box("lr-attempt", [box("lr-weight", view.weight(kg), { tag: "span" })], { data: { state } });
}

/**
 * @param {View} view
 * @param {Entry} entry
 */
export function sumOf(view, entry) {
  const standing = view.standing(entry);
  const isTotal = (standing?.totalKg ?? 0) > 0;
  const kg = isTotal ? standing?.totalKg : standing?.subtotalKg;
  return { label: view.words.say(isTotal ? "total" : "subtotal"), kg: kg ?? 0, points: standing?.points ?? 0, place: standing?.place ?? 0 };
}

/**
 * Flight, lift and attempt in words.
 * @param {View} view
 */
export function groupWords({ words, now }) {
  return [words.say("flight", { flight: now.flight }), words.say(now.lift), words.say("attempt", { attempt: now.attempt })];
}

/**
 * A heading over an element.
 * @param {string} title
 * @param {string} [more]
 */
export function heading(title, more = "") {
  return box("lr-heading", [box("lr-title", title), more !== "" && box("lr-more", more)], { key: "heading" });
}

/**
 * The page of a list that is up.
 * @template T
 * @param {View} view
 * @param {T[]} items
 * @param {number} usual rows of a page
 */
export function pageOf(view, items, usual) {
  const rows = view.params.rows || usual;
  const pages = Math.max(1, Math.ceil(items.length / rows));
  const page = view.page(pages);
  return { items: items.slice(page * rows, (page + 1) * rows), first: page * rows, note: pages > 1 ? `${page + 1}/${pages}` : "" };
}
