// From OpenLifter to a meet and back, with real meets: their save files, and every change by which they came about.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { checkAll, readEdit } from "../client/edit.js";
import { emptyState, valueAt } from "../client/json.js";
import { parseKey } from "../client/keys.js";
import { fold } from "../client/state.js";
import { withMeet } from "../openlifter/apply.js";
import { copyOf, editsOf, nothing } from "../openlifter/diff.js";
import { displayOf } from "../openlifter/display.js";
import { nextEntryId } from "../openlifter/shape.js";
import { emptyMeet, reduce } from "./standin/app.mjs";

const DATA = new URL("../../tests/data/", import.meta.url);
const MEETS = {
  "kg-single-34": new URL("../../src/cli/demo/kg-single-34.updates.jsonl", import.meta.url),
  "kg-multidiv-36": new URL("kg-multidiv-36.updates.jsonl", DATA),
  "lbs-25": new URL("lbs-25.updates.jsonl", DATA),
  "kg-large-310": new URL("kg-large-310.updates.jsonl", DATA),
};

/** @typedef {import("../openlifter/shape.js").OpenLifterState} State */

/** @param {any} value */
const json = (value) => JSON.parse(JSON.stringify(value));

/** @param {string} name */
const saved = async (name) => json(JSON.parse(await readFile(new URL(`${name}.openlifter`, DATA), "utf8")));

/** The state of a meet behind edits that a client accepts. @param {any} meet @param {any[]} edits */
function pushed(meet, edits) {
  if (edits.length === 0) return meet;
  const reads = edits.map(readEdit);
  checkAll(meet, reads);
  return reads.reduce((state, read) => fold(state, read), meet);
}

/** One recorded change, as the reducers make it: attempts in place, anything else in copies. @param {State} state @param {any} change */
function recorded(state, { action, updateKey, updateValue }) {
  const [part, field, id, ...rest] = /** @type {string[]} */ (parseKey(updateKey));
  if (part === "meet") return { ...state, meet: { ...state.meet, [field]: updateValue } };
  if (part === "lifting") return { ...state, lifting: { ...state.lifting, [field]: updateValue } };
  if (field === "nextEntryId") return { ...state, registration: { ...state.registration, nextEntryId: updateValue } };
  if (rest.length === 0) return { ...state, registration: { ...state.registration, entries: [...state.registration.entries, json(updateValue)] } };
  const entry = state.registration.entries.find((one) => one.id === Number(id));
  assert.ok(entry);
  const list = rest.length === 2 && [...entry[rest[0]]];
  if (list) list[Number(rest[1])] = updateValue;
  const fields = { [rest[0]]: list || updateValue };
  if (action === "ENTER_ATTEMPT") return (Object.assign(entry, fields), state);
  return { ...state, registration: { ...state.registration, entries: state.registration.entries.map((one) => (one === entry ? { ...one, ...fields } : one)) } };
}

/** @param {URL} file @returns {Promise<any[][]>} changes by action */
async function actionsIn(file) {
  const actions = [];
  for (const line of (await readFile(file, "utf8")).trim().split("\n")) {
    const change = JSON.parse(line);
    if (actions.at(-1)?.[0].a === change.a) actions.at(-1)?.push(change);
    else actions.push([change]);
  }
  return actions;
}

for (const [name, file] of Object.entries(MEETS)) {
  test(`${name}: each action's edits add up to the save file, and to the same state in another OpenLifter`, async () => {
    const end = await saved(name);
    let state = { ...json(end), meet: {}, registration: { nextEntryId: 5000, entries: [], lookup: {} }, lifting: emptyMeet().lifting };
    let shown = copyOf(state);
    let meet = emptyState();
    for (const changes of await actionsIn(file)) {
      state = changes.reduce(recorded, state);
      const edits = editsOf(shown, state, 1);
      const wanted = changes.filter(({ updateKey }) => !/^lifting|nextEntryId/.test(updateKey)).map(({ updateKey }) => updateKey);
      assert.deepEqual(edits.map(({ key }) => key).filter((key) => !key.startsWith("display")).sort(), wanted.sort());
      meet = pushed(meet, edits);
      shown = copyOf(state, shown);
    }
    const reached = json(meet);
    for (const [field, value] of Object.entries(reached.meet)) assert.deepEqual(value, end.meet[field], field);
    assert.deepEqual(reached.registration, { entries: Object.fromEntries(end.registration.entries.map((/** @type {any} */ entry) => [entry.id, entry])) });
    assert.deepEqual(Object.keys(reached).sort(), ["display", "meet", "registration"]);
    assert.deepEqual(Object.keys(reached.display), ["1"]);
    if (end.lifting.platform === 1) assert.deepEqual(reached.display[1], json(displayOf(end)));
    const other = withMeet({ ...emptyMeet(), meet: end.meet, lifting: end.lifting }, meet, 0);
    assert.deepEqual(other.registration, end.registration);
  });

  test(`${name}: a save file uploaded whole makes the same OpenLifter again`, async () => {
    const end = await saved(name);
    const meet = pushed(emptyState(), editsOf(nothing(), end, 1));
    const other = json(withMeet(emptyMeet(), meet, 0));
    assert.deepEqual({ meet: other.meet, registration: other.registration }, { meet: end.meet, registration: end.registration });
    assert.equal(withMeet(end, meet, 0), end, "what is the same stays the same object");
  });
}

/** A meet with three lifters of one flight. */
function threeLifters() {
  const lifters = [{ name: "A", bodyweightKg: 80 }, { name: "B", bodyweightKg: 70 }, { name: "C", bodyweightKg: 90 }];
  return lifters.reduce((state, overwriteDefaults) => reduce(state, { type: "NEW_REGISTRATION", overwriteDefaults }), emptyMeet());
}

/** @param {State} state @param {any} action @param {number | null} [platform] */
function editsAfter(state, action, platform = null) {
  const before = copyOf(state);
  return editsOf(before, reduce(state, action), platform);
}

test("an attempt that is entered in place is one edit of that attempt", () => {
  const edits = editsAfter(threeLifters(), { type: "ENTER_ATTEMPT", entryId: 5001, field: "squatKg", attemptOneIndexed: 2, weightKg: 182.5 });
  assert.deepEqual(edits, [{ key: "registration.entries[5001].squatKg[1]", value: 182.5 }]);
});

test("lots that go by place become edits of each lifter", () => {
  const edits = editsAfter(threeLifters(), { type: "ASSIGN_LOT_NUMBERS", lotNumbers: [3, 1, 2] });
  assert.deepEqual(edits, [5000, 5001, 5002].map((id, index) => ({ key: `registration.entries[${id}].lot`, value: [3, 1, 2][index] })));
});

test("another unit changes six keys in one batch", () => {
  const keys = editsAfter(emptyMeet(), { type: "SET_IN_KG", inKg: false }).map(({ key }) => key);
  assert.deepEqual(keys.sort(), ["benchBarAndCollarsWeightKg", "deadliftBarAndCollarsWeightKg", "inKg", "plates", "showAlternateUnits", "squatBarAndCollarsWeightKg"].map((field) => `meet.${field}`));
});

test("a lifter who is gone is removed, and whoever stands behind is not touched", () => {
  assert.deepEqual(editsAfter(threeLifters(), { type: "DELETE_REGISTRATION", entryId: 5000 }), [{ key: "registration.entries[5000]", op: "remove" }]);
});

test("what is one screen's own or computed is not sent", () => {
  const state = threeLifters();
  const before = copyOf(state);
  const entries = state.registration.entries.map((entry) => ({ ...entry, points: 412.5, place: 1 }));
  const after = { ...state, language: "de", versions: {}, _persist: {}, registration: { nextEntryId: 9000, entries, lookup: {} }, lifting: { ...state.lifting, lift: "B" } };
  assert.deepEqual(editsOf(before, after, null), []);
});

test("a scoring browser publishes its own platform and no other", () => {
  const state = threeLifters();
  const group = (/** @type {number} */ platform) => ({ type: "SET_LIFTING_GROUP", changes: { platform, lift: "D" } });
  assert.deepEqual(editsAfter(state, group(2), 1), []);
  assert.deepEqual(editsAfter(state, group(1), null), []);
  const [{ key, value }] = editsAfter(state, group(1), 1);
  assert.equal(key, "display[1]");
  assert.deepEqual(value, { day: 1, platform: 1, flight: "A", lift: "D", overrideAttempt: null, overrideEntryId: null, attempt: 1, order: [5001, 5000, 5002], currentEntryId: null, nextEntryId: null, nextAttempt: null });
  assert.deepEqual(editsAfter(state, { type: "SET_TABLE_INFO", changes: { columnDivisionWidthPx: 200 } }, 1), [], "a column's width is nobody else's business");
});

test("the lifting order follows declared weights, and those who have lifted go to the next round", () => {
  let state = threeLifters();
  const act = (/** @type {any} */ action) => (state = reduce(state, action));
  [120, 100, 110].forEach((weightKg, index) => act({ type: "ENTER_ATTEMPT", entryId: 5000 + index, field: "squatKg", attemptOneIndexed: 1, weightKg }));
  const shows = () => { const { attempt, order, currentEntryId, nextEntryId: next, nextAttempt } = /** @type {any} */ (displayOf(state)); return { attempt, order, currentEntryId, next, nextAttempt }; };
  assert.deepEqual(shows(), { attempt: 1, order: [5001, 5002, 5000], currentEntryId: 5001, next: 5002, nextAttempt: 1 });
  act({ type: "MARK_LIFT", entryId: 5001, field: "squatStatus", attemptOneIndexed: 1, success: true });
  act({ type: "ENTER_ATTEMPT", entryId: 5001, field: "squatKg", attemptOneIndexed: 2, weightKg: 130 });
  assert.deepEqual(shows(), { attempt: 1, order: [5001, 5002, 5000], currentEntryId: 5002, next: 5000, nextAttempt: 1 });
  act({ type: "MARK_LIFT", entryId: 5002, field: "squatStatus", attemptOneIndexed: 1, success: false });
  assert.deepEqual(shows(), { attempt: 1, order: [5001, 5002, 5000], currentEntryId: 5000, next: 5001, nextAttempt: 2 });
  act({ type: "MARK_LIFT", entryId: 5000, field: "squatStatus", attemptOneIndexed: 1, success: true });
  assert.deepEqual(shows(), { attempt: 2, order: [5001, 5002, 5000], currentEntryId: 5001, next: null, nextAttempt: null });
  act({ type: "SET_TABLE_INFO", changes: { overrideEntryId: 5002, overrideAttempt: 1 } });
  assert.equal(shows().currentEntryId, 5002);
});

test("each client numbers new lifters from a block of its own and never twice", () => {
  assert.equal(nextEntryId(0, 5000, []), 5000);
  assert.equal(nextEntryId(2, 5036, [/** @type {any} */ ({ id: 5035 })]), 25000);
  assert.equal(nextEntryId(2, 25003, [/** @type {any} */ ({ id: 25001 })]), 25003, "25002 was given out and is gone");
  assert.equal(nextEntryId(1, 5000, [5000, 15000, 15007, 25000].map((id) => /** @type {any} */ ({ id }))), 15008);
});

test("what comes from others is put by id, with a lookup that fits", () => {
  const mine = threeLifters();
  const meet = pushed(pushed(emptyState(), editsOf(nothing(), mine, null)), [
    { key: "registration.entries[5000]", op: "remove" },
    { key: "registration.entries[15000]", value: { name: "of a script" } },
    { key: "registration.entries[5002].squatKg[0]", value: 200 },
  ]);
  const { registration } = withMeet(mine, meet, 0);
  assert.deepEqual(registration.entries.map(({ id }) => id), [5001, 5002, 15000]);
  assert.deepEqual(registration.lookup, { 5001: 0, 5002: 1, 15000: 2 });
  assert.equal(registration.nextEntryId, 5003);
  assert.equal(registration.entries[0], mine.registration.entries[1], "who has not changed is the same object");
  assert.deepEqual(registration.entries[2].squatKg, [0, 0, 0, 0, 0], "OpenLifter cannot do without");
  assert.equal(mine.registration.entries[2].squatKg[0], 0, "older states stay as they were");
});

test("what no OpenLifter can live with is left out", () => {
  const mine = threeLifters();
  const meet = pushed(emptyState(), [
    { key: "meet.divisions", value: "Open" },
    { key: "meet.name", value: "Cup" },
    { key: "registration.entries[5000]", value: { squatKg: 5, name: "A" } },
    { key: "registration.entries[next]", value: {} },
    { key: "registration.entries[5001]", value: null },
  ].map((edit) => ({ ...edit, key: edit.key.replace("[next]", ".next") })));
  const { meet: fields, registration } = withMeet(mine, meet, 0);
  assert.deepEqual([fields.divisions, fields.name], [[], "Cup"]);
  assert.deepEqual(registration.entries.map(({ id, squatKg }) => [id, squatKg]), [[5000, [0, 0, 0, 0, 0]]]);
});
