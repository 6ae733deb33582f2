// Keys: `name`, `.name`, `[digits]` or `["any text"]` in a row.

import { byteLength, FORBIDDEN, INDEX, LONE_SURROGATE } from "./json.js";

const NAME = /[A-Za-z0-9_$-]+/y;
const BRACKET = /\[(?:([0-9]+)|("(?:[^"\\]|\\.)*"))\]/sy;
const PLAIN_NAME = /^[A-Za-z0-9_$-]+$/;
const KEY_MAX = { bytes: 512, segments: 32 };

/**
 * The segments of a key, or null where the text is no key.
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
  const isShort = path.length <= KEY_MAX.segments && byteLength(keyText(path)) <= KEY_MAX.bytes;
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
 * Whether `path` is `above` itself or below it.
 * @param {string[]} above
 * @param {string[]} path
 */
export function isAtOrAbove(above, path) {
  return above.length <= path.length && above.every((segment, depth) => path[depth] === segment);
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
