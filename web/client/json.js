// JSON as a meet holds it. Objects have no prototype, so no name in a meet can reach anything but the meet.

/** @typedef {null | boolean | number | string | Json[] | JsonObject} Json */
/** @typedef {{ [name: string]: Json }} JsonObject */

export const FORBIDDEN = "__proto__";
export const INDEX = /^(?:0|[1-9][0-9]*)$/;
export const LONE_SURROGATE = /\p{Surrogate}/u;

/** @returns {JsonObject} */
export function emptyState() {
  return Object.create(null);
}

/**
 * A copy of parsed JSON whose objects have no prototype.
 * @param {Json} value
 * @returns {Json}
 */
export function adopt(value) {
  if (Array.isArray(value)) return value.map(adopt);
  if (!isContainer(value)) return value;
  const copy = emptyState();
  for (const [name, member] of Object.entries(value)) {
    if (name !== FORBIDDEN) copy[name] = adopt(member);
  }
  return copy;
}

/**
 * What stands at `path`; undefined where nothing does.
 * @param {Json | undefined} value
 * @param {string[]} path
 */
export function valueAt(value, ...path) {
  return path.reduce(child, value);
}

/**
 * Digits index an array; in an object they are a name like any other.
 * @param {Json | undefined} place
 * @param {string} segment
 * @returns {Json | undefined}
 */
export function child(place, segment) {
  if (Array.isArray(place)) return INDEX.test(segment) ? place[Number(segment)] : undefined;
  return isContainer(place) && Object.hasOwn(place, segment) ? place[segment] : undefined;
}

/**
 * @param {Json | undefined} value
 * @returns {value is Json[] | JsonObject}
 */
export function isContainer(value) {
  return typeof value === "object" && value !== null;
}

/**
 * Whether two values are the same JSON.
 * @param {Json | undefined} one
 * @param {Json | undefined} two
 * @returns {boolean}
 */
export function isSame(one, two) {
  if (!isContainer(one) || !isContainer(two)) return one === two;
  if (one === two) return true;
  const names = Object.keys(one);
  const isAlike = Array.isArray(one) === Array.isArray(two) && names.length === Object.keys(two).length;
  return isAlike && names.every((name) => isSame(child(one, name), child(two, name)));
}

/** @param {string} text */
export function byteLength(text) {
  return new TextEncoder().encode(text).length;
}
