// A browser with a page that stands in for OpenLifter, put where the program would serve it, and what tests do in it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("./server.mjs").Server} Server */

const STANDIN = new URL("../standin/", import.meta.url);
const PATIENCE_MS = 20000;

/**
 * A browser of its own with OpenLifter in it, or with a fork. `says` is what its person answers to questions, `asked` what was asked.
 * @param {import("playwright-core").Browser} browser
 * @param {Server} server
 * @param {string} [file]
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function openLifter(browser, server, file = "", options = {}) {
  const context = await browser.newContext(options);
  await context.route(/\/app\//, async (route) => {
    const name = new URL(route.request().url()).pathname.slice("/app/".length) || "index.html";
    const contentType = name.endsWith(".html") ? "text/html" : "text/javascript";
    await route.fulfill({ contentType, body: await readFile(new URL(name, STANDIN), "utf8") });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => assert.fail(error));
  const person = { says: true, asked: /** @type {string[]} */ ([]) };
  page.on("dialog", async (dialog) => {
    person.asked.push(dialog.message());
    await (person.says ? dialog.accept() : dialog.dismiss());
  });
  await page.goto(`${server.origin}/app/${file}`);
  await ready(page);
  return { page, person, context };
}

/** @param {Page} page */
export const ready = async (page) => {
  await page.waitForFunction(() => globalThis.store?.getState()._persist?.rehydrated);
  await page.evaluate(() => liftrelayLive.then(() => undefined));
};

/** Reads the store. @template T @param {Page} page @param {(state: any) => T} look @returns {Promise<T>} */
export const state = async (page, look) => look(await page.evaluate(() => JSON.parse(JSON.stringify(store.getState()))));

/** Waits until the store shows what is wanted. @param {Page} page @param {(state: any) => unknown} look @param {unknown} wanted */
export const shows = (page, look, wanted) => becomes(() => state(page, look), wanted);

/** @param {() => Promise<unknown>} read @param {unknown} wanted */
export async function becomes(read, wanted) {
  const until = Date.now() + PATIENCE_MS;
  let seen = await read();
  while (JSON.stringify(seen) !== JSON.stringify(wanted) && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    seen = await read();
  }
  assert.deepEqual(seen, wanted);
}

/** @param {Page} page @param {string} name */
export async function newLifter(page, name) {
  const before = await state(page, ({ registration }) => registration.nextEntryId);
  await page.click("#new-lifter");
  await type(page, `#name-${before}`, name);
  return before;
}

/** As a person does. @param {Page} page @param {string} box @param {string} text */
export async function type(page, box, text) {
  await page.click(box);
  await page.keyboard.press("Control+a");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}
