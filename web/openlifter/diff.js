// From two states of OpenLifter to the edits between them. Entries are told apart by their ids, never by their places.
//
// The older state has to be a deep copy: OpenLifter changes attempts in place, so two states that it hands out share them.

import { isSame } from "../client/json.js";
import { keyText } from "../client/keys.js";
import { displayOf } from "./display.js";
import { ATTEMPT_FIELDS, DERIVED } from "./shape.js";

/** @typedef {import("../client/liftrelay.d.ts").Edit} Edit */
/** @typedef {import("./shape.js").Fields} Fields */
/** @typedef {import("./shape.js").Entry} Entry */
/** @typedef {import("./shape.js").OpenLifterState} OpenLifterState */

/** A state in which nothing is. @returns {OpenLifterState} */
export function nothing() {
  return { meet: {}, registration: { nextEntryId: 0, entries: [], lookup: {} }, lifting: {} };
}

/**
 * A deep copy of what concerns a meet. What is the same as in `previous`, an older copy, is taken from there.
 * @param {OpenLifterState} state
 * @param {OpenLifterState} [previous]
 * @returns {OpenLifterState}
 */
export function copyOf({ meet, registration, lifting }, previous = nothing()) {
  const older = new Map(previous.registration.entries.map((entry) => [entry.id, entry]));
  const copy = (/** @type {any} */ value, /** @type {any} */ old) => (old && isUnchanged(old, value) ? old : structuredClone(value));
  return {
    meet: copy(meet, previous.meet),
    registration: { ...nothing().registration, entries: registration.entries.map((entry) => copy(entry, older.get(entry.id))) },
    lifting: copy(lifting, previous.lifting),
  };
}

/**
 * The edits that make `after` of `before`. Those of one action belong together and are to be sent as one batch.
 * @param {OpenLifterState} before
 * @param {OpenLifterState} after
 * @param {number | null} platform whose display this browser publishes, if any
 * @returns {Edit[]}
 */
export function editsOf(before, after, platform) {
  return [...fieldEdits(["meet"], before.meet, after.meet), ...entriesEdits(before, after), ...displayEdits(before, after, platform)];
}

/**
 * @param {OpenLifterState} before
 * @param {OpenLifterState} after
 */
function entriesEdits(before, after) {
  const older = new Map(before.registration.entries.map((entry) => [entry.id, entry]));
  const edits = after.registration.entries.flatMap((entry) => {
    const old = older.get(entry.id);
    older.delete(entry.id);
    if (old && isUnchanged(old, entry)) return [];
    return old ? fieldEdits(entryPath(entry), old, entry) : [creation(entry)];
  });
  const removals = [...older.values()].map((entry) => edit(entryPath(entry), undefined));
  return [...removals, ...edits];
}

/**
 * Only what is on the platform of this browser: it may look at another one meanwhile.
 * @param {OpenLifterState} before
 * @param {OpenLifterState} after
 * @param {number | null} platform
 */
export function displayEdits(before, after, platform) {
  const shown = platform === null ? null : displayOf(after);
  if (shown?.platform !== platform || shown === null || isSame(displayOf(before), shown)) return [];
  return [edit(["display", String(platform)], shown)];
}

/**
 * Whether two values are the same for certain. There are hundreds of entries and one action changes one of them, so what did not
 * change has to be passed over quickly.
 * @param {Fields} before
 * @param {Fields} after
 */
function isUnchanged(before, after) {
  const isListAlike = (/** @type {any} */ one, /** @type {any} */ two) =>
    Array.isArray(one) && Array.isArray(two) && one.length === two.length && one.every((item, index) => item === two[index]);
  for (const name in after) {
    if (before[name] !== after[name] && !isListAlike(before[name], after[name])) return false;
  }
  for (const name in before) if (!(name in after)) return false;
  return true;
}

/**
 * @param {string[]} path
 * @param {Fields} before
 * @param {Fields} after
 * @returns {Edit[]}
 */
function fieldEdits(path, before, after) {
  const names = Object.keys({ ...before, ...after }).filter((name) => !DERIVED.has(name));
  return names.flatMap((name) => {
    const [old, value] = [before[name], after[name]];
    if (isSame(old, value)) return [];
    if (ATTEMPT_FIELDS.has(name) && old?.length === value?.length) return elementEdits([...path, name], old, value);
    return [edit([...path, name], value)];
  });
}

/**
 * @param {string[]} path
 * @param {number[]} before
 * @param {number[]} after
 * @returns {Edit[]}
 */
function elementEdits(path, before, after) {
  return after.flatMap((value, index) => (value === before[index] ? [] : [edit([...path, String(index)], value)]));
}

/**
 * @param {Entry} entry
 * @returns {Edit}
 */
function creation(entry) {
  const value = Object.fromEntries(Object.entries(entry).filter(([name]) => !DERIVED.has(name)));
  return { ...edit(entryPath(entry), value), op: "create" };
}

/** @param {Entry} entry */
function entryPath({ id }) {
  return ["registration", "entries", String(id)];
}

/**
 * @param {string[]} path
 * @param {any} value
 * @returns {Edit}
 */
function edit(path, value) {
  const key = keyText(path);
  return value === undefined ? { key, op: "remove" } : { key, value };
}
