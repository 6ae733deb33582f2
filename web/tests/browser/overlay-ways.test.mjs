// What lies between an overlay and its server goes bad: it swallows, falls silent, refuses. The overlay shows the truth again
// once that can get through, and until then what it showed last.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Way } from "../client/way.mjs";
import { launch, newPage, skip } from "./browser.mjs";
import { agree, clockScreen } from "./clock-screens.mjs";
import { Film } from "./film.mjs";
import { Server } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const slow = { skip, timeout: 180_000 };
const patience = { timeout: 60_000 };

const server = new Server();
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<Server["newMeet"]>>["push"]} */
let push;
let query = "";

before(async () => {
  if (skip) return;
  [browser] = await Promise.all([launch(), server.start()]);
  ({ push, query } = await server.newMeet());
});

after(async () => {
  await browser?.close();
  await server.remove();
});

/** An overlay behind a way of its own. @param {import("node:test").TestContext} t */
async function overlay(t) {
  const way = await new Way(server.origin).start();
  const { page } = await newPage(browser);
  t.after(() => Promise.all([page.context().close(), way.stop()]));
  return { way, page, open: () => page.goto(`${way.origin}/overlay/sponsors${query}`) };
}

/** @param {string} sponsor */
const type = (sponsor) => push({ "overlays.sponsors": [{ name: sponsor }] });

/** @param {Page} page @param {string} sponsor */
const shows = (page, sponsor) =>
  page.waitForFunction((text) => document.querySelector(".lr-sponsor .lr-name")?.textContent === text, sponsor, patience);

/** @param {Page} page */
const film = (page) => Film.of(page, ".lr-sponsor .lr-name");

/** Waits until somebody asks for something. @param {Way} way */
async function asks(way) {
  const before = way.asked.length;
  for (let tries = 0; tries < 600; tries += 1) {
    if (way.asked.length > before) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail("the overlay took a dead way for a living one");
}

test("an overlay in a black hole says so with a dot, and shows the meet once the hole is gone", slow, async (t) => {
  const { way, page, open } = await overlay(t);
  await type("Harbour Barbell");
  way.swallows = true;
  await open();
  await page.waitForSelector(".lr-dot:not([hidden])", patience);
  assert.equal((await page.innerText("body")).trim(), "");
  way.swallows = false;
  await shows(page, "Harbour Barbell");
  await page.waitForSelector(".lr-dot[hidden]", { state: "attached", ...patience });
});

test("an overlay whose connections fall silent notices, asks again, and misses nothing", slow, async (t) => {
  const { way, page, open } = await overlay(t);
  await type("before");
  await open();
  await shows(page, "before");
  const strip = await film(page);
  way.swallows = true;
  await type("meanwhile");
  // Streams that are probed and requests under way were asked for already; this one comes of the silence.
  for (let noticed = 0; noticed < 3; noticed += 1) await asks(way);
  way.swallows = false;
  await shows(page, "meanwhile");
  await type("after");
  await shows(page, "after");
  await strip.isUnbroken(["before", "meanwhile", "after"]);
});

test("a 503 in front of everything, once, delays an overlay and no more", slow, async (t) => {
  const { way, page, open } = await overlay(t);
  let refused = 0;
  const refuseOnce = () => {
    let isOver = false;
    way.intercept = (_, response) => {
      if (isOver) return false;
      isOver = true;
      refused += 1;
      response.writeHead(503, { "Retry-After": "1" }).end();
      return true;
    };
  };
  refuseOnce();
  await type("one");
  await open();
  await shows(page, "one");
  const strip = await film(page);
  for (const sponsor of ["two", "three", "four"]) {
    refuseOnce();
    way.cut();
    await type(sponsor);
    await shows(page, sponsor);
  }
  assert.equal(refused, 4);
  await strip.isUnbroken(["one", "two", "three", "four"], 4);
});

test("an overlay that was frozen shows what has changed meanwhile, at once and without a blank", slow, async (t) => {
  const { page, open } = await overlay(t);
  await type("awake");
  await open();
  await shows(page, "awake");
  const strip = await film(page);
  const cdp = await page.context().newCDPSession(page);
  for (const sponsor of ["while it slept", "while it slept again"]) {
    await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
    await type(sponsor);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await cdp.send("Page.setWebLifecycleState", { state: "active" });
    await shows(page, sponsor);
  }
  await strip.isUnbroken(["awake", "while it slept", "while it slept again"]);
});

for (const [name, bad] of /** @type {[string, Partial<Way>][]} */ ([
  ["holds streams back and refuses upgrades", { holdsBack: true, upgrades: false }],
  ["refuses streams and upgrades", { upgrades: false, intercept: refuseStreams }],
])) {
  test(`behind a proxy that ${name}, an overlay shows each change`, slow, async (t) => {
    const { way, page, open } = await overlay(t);
    Object.assign(way, bad);
    await type("first");
    await open();
    for (const sponsor of ["second", "third", "fourth"]) {
      await type(sponsor);
      await shows(page, sponsor);
    }
  });
}

test("two screens that no stream reaches show the same second within 100 ms", slow, async (t) => {
  const way = Object.assign(await new Way(server.origin).start(), { upgrades: false, intercept: refuseStreams });
  t.after(() => way.stop());
  await push({ "clock[1]": { seconds: 60 } });
  const screens = [await clockScreen(browser, `${way.origin}/overlay/clock${query}`, 0)];
  // Answers tell whole seconds, so that two screens that ask at other times would differ.
  await new Promise((resolve) => setTimeout(resolve, 500));
  screens.push(await clockScreen(browser, `${way.origin}/overlay/clock${query}`, 3_600_000));
  await push({ "clock[1]": { seconds: 60, startedAt: new Date(Date.now() - 5300).toISOString() } });
  await agree(screens);
});

/** @type {Way["intercept"]} */
function refuseStreams({ url = "" }, response) {
  if (!url.includes("/events")) return false;
  response.writeHead(403).end();
  return true;
}
