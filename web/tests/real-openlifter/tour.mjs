// A meet in an OpenLifter build that somebody has, as its people run it: one browser on platform 1, one at the weigh-in desk.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { closePanel, goLive, join, openPanel, says } from "../browser/live-tab.mjs";
import { becomes, hall, newPage, settled } from "../browser/standin.mjs";

/** @typedef {import("playwright-core").Page} Page */

const here = hall(process.env.OPENLIFTER);
const slow = { timeout: 180_000 };

async function openLifter() {
  const opened = await newPage(await here.context({ viewport: { width: 1400, height: 900 } }));
  await opened.page.goto(`${here.server.origin}/app/`);
  await opened.page.waitForSelector(".navbar .liftrelay-entry");
  return opened;
}

/** @param {Page} page @param {string} tab */
const go = (page, tab) => page.click(`.navbar >> text="${tab}"`);

/** What OpenLifter keeps of its state, which is what it shows. @param {Page} page */
const saved = (page) =>
  page.evaluate(() => {
    const parts = Object.entries(JSON.parse(localStorage.getItem("persist:root") ?? "{}"));
    return Object.fromEntries(parts.map(([name, text]) => [name, JSON.parse(text)]));
  });

/** Waits until every lifter has this. @param {Page} page @param {(entry: any) => unknown} look @param {unknown[]} wanted */
const lifters = (page, look, ...wanted) => becomes(async () => (await saved(page)).registration.entries.map(look), wanted);

/** @param {Page} page @param {string} name */
async function register(page, name) {
  await page.click("text=New Lifter");
  const card = page.locator(".card").filter({ hasText: "Member ID" }).last();
  await card.locator("input").first().fill(name);
  await choose(card.locator("text=Events").locator(".."), "SBD");
}

/** In a box that takes several words. @param {import("playwright-core").Locator} place @param {string} word */
async function choose(place, word) {
  const box = place.locator("input").first();
  await box.focus();
  const { keyboard } = box.page();
  await keyboard.type(word);
  for (const key of ["Enter", "Tab"]) await keyboard.press(key);
}

/** Bodyweight and the first squat, in the row of a lifter at the desk. @param {Page} page @param {string} name @param {number} bodyweight @param {number} squat */
async function weighIn(page, name, bodyweight, squat) {
  const boxes = page.locator("tbody tr").filter({ hasText: name }).locator("input");
  for (const [place, weight] of [[1, bodyweight], [3, squat]]) {
    await boxes.nth(place).fill(String(weight));
    await boxes.nth(place).blur();
  }
}

/** Two lifters; one browser went live, the other joined. */
async function meetOfTwo() {
  const [platform, desk] = [await openLifter(), await openLifter()];
  await go(platform.page, "Meet Setup");
  await platform.page.fill('[placeholder="Meet Name"]', "Cup");
  await choose(platform.page.locator("text=Divisions").locator(".."), "Open");
  await go(platform.page, "Registration");
  for (const name of ["Ada", "Bo"]) await register(platform.page, name);
  await lifters(platform.page, ({ name, events }) => [name, events], ["Ada", ["SBD"]], ["Bo", ["SBD"]]);
  await goLive(platform.page);
  await says(platform.page, "#link-text", "live");
  const meetId = await platform.page.innerText("#meet-id");
  await closePanel(platform.page);
  await openPanel(desk.page);
  await join(desk.page, meetId);
  await says(desk.page, "#link-text", "live");
  await closePanel(desk.page);
  await lifters(desk.page, ({ name }) => name, "Ada", "Bo");
  assert.equal((await saved(desk.page)).meet.name, "Cup");
  return { platform, desk };
}

test("who is weighed in at the desk lifts on the platform, and the desk sees the lights", slow, async () => {
  const { platform, desk } = await meetOfTwo();
  await go(desk.page, "Weigh-ins");
  await weighIn(desk.page, "Ada", 62.5, 100);
  await weighIn(desk.page, "Bo", 82.1, 110);
  await lifters(platform.page, ({ bodyweightKg, squatKg }) => [bodyweightKg, squatKg[0]], [62.5, 100], [82.1, 110]);

  for (const { page } of [platform, desk]) await go(page, "Lifting");
  await platform.page.click("text=Good Lift");
  await lifters(desk.page, ({ squatStatus }) => squatStatus[0], 1, 0);
  await platform.page.click("text=No Lift");
  await lifters(desk.page, ({ squatStatus }) => squatStatus[0], 1, -1);
  // The focus has gone to a box of the next attempt by itself; what it holds is nobody's word.
  await settled(platform.page, desk.page);
  await lifters(platform.page, ({ squatKg }) => squatKg.slice(0, 2), [100, 0], [110, 0]);
  await platform.page.locator("tbody tr").filter({ hasText: "Ada" }).locator("input").first().fill("105");
  await platform.page.keyboard.press("Enter");
  await lifters(desk.page, ({ squatKg }) => squatKg.slice(0, 2), [100, 105], [110, 0]);
  await says(desk.page, "#root", /105\s?kg/);
  await becomes(() => desk.page.evaluate(async () => Object.keys((await liftrelayLive).meet.get("display") ?? {})), ["1"]);
});

test("a file that overwrites all lifters is asked about: declined it changes nothing, agreed it is so in both browsers", slow, async () => {
  const { platform, desk } = await meetOfTwo();
  await go(desk.page, "Registration");
  const [file] = await Promise.all([desk.page.waitForEvent("download"), desk.page.click("text=Export to CSV")]);
  const others = (await readFile(await file.path(), "utf8")).replace("Ada", "Cy").replace("Bo", "Di").replaceAll(",,SBD,", ",Open,SBD,");
  const overwrite = async () => {
    const [chooser] = await Promise.all([desk.page.waitForEvent("filechooser"), desk.page.click("text=Overwrite Registrations from CSV")]);
    await chooser.setFiles({ name: "others.csv", mimeType: "text/csv", buffer: Buffer.from(others) });
  };
  desk.person.asked.length = 0;
  desk.person.says = false;
  await overwrite();
  await becomes(async () => desk.person.asked.length, 1);
  await settled(platform.page, desk.page);
  for (const { page } of [platform, desk]) await lifters(page, ({ name }) => name, "Ada", "Bo");
  desk.person.says = true;
  await overwrite();
  for (const { page } of [platform, desk]) await lifters(page, ({ name }) => name, "Cy", "Di");
  assert.deepEqual([desk.person.asked.length, platform.person.asked], [2, []]);
});

test("a new meet is asked about: declined it changes nothing, agreed it is new in both browsers", slow, async () => {
  const { platform, desk } = await meetOfTwo();
  const startAnew = async () => {
    await go(desk.page, "Home");
    await desk.page.click("text=New Meet");
    await desk.page.click(".modal-footer >> text=Continue");
  };
  desk.person.asked.length = 0;
  desk.person.says = false;
  await startAnew();
  await becomes(async () => desk.person.asked.length, 1);
  await settled(platform.page, desk.page);
  for (const { page } of [platform, desk]) await lifters(page, ({ name }) => name, "Ada", "Bo");
  desk.person.says = true;
  await startAnew();
  for (const { page } of [platform, desk]) await lifters(page, ({ name }) => name);
  assert.deepEqual(platform.person.asked, []);
});
