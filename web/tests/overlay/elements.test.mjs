// What overlays draw, without a browser: trees of plain values.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { adopt, applyEntry } from "../../meet-state.js";
import { Demo } from "../../overlay/demo.js";
import { ELEMENTS } from "../../overlay/elements.js";
import { lightsOf } from "../../overlay/elements/lights.js";
import { LANGUAGES, POSITIONS, readParams, THEMES } from "../../overlay/params.js";
import { View } from "../../overlay/view.js";
import { nextChange } from "../../overlay/wake.js";
import { Words } from "../../overlay/words.js";
import { fold, trace } from "./traces.mjs";

const HOME = new URL("../../overlay/", import.meta.url);
const NOW = Date.parse("2026-05-01T10:00:00Z");
const dictionary = (/** @type {string} */ lang) => JSON.parse(readFileSync(new URL(`words/${lang}.json`, HOME), "utf8"));
const english = new Words(dictionary("en"), {});

/** A real meet in the middle of its second squats. */
const state = () => fold(trace("kg-single-34").slice(0, 870));
const view = (/** @type {any} */ state, search = "", now = NOW) => new View(state, readParams(search, ""), english, now);
const draw = (/** @type {string} */ name, /** @type {View} */ view) => ELEMENTS[name].draw(view);
/** @type {(tree: any) => string[]} */
const texts = (tree) => [tree].flat().flatMap(({ text, children }) => (children.length > 0 ? texts(children) : text === "" ? [] : [text]));
/** @type {(tree: any, cls: string) => any[]} */
const find = (tree, cls) => [tree].flat().flatMap((node) => [...(node.cls.split(" ").includes(cls) ? [node] : []), ...find(node.children, cls)]);

test("the lower third names the current lifter, with attempts and what they came to", () => {
  const shown = view(state());
  const { current } = shown.now;
  const tree = draw("lower-third", shown);
  assert.equal(texts(find(tree, "lr-name"))[0], current.name);
  assert.deepEqual(find(tree, "lr-attempt").map(({ data }) => data.state), ["good", "current", "none"]);
  assert.ok(texts(tree).includes("Subtotal") && texts(tree).includes(shown.weight(current.attempts.squat[0].kg)));
});

test("after the last deadlift it shows the total, points and place of a lifter that the address names", () => {
  const shown = view(fold(trace("kg-single-34")), "?lifter=5000");
  assert.deepEqual(texts(draw("lower-third", shown)).slice(-6), ["Total", "340", "Dots", "378.91", "Place", "1"]);
});

test("up next never names the current lifter, and has as many rows as wanted", () => {
  const shown = view(state(), "?rows=3");
  const rows = find(draw("up-next", shown), "lr-row");
  assert.equal(rows.length, 3);
  assert.ok(!texts(rows).includes(shown.now.current.name));
});

test("a leaderboard holds one category, all in turn, or everybody by points", () => {
  const meet = fold(trace("kg-single-34"));
  const rows = (/** @type {string} */ search, now = NOW) => find(draw("leaderboard", view(meet, search, now)), "lr-row");
  const byPoints = rows("?group=points&rows=40").map((row) => Number(texts(row).pop()));
  assert.ok(byPoints.length > 30 && byPoints.every((points, index) => index === 0 || points <= byPoints[index - 1]));
  const titles = new Set([0, 1, 2, 3].map((page) => texts(draw("leaderboard", view(meet, "?group=all&rotate=10", NOW + 10_000 * page)))[0]));
  assert.equal(titles.size, 4, [...titles].join());
  assert.ok(rows("?lifter=5001").some((row) => texts(row).includes("Bela Hathorne")));
  assert.equal(rows("?group=Nobody").length, 0);
});

test("a leaderboard gives nobody a place before there is a lift", () => {
  const before = JSON.parse(JSON.stringify(state()));
  for (const entry of Object.values(before.registration.entries)) Object.assign(entry, { squatStatus: [0, 0, 0, 0, 0] });
  const places = (/** @type {any} */ meet) => texts(find(draw("leaderboard", view(meet, "?lifter=5001")), "lr-nth"));
  assert.deepEqual([...new Set(places(before))], ["–"]);
  before.registration.entries[5001].squatStatus[0] = 1;
  assert.deepEqual(places(before), ["1", "–", "–", "–"]);
});

test("lights come up together, say why, and go out", () => {
  const lights = (/** @type {any} */ value, later = 0) => {
    const meet = state();
    applyEntry(meet, { serverSeqNum: 1, updateKey: "lights[1]", updateValue: value });
    return lightsOf(view(meet, "", NOW + later));
  };
  const given = { decisions: ["good", "no", "good"], cards: [[], ["red", "nonsense"], []], at: new Date(NOW).toISOString() };
  assert.deepEqual(lights(given), { lamps: ["good", "no", "good"], cards: [[], ["red"], []], goneInMs: 10_000 });
  assert.deepEqual(lights(given, 10_001).lamps, ["dark", "dark", "dark"]);
  assert.deepEqual(lights({ decisions: ["good", "no", null] }).lamps, ["dark", "dark", "dark"], "two of three are nobody's business");
  assert.deepEqual(lights("nonsense").lamps, ["dark", "dark", "dark"]);
});

test("a page wakes for the next second of a running clock, and not for one that stands", () => {
  const meet = state();
  const wake = (/** @type {any} */ clock) => {
    applyEntry(meet, { serverSeqNum: 1, updateKey: "clock[1]", updateValue: clock });
    return nextChange(view(meet, "?rotate=0", NOW + 300));
  };
  assert.equal(wake({ seconds: 60, startedAt: new Date(NOW).toISOString() }), 700);
  assert.equal(wake({ seconds: 60 }), Infinity);
});

test("elements show weights in the unit that is wanted", () => {
  const meet = fold(trace("lbs-25"));
  const total = (/** @type {string} */ units) => texts(find(draw("attempts", view(meet, `?lifter=5000${units}`)), "lr-more"))[0];
  assert.equal(total(""), "670 lb");
  assert.equal(total("&units=kg"), "303.91 kg");
  assert.equal(total("&units=both"), "670 lb · 303.91 kg");
});

test("no state of a meet, however broken, breaks an element", () => {
  const broken = [
    {},
    { registration: 7, meet: [], display: { 1: "x" }, lights: 1, clock: { 1: { seconds: -1 } } },
    { registration: { entries: { 1: { name: {}, squatKg: "x", events: [7], divisions: null, flight: 4 } } } },
    { registration: { entries: [null, 3, { id: 9, name: "Ada" }] }, overlays: { sponsors: [null, { image: "https://elsewhere/x.png" }] } },
    { registration: { entries: { 1: { name: "Ada", squatKg: [100] } } }, display: { 1: { lift: "S", currentEntryId: 404, order: [1, 1, null] } } },
  ];
  for (const value of [...broken, state()]) {
    for (const name of Object.keys(ELEMENTS)) {
      for (const search of ["", "?platform=9", "?group=points", "?group=all", "?lifter=404"]) texts(draw(name, view(adopt(value), search)));
    }
  }
  assert.deepEqual(draw("sponsors", view(adopt(broken[3]))), [], "pictures come with the meet or not at all");
});

test("an address is read leniently: what makes no sense counts as not said", () => {
  const odd = readParams("?meet=12&platform=x&lang=xx&units=stone&theme=../../x&accent=red&pos=nowhere&scale=99&delay=-1&rows=1e9&motion=0&demo=1", "#key=abc");
  assert.deepEqual([odd.meet, odd.key, odd.platform, odd.lang, odd.units, odd.theme, odd.accent, odd.pos], ["", "", 1, "en", "", "", "", ""]);
  assert.deepEqual([odd.scale, odd.delayMs, odd.rows, odd.motion, odd.demo], [4, 0, 40, false, true]);
  const whole = readParams("?meet=123-456-789&platform=2&accent=FF8800&delay=2.5&show=clock@top,nothing,order@left", "#key=lrv_x");
  assert.deepEqual([whole.meet, whole.key, whole.platform, whole.accent, whole.delayMs], ["123456789", "lrv_x", 2, "#ff8800", 2500]);
  assert.deepEqual(whole.show[0], { element: "clock", pos: "top" });
});

test("every language has every word, with the same places in it", () => {
  const places = (/** @type {string} */ phrase) => (phrase.match(/\{\w+\}/g) ?? []).sort();
  const words = dictionary("en");
  assert.deepEqual(readdirSync(new URL("words/", HOME)).sort(), LANGUAGES.map((lang) => `${lang}.json`).sort());
  for (const lang of LANGUAGES) {
    const own = dictionary(lang);
    assert.deepEqual(Object.keys(own), Object.keys(words), lang);
    for (const name of Object.keys(words)) assert.deepEqual(places(own[name]), places(words[name]), `${lang} ${name}`);
  }
});

test("every word that an element says is in the dictionary, and every word in it is said", () => {
  const sources = ["elements/", ""].flatMap((folder) =>
    readdirSync(new URL(folder || ".", HOME)).filter((name) => name.endsWith(".js")).map((name) => readFileSync(new URL(folder + name, HOME), "utf8")),
  );
  const text = sources.join("\n");
  const lifts = ["squat", "bench", "deadlift"];
  for (const name of Object.keys(dictionary("en")).filter((name) => !lifts.includes(name))) assert.ok(text.includes(`"${name}"`), name);
  const said = [...text.matchAll(/say\("(\w+)"/g)].map(([, name]) => name);
  for (const name of said) assert.ok(name in dictionary("en"), name);
});

test("every theme sets every colour", () => {
  const variables = (/** @type {string} */ theme) =>
    [...readFileSync(new URL(`themes/${theme}.css`, HOME), "utf8").matchAll(/(--lr-[\w-]+):/g)].map(([, name]) => name).sort();
  assert.deepEqual(readdirSync(new URL("themes/", HOME)).sort(), THEMES.map((theme) => `${theme}.css`).sort());
  for (const theme of THEMES) assert.deepEqual(variables(theme), variables("night"), theme);
});

test("the demo lifts a whole flight and begins again", () => {
  const final = adopt(JSON.parse(readFileSync(new URL("demo-meet.json", HOME), "utf8")));
  let snapshots = 0;
  let lifts = 0;
  const demo = new Demo(final, (message) => {
    if (message.msgType === "STATE") snapshots += 1;
    lifts += (message.updatesRelayed ?? []).filter(({ updateKey }) => updateKey.includes("Status")).length;
  });
  demo.begin();
  while (snapshots < 2 && lifts < 1000) demo.step();
  assert.ok(snapshots === 2 && lifts > 100, `${lifts} lifts`);
  assert.ok(!JSON.stringify(final).match(/birthDate|memberId|notes/), "nothing private");
  assert.ok(POSITIONS.includes(ELEMENTS.clock.usual));
});
