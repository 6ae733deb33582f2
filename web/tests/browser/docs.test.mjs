// The pages about the API and its problems in a real browser, with the real program behind them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, newPage, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

const PUSH = "#?route=post-/v1/meets/-meetId-/updates";
const SIZES = [
  { width: 1280, height: 900 },
  { width: 360, height: 740 },
];

const server = new Server();
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  if (!skip) [browser] = await Promise.all([launch(), server.start()]);
});

after(async () => {
  await browser?.close();
  await server.remove();
});

/**
 * Opens a page, and keeps every address that it asks for.
 * @param {string} path
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
async function open(path, options) {
  const { page, complaints } = await newPage(browser, options);
  /** @type {string[]} */
  const foreign = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${server.origin}/`) && !url.startsWith("data:")) foreign.push(url);
  });
  await page.goto(`${server.origin}${path}`);
  return { page, complaints, foreign };
}

/** Nothing is wider than the window. @param {import("playwright-core").Page} page */
const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

for (const viewport of SIZES) {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    test(`the API page shows an operation at ${viewport.width} px in ${colorScheme}`, { skip }, async () => {
      const { page, complaints, foreign } = await open(`/docs${PUSH}`, { viewport, colorScheme });
      const operation = page.locator("openapi-explorer").getByText("Sends changes and gets one answer for each");
      await operation.waitFor();
      assert.ok(await page.locator("openapi-explorer").getByText("Push updates").first().isVisible());
      const ground = await page.evaluate(() => [document.body, document.querySelector("openapi-explorer")].map((part) => part && getComputedStyle(part).backgroundColor));
      assert.equal(ground[0], ground[1], "the renderer has the colours of the house");
      assert.ok(await fits(page));
      assert.deepEqual(foreign, []);
      assert.deepEqual(complaints, []);
      await page.close();
    });
  }
}

test("an operation can be tried out, and goes to the server of the page", { skip }, async () => {
  const { page, complaints, foreign } = await open("/docs#?route=get-/health/ready");
  const answered = page.waitForResponse(`${server.origin}/health/ready`);
  await page.locator("openapi-explorer").getByRole("button", { name: "Execute" }).click();
  assert.equal((await answered).status(), 200);
  assert.deepEqual(foreign, []);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("the first page leads to the API page", { skip }, async () => {
  const { page } = await open("/");
  await page.getByRole("link", { name: "API", exact: true }).click();
  await page.waitForURL(`${server.origin}/docs`);
  await page.locator("openapi-explorer").getByText("One minute with curl").first().waitFor();
  await page.close();
});

test("the problems have an index, and each a page that leads back", { skip }, async () => {
  for (const viewport of SIZES) {
    const { page, complaints, foreign } = await open("/problems/", { viewport });
    assert.equal(await page.locator(".problems > li").count(), await page.locator(".problems a").count());
    assert.ok(await fits(page));
    await page.getByRole("link", { name: "sync-conflict" }).click();
    await page.waitForURL(`${server.origin}/problems/sync-conflict`);
    assert.match(await page.locator("main").innerText(), /HTTP status 409.*Cause.*Cure.*refused again/s);
    assert.ok(await fits(page));
    await page.getByRole("link", { name: "All problems" }).click();
    await page.waitForURL(`${server.origin}/problems/`);
    assert.deepEqual(foreign, []);
    assert.deepEqual(complaints, []);
    await page.close();
  }
});
