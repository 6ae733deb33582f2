// Screens with a clock of the meet on them, and whether they show the same second at the same time.

import assert from "node:assert/strict";

import { newPage } from "./browser.mjs";

/** @typedef {import("playwright-core").Page} Page */

/**
 * A screen whose own time is wrong. It notes when it shows what, by the time of this machine.
 * @param {import("playwright-core").Browser} browser
 * @param {string} address
 * @param {number} wrongMs
 */
export async function clockScreen(browser, address, wrongMs) {
  const { page } = await newPage(browser, { viewport: { width: 1920, height: 1080 } });
  await page.addInitScript((wrongMs) => {
    const origin = performance.timeOrigin;
    Object.defineProperty(Performance.prototype, "timeOrigin", { get: () => origin + wrongMs });
    const changes = /** @type {Record<string, number>} */ ((/** @type {any} */ (window).changes = {}));
    const look = () => {
      const shown = document.querySelector(".lr-time")?.textContent ?? "";
      if (shown !== "" && shown !== "1:00") changes[shown] ??= origin + performance.now();
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
  }, wrongMs);
  await page.goto(address);
  await page.waitForSelector(".lr-time");
  return page;
}

/** Closes them when they have agreed for some seconds. @param {Page[]} screens */
export async function agree(screens) {
  await Promise.all(screens.map((page) => page.waitForFunction(() => Object.keys(/** @type {any} */ (window).changes).length > 5, undefined, { timeout: 20_000 })));
  const [here, there] = await Promise.all(screens.map((page) => page.evaluate(() => /** @type {any} */ (window).changes)));
  const both = Object.keys(here).filter((shown) => shown in there).slice(1);
  const apart = both.map((shown) => Math.abs(here[shown] - there[shown])).sort((a, b) => a - b);
  assert.ok(both.length >= 3, JSON.stringify([here, there]));
  // A busy machine may paint one of them late; the clocks themselves agree.
  assert.ok(apart[Math.floor(apart.length / 2)] <= 100, apart.join());
  await Promise.all(screens.map((page) => page.context().close()));
}
