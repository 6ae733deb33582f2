// The display of a meet in a real browser, with the real program behind it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, link, newPage, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

const MARKUP = "<img src=x onerror=alert(1)>";

const server = new Server();
/** @type {import("playwright-core").Browser} */
let browser;
let meet = "";
let token = "";

before(async () => {
  if (skip) return;
  [browser] = await Promise.all([launch(), server.start()]);
  ({ id: meet, token } = await server.newMeet({ meetName: "Try-out" }));
  const lifter = (/** @type {string} */ name) => ({ name, sex: "F", squatKg: [100, 0, 0, 0, 0], squatStatus: [0, 0, 0, 0, 0] });
  await push("meet.name", "Hall & <b>Sons</b>");
  await push("registration.entries", { 5000: lifter(MARKUP), 5001: lifter("Ada") });
});

after(async () => {
  await browser?.close();
  await server.remove();
});

/**
 * @param {string} updateKey
 * @param {unknown} updateValue
 */
const push = (updateKey, updateValue) => server.send("POST", `/v1/meets/${meet}/updates`, { token, body: { updates: [{ updateKey, updateValue }] } });
const newKey = () => server.send("POST", `/v1/meets/${meet}/view-keys`, { token, body: { label: "display" } });

/**
 * @param {import("playwright-core").Page} page
 * @param {RegExp} text
 */
async function wrong(page, text) {
  await link(page, "refused");
  assert.match(await page.locator("#wrong").innerText(), text);
}

test("a view key's address shows the board, and names as text", { skip }, async () => {
  const { page, complaints } = await newPage(browser, { viewport: { width: 1920, height: 1080 } });
  const { urls } = await newKey();
  await page.goto(`${server.origin}${urls.overlay}`);
  await link(page, "live");
  await page.waitForSelector("#board tbody tr");
  assert.deepEqual(await page.locator("#board tbody .name").allInnerTexts(), [MARKUP, "Ada"]);
  assert.equal(await page.locator("#meet-name").innerText(), "Hall & <b>Sons</b>");
  assert.equal(await page.locator("img").count(), 0);
  assert.ok(await page.locator("#wrong").isHidden());
  await push("registration.entries[5000].squatStatus[0]", 1);
  await page.waitForSelector("#board .attempt.good.changed");
  assert.match(await page.locator("#latest").innerText(), /onerror.*, squat 1, 100 kg: good lift$/);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a meet that gives itself no name is called what it was made as", { skip }, async () => {
  const { page, complaints } = await newPage(browser);
  const { urls } = await server.newMeet({ meetName: "Club night" });
  await page.goto(`${server.origin}${urls.overlay}`);
  await page.waitForFunction(() => document.getElementById("meet-name")?.textContent === "Club night");
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a display outlives its server", { skip }, async () => {
  const { page } = await newPage(browser);
  const { urls } = await newKey();
  await page.goto(`${server.origin}${urls.overlay}`);
  await link(page, "live");
  await server.kill();
  await link(page, "reconnecting");
  await server.start();
  await link(page, "live");
  await push("registration.entries[5001].squatKg[0]", 123.5);
  await page.waitForSelector("#board .attempt.open.changed");
  assert.match(await page.locator("#board").innerText(), /123\.5/);
  await page.close();
});

test("a display says what its address lacks, and reads it again when it changes", { skip }, async () => {
  const { page } = await newPage(browser);
  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  const open = async (/** @type {string} */ rest) => {
    await page.goto("about:blank");
    await page.goto(`${server.origin}/overlay/${rest}`);
  };
  await open("");
  await wrong(page, /names no meet/);
  await open("?meet=12#key=lrv_x");
  await wrong(page, /nine digits, and “12” is none/);
  await open(`?meet=${meet}`);
  await wrong(page, /has no view key/);
  await open(`?meet=${meet}#key=${token}`);
  await wrong(page, /begin with lrv_/);
  assert.ok(!asked.some((address) => new URL(address).search.includes(token)), "a session token goes nowhere");
  await open(`?meet=${meet}#key=lrv_nonsense`);
  await wrong(page, /view key is refused/);
  assert.ok(await page.locator("#board-place").isHidden());
  const { viewKey } = await newKey();
  await page.evaluate((key) => (location.hash = `key=${key}`), viewKey);
  await link(page, "live");
  await page.waitForSelector("#board tbody tr");
  assert.ok(await page.locator("#wrong").isHidden());
  await page.close();
});

test("a display says that its key was deleted", { skip }, async () => {
  const { page } = await newPage(browser);
  const { keyId, urls } = await newKey();
  await page.goto(`${server.origin}${urls.overlay}`);
  await link(page, "live");
  await server.send("DELETE", `/v1/meets/${meet}/view-keys/${keyId}`, { token });
  await wrong(page, /refused.*It was deleted/s);
  await page.close();
});
