// What a scoring browser shows and has computed, for everybody who has no OpenLifter: who lifts, who is next, in which order.

import { LIFTS } from "./shape.js";

/** @typedef {import("./shape.js").Entry} Entry */
/** @typedef {import("./shape.js").OpenLifterState} OpenLifterState */
/** @typedef {{ kg: string, status: string }} Lift */

/**
 * @typedef {object} Display
 * @property {number} day
 * @property {number} platform
 * @property {string} flight
 * @property {string} lift S, B or D
 * @property {number | null} overrideAttempt
 * @property {number | null} overrideEntryId
 * @property {number} attempt counted from 1
 * @property {number[]} order ids of the flight, in lifting order
 * @property {number | null} currentEntryId
 * @property {number | null} nextEntryId
 * @property {number | null} nextAttempt
 */

const ATTEMPTS = 5;
const COUNTED = 3;

/**
 * @param {OpenLifterState} state
 * @returns {Display | null} null where the screen shows no lift
 */
export function displayOf({ lifting, registration }) {
  const lift = LIFTS[lifting?.lift];
  if (!lift) return null;
  const { day, platform, flight, overrideAttempt = null, overrideEntryId = null } = lifting;
  const flightEntries = registration.entries.filter((entry) => isInGroup(entry, lifting));
  const attempt = overrideAttempt === null ? activeAttempt(flightEntries, lift) : Number(overrideAttempt);
  const entries = ordered(flightEntries, lift, attempt);
  const current = entries.find(({ id }) => id === overrideEntryId) ?? entries.find((entry) => isOpen(entry, lift, attempt));
  const next = current ? following(entries, current, lift, attempt) : null;
  return {
    day,
    platform,
    flight,
    lift: lifting.lift,
    overrideAttempt,
    overrideEntryId,
    attempt,
    order: entries.map(({ id }) => id),
    currentEntryId: current?.id ?? null,
    nextEntryId: next?.entry.id ?? null,
    nextAttempt: next?.attempt ?? null,
  };
}

/**
 * @param {Entry} entry
 * @param {import("./shape.js").Fields} lifting
 */
function isInGroup(entry, { day, platform, flight, lift }) {
  return entry.day === day && entry.platform === platform && entry.flight === flight && entry.events.some((/** @type {string} */ event) => event.includes(lift));
}

/**
 * The lowest attempt that somebody has still to take; where nobody has, the one behind the highest taken. Fourths are for
 * records and are not gone on to by themselves.
 * @param {Entry[]} entries
 * @param {Lift} lift
 */
function activeAttempt(entries, lift) {
  const last = (/** @type {Entry} */ entry, /** @type {boolean} */ isTaken) => {
    let attempt = ATTEMPTS;
    while (attempt > 0 && (kilograms(entry, lift, attempt) === 0 || isTaken === isOpen(entry, lift, attempt))) attempt -= 1;
    return attempt;
  };
  const open = entries.map((entry) => last(entry, false)).filter((attempt) => attempt > 0);
  if (open.length > 0) return Math.min(...open);
  const taken = Math.max(0, ...entries.map((entry) => last(entry, true)));
  return taken < COUNTED ? taken + 1 : taken;
}

/**
 * Those who have declared the attempt behind this one first, for they have had their turn; then this one, then those who have yet
 * to declare it, then the rest.
 * @param {Entry[]} entries
 * @param {Lift} lift
 * @param {number} attempt
 */
function ordered(entries, lift, attempt) {
  const sortedBy = [attempt + 1, attempt, attempt - 1];
  const groupOf = (/** @type {Entry} */ entry) => {
    const group = sortedBy.findIndex((number) => kilograms(entry, lift, number) !== 0);
    return group < 0 ? sortedBy.length : group;
  };
  return [...entries].sort((a, b) => groupOf(a) - groupOf(b) || byWeight(a, b, lift, sortedBy[groupOf(a)] ?? attempt));
}

/**
 * Lighter bars first; ties go by lot, then by the order of the attempt before, then by bodyweight and name.
 * @param {Entry} a
 * @param {Entry} b
 * @param {Lift} lift
 * @param {number} attempt
 * @returns {number}
 */
function byWeight(a, b, lift, attempt) {
  const difference = kilograms(a, lift, attempt) - kilograms(b, lift, attempt);
  if (difference !== 0) return difference;
  if (a.lot !== 0 && b.lot !== 0) return a.lot - b.lot;
  if (attempt > 1) return byWeight(a, b, lift, attempt - 1);
  return a.bodyweightKg - b.bodyweightKg || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/**
 * Whoever comes behind the current lifter, in this round or at the start of the next.
 * @param {Entry[]} entries
 * @param {Entry} current
 * @param {Lift} lift
 * @param {number} attempt
 */
function following(entries, current, lift, attempt) {
  const at = entries.indexOf(current);
  const inThis = entries.slice(at + 1).find((entry) => isOpen(entry, lift, attempt));
  if (inThis) return { entry: inThis, attempt };
  const inNext = entries.slice(0, at).find((entry) => isOpen(entry, lift, attempt + 1));
  return inNext ? { entry: inNext, attempt: attempt + 1 } : null;
}

/**
 * @param {Entry} entry
 * @param {Lift} lift
 * @param {number} attempt
 */
function kilograms(entry, { kg }, attempt) {
  return entry[kg][attempt - 1] ?? 0;
}

/**
 * Whether an attempt is declared and not taken.
 * @param {Entry} entry
 * @param {Lift} lift
 * @param {number} attempt
 */
function isOpen(entry, lift, attempt) {
  return kilograms(entry, lift, attempt) !== 0 && entry[lift.status][attempt - 1] === 0;
}
