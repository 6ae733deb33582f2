// From the state of a meet to what its board shows. No DOM here.

import { isContainer, parseKey, valueAt } from "./meet-state.js";

/** @typedef {import("./meet-state.js").Json} Json */
/** @typedef {import("./meet-state.js").Entry} Entry */
/** @typedef {"squat" | "bench" | "deadlift"} Lift */
/** @typedef {"good" | "missed" | "open" | "none"} Result `open` is declared and not lifted yet. */
/** @typedef {{ weight: string, result: Result }} Attempt */
/** @typedef {{ id: string, lift: Lift, index: number }} AttemptPlace */

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} name
 * @property {string} sex
 * @property {string} divisions
 * @property {string} bodyweight
 * @property {Record<Lift, Attempt[]>} attempts
 * @property {string} subtotal
 * @property {string} total
 */

/**
 * @typedef {object} Board
 * @property {"kg" | "lbs"} unit
 * @property {Record<Lift, number>} columns how many attempts each lift shows
 * @property {Row[]} rows
 */

/** @typedef {{ number: number, key: string, value: string, location: string }} FeedLine */

/** @type {readonly Lift[]} */
export const LIFTS = ["squat", "bench", "deadlift"];

/** Attempts that count; those behind them are for records. */
const COUNTED = 3;
const ATTEMPTS_MAX = 5;
const LBS_PER_KG = 2.20462262;
const FEED_VALUE_MAX = 72;

/** @type {Record<string, Lift>} */
const LIFT_OF_FIELD = Object.assign(Object.create(null), {
  squatKg: "squat",
  squatStatus: "squat",
  benchKg: "bench",
  benchStatus: "bench",
  deadliftKg: "deadlift",
  deadliftStatus: "deadlift",
});

/** @type {Record<Lift, string>} */
const LETTER = { squat: "S", bench: "B", deadlift: "D" };

/**
 * @param {Json} state
 * @returns {Board}
 */
export function boardOf(state) {
  const unit = unitOf(state);
  const entries = entriesOf(state).sort(byPlatform);
  const columns = { squat: COUNTED, bench: COUNTED, deadlift: COUNTED };
  for (const { entry } of entries) {
    for (const lift of LIFTS) columns[lift] = Math.max(columns[lift], usedAttempts(entry, lift));
  }
  return { unit, columns, rows: entries.map(({ id, entry }) => rowOf(id, entry, columns, unit)) };
}

/**
 * @param {Json} state
 * @returns {"kg" | "lbs"}
 */
function unitOf(state) {
  return valueAt(state, "meet", "inKg") === false ? "lbs" : "kg";
}

/**
 * Entries with their ids, from an object keyed by id or from an array.
 * @param {Json} state
 * @returns {{ id: string, entry: Json }[]}
 */
function entriesOf(state) {
  const entries = valueAt(state, "registration", "entries");
  if (!isContainer(entries)) return [];
  return Object.entries(entries)
    .filter(([, entry]) => isContainer(entry) && !Array.isArray(entry))
    .map(([id, entry]) => ({ id, entry }));
}

/**
 * The order in which lifters are called up, as far as registration knows it; it does not move during a meet.
 * @param {{ id: string, entry: Json }} a
 * @param {{ id: string, entry: Json }} b
 */
function byPlatform(a, b) {
  const number = (/** @type {string} */ name) => numberAt(a.entry, name) - numberAt(b.entry, name);
  const flights = compare(textAt(a.entry, "flight"), textAt(b.entry, "flight"));
  return number("day") || number("platform") || flights || number("lot") || Number(a.id) - Number(b.id) || compare(a.id, b.id);
}

/**
 * @param {string} a
 * @param {string} b
 */
function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * @param {string} id
 * @param {Json} entry
 * @param {Record<Lift, number>} columns
 * @param {"kg" | "lbs"} unit
 * @returns {Row}
 */
function rowOf(id, entry, columns, unit) {
  const divisions = valueAt(entry, "divisions");
  const attempts = (/** @type {Lift} */ lift) =>
    Array.from({ length: columns[lift] }, (_, index) => attemptOf(entry, lift, index, unit));
  return {
    id,
    name: textAt(entry, "name"),
    sex: textAt(entry, "sex"),
    divisions: Array.isArray(divisions) ? divisions.filter((division) => typeof division === "string").join(", ") : "",
    bodyweight: weightText(numberAt(entry, "bodyweightKg"), unit),
    attempts: { squat: attempts("squat"), bench: attempts("bench"), deadlift: attempts("deadlift") },
    ...sumsOf(entry, unit),
  };
}

/**
 * @param {Json} entry
 * @param {Lift} lift
 * @param {number} index
 * @param {"kg" | "lbs"} unit
 * @returns {Attempt}
 */
function attemptOf(entry, lift, index, unit) {
  const weight = weightText(kilograms(entry, lift, index), unit);
  if (weight === "") return { weight, result: "none" };
  const status = statusOf(entry, lift, index);
  return { weight, result: status > 0 ? "good" : status < 0 ? "missed" : "open" };
}

/**
 * Attempts up to the last one with a weight or a result.
 * @param {Json} entry
 * @param {Lift} lift
 */
function usedAttempts(entry, lift) {
  let used = ATTEMPTS_MAX;
  while (used > 0 && kilograms(entry, lift, used - 1) === 0) used -= 1;
  return used;
}

/**
 * Subtotal of squat and bench as it stands, and the total once every contested lift has a good attempt.
 * @param {Json} entry
 * @param {"kg" | "lbs"} unit
 */
function sumsOf(entry, unit) {
  const contested = LIFTS.filter((lift) => contests(entry, lift));
  const best = (/** @type {Lift} */ lift) => bestOf(entry, lift);
  const sum = (/** @type {Lift[]} */ lifts) => lifts.reduce((kg, lift) => kg + best(lift), 0);
  const hasSubtotal = contested.includes("squat") && contested.includes("bench");
  const isOut = contested.some((lift) => best(lift) === 0 && allMissed(entry, lift));
  const isComplete = contested.length > 0 && contested.every((lift) => best(lift) > 0);
  return {
    subtotal: hasSubtotal ? weightText(sum(["squat", "bench"]), unit) : "",
    total: isOut ? "no total" : isComplete ? weightText(sum(contested), unit) : "",
  };
}

/**
 * Whether the lifter has entered an event with this lift; without any event, all three count.
 * @param {Json} entry
 * @param {Lift} lift
 */
function contests(entry, lift) {
  const events = valueAt(entry, "events");
  if (!Array.isArray(events) || events.length === 0) return true;
  return events.some((event) => typeof event === "string" && event.includes(LETTER[lift]));
}

/**
 * @param {Json} entry
 * @param {Lift} lift
 */
function bestOf(entry, lift) {
  let best = 0;
  for (let index = 0; index < COUNTED; index += 1) {
    if (statusOf(entry, lift, index) > 0) best = Math.max(best, kilograms(entry, lift, index));
  }
  return best;
}

/**
 * @param {Json} entry
 * @param {Lift} lift
 */
function allMissed(entry, lift) {
  return [0, 1, 2].every((index) => statusOf(entry, lift, index) < 0);
}

/**
 * @param {Json} entry
 * @param {Lift} lift
 * @param {number} index
 */
function kilograms(entry, lift, index) {
  return numberAt(entry, `${lift}Kg`, String(index));
}

/**
 * @param {Json} entry
 * @param {Lift} lift
 * @param {number} index
 */
function statusOf(entry, lift, index) {
  return numberAt(entry, `${lift}Status`, String(index));
}

/**
 * @param {Json} value
 * @param {string[]} path
 */
function numberAt(value, ...path) {
  const found = valueAt(value, ...path);
  return typeof found === "number" ? found : 0;
}

/**
 * @param {Json} value
 * @param {string[]} path
 */
function textAt(value, ...path) {
  const found = valueAt(value, ...path);
  return typeof found === "string" ? found : "";
}

/**
 * A weight in the meet's unit; empty for none.
 * @param {number} kg
 * @param {"kg" | "lbs"} unit
 */
export function weightText(kg, unit) {
  if (!(kg > 0)) return "";
  const [weight, digits] = unit === "lbs" ? [kg * LBS_PER_KG, 1] : [kg, 2];
  return String(Number(weight.toFixed(digits)));
}

/**
 * The name that the meet gives itself; empty before it has one.
 * @param {Json} state
 */
export function meetNameOf(state) {
  return textAt(state, "meet", "name").trim();
}

/**
 * The attempt that an update touched, if it was one.
 * @param {Entry} entry
 * @returns {AttemptPlace | null}
 */
export function attemptPlaceOf(entry) {
  const path = entry.opaque || typeof entry.updateKey !== "string" ? null : parseKey(entry.updateKey);
  if (path === null || path.length !== 5 || path[0] !== "registration" || path[1] !== "entries") return null;
  const [, , id, field, index] = path;
  const lift = LIFT_OF_FIELD[field];
  return lift && /^[0-4]$/.test(index) ? { id, lift, index: Number(index) } : null;
}

/**
 * One attempt in words, for a line beside the board; empty where it has no weight any more.
 * @param {Json} state
 * @param {AttemptPlace} place
 */
export function attemptText(state, { id, lift, index }) {
  const entry = valueAt(state, "registration", "entries", id) ?? null;
  const unit = unitOf(state);
  const { weight, result } = attemptOf(entry, lift, index, unit);
  if (result === "none") return "";
  const outcome = { good: "good lift", missed: "no lift", open: "declared" }[result];
  return `${textAt(entry, "name") || `lifter ${id}`}, ${lift} ${index + 1}, ${weight} ${unit}: ${outcome}`;
}

/**
 * @param {Entry} entry
 * @returns {FeedLine}
 */
export function feedLineOf(entry) {
  const number = entry.serverSeqNum;
  if (entry.opaque) return { number, key: "(private)", value: "", location: "" };
  const value = entry.op === "remove" ? "(removed)" : shortened(JSON.stringify(entry.updateValue ?? null));
  return { number, key: entry.updateKey ?? "", value, location: entry.locationName ?? "" };
}

/** @param {string} text */
function shortened(text) {
  const characters = Array.from(text.slice(0, 2 * FEED_VALUE_MAX));
  if (characters.length <= FEED_VALUE_MAX && text.length <= 2 * FEED_VALUE_MAX) return text;
  return `${characters.slice(0, FEED_VALUE_MAX - 1).join("")}…`;
}
