// The lifting order of one flight and lift, as OpenLifter calls it.

import { ATTEMPTS_MAX } from "./meet.js";

/** @typedef {import("./meet.js").Entry} Entry */
/** @typedef {import("./meet.js").Lift} Lift */
/** @typedef {{ entry: Entry, attempt: number }} Turn one lifter's attempt, counted from 1 */
/** @typedef {{ attempt: number, order: Entry[], current: Entry | null }} Round */

/** The last attempt that a round goes on to by itself; fourth ones are for records and somebody's decision. */
const COUNTED = 3;

/**
 * @param {Entry[]} entries of one flight
 * @param {Lift} lift
 * @returns {Round}
 */
export function roundOf(entries, lift) {
  const attempt = activeAttempt(entries, lift);
  const order = orderAt(entries, lift, attempt);
  return { attempt, order, current: order.find((entry) => isPending(entry, lift, attempt)) ?? null };
}

/**
 * The lowest attempt that somebody waits for; where nobody waits, the one after the last that was taken.
 * @param {Entry[]} entries
 * @param {Lift} lift
 */
export function activeAttempt(entries, lift) {
  const waiting = entries.map((entry) => lastAttempt(entry, lift, isPending)).filter((attempt) => attempt > 0);
  if (waiting.length > 0) return Math.min(...waiting);
  const taken = Math.max(0, ...entries.map((entry) => lastAttempt(entry, lift, isTaken)));
  return taken < COUNTED ? taken + 1 : taken;
}

/**
 * Who has declared the next attempt stands by it, in front; then those who are in this one, those who were in the last, the rest.
 * @param {Entry[]} entries
 * @param {Lift} lift
 * @param {number} attempt
 */
export function orderAt(entries, lift, attempt) {
  const rounds = [attempt + 1, attempt, attempt - 1];
  const ranked = entries.map((entry) => {
    const rank = rounds.findIndex((round) => kgAt(entry, lift, round) > 0);
    return { entry, rank: rank < 0 ? rounds.length : rank, round: rounds[rank] ?? attempt };
  });
  ranked.sort((a, b) => a.rank - b.rank || compareAt(a.entry, b.entry, lift, a.round));
  return ranked.map(({ entry }) => entry);
}

/**
 * Lighter bar first, then lots where both have one, then the order of the attempt before, and before the first the lighter lifter.
 * @param {Entry} a
 * @param {Entry} b
 * @param {Lift} lift
 * @param {number} attempt
 * @returns {number}
 */
function compareAt(a, b, lift, attempt) {
  const byWeight = kgAt(a, lift, attempt) - kgAt(b, lift, attempt);
  if (byWeight !== 0) return byWeight;
  if (a.lot !== 0 && b.lot !== 0 && a.lot !== b.lot) return a.lot - b.lot;
  if (attempt > 1) return compareAt(a, b, lift, attempt - 1);
  return a.bodyweightKg - b.bodyweightKg || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/**
 * The turns that are known, the current one first: the rest of this attempt, then the next one.
 * @param {Entry[]} order
 * @param {Lift} lift
 * @param {number} attempt
 * @param {Entry | null} current
 * @returns {Turn[]}
 */
export function queueOf(order, lift, attempt, current) {
  const at = current === null ? 0 : order.indexOf(current);
  const fromCurrent = [...order.slice(at), ...order.slice(0, at)];
  const waiting = (/** @type {Entry[]} */ entries, /** @type {number} */ round) =>
    entries.filter((entry) => entry !== current && isPending(entry, lift, round)).map((entry) => ({ entry, attempt: round }));
  const first = current === null ? [] : [{ entry: current, attempt }];
  return [...first, ...waiting(fromCurrent, attempt), ...waiting(orderAt(order, lift, attempt), attempt + 1)];
}

/**
 * @param {Entry} entry
 * @param {Lift} lift
 * @param {number} attempt
 */
export function kgAt(entry, lift, attempt) {
  return entry.attempts[lift][attempt - 1]?.kg ?? 0;
}

/**
 * @param {Entry} entry
 * @param {Lift} lift
 * @param {number} attempt
 */
export function isPending(entry, lift, attempt) {
  const found = entry.attempts[lift][attempt - 1];
  return found !== undefined && found.kg > 0 && found.status === 0;
}

/**
 * @param {Entry} entry
 * @param {Lift} lift
 * @param {number} attempt
 */
export function isTaken(entry, lift, attempt) {
  return (entry.attempts[lift][attempt - 1]?.status ?? 0) !== 0;
}

/**
 * @param {Entry} entry
 * @param {Lift} lift
 * @param {(entry: Entry, lift: Lift, attempt: number) => boolean} test
 */
function lastAttempt(entry, lift, test) {
  for (let attempt = ATTEMPTS_MAX; attempt > 0; attempt -= 1) {
    if (test(entry, lift, attempt)) return attempt;
  }
  return 0;
}
