// What overlays compute, held to real meets: the order in which they lifted and the results that OpenLifter exported.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { applyEntry } from "../../meet-state.js";
import { ServerClock } from "../../client/clock.js";
import { clockText, readingOf } from "../../overlay/logic/clock.js";
import { loadingOf } from "../../overlay/logic/loading.js";
import { readMeet } from "../../overlay/logic/meet.js";
import { currentKg, nowOf } from "../../overlay/logic/now.js";
import { byPoints, classText, standings } from "../../overlay/logic/places.js";
import { isSupported, pointsOf } from "../../overlay/logic/points.js";
import { totalOf } from "../../overlay/logic/totals.js";
import { fold, MEETS, results, trace } from "./traces.mjs";

const MARK = /^registration\.entries\[(\d+)\]\.(squat|bench|deadlift)Status\[(\d)\]$/;
const POUNDS = 2.20462262;

for (const name of MEETS) {
  test(`${name}: whoever is called is whoever lifted, attempt by attempt`, () => {
    let marks = 0;
    const expected = (/** @type {import("../../meet-state.js").JsonObject} */ state, /** @type {any} */ line) => {
      const mark = line.action === "MARK_LIFT" && MARK.exec(line.updateKey);
      if (!mark) return;
      marks += 1;
      // Of the large meet every ninth, to be quick.
      if (name === "kg-large-310" && marks % 9 !== 0) return;
      const meet = readMeet(state);
      const { platform } = meet.entries.find(({ id }) => id === mark[1]);
      const now = nowOf(state, meet, platform);
      assert.deepEqual([now.current?.id, now.lift, now.attempt - 1], [mark[1], mark[2], Number(mark[3])], `change ${line.a}`);
      assert.equal(now.queue[0].entry, now.current);
      assert.equal(now.published, false);
    };
    fold(trace(name), expected);
    assert.ok(marks > 200, `${marks} lifts`);
  });

  test(`${name}: totals, classes, places and points are those of the results file`, () => {
    const meet = readMeet(fold(trace(name)));
    const [all, rows] = [standings(meet), results(name)];
    assert.equal(all.length, rows.length);
    for (const row of rows) {
      const weight = (/** @type {string} */ column) => row[`${column}${meet.unit === "lbs" ? "Lbs" : "Kg"}`];
      const found = all.filter(({ entry, event, division }) => entry.name === row.Name && event === row.Event && division === row.Division);
      assert.equal(found.length, 1, row.Name);
      const [{ entry, totalKg, points, place }] = found;
      assert.equal(place, Number(row.Place) || 0, `${row.Name} ${row.Division}: ${row.Place}`);
      assert.equal(classText(meet, entry, meet.unit), weight("WeightClass") ?? "", row.Name);
      const total = meet.unit === "lbs" ? totalKg * POUNDS : totalKg;
      assert.ok(Math.abs(total - Number(weight("Total"))) < 0.051, `${row.Name}: ${total}, ${weight("Total")}`);
      if (meet.formula === "Dots") assert.ok(Math.abs(points - Number(row.Points)) < 0.006, `${row.Name}: ${points}, ${row.Points}`);
    }
  });
}

test("what the scoring browser publishes wins", () => {
  const state = fold(trace("kg-single-34").slice(0, 900));
  const meet = readMeet(state);
  const computed = nowOf(state, meet, 1);
  const [first, second, third] = meet.entries.filter(({ flight }) => flight === "C");
  const value = { day: 1, flight: "C", lift: "B", attempt: 1, currentEntryId: Number(second.id), order: [third.id, second.id, first.id, "7"] };
  applyEntry(state, { serverSeqNum: 1, updateKey: "display[1]", updateValue: value });
  const now = nowOf(state, meet, 1);
  assert.ok(now.published && computed.flight !== "C");
  assert.deepEqual([now.flight, now.lift, now.attempt, now.current], ["C", "bench", 1, second]);
  assert.deepEqual(now.order, [third, second, first], "an entry that is not there is left out");
  assert.deepEqual(now.queue.map(({ entry }) => entry), [second, first, third]);
  assert.equal(currentKg(now), second.attempts.bench[0].kg);
  applyEntry(state, { serverSeqNum: 2, updateKey: "display[1]", updateValue: { lift: "nonsense", currentEntryId: {} } });
  assert.deepEqual(nowOf(state, meet, 1), computed, "nonsense counts as nothing");
});

test("platforms do not see each other's lifters", () => {
  const state = fold(trace("kg-large-310"));
  const meet = readMeet(state);
  for (const platform of [1, 2]) {
    const now = nowOf(state, meet, platform);
    assert.ok(now.order.length > 0 && now.order.every((entry) => entry.platform === platform));
  }
});

test("lighter bars go first; equal ones by lot, by the attempt before, by bodyweight", () => {
  const lifter = (/** @type {string} */ name, /** @type {number[]} */ squatKg, /** @type {number[]} */ squatStatus, more = {}) => ({ name, squatKg, squatStatus, ...more });
  const order = (/** @type {object[]} */ ...entries) => {
    const state = fold([{ updateKey: "registration.entries", updateValue: Object.fromEntries(entries.map((entry, id) => [id + 1, entry])) }]);
    const { current, queue } = nowOf(state, readMeet(state), 1);
    return [current?.name, ...queue.slice(1).map(({ entry, attempt }) => `${entry.name}${attempt}`)].join(" ");
  };
  assert.equal(order(lifter("b", [110], [0]), lifter("a", [100], [0])), "a b1");
  assert.equal(order(lifter("b", [100], [0], { lot: 2 }), lifter("a", [100], [0], { lot: 9 })), "b a1");
  assert.equal(order(lifter("b", [100], [0], { bodyweightKg: 80 }), lifter("a", [100], [0], { bodyweightKg: 79 })), "a b1");
  assert.equal(order(lifter("b", [90, 110], [1, 0]), lifter("a", [100, 110], [1, 0])), "b a2", "the order of the first attempt");
  assert.equal(order(lifter("b", [90, 105], [1, 0]), lifter("a", [100], [0]), lifter("c", [100], [0])), "a c1 b2");
  assert.equal(order(), "", "an empty meet has no order");
});

test("points by published formulas", () => {
  const coefficient = (/** @type {string} */ formula, /** @type {object} */ result) =>
    pointsOf(formula, { totalKg: 100, bodyweightKg: 100, sex: "M", equipment: "Sleeves", event: "SBD", ...result });
  const near = (/** @type {number} */ points, /** @type {number} */ wanted) => assert.ok(Math.abs(points - wanted) < 0.006, `${points}, ${wanted}`);
  // From the published tables of Wilks coefficients, to four digits.
  near(coefficient("Wilks", {}), 60.86);
  near(coefficient("Wilks", { bodyweightKg: 60, sex: "F" }), 111.49);
  near(coefficient("Total", {}), 100);
  assert.ok(coefficient("IPF GL Points", { equipment: "Single-ply" }) < coefficient("IPF GL Points", {}), "equipped lifters have constants of their own");
  assert.equal(coefficient("IPF GL Points", { event: "D" }), 0, "the formula knows no deadlift alone");
  for (const formula of ["Dots", "Wilks", "IPF GL Points"]) assert.equal(coefficient(formula, { bodyweightKg: 0 }), 0);
  assert.ok(!isSupported("Glossbrenner") && !isSupported("constructor"));
});

test("the best by points stand first, and everybody once", () => {
  const meet = readMeet(fold(trace("kg-large-310")));
  const best = byPoints(standings(meet));
  assert.equal(best.length, meet.entries.length);
  assert.ok(best.every(({ points }, index) => index === 0 || points <= best[index - 1].points));
});

test("every weight that was lifted can be loaded, heaviest plates inside", () => {
  for (const name of ["lbs-25", "kg-multidiv-36"]) {
    const meet = readMeet(JSON.parse(readFileSync(new URL(`../../../tests/data/${name}.openlifter`, import.meta.url), "utf8")));
    for (const { attempts } of meet.entries) {
      for (const { kg } of attempts.deadlift) {
        const { plates, missingKg } = loadingOf(meet, "deadlift", kg);
        if (kg > meet.barKg.deadlift) assert.equal(missingKg, 0, `${kg} kg`);
        assert.ok(plates.every((plate, index) => index === 0 || plate.kg <= plates[index - 1].kg));
      }
    }
  }
  const meet = readMeet({ meet: { plates: [{ weightKg: 20, pairCount: 1, color: "red" }, { weightKg: 25, pairCount: 2, color: "#ff0000" }] } });
  assert.deepEqual(loadingOf(meet, "squat", 165).plates.map(({ kg }) => kg), [25, 25, 20]);
  assert.equal(loadingOf(meet, "squat", 171).missingKg, 6);
  assert.equal(meet.plates[1].colour, "#808080", "only a colour is a colour");
});

test("a lifter without a good attempt in every lift has no total", () => {
  const [entry] = readMeet({ registration: { entries: { 1: { events: ["BD"], benchKg: [100], benchStatus: [1], deadliftKg: [200, 210], deadliftStatus: [-1, 0] } } } }).entries;
  assert.equal(totalOf(entry), 0);
  entry.attempts.deadlift[1].status = 1;
  assert.equal(totalOf(entry), 310);
});

test("a clock counts in the server's time, whatever the screens think", () => {
  const clock = { seconds: 60, startedAt: "2026-05-01T10:00:00Z" };
  const started = Date.parse(clock.startedAt);
  assert.deepEqual(readingOf(clock, started + 12_500), { remainingMs: 47_500, running: true });
  assert.deepEqual(readingOf(clock, started + 61_000), { remainingMs: 0, running: false });
  assert.deepEqual(readingOf({ ...clock, stoppedAt: "2026-05-01T10:00:20Z" }, started + 50_000), { remainingMs: 40_000, running: false });
  assert.deepEqual(readingOf({ seconds: 60 }, started), { remainingMs: 60_000, running: false });
  assert.equal(readingOf({ seconds: "60" }, started), null);
  assert.deepEqual([0, 1, 9000, 59_001, 60_000, 3_600_000].map(clockText), ["0:00", "0:01", "0:09", "1:00", "1:00", "1:00:00"]);
});

test("two screens whose own clocks differ by hours agree on the time", () => {
  const start = Date.parse("2026-05-01T10:00:00Z");
  const screens = [5 * 3_600_000, -7_000].map((ahead) => {
    const clock = new ServerClock();
    // Heartbeats take 5 to 400 ms; the server's time is what it was when they were sent.
    for (const [index, delay] of [400, 30, 5, 120, 250].entries()) {
      const sent = start + 15_000 * index;
      clock.hear(sent, sent + delay + ahead);
    }
    return clock.now(start + 100_000 + ahead);
  });
  for (const now of screens) assert.ok(Math.abs(now - (start + 100_000)) <= 5, String(now));
  assert.equal(new ServerClock().now(77), 77, "before any message its own will have to do");
});

test("where only answers to requests tell the time, the news in them tell the fraction of its second", () => {
  const start = Date.parse("2026-05-01T10:00:00.900Z");
  for (const ahead of [5 * 3_600_000, -7_000]) {
    const clock = new ServerClock();
    const late = (/** @type {number} */ now) => start + now - clock.now(start + now + ahead);
    clock.hearEntry(start - 3_600_000, start + ahead);
    assert.equal(clock.now(start + ahead), start + ahead, "an hour-old entry alone tells nothing");
    clock.hearDate(start - 900, start + 10 + ahead);
    assert.equal(late(10), 910);
    clock.hearEntry(start + 1_000, start + 1_020 + ahead);
    clock.hearDate(start + 19_100, start + 20_000 + ahead);
    clock.hearEntry(start - 3_600_000, start + 20_000 + ahead);
    assert.equal(late(20_000), 20, "what tells less does no harm");
    clock.hear(start + 21_000, start + 21_300 + ahead);
    clock.hearDate(start + 30_000, start + 22_000 + ahead);
    assert.equal(late(22_000), 300, "a stream's word replaces those of whatever stands in between");
  }
});

test("a server's clock that is set back is followed after some minutes", () => {
  const clock = new ServerClock();
  clock.hear(10_000, 0);
  for (let heartbeat = 15_000; heartbeat <= 330_000; heartbeat += 15_000) clock.hear(heartbeat, heartbeat);
  assert.equal(clock.now(400_000), 400_000);
});
