import assert from "node:assert/strict";
import { test } from "node:test";

import { demoLines, meetLines, shellQuoted } from "../curl-lines.js";
import { MeetReader } from "../meet-reader.js";
import { adopt, applyEntry, emptyState, parseKey, valueAt } from "../meet-state.js";
import { attemptPlaceOf, attemptText, boardOf, feedLineOf, meetNameOf, weightText } from "../meet-view.js";

const plain = (value) => JSON.parse(JSON.stringify(value));

function folded(...updates) {
  const state = emptyState();
  const applied = updates.map(([updateKey, updateValue, op]) => applyEntry(state, { serverSeqNum: 1, updateKey, updateValue, op }));
  return { state: plain(state), applied };
}

function lifter(members = {}) {
  const three = (first) => [first, first + 10, first + 20, 0, 0];
  return {
    name: "Ada",
    sex: "F",
    divisions: ["Open", "Masters"],
    events: ["SBD"],
    bodyweightKg: 59.5,
    squatKg: three(100),
    squatStatus: [1, -1, 0, 0, 0],
    benchKg: three(50),
    benchStatus: [-1, 1, 0, 0, 0],
    deadliftKg: three(120),
    deadliftStatus: [0, 0, 0, 0, 0],
    ...members,
  };
}

const stateOf = (entries, meet = {}) => adopt({ meet, registration: { entries } });

test("every spelling of a key gives the same segments", () => {
  const squat = ["registration", "entries", "5003", "squatKg", "0"];
  for (const [text, path] of [
    ["meet.name", ["meet", "name"]],
    ["registration.entries[5003].squatKg[0]", squat],
    ["registration.entries.5003.squatKg.0", squat],
    ['["registration"]["entries"]["5003"].squatKg["0"]', squat],
    ['a["x y"]', ["a", "x y"]],
    ['a["\\u00e9\\n"]', ["a", "é\n"]],
    ['a["]\\"."].b', ["a", ']".', "b"]],
    ['[""]', [""]],
    ["a[007]", ["a", "007"]],
    ["7.a", ["7", "a"]],
    ["$a-b_c", ["$a-b_c"]],
  ]) {
    assert.deepEqual(parseKey(text), path, text);
  }
});

test("what is no key is null", () => {
  const wrong = ["", ".a", "a.", "a..b", "a b", "é", "a[", "a[]", "a[-1]", "a[1.5]", "a[١]", 'a["x]', 'a["\\ud800"]', "a[*]", "a[0]b"];
  const forbidden = ["__proto__", "a.__proto__", 'a["__proto__"].b', 'a["\\u005f_proto__"]'];
  for (const text of [...wrong, ...forbidden]) assert.equal(parseKey(text), null, text);
});

test("missing parents become objects, and digits index only arrays", () => {
  assert.deepEqual(folded(["a.b[7].c", 1]).state, { a: { b: { 7: { c: 1 } } } });
  assert.deepEqual(folded(["a", [1, 2]], ["a[0]", 9], ["a[2]", 3]).state, { a: [9, 2, 3] });
  assert.deepEqual(folded(["a", []], ["a[0].x", 1]).state, { a: [{ x: 1 }] });
});

test("what cannot apply changes nothing", () => {
  for (const update of [["s.x", 1], ["n.x", 1], ["a.x", 1], ["a[3]", 1], ["a[007]", 1], ["a[0]", null, "remove"], ["a[2]", 1, "create"], ["o.none", null, "remove"], ["a b", 1], ["v"]]) {
    const { state, applied } = folded(["s", 1], ["n", null], ["a", [1, 2]], ["o", {}], update);
    assert.deepEqual(applied, [true, true, true, true, false], String(update));
    assert.deepEqual(state, { s: 1, n: null, a: [1, 2], o: {} });
  }
});

test("create, remove and null", () => {
  assert.deepEqual(folded(["o.p", { q: 1 }, "create"], ["o.p.q", null], ["o.r", 2], ["o.r", null, "remove"]).state, { o: { p: { q: null } } });
});

test("names of Object's own members are members like any other", () => {
  const { state, applied } = folded(["constructor.prototype.polluted", true], ["toString", 1], ["a", JSON.parse('{"__proto__":{"polluted":true}}')]);
  assert.deepEqual(applied, [true, true, true]);
  assert.deepEqual(state, { constructor: { prototype: { polluted: true } }, toString: 1, a: {} });
  assert.equal({}.polluted, undefined);
  assert.equal(valueAt(adopt({}), "constructor"), undefined);
});

test("an update's value is not shared with the state", () => {
  const value = { kg: [1] };
  const state = emptyState();
  applyEntry(state, { serverSeqNum: 1, updateKey: "a", updateValue: value });
  applyEntry(state, { serverSeqNum: 2, updateKey: "a.kg[0]", updateValue: 2 });
  assert.deepEqual(value, { kg: [1] });
});

test("a row shows attempts, subtotal and total", () => {
  const [row] = boardOf(stateOf({ 5000: lifter() })).rows;
  assert.deepEqual([row.id, row.name, row.sex, row.divisions, row.bodyweight], ["5000", "Ada", "F", "Open, Masters", "59.5"]);
  assert.deepEqual(row.attempts.squat, [
    { weight: "100", result: "good" },
    { weight: "110", result: "missed" },
    { weight: "120", result: "open" },
  ]);
  assert.deepEqual([row.subtotal, row.total], ["160", ""]);
});

test("a total needs a good attempt in every contested lift", () => {
  const sums = (members) => {
    const [{ subtotal, total }] = boardOf(stateOf({ 5000: lifter(members) })).rows;
    return [subtotal, total];
  };
  assert.deepEqual(sums({ deadliftStatus: [1, 1, -1, 0, 0] }), ["160", "290"]);
  assert.deepEqual(sums({ squatStatus: [-1, -1, -1, 0, 0] }), ["60", "no total"]);
  assert.deepEqual(sums({ events: ["B"] }), ["", "60"]);
  assert.deepEqual(sums({ events: ["BD"], deadliftStatus: [1, 0, 0, 0, 0] }), ["", "180"]);
  assert.deepEqual(sums({ squatKg: [100, 110, 120, 130, 0], squatStatus: [1, 1, 1, 1, 0] }), ["180", ""]);
});

test("fourth attempts have a column once one is used", () => {
  const entries = { 5000: lifter(), 5001: lifter({ benchKg: [50, 60, 70, 75, 0] }) };
  const board = boardOf(stateOf(entries));
  assert.deepEqual(board.columns, { squat: 3, bench: 4, deadlift: 3 });
  assert.deepEqual(board.rows.map((row) => row.attempts.bench[3]), [
    { weight: "", result: "none" },
    { weight: "75", result: "open" },
  ]);
});

test("rows keep the order of the platform", () => {
  const entries = { 5002: lifter({ flight: "A" }), 5001: lifter({ flight: "B" }), 5000: lifter({ flight: "A", lot: 9 }), 5010: lifter({ flight: "A" }) };
  assert.deepEqual(boardOf(stateOf(entries)).rows.map((row) => row.id), ["5002", "5010", "5000", "5001"]);
});

test("incomplete and odd entries do not break the board", () => {
  const entries = { a: null, b: 7, c: [], 5000: {}, 5001: { name: 5, divisions: "Open", squatKg: null, benchKg: ["x"] } };
  assert.deepEqual(boardOf(stateOf(entries)).rows.map(({ id, name, divisions }) => [id, name, divisions]), [
    ["5000", "", ""],
    ["5001", "", ""],
  ]);
  for (const state of [{}, { registration: null }, { registration: { entries: "x" } }]) assert.deepEqual(boardOf(adopt(state)).rows, []);
  assert.deepEqual(boardOf(stateOf([lifter()])).rows.map((row) => row.id), ["0"]);
});

test("weights are shown in the meet's unit", () => {
  assert.deepEqual([0, 100, 182.5, 83.00740377960923].map((kg) => weightText(kg, "kg")), ["", "100", "182.5", "83.01"]);
  assert.equal(weightText(402.5 / 2.20462262, "lbs"), "402.5");
  assert.equal(boardOf(stateOf({}, { inKg: false })).unit, "lbs");
});

test("an attempt is known by its key and told in words", () => {
  const entry = (updateKey) => ({ serverSeqNum: 1, updateKey, updateValue: 1 });
  const place = attemptPlaceOf(entry("registration.entries[5000].squatStatus[1]"));
  assert.deepEqual(place, { id: "5000", lift: "squat", index: 1 });
  for (const key of ["meet.name", "registration.entries[5000].squatKg", "registration.entries[5000].squatKg[5]", "registration.entries[5000].toString[0]", "x..y"]) {
    assert.equal(attemptPlaceOf(entry(key)), null, key);
  }
  assert.equal(attemptPlaceOf({ serverSeqNum: 1, opaque: true }), null);
  const state = stateOf({ 5000: lifter() });
  assert.equal(attemptText(state, place), "Ada, squat 2, 110 kg: no lift");
  assert.equal(attemptText(state, { id: "9", lift: "bench", index: 0 }), "");
});

test("feed lines show values as JSON, long ones cut, private ones as such", () => {
  const line = (members) => feedLineOf({ serverSeqNum: 7, updateKey: "a", locationName: "platform 1", ...members });
  assert.deepEqual(line({ updateValue: "<b>" }), { number: 7, key: "a", value: '"<b>"', location: "platform 1" });
  assert.equal(line({ updateValue: null, op: "remove" }).value, "(removed)");
  assert.deepEqual(feedLineOf({ serverSeqNum: 8, opaque: true }), { number: 8, key: "(private)", value: "", location: "" });
  const long = line({ updateValue: "😀".repeat(5000) }).value;
  assert.equal(Array.from(long).length, 72);
  assert.ok(long.endsWith("😀…"));
});

test("a reader follows a meet, skips what it has and notices a gap", () => {
  const reader = new MeetReader();
  const relay = (...numbers) => ({
    msgType: "UPDATE_RELAY",
    updatesRelayed: numbers.map((serverSeqNum) => ({ serverSeqNum, updateKey: "meet.name", updateValue: `v${serverSeqNum}` })),
    headSeqNum: 20,
  });
  assert.ok(reader.receive({ msgType: "HELLO", meetId: "123-456-789", meetName: "One", headSeqNum: 10, heartbeatSeconds: 15 }));
  assert.ok(reader.receive({ msgType: "STATE", state: { meet: { name: "v10" } }, serverSeqNum: 10 }));
  assert.ok(reader.receive(relay(9, 10, 11)));
  assert.deepEqual([meetNameOf(reader.state), reader.seqNum, reader.headSeqNum, reader.recent.length], ["v11", 11, 20, 1]);
  assert.ok(reader.receive({ msgType: "UPDATE_RELAY", updatesRelayed: [{ serverSeqNum: 12, opaque: true }] }));
  assert.equal(reader.seqNum, 12);
  assert.ok(reader.receive(relay(...Array.from({ length: 30 }, (_, at) => 13 + at))));
  assert.deepEqual(reader.recent.map((entry) => entry.serverSeqNum), [42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31]);
  assert.equal(reader.receive(relay(44)), false);
  assert.equal(meetNameOf(reader.state), "v42");
});

test("a reader takes a new lap's meet for what it is", () => {
  const reader = new MeetReader();
  reader.receive({ msgType: "HELLO", meetId: "1", meetName: "One", headSeqNum: 900 });
  reader.receive({ msgType: "STATE", state: { meet: { name: "old" } }, serverSeqNum: 900 });
  reader.receive({ msgType: "END", reason: "revoked" });
  reader.receive({ msgType: "HELLO", meetId: "2", meetName: "Two", headSeqNum: 3 });
  reader.receive({ msgType: "RESET", reason: "other history" });
  reader.receive({ msgType: "STATE", state: { meet: { name: "new" } }, serverSeqNum: 3 });
  reader.receive({ msgType: "SERVER_PULL" });
  assert.deepEqual([reader.meetId, reader.meetName, meetNameOf(reader.state), reader.seqNum, reader.headSeqNum], ["2", "Two", "new", 3, 3]);
});

test("curl lines are safe to paste", () => {
  assert.equal(shellQuoted("it's"), "'it'\\''s'");
  const urls = { events: "/e", state: "/s", updates: "/u", info: "/v1/meets/123456789" };
  const lines = demoLines("http://hall:8080", { meetId: "123-456-789", meetName: "Demo", viewKey: "lrv_x", urls });
  assert.equal(lines[0].command, "curl -N 'http://hall:8080/demo/events?snapshot=1'");
  assert.equal(lines[5].command, "curl -s -H 'Authorization: Bearer lrv_x' 'http://hall:8080/v1/meets/123456789'");
  const [create, ...others] = meetLines("http://hall:8080").map((line) => line.command);
  assert.ok(create.startsWith("HOST='http://hall:8080'\n"));
  assert.ok(others.every((command) => command.includes('"$HOST/v1/meets/$MEET/')));
});
