// What happens on one platform now: as the scoring browser publishes it, and from the state of the meet where it does not.

import { valueAt } from "../../meet-state.js";
import { contests, liftOf, LIFTS, list, number, text } from "./meet.js";
import { isPending, isTaken, kgAt, orderAt, queueOf, roundOf } from "./order.js";

/** @typedef {import("../../meet-state.js").Json} Json */
/** @typedef {import("./meet.js").Meet} Meet */
/** @typedef {import("./meet.js").Entry} Entry */
/** @typedef {import("./meet.js").Lift} Lift */
/** @typedef {{ day: number, flight: string, lift: Lift }} Group */

/**
 * @typedef {object} Now
 * @property {number} platform
 * @property {number} day
 * @property {string} flight
 * @property {Lift} lift
 * @property {number} attempt counted from 1
 * @property {Entry | null} current
 * @property {Entry[]} order everybody of the flight, in lifting order
 * @property {import("./order.js").Turn[]} queue the current turn first
 * @property {boolean} published whether the scoring browser said so
 */

const ATTEMPTS = [1, 2, 3, 4, 5];

/**
 * @param {Json} state
 * @param {Meet} meet
 * @param {number} platform
 * @returns {Now}
 */
export function nowOf(state, meet, platform) {
  const entries = meet.entries.filter((entry) => entry.platform === platform);
  return publishedNow(valueAt(state, "display", String(platform)), entries, platform) ?? computedNow(entries, platform);
}

/**
 * @param {Json | undefined} display
 * @param {Entry[]} entries
 * @param {number} platform
 * @returns {Now | null}
 */
function publishedNow(display, entries, platform) {
  const lift = liftOf(valueAt(display, "lift"));
  if (lift === null) return null;
  const group = { day: number(display, "day") || 1, flight: text(display, "flight") || "A", lift };
  const own = inGroup(entries, group);
  const computed = roundOf(own, lift);
  const attempt = number(display, "attempt") || computed.attempt;
  const find = (/** @type {Json | undefined} */ id) => entries.find((entry) => entry.id === String(id)) ?? null;
  const listed = list(display, "order").map(find).filter((entry) => entry !== null);
  const order = /** @type {Entry[]} */ (listed.length > 0 ? listed : orderAt(own, lift, attempt));
  const said = valueAt(display, "currentEntryId");
  const current = said === undefined ? (order.find((entry) => isPending(entry, lift, attempt)) ?? null) : find(said);
  return { ...group, platform, attempt, current, order, queue: queueOf(order, lift, attempt, current), published: true };
}

/**
 * @param {Entry[]} entries
 * @param {number} platform
 * @returns {Now}
 */
function computedNow(entries, platform) {
  const group = activeGroup(entries);
  const { attempt, order, current } = roundOf(inGroup(entries, group), group.lift);
  return { ...group, platform, attempt, current, order, queue: queueOf(order, group.lift, attempt, current), published: false };
}

/**
 * The group that lifts: the last one that is under way; between two, the next one that is ready; at the end the last.
 * It follows from the state alone, so that every screen comes to the same one.
 * @param {Entry[]} entries
 * @returns {Group}
 */
function activeGroup(entries) {
  const groups = groupsOf(entries).map((group) => ({ group, ...progress(inGroup(entries, group), group.lift) }));
  const last = groups.reduce((last, { started }, index) => (started ? index : last), -1);
  const underWay = groups[last];
  if (underWay?.waiting) return underWay.group;
  const ready = groups.slice(last + 1).find(({ waiting }) => waiting);
  // Nobody is declared yet between two attempts of a round, too.
  const goesOn = underWay !== undefined && !underWay.complete;
  const found = goesOn || ready === undefined ? (underWay ?? groups[0]) : ready;
  return found?.group ?? { day: 1, flight: "A", lift: "squat" };
}

/**
 * Every group in the order in which they lift on one platform: by day, then lift, then flight.
 * @param {Entry[]} entries
 * @returns {Group[]}
 */
export function groupsOf(entries) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const entry of entries) {
    for (const lift of LIFTS.filter((lift) => contests(entry, lift))) {
      const { day, flight } = entry;
      groups.set(JSON.stringify([day, LIFTS.indexOf(lift), flight]), { day, flight, lift });
    }
  }
  return [...groups.values()].sort(
    (a, b) => a.day - b.day || LIFTS.indexOf(a.lift) - LIFTS.indexOf(b.lift) || (a.flight < b.flight ? -1 : a.flight > b.flight ? 1 : 0),
  );
}

/**
 * @param {Entry[]} entries of one group
 * @param {Lift} lift
 */
function progress(entries, lift) {
  const any = (/** @type {typeof isTaken} */ test) => entries.some((entry) => ATTEMPTS.some((attempt) => test(entry, lift, attempt)));
  // A third attempt that was taken ends a group; who has none declared then has passed.
  return { started: any(isTaken), waiting: any(isPending), complete: entries.some((entry) => isTaken(entry, lift, 3)) };
}

/**
 * @param {Entry[]} entries
 * @param {Group} group
 */
export function inGroup(entries, group) {
  const is = (/** @type {Entry} */ entry) => entry.day === group.day && entry.flight === group.flight && contests(entry, group.lift);
  return entries.filter(is);
}

/**
 * What a lifter is about to lift; 0 where nothing is declared.
 * @param {Now} now
 */
export function currentKg(now) {
  return now.current === null ? 0 : kgAt(now.current, now.lift, now.attempt);
}
