// The shared worker that holds a browser's stream is ended by the browser, for lack of memory for instance: pages go on with another.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, newPage, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const password = "ten characters";
const slow = { skip, timeout: 120_000 };

const server = new Server();
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Page} */
let editor;
let query = "";

before(async () => {
  if (skip) return;
  [browser] = await Promise.all([launch(), server.start()]);
  ({ page: editor } = await newPage(browser));
  await editor.goto(`${server.origin}/overlay/`);
  const { meetId, viewKey } = await editor.evaluate(async (secret) => {
    globalThis.client = await import(`${location.origin}/web/client/liftrelay.js`);
    const session = await client.createMeet({ password: secret, locationName: "desk", locations: [{ locationName: "desk", priority: 1 }] });
    globalThis.meet = await client.openMeet(session, { password: secret });
    return { meetId: session.meetId, ...(await meet.call("POST", "/view-keys", { label: "overlays" })) };
  }, password);
  query = `?meet=${meetId}#key=${viewKey}`;
});

after(async () => {
  await browser?.close();
  await server.remove();
});

/** Ends the workers of this name, and tells how many there were. @param {(url: string) => boolean} isMeant */
async function endWorkers(isMeant) {
  const cdp = await browser.newBrowserCDPSession();
  const { targetInfos } = await cdp.send("Target.getTargets");
  const workers = targetInfos.filter(({ type, url }) => type === "shared_worker" && isMeant(url));
  for (const { targetId } of workers) await cdp.send("Target.closeTarget", { targetId });
  await cdp.detach();
  return workers.length;
}

/** @param {unknown} value */
const sponsor = (value) => editor.evaluate((name) => meet.push([{ key: "overlays.sponsors", value: [{ name }] }]), /** @type {any} */ (value));

test("a page whose worker is gone loses no edit", slow, async () => {
  assert.equal(await editor.evaluate(() => meet.status.carrier), "worker");
  await sponsor("before");
  await editor.evaluate(() => meet.settled());
  assert.equal(await endWorkers((url) => url.endsWith("/client/worker.js")), 1);
  await sponsor("after");
  await editor.waitForFunction(() => meet.status.link === "up" && meet.status.pending === 0 && meet.status.lastNumber === 2);
  assert.deepEqual((await editor.evaluate(() => meet.log())).map(({ localSeqNum }) => localSeqNum), [1, 2]);
});

test("overlays whose worker is gone follow again, and are never blank", slow, async () => {
  const context = await browser.newContext({ viewport: { width: 1920, height: 1080 } });
  const pages = await Promise.all([0, 1].map(() => context.newPage()));
  const shows = (/** @type {string} */ name) =>
    Promise.all(pages.map((page) => page.waitForFunction((text) => document.querySelector(".lr-sponsor .lr-name")?.textContent === text, name, { timeout: 60_000 })));
  await Promise.all(pages.map((page) => page.goto(`${server.origin}/overlay/sponsors${query}`)));
  await shows("after");
  await pages[0].evaluate(() => {
    const strip = /** @type {string[]} */ ((/** @type {any} */ (window).strip = []));
    setInterval(() => strip.push(document.querySelector(".lr-sponsor .lr-name")?.textContent ?? ""), 50);
  });
  assert.equal(await endWorkers((url) => url.endsWith("/client/worker.js")), 2, "the editor's and the overlays'");
  await sponsor("and again");
  await shows("and again");
  const strip = await pages[0].evaluate(() => /** @type {any} */ (window).strip);
  assert.deepEqual([...new Set(strip)].filter((name) => name !== "and again"), ["after"]);
  await context.close();
});
