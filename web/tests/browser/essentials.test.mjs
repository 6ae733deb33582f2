// What the director's page and the list of overlays are for, in any browser that OBS or a hall may have.
// Pages are driven by their own elements alone: the driver's own clicks want newer browsers than Chromium 103.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ELEMENTS } from "../../overlay/elements.js";
import { launch, newPage, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const NAME = "<img src=x onerror=alert(1)>";
const PATIENCE_MS = 60000;

const server = new Server();
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  if (!skip) [browser] = await Promise.all([launch("--host-resolver-rules=MAP hall.test 127.0.0.1"), server.start()]);
});

after(async () => {
  await browser?.close();
  await server.remove();
});

/** Types into a field and says so, as a keyboard would. @param {Page} page @param {string} selector @param {string} text */
const type = (page, selector, text) =>
  page.evaluate(([where, value]) => {
    const field = /** @type {HTMLInputElement} */ (document.querySelector(where));
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }, [selector, text]);

/** Only what is on the screen can be clicked. @param {Page} page @param {string} selector */
const click = (page, selector) =>
  page.evaluate((where) => {
    const button = /** @type {HTMLElement} */ (document.querySelector(where));
    if (button.getClientRects().length === 0) throw new Error(`${where} is not shown`);
    button.click();
  }, selector);

/** @param {Page} page @param {string} selector @param {string} text */
const shows = (page, selector, text) =>
  page.waitForFunction(([where, wanted]) => {
    const found = /** @type {HTMLElement | null} */ (document.querySelector(where));
    return found && found.getClientRects().length > 0 && found.innerText.includes(wanted);
  }, [selector, text]);

/** A new meet with one lifter, on the director's page. */
async function newMeet() {
  const { page, complaints } = await newPage(browser, { viewport: { width: 1200, height: 900 } });
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(server.origin.replace("127.0.0.1", "hall.test"));
  await shows(page, "#create", "Password");
  await type(page, "#create [name=password]", "chalk and collars");
  await click(page, "#create [type=submit]");
  await shows(page, "#link-text", "live");
  await type(page, "#add-lifter [name=name]", NAME);
  await click(page, "#add-lifter [type=submit]");
  await shows(page, "#called", NAME);
  return { page, complaints };
}

test("a meet is made, lifted and looked back at", { skip, timeout: 180000 }, async () => {
  const { page, complaints } = await newMeet();
  assert.equal(await page.evaluate(() => isSecureContext), false);
  await shows(page, "#log-count", "2");
  await type(page, "#search [name=words]", "onerror");
  await shows(page, "#log-said", "1 of 2 updates");
  await shows(page, "#log > li:first-child", NAME);
  await click(page, "#log > li:first-child button");
  await shows(page, "#past-title", "As of update 1,");
  await shows(page, "#board tbody", NAME);
  await shows(page, "#not-over", "1 of 1 lifters have attempts left");
  await page.reload();
  await shows(page, "#called", NAME);
  await type(page, "#finish [name=meetId]", await page.evaluate(() => document.getElementById("meet-id")?.textContent ?? ""));
  await click(page, "#finish [type=submit]");
  await shows(page, "#finished", "The meet is finished");
  assert.deepEqual(complaints, []);
  await page.close();
});

test("the list has an address, a code and a living preview of every overlay", { skip, timeout: 180000 }, async () => {
  const { page, complaints } = await newMeet();
  await shows(page, "#keys > li", "overlays");
  const [list, lowerThird] = await page.evaluate(() => Array.from(document.querySelectorAll("#keys input"), (field) => /** @type {HTMLInputElement} */ (field).value));
  await page.goto(list);
  await shows(page, "#which", "These addresses open the meet");
  const items = await page.evaluate(() =>
    Array.from(document.querySelectorAll("#overlays > li"), (item) => ({
      address: /** @type {HTMLInputElement} */ (item.querySelector("input.address")).value,
      modules: /** @type {HTMLCanvasElement} */ (item.querySelector("canvas")).width,
    })),
  );
  assert.equal(items.length, Object.keys(ELEMENTS).length + 1);
  assert.ok(items.some(({ address }) => address === lowerThird), `${lowerThird} is none of the list's`);
  assert.deepEqual(items.filter(({ modules }) => modules < 21 + 8), [], "a code has 21 modules at least, and its margin");
  await page.waitForFunction((name) => {
    const frame = /** @type {HTMLIFrameElement | null} */ (document.querySelector('[data-overlay="lower-third"] iframe'));
    return frame?.contentDocument?.querySelector(".lr-name")?.textContent === name;
  }, NAME);
  assert.deepEqual(complaints, []);
  await page.close();
});
