// An OpenLifter save file as edits of a meet. What belongs to one browser alone stays behind.

import { isContainer, keyText } from "../meet-state.js";

/** @typedef {import("../client/liftrelay.d.ts").Edit} Edit */
/** @typedef {import("../client/liftrelay.d.ts").Json} Json */

/** OpenLifter computes these anew in every browser. */
const DERIVED = new Set(["points", "place"]);

/**
 * @param {string} text
 * @returns {Edit[]} to be pushed as one commit
 */
export function editsOf(text) {
  const saved = parsed(text);
  const { meet, registration } = isContainer(saved) && !Array.isArray(saved) ? saved : /** @type {any} */ ({});
  const entries = registration?.entries;
  if (!isContainer(meet) || Array.isArray(meet) || !Array.isArray(entries)) {
    throw new Error("this is no OpenLifter file: it has no meet with registrations; choose what OpenLifter saved as .openlifter");
  }
  const fields = Object.entries(meet).map(([name, value]) => ({ key: keyText(["meet", name]), value }));
  return [...fields, ...entries.map(entryEdit)];
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("this is no OpenLifter file: it is not JSON; choose what OpenLifter saved as .openlifter");
  }
}

/**
 * @param {Json} entry
 * @param {number} position
 */
function entryEdit(entry, position) {
  const id = isContainer(entry) && !Array.isArray(entry) ? entry.id : undefined;
  if (!isContainer(entry) || !Number.isSafeInteger(id) || Number(id) < 0) {
    throw new Error(`registration ${position + 1} of the OpenLifter file has no id`);
  }
  const value = Object.fromEntries(Object.entries(entry).filter(([name]) => !DERIVED.has(name)));
  return { key: keyText(["registration", "entries", String(id)]), value };
}
