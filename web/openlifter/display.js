// What a scoring browser shows and has computed, for everybody who has no OpenLifter: who lifts, who is next, in which order.

import { liftOf, readMeet } from "../overlay/logic/meet.js";
import { inGroup } from "../overlay/logic/now.js";
import { activeAttempt, isPending, orderAt, queueOf } from "../overlay/logic/order.js";

/** @typedef {import("./shape.js").OpenLifterState} OpenLifterState */

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

/**
 * @param {OpenLifterState} state
 * @returns {Display | null} null where the screen shows no lift
 */
export function displayOf({ lifting, registration }) {
  const lift = liftOf(lifting?.lift);
  if (lift === null) return null;
  const { day, platform, flight, overrideAttempt = null, overrideEntryId = null } = lifting;
  // As every display reads it, so that all come to the same order.
  const all = readMeet({ registration: { entries: Object.fromEntries(registration.entries.map((entry) => [entry.id, entry])) } }).entries;
  const group = inGroup(all.filter((entry) => entry.platform === platform), { day, flight, lift });
  const attempt = overrideAttempt === null ? activeAttempt(group, lift) : Number(overrideAttempt);
  const order = orderAt(group, lift, attempt);
  const said = order.find(({ id }) => id === String(overrideEntryId));
  const current = said ?? order.find((entry) => isPending(entry, lift, attempt)) ?? null;
  const next = current === null ? undefined : queueOf(order, lift, attempt, current)[1];
  return {
    day,
    platform,
    flight,
    lift: lifting.lift,
    overrideAttempt,
    overrideEntryId,
    attempt,
    order: order.map(({ id }) => Number(id)),
    currentEntryId: current === null ? null : Number(current.id),
    nextEntryId: next === undefined ? null : Number(next.entry.id),
    nextAttempt: next?.attempt ?? null,
  };
}
