// The state of a meet as a reader holds it. Keys, values and the fold are those of the client.

import { adopt, child, isContainer, valueAt } from "./client/json.js";
import { parseKey } from "./client/keys.js";
import { fold, obstacle, stands } from "./client/state.js";

export { emptyState } from "./client/json.js";
export { keyText } from "./client/keys.js";
export { adopt, isContainer, parseKey, valueAt };

/** @typedef {import("./client/json.js").Json} Json */
/** @typedef {import("./client/json.js").JsonObject} JsonObject */

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

/**
 * Folds one update into `state`; false where it left everything as it was.
 * @param {JsonObject} state
 * @param {Entry} entry
 */
export function applyEntry(state, entry) {
  const path = entry.opaque || typeof entry.updateKey !== "string" ? null : parseKey(entry.updateKey);
  const op = entry.op ?? "set";
  if (path === null || (op !== "remove" && entry.updateValue === undefined) || obstacle(state, path, op)) return false;
  if (op === "remove" && !stands(state, path)) return false;
  const next = fold(state, { path, op, value: adopt(entry.updateValue ?? null) });
  const top = child(next, path[0]);
  if (top === undefined) delete state[path[0]];
  else state[path[0]] = top;
  return true;
}
