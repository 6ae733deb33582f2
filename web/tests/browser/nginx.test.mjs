// Behind nginx: as our own file sets it up, and as one that drops upgrades, buffers, and ignores what the server says of it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { launch, newPage, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

const password = "ten characters";
const slow = { skip, timeout: 120_000 };
const OURS = await readFile(new URL("../../../deploy/nginx.conf", import.meta.url), "utf8");
const HOSTILE = `server {
    listen 80;
    location / {
        proxy_pass http://127.0.0.1:8455;
        proxy_set_header Host $http_host;
        proxy_buffering on;
        proxy_ignore_headers X-Accel-Buffering;
    }
}`;

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

for (const [name, site, transport] of [["our own file", OURS, "websocket"], ["one that buffers and drops upgrades", HOSTILE, "long-poll"]]) {
  test(`behind ${name} an editor and another get through by ${transport}, and say so`, slow, async (t) => {
    const origin = await nginx(t, site);
    const pages = await Promise.all([0, 1].map(() => newPage(browser)));
    const [one, two] = pages.map(({ page }) => page);
    for (const page of [one, two]) {
      await page.goto(`${origin}/overlay/`);
      await page.evaluate(async () => void (globalThis.client = await import(`${location.origin}/web/client/liftrelay.js`)));
    }
    const { meetId } = await one.evaluate(async (secret) => {
      const session = await client.createMeet({ password: secret, locationName: "desk", locations: [{ locationName: "desk", priority: 1 }] });
      globalThis.meet = await client.openMeet(session, { password: secret });
      return session;
    }, password);
    await two.evaluate(async ([secret, id]) => void (globalThis.meet = await client.openMeet(await client.joinMeet({ meetId: id, password: secret, locationName: "desk" }))), [password, meetId]);
    for (const number of [1, 2, 3]) {
      await one.evaluate((value) => meet.push([{ key: "a", value }]), number);
      await two.waitForFunction((value) => meet.get("a") === value, number);
    }
    await two.waitForFunction((name) => meet.status.transport === name && meet.status.link === "up", transport);
    await Promise.all([one, two].map((page) => page.context().close()));
  });
}

for (const [name, site] of [["our own file", OURS], ["one that buffers and drops upgrades", HOSTILE]]) {
  test(`behind ${name} an overlay and a display show what was typed, and what is typed next`, slow, async (t) => {
    const origin = await nginx(t, site);
    const { push, query } = await server.newMeet();
    const type = (/** @type {string} */ name) => push({ "overlays.sponsors": [{ name }], "registration.entries[1]": { name, sex: "F" } });
    const pages = await Promise.all([0, 1].map(() => newPage(browser)));
    const [overlay, display] = pages.map(({ page }) => page);
    const shows = (/** @type {string} */ name) =>
      Promise.all([[overlay, ".lr-sponsor .lr-name"], [display, "#board tbody .name"]].map(([page, place]) =>
        page.waitForFunction(([at, text]) => document.querySelector(at)?.textContent === text, [place, name])));
    await type("Ada");
    await overlay.goto(`${origin}/overlay/sponsors${query}`);
    await display.goto(`${origin}/overlay/${query}`);
    await shows("Ada");
    for (const name of ["Bo", "Cleo"]) {
      await type(name);
      await shows(name);
    }
    await Promise.all([overlay, display].map((page) => page.context().close()));
  });
}

test("behind one that buffers and drops upgrades the demo moves", slow, async (t) => {
  const demo = await new Server("--demo", "--demo-speed", "20").start();
  t.after(() => demo.remove());
  const { page } = await newPage(browser);
  await page.goto(`${await nginx(t, HOSTILE, demo)}/demo`);
  await page.waitForSelector("#board tbody tr");
  const shown = await page.locator("#seq-num").innerText();
  await page.waitForFunction((number) => Number(document.getElementById("seq-num")?.textContent) > Number(number), shown);
  await page.waitForSelector("#feed td");
  await page.context().close();
});

/**
 * Starts nginx with this site in front of the server, and gives its origin.
 * @param {import("node:test").TestContext} t
 * @param {string} site
 * @param {Server} [behind]
 */
async function nginx(t, site, behind = server) {
  const folder = await mkdtemp(join(tmpdir(), "liftrelay-nginx-"));
  const port = await freePort();
  const mine = site.replace("listen 80;", `listen 127.0.0.1:${port};`).replace("http://127.0.0.1:8455", behind.origin);
  assert.ok(mine.includes(String(port)) && mine.includes(behind.origin));
  const kept = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`);
  const file = `daemon off; master_process off; pid ${folder}/pid; error_log stderr;\nevents { }\nhttp {\naccess_log off;\n${kept.join("\n")}\n${mine}\n}`;
  await writeFile(join(folder, "nginx.conf"), file);
  let said = "";
  const child = spawn("nginx", ["-p", folder, "-e", "stderr", "-c", join(folder, "nginx.conf")], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }, stdio: ["ignore", "ignore", "pipe"] });
  child.stderr.on("data", (text) => (said += text));
  child.on("error", (error) => (said += error.message));
  t.after(async () => {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });
  const origin = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 200; tries += 1) {
    if (await fetch(`${origin}/health/live`).then(({ ok }) => ok, () => false)) return origin;
    await sleep(50);
  }
  throw new Error(`nginx did not start: ${said}`);
}

/** @returns {Promise<number>} */
function freePort() {
  const holder = createServer();
  return new Promise((resolve) => {
    holder.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (holder.address());
      holder.close(() => resolve(port));
    });
  });
}
