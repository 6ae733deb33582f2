// Edits: what can be told to be wrong is told at once, everything else is for the server to judge.

import { EditError } from "./errors.js";
import { byteLength, emptyState, FORBIDDEN, isContainer, LONE_SURROGATE } from "./json.js";
import { isAtOrAbove, keyText, parseKey } from "./keys.js";
import { fold, obstacle, stands } from "./state.js";

/** @typedef {import("./json.js").Json} Json */
/** @typedef {import("./json.js").JsonObject} JsonObject */
/** @typedef {import("./liftrelay.d.ts").Edit} Edit */
/** @typedef {import("./state.js").Read} Read */

const VALUE_MAX_BYTES = 256 * 1024;
const NESTING_MAX = 64;
export const BATCH_MAX = { updates: 10000, bytes: 4 * 1024 * 1024 };
/** Bytes of an entry besides its key and value: what was committed together has to fit one body when it is handed back. */
const ENTRY_BYTES = 512;

/**
 * Reads what a user wants.
 * @param {Edit} edit
 * @returns {Read}
 */
export function readEdit({ key, op = "set", value }) {
  const path = typeof key === "string" ? parseKey(key) : null;
  if (path === null) throw new EditError(`${JSON.stringify(key)} is no key; write names and indices as in a.b[7]["any text"]`);
  if (op === "remove") return { path, op, value: null };
  if (op !== "set" && op !== "create") throw new EditError(`${JSON.stringify(op)} is no op; it can be set, create or remove`);
  const json = readValue(value, keyText(path), 1);
  const bytes = byteLength(JSON.stringify(json));
  if (bytes > VALUE_MAX_BYTES) throw new EditError(`the value of ${keyText(path)} has ${bytes} bytes; at most ${VALUE_MAX_BYTES} are taken, so split it into several keys`);
  return { path, op, value: json };
}

/**
 * An edit as records and requests hold it.
 * @param {Read} read
 * @returns {Edit}
 */
export function editOf({ path, op, value }) {
  return { key: keyText(path), ...(op !== "set" && { op }), ...(op !== "remove" && { value }) };
}

/**
 * A pending edit as it is sent.
 * @param {import("./pending.js").Pending} pending
 */
export function updateOf({ number, read, after }) {
  const { key, ...rest } = editOf(read);
  return { updateKey: key, ...("value" in rest && { updateValue: rest.value }), ...(rest.op && { op: rest.op }), localSeqNum: number, afterServerSeqNum: after };
}

/**
 * Bytes that an edit takes in a body, at most.
 * @param {Read} read
 */
export function bytesOf({ path, value }) {
  return ENTRY_BYTES + 2 * byteLength(keyText(path)) + byteLength(JSON.stringify(value));
}

/**
 * Checks edits that belong together, each against what those before it make of the state.
 * @param {JsonObject} state
 * @param {Read[]} edits
 */
export function checkAll(state, edits) {
  const bytes = edits.reduce((sum, edit) => sum + bytesOf(edit), 0);
  if (edits.length === 0 || edits.length > BATCH_MAX.updates || bytes > BATCH_MAX.bytes) {
    throw new EditError(`${edits.length} edits of ${bytes} bytes are no batch; 1 to ${BATCH_MAX.updates} edits of ${BATCH_MAX.bytes} bytes are`);
  }
  const fresh = new WeakSet();
  for (const edit of edits) {
    check(state, edit);
    state = fold(state, edit, fresh);
  }
}

/**
 * @param {JsonObject} state
 * @param {Read} edit
 */
export function check(state, { path, op }) {
  const inTheWay = obstacle(state, path, op);
  if (inTheWay) throw new EditError(inTheWay);
  const isThere = stands(state, path);
  if (op === "create" && isThere) throw new EditError(`${keyText(path)} stands already; use set to change it`);
  if (op === "remove" && !isThere) throw new EditError(`nothing stands at ${keyText(path)}, so there is nothing to remove`);
}

/**
 * Refuses whatever is not in an object that these edits, or those before them that the server has not taken, make.
 * @param {Read[]} edits
 * @param {Read[]} before
 */
export function checkOwnNew(edits, before) {
  const made = before.filter(({ op }) => op === "create");
  for (const edit of edits) {
    if (edit.op === "create") made.push(edit);
    else if (!made.some(({ path }) => isAtOrAbove(path, edit.path))) {
      throw new EditError(`${keyText(edit.path)} existed before the connection was lost, so it is read-only until the server is back; own new objects can be changed`);
    }
  }
}

/**
 * Whether two keys concern each other.
 * @param {Read} one
 * @param {Read} two
 */
export function overlaps(one, two) {
  return isAtOrAbove(one.path, two.path) || isAtOrAbove(two.path, one.path);
}

/**
 * A copy of a value that is JSON and nothing else. Members without a value are left out, as JSON does.
 * @param {unknown} value
 * @param {string} at
 * @param {number} depth
 * @returns {Json}
 */
function readValue(value, at, depth) {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value === 0 ? 0 : value;
  if (typeof value === "string" && !LONE_SURROGATE.test(value)) return value;
  const json = /** @type {Json | undefined} */ (value);
  if (!isContainer(json)) throw new EditError(`the value of ${at} holds what is no JSON: ${String(value)}`);
  if (depth > NESTING_MAX) throw new EditError(`the value of ${at} is nested deeper than ${NESTING_MAX}`);
  if (Array.isArray(json)) return json.map((item) => readValue(item, at, depth + 1));
  const copy = emptyState();
  for (const [name, member] of Object.entries(json)) {
    if (name === FORBIDDEN || LONE_SURROGATE.test(name)) throw new EditError(`the value of ${at} has a member with a name that is not taken: ${JSON.stringify(name)}`);
    if (member !== undefined) copy[name] = readValue(member, at, depth + 1);
  }
  return copy;
}
