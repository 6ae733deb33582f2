// Results computed from a meet are those that OpenLifter exported of it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { editsOf } from "../director/openlifter.js";
import { resultsCsv } from "../director/results.js";
import { readMeet } from "../overlay/logic/meet.js";
import { hasAttemptsLeft } from "../overlay/logic/totals.js";

const dataOf = (/** @type {string} */ name) => readFileSync(new URL(`../../tests/data/${name}`, import.meta.url), "utf8");

/** A meet's state once its file is imported. @param {string} name */
function stateOf(name) {
  const { meet } = JSON.parse(dataOf(`${name}.openlifter`));
  const entries = editsOf(dataOf(`${name}.openlifter`)).filter(({ key }) => key.startsWith("registration."));
  return { meet, registration: { entries: Object.fromEntries(entries.map(({ value }) => [/** @type {any} */ (value).id, value])) } };
}

/** Rows of results by the names of their columns; no name in the data has a comma. @param {string} csv */
function rowsOf(csv) {
  const [head, ...rows] = csv.trimEnd().split("\n").slice(5).map((line) => line.split(","));
  return rows.map((cells) => Object.fromEntries(head.map((name, index) => [name, cells[index]])));
}

/** Points carry age coefficients there, and lines stand in another order. @param {Record<string, string>[]} rows */
const compared = (rows) => rows.map(({ Points: _, ...row }) => JSON.stringify(Object.entries(row).filter(([, text]) => text !== "").sort())).sort();

for (const name of ["kg-single-34", "kg-multidiv-36", "lbs-25", "kg-large-310"]) {
  test(`${name}: every place, attempt and total is OpenLifter's`, () => {
    const [ours, theirs] = [resultsCsv(stateOf(name)), dataOf(`${name}.opl.csv`)];
    // One file names a rule that its meet does not have.
    const meetOf = (/** @type {string} */ csv) => csv.split("\n").slice(2, 4).map((line) => line.split(",").slice(0, 7));
    assert.deepEqual(meetOf(ours), meetOf(theirs));
    assert.deepEqual(compared(rowsOf(ours)), compared(rowsOf(theirs)));
  });
}

test("a lifter has attempts left until the last lift is through, or all of one are missed", () => {
  const left = (/** @type {string[]} */ events, /** @type {number[][]} */ ...[squatStatus, benchStatus, deadliftStatus]) => {
    const kg = [100, 100, 100, 100, 100];
    const entry = { id: 1, events, squatKg: kg, benchKg: kg, deadliftKg: kg, squatStatus, benchStatus, deadliftStatus };
    return hasAttemptsLeft(readMeet({ registration: { entries: { 1: entry } } }).entries[0]);
  };
  const [none, all, missed] = [[0, 0, 0], [1, -1, 1], [-1, -1, -1]];
  assert.ok(left(["SBD"], none, none, none));
  assert.ok(left(["SBD"], all, all, [1, 1, 0]));
  assert.ok(!left(["SBD"], all, all, all));
  assert.ok(!left(["SBD"], missed, none, none));
  assert.ok(!left(["SBD"], [1, 0, 0], all, all), "a squat that was passed does not come back");
  assert.ok(!left(["B"], none, all, none), "lifts of other events");
  assert.ok(left(["D", "B"], none, all, none));
});
