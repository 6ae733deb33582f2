// From an unpacked binary to the first overlay that shows a typed name, as README tells it, counted.
// With PICTURES=FOLDER it leaves the pictures of README there.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { launch, newPage, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

const NAME = "Ada Ashdown";
const ACTIONS_MAX = 7;

test(`the first overlay shows a typed name after ${ACTIONS_MAX} actions`, { skip, timeout: 120000 }, async () => {
  /** @type {string[]} */
  const done = [];
  /** @template T @param {string} what @param {Promise<T>} action */
  const act = (what, action) => {
    done.push(what);
    return action;
  };
  const server = new Server();
  const browser = await launch();
  const { page, complaints } = await newPage(browser, { viewport: { width: 760, height: 440 } });
  /** @param {import("playwright-core").Page} of @param {string} name @param {{ x: number, y: number, width: number, height: number }} [clip] */
  const picture = (of, name, clip) => (process.env.PICTURES ? of.screenshot({ path: join(process.env.PICTURES, `${name}.png`), clip }) : null);
  try {
    page.setDefaultTimeout(60000);
    await act("command: liftrelay serve", server.start());
    await act("paste: the address that it prints", page.goto(server.origin));
    await act("typed field: password", page.fill("#create [name=password]", "chalk and collars"));
    await page.evaluate(() => document.getElementById("create-title")?.scrollIntoView());
    await picture(page, "create");
    await act("click: Create", page.click("#create [type=submit]"));
    await page.waitForSelector('#link-state[data-state="live"]');
    await act("typed field: name", page.fill("#add-lifter [name=name]", NAME));
    await act("click: Add a lifter", page.click("#add-lifter [type=submit]"));
    await page.waitForFunction((name) => document.getElementById("called")?.textContent === name, NAME);
    await page.evaluate(() => document.getElementById("platform-title")?.scrollIntoView());
    await picture(page, "lifter");
    const opened = page.context().waitForEvent("page");
    const link = page.locator('[aria-label="Open the lower third of overlays"]');
    await link.waitFor();
    await page.evaluate(() => document.getElementById("new-key")?.scrollIntoView());
    await picture(page, "overlays");
    await act("click: Open, beside Lower third", link.click());
    const overlay = await opened;
    await overlay.waitForFunction((name) => document.querySelector(".lr-name")?.textContent === name, NAME, { timeout: 60000 });
    await overlay.setViewportSize({ width: 1920, height: 1080 });
    await overlay.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== "running"));
    await picture(overlay, "lower-third", { x: 0, y: 820, width: 1200, height: 260 });
    assert.ok(done.length <= ACTIONS_MAX, done.join("\n"));
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
    await server.remove();
  }
});
