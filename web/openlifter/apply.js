// From the state of a meet to the state that OpenLifter shall have.

import { isContainer, isSame, valueAt } from "../client/json.js";
import { blankEntry, DERIVED, nextEntryId } from "./shape.js";

/** @typedef {import("./shape.js").Json} Json */
/** @typedef {import("./shape.js").Fields} Fields */
/** @typedef {import("./shape.js").Entry} Entry */
/** @typedef {import("./shape.js").OpenLifterState} OpenLifterState */

/**
 * `local` with what the meet holds. Everything that is the same stays the same object, `local` itself included, so that nothing is
 * drawn anew without need. Nothing of the meet's own objects gets into it, for OpenLifter changes what it has in place.
 * @param {OpenLifterState} local
 * @param {{ readonly [name: string]: Json }} meet
 * @param {number} slot
 * @returns {OpenLifterState}
 */
export function withMeet(local, meet, slot) {
  const registration = registrationOf(local.registration, valueAt(meet, "registration", "entries"), slot);
  const fields = meetFields(local.meet, meet.meet);
  return registration === local.registration && fields === local.meet ? local : { ...local, meet: fields, registration };
}

/**
 * A field that the meet does not have stays as it is: OpenLifter cannot do without.
 * @param {Fields} local
 * @param {Json | undefined} remote
 */
function meetFields(local, remote) {
  const fields = { ...local, ...usable(remote, local) };
  return kept(local, fields);
}

/**
 * Entries stay where they are on this screen, new ones come behind them.
 * @param {OpenLifterState["registration"]} local
 * @param {Json | undefined} remote
 * @param {number} slot
 */
function registrationOf(local, remote, slot) {
  const waiting = new Map(isContainer(remote) ? Object.entries(remote).filter(isEntry) : []);
  /** @param {string} id @param {Entry} [old] */
  const take = (id, old) => {
    const entry = entryOf(Number(id), waiting.get(id), old);
    waiting.delete(id);
    return entry;
  };
  const known = local.entries.filter(({ id }) => waiting.has(String(id))).map((entry) => take(String(entry.id), entry));
  const all = [...known, ...[...waiting.keys()].sort((a, b) => Number(a) - Number(b)).map((id) => take(id))];
  const entries = all.length === local.entries.length && all.every((entry, index) => entry === local.entries[index]) ? local.entries : all;
  const next = nextEntryId(slot, local.nextEntryId, entries);
  if (entries === local.entries && next === local.nextEntryId) return local;
  return { ...local, entries, lookup: lookupOf(entries), nextEntryId: next };
}

/** Where each entry stands, by its id. @param {Entry[]} entries */
export function lookupOf(entries) {
  return Object.fromEntries(entries.map(({ id }, index) => [id, index]));
}

/** @param {[string, Json | undefined]} member */
function isEntry([id, value]) {
  return /^[1-9][0-9]{0,14}$/.test(id) && isContainer(value) && !Array.isArray(value);
}

/**
 * @param {number} id
 * @param {Json | undefined} remote
 * @param {Entry} [local]
 * @returns {Entry}
 */
function entryOf(id, remote, local) {
  const blank = blankEntry();
  const derived = Object.entries(local ?? {}).filter(([name]) => DERIVED.has(name));
  const entry = { ...blank, ...usable(remote, blank), ...Object.fromEntries(derived), id };
  return local ? /** @type {Entry} */ (kept(local, entry)) : entry;
}

/**
 * A copy, without lists that are none: anybody may write anything into a meet, and OpenLifter would end at the first of them.
 * @param {Json | undefined} remote
 * @param {Fields} example
 * @returns {Fields}
 */
function usable(remote, example) {
  if (!isContainer(remote) || Array.isArray(remote)) return {};
  const members = Object.entries(remote).filter(([name, value]) => Array.isArray(value) || !Array.isArray(example[name]));
  return Object.fromEntries(members.map(([name, value]) => [name, plain(value)]));
}

/**
 * With the prototypes that OpenLifter expects.
 * @param {Json} value
 * @returns {Json}
 */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  return isContainer(value) ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)])) : value;
}

/**
 * The older fields where they are the same; else the newer, with each value that is the same as before.
 * @param {Fields} older
 * @param {Fields} newer
 * @returns {Fields}
 */
function kept(older, newer) {
  if (isSame(older, newer)) return older;
  return Object.fromEntries(Object.entries(newer).map(([name, value]) => [name, isSame(older[name], value) ? older[name] : value]));
}
