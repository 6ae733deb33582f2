// What an OpenLifter state is made of, as far as a meet is concerned with it.

/** @typedef {import("../client/json.js").Json} Json */
/** @typedef {{ [field: string]: any }} Fields */
/** @typedef {Fields & { id: number }} Entry */

/**
 * OpenLifter's own state; members that are not named here (versions, language, what its autosave keeps) are its own business.
 * @typedef {Fields & { meet: Fields, registration: Fields & { nextEntryId: number, entries: Entry[], lookup: Fields }, lifting: Fields }} OpenLifterState
 */

/** Lifts by the letter that OpenLifter has for them. @type {Record<string, { kg: string, status: string }>} */
export const LIFTS = {
  S: { kg: "squatKg", status: "squatStatus" },
  B: { kg: "benchKg", status: "benchStatus" },
  D: { kg: "deadliftKg", status: "deadliftStatus" },
};

/** Fields whose elements are edited one by one: two people may each enter another attempt of one lifter. */
export const ATTEMPT_FIELDS = new Set(Object.values(LIFTS).flatMap(({ kg, status }) => [kg, status]));

/** Computed by whoever shows them. */
export const DERIVED = new Set(["points", "place"]);

const FIRST_ID = 5000;
const IDS_OF_A_CLIENT = 10000;

/** What OpenLifter cannot do without in an entry, for those that a script made of a name alone. */
const BLANK = {
  day: 1,
  platform: 1,
  flight: "A",
  name: "",
  sex: "M",
  birthDate: "",
  age: 0,
  country: "",
  state: "",
  intendedWeightClassKg: "",
  equipment: "Sleeves",
  divisions: [],
  events: [],
  lot: 0,
  memberId: "",
  paid: false,
  team: "",
  guest: false,
  notes: "",
  bodyweightKg: 0,
  squatRackInfo: "",
  benchRackInfo: "",
};

/** A lifter of whom nothing is known. @returns {Fields} */
export function blankEntry() {
  const attempts = [...ATTEMPT_FIELDS].map((field) => [field, [0, 0, 0, 0, 0]]);
  return { ...structuredClone(BLANK), ...Object.fromEntries(attempts) };
}

/**
 * The id of the next entry made here. Every OpenLifter counts from 5000, so each client of a meet has a block of ids of its own;
 * one that was given out is not given out again, though its entry is gone.
 * @param {number} slot
 * @param {number} next what OpenLifter would take
 * @param {Entry[]} entries
 */
export function nextEntryId(slot, next, entries) {
  const start = FIRST_ID + slot * IDS_OF_A_CLIENT;
  const isOwn = (/** @type {number} */ id) => id >= start && id < start + IDS_OF_A_CLIENT;
  const own = entries.map(({ id }) => id + 1).filter((id) => isOwn(id - 1));
  return [start, ...own, ...(isOwn(next) ? [next] : [])].reduce((a, b) => Math.max(a, b));
}
