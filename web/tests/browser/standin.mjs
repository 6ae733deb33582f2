// A page that stands in for OpenLifter, served by the program as a build of it is, and what tests do in it.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";
import { fileURLToPath } from "node:url";

import { launch, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const STANDIN = fileURLToPath(new URL("../standin/", import.meta.url));
const PATIENCE_MS = 20000;

/**
 * What a test has: a server of its own, and browsers, which are closed behind it. Called once by a file of tests.
 * @param {string} [build] the folder of the OpenLifter that is served
 */
export function hall(build = STANDIN) {
  /** @type {import("playwright-core").Browser} */
  let browser;
  /** @type {Server} */
  let server;
  /** @type {import("playwright-core").BrowserContext[]} */
  let contexts = [];
  before(async () => {
    if (!skip) browser = await launch();
  });
  after(() => browser?.close());
  beforeEach(async () => {
    if (!skip) server = await new Server("--app-dir", build).start();
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    await server?.remove();
  });
  return {
    get server() {
      return server;
    },
    /** A browser of its own. @param {import("playwright-core").BrowserContextOptions} [options] */
    async context(options) {
      const context = await browser.newContext(options);
      contexts.push(context);
      return context;
    },
    /** A browser of its own with OpenLifter in it, or with a fork. @param {string} [file] @param {import("playwright-core").BrowserContextOptions} [options] */
    async open(file = "", options) {
      return openLifter(await this.context(options), `${server.origin}/app/${file}`);
    },
  };
}

/**
 * A page of a browser. `says` is what its person answers to questions, `asked` what was asked.
 * @param {import("playwright-core").BrowserContext} context
 */
export async function newPage(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => assert.fail(error));
  // The policy of the page lets OpenLifter and its tab do all that they do.
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => setTimeout(() => Promise.reject(new Error(`${violatedDirective}: ${blockedURI}`))));
  });
  const person = { says: true, asked: /** @type {string[]} */ ([]) };
  page.on("dialog", async (dialog) => {
    person.asked.push(dialog.message());
    await (person.says ? dialog.accept() : dialog.dismiss());
  });
  return { page, person, context };
}

/** @param {import("playwright-core").BrowserContext} context @param {string} address */
export async function openLifter(context, address) {
  const opened = await newPage(context);
  await opened.page.goto(address);
  await ready(opened.page);
  return opened;
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

/** Nothing is under way any more in these pages. @param {Page[]} pages */
export async function settled(...pages) {
  for (const page of pages) await page.evaluate(async () => (await liftrelayLive).meet.settled());
}

export const names = (/** @type {any} */ { registration }) => registration.entries.map((/** @type {any} */ { name }) => name);
export const squats = (/** @type {any} */ { registration }) => registration.entries.map((/** @type {any} */ { squatKg }) => squatKg[0]);
