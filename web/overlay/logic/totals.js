// What a lifter has lifted so far.

import { contests, LETTER, LIFTS } from "./meet.js";

/** @typedef {import("./meet.js").Entry} Entry */
/** @typedef {import("./meet.js").Lift} Lift */

/** Attempts that count; those behind them are for records. */
const COUNTED = 3;

/**
 * The heaviest good attempt in kilograms; 0 where there is none.
 * @param {Entry} entry
 * @param {Lift} lift
 */
export function bestOf(entry, lift) {
  const good = entry.attempts[lift].slice(0, COUNTED).filter(({ status }) => status > 0);
  return Math.max(0, ...good.map(({ kg }) => kg));
}

/**
 * The event that an entry is shown with: the one with the most lifts.
 * @param {Entry} entry
 */
export function mainEvent(entry) {
  return entry.events.reduce((main, event) => (event.length > main.length ? event : main), entry.events[0] ?? "SBD");
}

/**
 * The lifts of an event.
 * @param {string} event
 */
export function liftsOf(event) {
  return LIFTS.filter((lift) => event.includes(LETTER[lift]));
}

/**
 * The total in kilograms; 0 until every lift of the event has a good attempt.
 * @param {Entry} entry
 * @param {string} [event]
 */
export function totalOf(entry, event = mainEvent(entry)) {
  const bests = liftsOf(event).map((lift) => bestOf(entry, lift));
  return bests.length > 0 && bests.every((kg) => kg > 0) ? bests.reduce((sum, kg) => sum + kg, 0) : 0;
}

/**
 * The sum of what is good so far, for a lifter who is still on the way to a total.
 * @param {Entry} entry
 * @param {string} [event]
 */
export function subtotalOf(entry, event = mainEvent(entry)) {
  return liftsOf(event).reduce((sum, lift) => sum + bestOf(entry, lift), 0);
}

/**
 * Whether there will be no total: all three attempts of a lift are missed.
 * @param {Entry} entry
 * @param {string} [event]
 */
export function isOut(entry, event = mainEvent(entry)) {
  return liftsOf(event).some((lift) => contests(entry, lift) && entry.attempts[lift].slice(0, COUNTED).every(({ status }) => status < 0));
}

/**
 * Whether the lifter may still lift. An attempt that was not taken before the next lift began was passed; whether a last one
 * will be, nobody can tell.
 * @param {Entry} entry
 */
export function hasAttemptsLeft(entry) {
  if (isOut(entry)) return false;
  const contested = LIFTS.filter((lift) => contests(entry, lift)).map((lift) => entry.attempts[lift].slice(0, COUNTED));
  const begun = contested.map((attempts) => attempts.some(({ status }) => status !== 0)).lastIndexOf(true);
  return contested.slice(Math.max(0, begun)).some((attempts) => attempts.some(({ status }) => status === 0));
}
