// The state of a meet: the left fold of its log. Nothing that was handed out is changed in place, so an older state stays what it
// was, and what two states share need not be compared.

import { adopt, child, emptyState, INDEX, isContainer, isSame, valueAt } from "./json.js";
import { keyText, parseKey } from "./keys.js";

/** @typedef {import("./json.js").Json} Json */
/** @typedef {import("./json.js").JsonObject} JsonObject */
/** @typedef {import("./liftrelay.d.ts").Op} Op */
/** @typedef {import("./liftrelay.d.ts").Change} Change */

/**
 * One update, read.
 * @typedef {object} Read
 * @property {string[]} path
 * @property {Op} op
 * @property {Json} value null for a removal
 */

/**
 * What a row of folds has made and nobody has seen yet: it is changed in place.
 * @typedef {WeakSet<object>} Fresh
 */

/**
 * The state behind an update that no obstacle keeps out.
 * @param {JsonObject} state
 * @param {Read} update
 * @param {Fresh} [fresh]
 * @returns {JsonObject}
 */
export function fold(state, { path, op, value }, fresh = new WeakSet()) {
  return /** @type {JsonObject} */ (op === "remove" ? without(state, path, 0, fresh) : put(state, path, value, 0, fresh));
}

/**
 * What keeps an update out of the state, for a person; an empty text where nothing does.
 * @param {JsonObject} state
 * @param {string[]} path
 * @param {Op} op
 */
export function obstacle(state, path, op) {
  /** @type {Json} */
  let place = state;
  for (const [depth, segment] of path.entries()) {
    const at = keyText(path.slice(0, depth));
    if (!isContainer(place)) return `${at} holds ${kind(place)}, so nothing can stand below it; set ${at} to an object first`;
    if (Array.isArray(place)) {
      if (!INDEX.test(segment)) return `${at} holds an array, so nothing can stand below it by name; set ${at} to an object first`;
      if (depth + 1 === path.length && op !== "set") return `an element of ${at} is neither created nor removed by itself; set the whole array`;
      if (Number(segment) > place.length) return `${at} has ${place.length} elements, so its index can be 0 to ${place.length}`;
    }
    const next = child(place, segment);
    if (next === undefined) return "";
    place = next;
  }
  return "";
}

/**
 * What of `after` is another than in `before`: put or taken away in this order, that makes `after` of `before`.
 * @param {JsonObject} before
 * @param {JsonObject} after
 * @returns {Change[]}
 */
export function changes(before, after) {
  /** @type {Change[]} */
  const found = [];
  compare(before, after, [], found);
  return found;
}

/**
 * Carries out what `changes` has found.
 * @param {JsonObject} state
 * @param {Change[]} found
 */
export function changed(state, found) {
  const fresh = new WeakSet();
  return found.reduce((soFar, { key, value }) => {
    const path = /** @type {string[]} */ (parseKey(key));
    return fold(soFar, value === undefined ? { path, op: "remove", value: null } : { path, op: "set", value: adopt(value) }, fresh);
  }, state);
}

/**
 * @param {Json | undefined} before
 * @param {Json | undefined} after
 * @param {string[]} path
 * @param {Change[]} found
 */
function compare(before, after, path, found) {
  if (before === after) return;
  const isArray = Array.isArray(before);
  const isAlike = isContainer(before) && isContainer(after) && isArray === Array.isArray(after);
  if (isAlike && (!isArray || before.length === after.length)) {
    for (const name of Object.keys({ ...before, ...after })) compare(child(before, name), child(after, name), [...path, name], found);
  } else if (!isSame(before, after)) {
    found.push(after === undefined ? { key: keyText(path) } : { key: keyText(path), value: after });
  }
}

/**
 * @param {Json | undefined} place
 * @param {string[]} path
 * @param {Json} value
 * @param {number} depth
 * @param {Fresh} fresh
 * @returns {Json}
 */
function put(place, path, value, depth, fresh) {
  if (depth === path.length) return value;
  return withChild(place, path[depth], put(child(place, path[depth]), path, value, depth + 1, fresh), fresh);
}

/**
 * @param {Json} place
 * @param {string[]} path
 * @param {number} depth
 * @param {Fresh} fresh
 * @returns {Json}
 */
function without(place, path, depth, fresh) {
  const next = child(place, path[depth]);
  if (next === undefined) return place;
  if (depth + 1 < path.length) return withChild(place, path[depth], without(next, path, depth + 1, fresh), fresh);
  if (Array.isArray(place)) return place;
  const copy = /** @type {JsonObject} */ (freshCopy(place, fresh));
  delete copy[path[depth]];
  return copy;
}

/**
 * @param {Json | undefined} place
 * @param {string} segment
 * @param {Json} value
 * @param {Fresh} fresh
 * @returns {Json}
 */
function withChild(place, segment, value, fresh) {
  const copy = freshCopy(place, fresh);
  if (Array.isArray(copy)) copy[Number(segment)] = value;
  else copy[segment] = value;
  return copy;
}

/**
 * A container that may be changed in place.
 * @param {Json | undefined} place
 * @param {Fresh} fresh
 */
function freshCopy(place, fresh) {
  if (isContainer(place) && fresh.has(place)) return place;
  const copy = Array.isArray(place) ? [...place] : Object.assign(emptyState(), place);
  fresh.add(copy);
  return copy;
}

/** @param {Json} value */
function kind(value) {
  return value === null ? "null" : `a ${typeof value}`;
}

/**
 * Whether something stands at `path`.
 * @param {JsonObject} state
 * @param {string[]} path
 */
export function stands(state, path) {
  return valueAt(state, ...path) !== undefined;
}
