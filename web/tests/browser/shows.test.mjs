// A whole meet as a hall has it: two browsers that edit, a display, and everything that happens to them and to the server.

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, test } from "node:test";

import { Line } from "../../../tests/sse-clients/line.mjs";
import { launch, newPage, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const MARKUP = "<img src=x onerror=alert(1)>";
const SIZE = { viewport: { width: 1920, height: 1080 } };
const password = "ten characters";
const locations = [{ locationName: "platform 1", priority: 2 }, { locationName: "desk", priority: 1 }];
const slow = { skip, timeout: 180_000 };
const NAME = "registration.entries[5000].name";

const server = new Server();
/** @type {import("playwright-core").Browser} */
let browser;
/** What the desk's browser is offline by: the emulation of a page does not reach its worker. @type {Line} */
let line;
/** The desk, the platform, and a display. @type {Page} */
let desk;
/** @type {Page} */
let platform;
/** @type {Page} */
let display;
/** @type {string[]} */
let complaints;

before(async () => {
  if (skip) return;
  [browser] = await Promise.all([launch(), server.start()]);
  line = new Line(Number(new URL(server.origin).port));
  const port = await line.start();
  [desk, platform] = await Promise.all([newEditor(`http://127.0.0.1:${port}`), newEditor(server.origin)]);
  const { meetId } = await desk.evaluate(async ([secret, places]) => {
    const session = await client.createMeet({ password: secret, locationName: "desk", locations: places });
    globalThis.meet = await client.openMeet(session, { password: secret });
    return session;
  }, /** @type {const} */ ([password, locations]));
  await platform.evaluate(async ([secret, id]) => {
    globalThis.meet = await client.openMeet(await client.joinMeet({ meetId: id, password: secret, locationName: "platform 1" }), { password: secret });
  }, [password, meetId]);
  const { viewKey } = await desk.evaluate(() => meet.call("POST", "/view-keys", { label: "display" }));
  const lifter = { name: "Ada", sex: "F", platform: 1, day: 1, flight: "A", squatKg: [100, 0, 0, 0, 0], squatStatus: [0, 0, 0, 0, 0] };
  await push(desk, "registration", { entries: { 5000: lifter } });
  await push(desk, "display[1]", { day: 1, flight: "A", lift: "S", attempt: 1, currentEntryId: 5000 });
  ({ page: display, complaints } = await newPage(browser, SIZE));
  await display.goto(`${server.origin}/overlay/lower-third?meet=${meetId}#key=${viewKey}`);
  await shows("Ada");
});

after(async () => {
  await browser?.close();
  line?.stop();
  await server.remove();
});

/** A browser of its own, with a page that has the client. @param {string} origin */
async function newEditor(origin) {
  const { page } = await newPage(browser);
  await page.goto(`${origin}/overlay/`);
  await page.evaluate(async () => {
    Object.assign(globalThis, { client: await import(`${location.origin}/web/client/liftrelay.js`) });
  });
  return page;
}

/** @param {Page} page @param {string} key @param {unknown} value */
const push = (page, key, value) => page.evaluate(([at, what]) => meet.push([{ key: at, value: what }]), /** @type {[string, any]} */ ([key, value]));

/** Everybody has the same name of the lifter: both editors, and the display. @param {string} name */
const shows = (name, timeout = 60_000) =>
  Promise.all([
    ...[desk, platform].map((page) => page.waitForFunction(([key, text]) => meet.get(key) === text, [NAME, name], { timeout })),
    display.waitForFunction((text) => document.querySelector(".lr-name")?.textContent === text, name, { timeout }),
  ]);

test("what was edited offline meets what others did meanwhile, and the higher priority has the last word", slow, async () => {
  line.cut();
  await desk.waitForFunction(() => meet.status.link === "down");
  await push(desk, NAME, "from the desk");
  await push(platform, NAME, "from the platform");
  await platform.evaluate(() => meet.settled());
  await display.waitForFunction(() => document.querySelector(".lr-name")?.textContent === "from the platform");
  assert.equal(await desk.evaluate((key) => meet.get(key), NAME), "from the desk", "an edit is shown at once");
  line.mend();
  await shows("from the platform");
  await desk.waitForFunction(() => meet.status.pending === 0);
  const [{ code }] = await desk.evaluate(() => meet.setAside.map(({ code }) => ({ code })));
  assert.equal(code, "overruled");
});

test("after a kill -9 all go on with what was edited meanwhile, and a name is text", slow, async () => {
  await server.kill();
  await push(platform, NAME, MARKUP);
  await server.start();
  await shows(MARKUP);
  assert.equal(await display.locator("img").count(), 0);
});

test("a server whose data folder is gone gets the meet back from the browsers, the display's key too", slow, async () => {
  await server.kill();
  await rm(server.dataFolder, { recursive: true });
  await push(platform, NAME, "back again");
  await server.start();
  await shows("back again", 90_000);
  const log = await desk.evaluate(() => meet.log());
  assert.deepEqual(log.map(({ serverSeqNum }) => serverSeqNum), log.map((_, place) => place + 1));
});

test("nobody complained", slow, () => {
  // That the server was away is told by the browser itself, and the key was unknown until the meet was back.
  const own = complaints.filter((text) => !/Failed to load resource|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|net::/.test(text));
  assert.deepEqual(own, []);
});
