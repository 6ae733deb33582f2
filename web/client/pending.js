// Edits on top of the log.

import { fold, obstacle, stands } from "./state.js";

/** @typedef {import("./json.js").JsonObject} JsonObject */
/** @typedef {import("./replica.js").Acked} Acked */
/** @typedef {import("./state.js").Read} Read */

/**
 * An edit on its way into the log.
 * @typedef {object} Pending
 * @property {number} number
 * @property {Read} read
 * @property {string} after what the user had seen
 * @property {number} group number of the first edit made in one go with it: they ride in one batch
 * @property {Acked | null} acked the answer, where the entry is all that is missing
 * @property {boolean} parentStood whether something stood around its key when it was made
 * @property {boolean} shown one that cannot apply to what the log says now shows nothing, and stays pending
 */

/**
 * The state with a pending edit, if it would change it in the way its author meant.
 * @param {JsonObject} state
 * @param {Pending} pending
 * @param {import("./state.js").Fresh} fresh
 */
export function show(state, pending, fresh) {
  const { path, op } = pending.read;
  const isThere = stands(state, path);
  // A field of an object that is gone meanwhile must not bring back a ghost of it.
  const isFit = op === "create" ? !isThere : isThere || (op === "set" && (!pending.parentStood || stands(state, path.slice(0, -1))));
  pending.shown = isFit && obstacle(state, path, op) === "";
  return pending.shown ? fold(state, pending.read, fresh) : state;
}
