// HTTPS in a real browser: more streams than six, on one connection of HTTP/2.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { launch, newPage, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

const STREAMS = 10;

const folder = mkdtempSync(join(tmpdir(), "liftrelay-tls-"));
const [certificate, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
// One place for a connection: a browser that wanted a second one would wait for ever.
const server = new Server("--tls-cert", certificate, "--tls-key", key, "--max-connections", "1");
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  if (skip) return;
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
  execFileSync("openssl", ["req", "-x509", ...made, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  [browser] = await Promise.all([launch(), server.start()]);
});

after(async () => {
  await browser?.close();
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

test("ten streams and requests between them live on one connection", { skip }, async () => {
  const { page, complaints } = await newPage(browser, { ignoreHTTPSErrors: true });
  assert.match(server.origin, /^https:/);
  await page.goto(`${server.origin}/demo`);
  await page.waitForSelector("#first-steps:not([hidden])");
  const told = await page.evaluate(async (count) => {
    /** @param {string} path @param {unknown} body @param {string} [token] */
    const post = async (path, body, token) => {
      const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
      const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
      return response.json();
    };
    const locations = [{ locationName: "desk", priority: 10 }];
    const { meetId, sessionToken } = await post("/v1/meets", { password: "ten characters", thisLocationName: "desk", locations });
    const meet = `/v1/meets/${meetId.replaceAll("-", "")}`;
    const { viewKey } = await post(`${meet}/view-keys`, { label: "test" }, sessionToken);
    /** @param {EventSource} source @param {string} name */
    const heard = (source, name) => new Promise((resolve) => source.addEventListener(name, resolve, { once: true }));
    const sources = Array.from({ length: count }, () => new EventSource(`${meet}/events?after=now&key=${viewKey}`));
    await Promise.all(sources.map((source) => heard(source, "hello")));
    const news = Promise.all(sources.map((source) => heard(source, "update-relay")));
    const acked = await post(`${meet}/updates`, { updates: [{ updateKey: "meet.name", updateValue: "Spring Open" }] }, sessionToken);
    const events = await news;
    sources.forEach((source) => source.close());
    const protocols = performance.getEntriesByType("resource").map((entry) => /** @type {any} */ (entry).nextHopProtocol);
    return { acked: acked.updateAcks.length, relayed: events.length, protocols: [...new Set(protocols)] };
  }, STREAMS);
  assert.deepEqual(told, { acked: 1, relayed: STREAMS, protocols: ["h2"] });
  assert.deepEqual(complaints.filter((text) => !text.includes("/v1/demo")), []);
  await page.close();
});
