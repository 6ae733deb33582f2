// What binds a store to a meet, where the meet says no or comes late.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readEdit } from "../client/edit.js";
import { emptyState } from "../client/json.js";
import { fold } from "../client/state.js";
import { Binding } from "../openlifter/binding.js";
import { emptyMeet, reduce } from "./standin/app.mjs";

/** A store with one lifter, bound to a meet that takes a push when `answer` says so. */
function bound() {
  let state = reduce(emptyMeet(), { type: "NEW_REGISTRATION", overwriteDefaults: { name: "Ada" } });
  /** @type {unknown[]} */
  const told = [];
  const store = { getState: () => state, dispatch: (/** @type {any} */ action) => binding.perform(action, (one) => (state = reduce(state, one))) };
  const person = { says: true, asked: /** @type {string[]} */ ([]) };
  const ask = (/** @type {string} */ question) => (person.asked.push(question), person.says);
  const binding = new Binding(store, { ask, isWrittenBack: () => false, tell: (error) => told.push(error) });
  /** @type {(() => void)[]} */
  const remote = [];
  const meet = {
    state: emptyState(),
    status: { link: "up" },
    identity: { slot: 0 },
    batches: /** @type {any[]} */ ([]),
    answer: async () => {},
    on: (/** @type {string} */ name, /** @type {() => void} */ listener) => (name === "remote" && remote.push(listener), () => {}),
    get: () => undefined,
    async push(/** @type {any[]} */ edits) {
      await meet.answer();
      meet.batches.push(edits);
      meet.put(edits);
    },
    put: (/** @type {any[]} */ edits) => (meet.state = edits.map(readEdit).reduce((state, read) => fold(state, read), meet.state)),
    comes: (/** @type {any[]} */ ...edits) => (meet.put(edits), remote.forEach((listener) => listener())),
  };
  const name = () => state.registration.entries[0]?.name;
  const rename = (/** @type {string} */ text) => store.dispatch({ type: "UPDATE_REGISTRATION", entryId: 5000, changes: { name: text } });
  return { store, binding, meet: /** @type {typeof meet & any} */ (meet), told, name, rename, person };
}

const NAME = "registration.entries[5000].name";
const later = () => new Promise((resolve) => setTimeout(resolve));

test("an upload that fails leaves the store as it was, bound to nothing", async () => {
  const { binding, meet, name, rename } = bound();
  meet.answer = () => Promise.reject(new Error("full"));
  await assert.rejects(binding.upload(meet, null), /full/);
  assert.equal(name(), "Ada");
  rename("Eve");
  await later();
  assert.deepEqual([name(), meet.batches], ["Eve", []]);
});

test("an edit that the meet does not take is told of and undone", async () => {
  const { binding, meet, told, name, rename } = bound();
  await binding.upload(meet, null);
  meet.answer = () => Promise.reject(new Error("no"));
  rename("Eve");
  assert.equal(name(), "Eve");
  await later();
  assert.deepEqual([name(), told.map(String)], ["Ada", ["Error: no"]]);
});

test("what others did does not undo an edit that is on its way", async () => {
  const { binding, meet, name, rename, store } = bound();
  await binding.upload(meet, null);
  let arrive = () => {};
  meet.answer = () => new Promise((resolve) => (arrive = () => resolve(undefined)));
  rename("Eve");
  meet.comes({ key: "meet.name", value: "Cup" });
  assert.equal(name(), "Eve");
  arrive();
  await later();
  assert.deepEqual([name(), store.getState().meet.name], ["Eve", "Cup"]);
});

test("what came from others is not sent back, and one action is one batch", async () => {
  const { binding, meet, name, store } = bound();
  await binding.upload(meet, null);
  meet.batches.length = 0;
  meet.comes({ key: NAME, value: "Eve" });
  assert.equal(name(), "Eve");
  store.dispatch({ type: "SET_IN_KG", inKg: false });
  await later();
  assert.deepEqual(meet.batches.map((/** @type {any[]} */ batch) => batch.length), [6]);
});

/** As a CSV file that overwrites does it. @param {{ getState: () => any, dispatch: (action: any) => unknown }} store */
function overwrite(store) {
  for (const { id } of store.getState().registration.entries) store.dispatch({ type: "DELETE_REGISTRATION", entryId: id });
  for (const name of ["Cy", "Di"]) store.dispatch({ type: "NEW_REGISTRATION", overwriteDefaults: { name } });
}

test("lifters that are all replaced one by one are asked about once: a no brings them back and sends nothing, a yes is one batch", async () => {
  const { binding, meet, store, person } = bound();
  store.dispatch({ type: "NEW_REGISTRATION", overwriteDefaults: { name: "Bo" } });
  await binding.upload(meet, null);
  meet.batches.length = 0;
  const names = () => store.getState().registration.entries.map(({ name }) => name);
  person.says = false;
  overwrite(store);
  await later();
  assert.deepEqual([names(), meet.batches, person.asked.length], [["Ada", "Bo"], [], 1]);
  store.dispatch({ type: "UPDATE_REGISTRATION", entryId: 5001, changes: { name: "Bob" } });
  await later();
  assert.deepEqual([names(), meet.batches.length], [["Ada", "Bob"], 1], "and the lookup fits");
  person.says = true;
  overwrite(store);
  meet.comes({ key: "meet.name", value: "Cup" });
  await later();
  assert.deepEqual([names(), store.getState().meet.name, person.asked.length], [["Cy", "Di"], "Cup", 2]);
  assert.deepEqual(meet.batches[1].map((/** @type {any} */ { op }) => op), ["remove", "remove", "create", "create"]);
});

test("a lifter who is removed by hand is not asked about", async () => {
  const { binding, meet, store, person } = bound();
  await binding.upload(meet, null);
  meet.batches.length = 0;
  store.dispatch({ type: "DELETE_REGISTRATION", entryId: 5000 });
  await later();
  assert.deepEqual([store.getState().registration.entries, meet.batches.length, person.asked], [[], 1, []]);
});

test("after a release the store goes its own way", async () => {
  const { binding, meet, name, rename } = bound();
  await binding.upload(meet, null);
  meet.batches.length = 0;
  binding.release();
  rename("Eve");
  await later();
  assert.deepEqual([name(), meet.batches], ["Eve", []]);
});
