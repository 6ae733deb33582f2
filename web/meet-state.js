// The state of a meet as a reader holds it: keys are read and updates folded as the server does.
// Objects have no prototype, so no name in a meet can reach anything but the meet.

/** @typedef {null | boolean | number | string | Json[] | JsonObject} Json */
/** @typedef {{ [name: string]: Json }} JsonObject */

/**
 * One relayed update, or the mark that a private one stood there.
 * @typedef {object} Entry
 * @property {number} serverSeqNum
 * @property {boolean} [opaque]
 * @property {string} [updateKey]
 * @property {Json} [updateValue]
 * @property {"set" | "create" | "remove"} [op]
 * @property {string} [locationName]
 */

const NAME = /[A-Za-z0-9_$-]+/y;
const BRACKET = /\[(?:([0-9]+)|("(?:[^"\\]|\\.)*"))\]/sy;
const PLAIN_NAME = /^[A-Za-z0-9_$-]+$/;
const INDEX = /^(?:0|[1-9][0-9]*)$/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const FORBIDDEN = "__proto__";
const KEY_MAX = { bytes: 512, segments: 32 };

/** @returns {JsonObject} */
export function emptyState() {
  return Object.create(null);
}

/**
 * The segments of a key (`name`, `.name`, `[digits]` or `["any text"]` in a row), or null where the text is no key.
 * @param {string} text
 * @returns {string[] | null}
 */
export function parseKey(text) {
  /** @type {string[]} */
  const path = [];
  let at = 0;
  while (at < text.length || path.length === 0) {
    const bracket = text[at] === "[";
    if (text[at] === "." && path.length > 0) at += 1;
    else if (!bracket && path.length > 0) return null;
    const form = bracket ? BRACKET : NAME;
    form.lastIndex = at;
    const match = form.exec(text);
    const segment = match && (bracket ? (match[1] ?? jsonText(match[2])) : match[0]);
    if (match === null || segment === null || segment === FORBIDDEN) return null;
    path.push(segment);
    at = form.lastIndex;
  }
  const isShort = path.length <= KEY_MAX.segments && new TextEncoder().encode(keyText(path)).length <= KEY_MAX.bytes;
  return isShort ? path : null;
}

/**
 * A key in its canonical form, as updates are relayed.
 * @param {string[]} path
 */
export function keyText(path) {
  return path.map(segmentText).join("");
}

/**
 * @param {string} segment
 * @param {number} depth
 */
function segmentText(segment, depth) {
  if (INDEX.test(segment)) return `[${segment}]`;
  if (!PLAIN_NAME.test(segment)) return `[${JSON.stringify(segment)}]`;
  return depth === 0 ? segment : `.${segment}`;
}

/**
 * @param {string} quoted
 * @returns {string | null}
 */
function jsonText(quoted) {
  try {
    const text = JSON.parse(quoted);
    return LONE_SURROGATE.test(text) ? null : text;
  } catch {
    return null;
  }
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
 * Folds one update into `state`; false where it left everything as it was.
 * @param {JsonObject} state
 * @param {Entry} entry
 */
export function applyEntry(state, entry) {
  const path = entry.opaque || typeof entry.updateKey !== "string" ? null : parseKey(entry.updateKey);
  if (path === null) return false;
  if (entry.op === "remove") return removeAt(state, path);
  return entry.updateValue !== undefined && setAt(state, path, adopt(entry.updateValue), entry.op);
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
 * @param {JsonObject} state
 * @param {string[]} path
 * @param {Json} value
 * @param {Entry["op"]} op
 */
function setAt(state, path, value, op) {
  /** @type {Json} */
  let place = state;
  for (const [depth, segment] of path.entries()) {
    if (!isContainer(place)) return false;
    const last = depth + 1 === path.length;
    const next = child(place, segment);
    if (last && op === "create" && Array.isArray(place)) return false;
    if (last || next === undefined) return put(place, segment, nested(path.slice(depth + 1), value));
    place = next;
  }
  return false;
}

/**
 * @param {JsonObject} state
 * @param {string[]} path
 */
function removeAt(state, path) {
  const parent = valueAt(state, ...path.slice(0, -1));
  const name = path[path.length - 1];
  if (!isContainer(parent) || Array.isArray(parent) || !Object.hasOwn(parent, name)) return false;
  return delete parent[name];
}

/**
 * @param {Json | undefined} place
 * @param {string} segment
 * @returns {Json | undefined}
 */
function child(place, segment) {
  if (Array.isArray(place)) return INDEX.test(segment) ? place[Number(segment)] : undefined;
  return isContainer(place) && Object.hasOwn(place, segment) ? place[segment] : undefined;
}

/**
 * Digits index an array, from 0 to its length; in an object they are a name like any other.
 * @param {Json[] | JsonObject} place
 * @param {string} segment
 * @param {Json} value
 */
function put(place, segment, value) {
  if (!Array.isArray(place)) {
    place[segment] = value;
    return true;
  }
  if (!INDEX.test(segment) || Number(segment) > place.length) return false;
  place[Number(segment)] = value;
  return true;
}

/**
 * `value` inside one object per segment.
 * @param {string[]} path
 * @param {Json} value
 * @returns {Json}
 */
function nested(path, value) {
  return path.reduceRight((/** @type {Json} */ inner, segment) => Object.assign(emptyState(), { [segment]: inner }), value);
}

/**
 * @param {Json | undefined} value
 * @returns {value is Json[] | JsonObject}
 */
export function isContainer(value) {
  return typeof value === "object" && value !== null;
}
