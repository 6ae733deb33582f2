// The client through a bundler: one file, as an application of somebody else's has it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launch, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

const CLIENT = fileURLToPath(new URL("../../client/liftrelay.js", import.meta.url));
const password = "ten characters";

const bundler = await import("../tools/node_modules/esbuild/lib/main.js").catch((error) => {
  if (error.code === "ERR_MODULE_NOT_FOUND") return null;
  throw error;
});

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

test("one file of a bundler's is the whole client: pages share a stream without a worker's file", { skip: skip || (bundler ? false : "run npm ci in web/tests/tools first") }, async () => {
  const { outputFiles } = await bundler.default.build({ entryPoints: [CLIENT], bundle: true, minify: true, write: false, format: "esm", target: "chrome103" });
  const context = await browser.newContext();
  const [one, two] = [await context.newPage(), await context.newPage()];
  await context.route("**/app.js", (route) => route.fulfill({ contentType: "text/javascript", body: outputFiles[0].text }));
  for (const page of [one, two]) {
    await page.goto(`${server.origin}/overlay/`);
    await page.evaluate(async () => void (globalThis.client = await import(`${location.origin}/app.js`)));
  }
  await one.evaluate(async (secret) => {
    const session = await client.createMeet({ password: secret, locationName: "desk", locations: [{ locationName: "desk", priority: 1 }] });
    globalThis.meet = await client.openMeet(session, { password: secret });
  }, password);
  await two.evaluate(async () => void (globalThis.meet = await client.openMeet((await client.savedMeets())[0])));
  for (const [from, to, key] of /** @type {const} */ ([[one, two, "a"], [two, one, "b"]])) {
    await from.evaluate((at) => meet.push([{ key: at, value: 1 }]), key);
    await to.waitForFunction((at) => meet.get(at) === 1, key);
  }
  assert.deepEqual(await Promise.all([one, two].map((page) => page.evaluate(() => meet.status.carrier))), ["this-page", "another-page"]);
  await context.close();
});
