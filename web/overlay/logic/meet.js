// A meet as displays read it: the folded state with every member present and of its type, whatever clients have written.

import { isContainer, valueAt } from "../../meet-state.js";

/** @typedef {import("../../meet-state.js").Json} Json */
/** @typedef {"squat" | "bench" | "deadlift"} Lift */
/** @typedef {{ kg: number, status: -1 | 0 | 1 }} Attempt `kg` 0 is an attempt that nobody declared; status 0 one that nobody judged. */

/**
 * @typedef {object} Entry
 * @property {string} id
 * @property {string} name
 * @property {string} sex
 * @property {number} day
 * @property {number} platform
 * @property {string} flight
 * @property {number} lot
 * @property {string[]} divisions
 * @property {string[]} events such as SBD
 * @property {string} equipment
 * @property {string} team
 * @property {string} country
 * @property {boolean} guest
 * @property {number} bodyweightKg
 * @property {string} squatRack
 * @property {string} benchRack
 * @property {Record<Lift, Attempt[]>} attempts five each; only the first three count
 */

/** @typedef {{ kg: number, pairs: number, colour: string }} Plate */

/**
 * @typedef {object} Meet
 * @property {string} name
 * @property {string} federation
 * @property {"kg" | "lbs"} unit
 * @property {string} formula
 * @property {boolean} combinesSleevesAndWraps
 * @property {boolean} combinesPlies
 * @property {Record<string, number[]>} classes upper limits in kilograms by sex, ascending
 * @property {Record<Lift, number>} barKg bar and collars
 * @property {Plate[]} plates heaviest first
 * @property {Entry[]} entries
 */

/** @type {readonly Lift[]} */
export const LIFTS = ["squat", "bench", "deadlift"];
export const ATTEMPTS_MAX = 5;

/** @type {Record<Lift, string>} */
export const LETTER = { squat: "S", bench: "B", deadlift: "D" };

/** What a meet has that says nothing else: a bar with collars, and pairs of plates as the technical rules colour them. */
const BAR_KG = { kg: 25, lbs: 45 / 2.20462262 };
const PLATES = {
  kg: [
    standard(25, 8, "#c8102e"),
    standard(20, 1, "#0057b8"),
    standard(15, 1, "#f2c200"),
    standard(10, 1, "#00843d"),
    standard(5, 1, "#f2f2f2"),
    standard(2.5, 1, "#3a3a3a"),
    standard(1.25, 1, "#9a9a9a"),
    standard(0.5, 1, "#9a9a9a"),
    standard(0.25, 1, "#9a9a9a"),
  ],
  lbs: [45, 35, 25, 10, 5, 2.5, 1.25].map((pounds, index) => standard(pounds / 2.20462262, index === 0 ? 8 : 2, "#3a3a3a")),
};
const CLASSES = { M: "weightClassesKgMen", F: "weightClassesKgWomen", Mx: "weightClassesKgMx" };

/**
 * @param {Json} state
 * @returns {Meet}
 */
export function readMeet(state) {
  const meet = valueAt(state, "meet") ?? null;
  const unit = valueAt(meet, "inKg") === false ? "lbs" : "kg";
  const bar = (/** @type {Lift} */ lift) => number(meet, `${lift}BarAndCollarsWeightKg`) || BAR_KG[unit];
  const plates = list(meet, "plates").map(readPlate);
  const classes = (/** @type {string} */ name) => list(meet, name).filter(isNumber).sort((a, b) => a - b);
  return {
    name: text(meet, "name").trim(),
    federation: text(meet, "federation").trim(),
    unit,
    formula: text(meet, "formula"),
    combinesSleevesAndWraps: valueAt(meet, "combineSleevesAndWraps") === true,
    combinesPlies: valueAt(meet, "combineSingleAndMulti") === true,
    classes: Object.fromEntries(Object.entries(CLASSES).map(([sex, name]) => [sex, classes(name)])),
    barKg: { squat: bar("squat"), bench: bar("bench"), deadlift: bar("deadlift") },
    plates: (plates.length > 0 ? plates : PLATES[unit]).sort((a, b) => b.kg - a.kg),
    entries: readEntries(state),
  };
}

/**
 * Entries from an object keyed by id, or from an array as a save file has them.
 * @param {Json} state
 */
function readEntries(state) {
  const entries = valueAt(state, "registration", "entries");
  if (!isContainer(entries)) return [];
  return Object.entries(entries)
    .filter(([, entry]) => isContainer(entry) && !Array.isArray(entry))
    .map(([key, entry]) => readEntry(Array.isArray(entries) ? String(number(entry, "id") || key) : key, entry));
}

/**
 * @param {string} id
 * @param {Json} entry
 * @returns {Entry}
 */
function readEntry(id, entry) {
  const attempts = (/** @type {Lift} */ lift) => Array.from({ length: ATTEMPTS_MAX }, (_, index) => readAttempt(entry, lift, index));
  return {
    id,
    name: text(entry, "name").trim(),
    sex: text(entry, "sex"),
    day: number(entry, "day") || 1,
    platform: number(entry, "platform") || 1,
    flight: text(entry, "flight") || "A",
    lot: number(entry, "lot"),
    divisions: list(entry, "divisions").filter(isText),
    events: list(entry, "events").filter(isText),
    equipment: text(entry, "equipment"),
    team: text(entry, "team").trim(),
    country: text(entry, "country").trim(),
    guest: valueAt(entry, "guest") === true,
    bodyweightKg: number(entry, "bodyweightKg"),
    squatRack: text(entry, "squatRackInfo"),
    benchRack: text(entry, "benchRackInfo"),
    attempts: { squat: attempts("squat"), bench: attempts("bench"), deadlift: attempts("deadlift") },
  };
}

/**
 * @param {Json} entry
 * @param {Lift} lift
 * @param {number} index
 * @returns {Attempt}
 */
function readAttempt(entry, lift, index) {
  const kg = Math.max(0, number(entry, `${lift}Kg`, String(index)));
  const status = kg > 0 ? Math.sign(number(entry, `${lift}Status`, String(index))) : 0;
  return { kg, status: status > 0 ? 1 : status < 0 ? -1 : 0 };
}

/**
 * @param {Json} plate
 * @returns {Plate}
 */
function readPlate(plate) {
  const colour = text(plate, "color");
  return { kg: number(plate, "weightKg"), pairs: number(plate, "pairCount"), colour: /^#[0-9a-f]{6}$/i.test(colour) ? colour : "#808080" };
}

/**
 * @param {number} kg
 * @param {number} pairs
 * @param {string} colour
 * @returns {Plate}
 */
function standard(kg, pairs, colour) {
  return { kg, pairs, colour };
}

/**
 * Whether the lifter has entered an event with this lift; without any event, all three count.
 * @param {Entry} entry
 * @param {Lift} lift
 */
export function contests(entry, lift) {
  return entry.events.length === 0 || entry.events.some((event) => event.includes(LETTER[lift]));
}

/**
 * The lift that a letter of OpenLifter's stands for.
 * @param {Json | undefined} letter
 * @returns {Lift | null}
 */
export function liftOf(letter) {
  return LIFTS.find((lift) => LETTER[lift] === letter) ?? null;
}

/**
 * @param {Json | undefined} value
 * @param {string[]} path
 */
export function number(value, ...path) {
  const found = valueAt(value, ...path);
  return isNumber(found) ? found : 0;
}

/**
 * @param {Json | undefined} value
 * @param {string[]} path
 */
export function text(value, ...path) {
  const found = valueAt(value, ...path);
  return isText(found) ? found : "";
}

/**
 * @param {Json | undefined} value
 * @param {string[]} path
 * @returns {Json[]}
 */
export function list(value, ...path) {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** @param {unknown} value @returns {value is number} */
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
/** @param {unknown} value @returns {value is string} */
const isText = (value) => typeof value === "string";
