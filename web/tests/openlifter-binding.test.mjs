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
  const binding = new Binding(store, { ask: () => true, isWrittenBack: () => false, tell: (error) => told.push(error) });
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
  return { store, binding, meet: /** @type {typeof meet & any} */ (meet), told, name, rename };
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

test("after a release the store goes its own way", async () => {
  const { binding, meet, name, rename } = bound();
  await binding.upload(meet, null);
  meet.batches.length = 0;
  binding.release();
  rename("Eve");
  await later();
  assert.deepEqual([name(), meet.batches], ["Eve", []]);
});
