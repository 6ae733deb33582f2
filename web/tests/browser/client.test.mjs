// The client in a real browser: one stream for all pages, edits that outlive them, and what happens to pages.
// The address is one of a hall's network, so there is no secure context.

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { Way } from "../client/way.mjs";
import { launch, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const password = "ten characters";
const locations = [{ locationName: "platform 1", priority: 2 }, { locationName: "desk", priority: 1 }];
const PATIENCE_MS = 60000;

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").BrowserContext} */
let context;
/** @type {Server} */
let server;
/** @type {Way} */
let way;

before(async () => {
  if (!skip) browser = await launch("--host-resolver-rules=MAP hall.test 127.0.0.1");
});

after(() => browser?.close());

beforeEach(async () => {
  if (skip) return;
  server = await new Server().start();
  way = await new Way(server.origin).start();
  context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
});

afterEach(async () => {
  await context?.close();
  await way?.stop();
  await server?.remove();
});

const home = () => way.origin.replace("127.0.0.1", "hall.test");

/** A page with the client. @param {string} [without] what this browser lacks */
async function newPage(without = "", browserContext = context, address = home()) {
  const page = await browserContext.newPage();
  page.on("pageerror", (error) => assert.fail(error));
  await page.addInitScript((names) => {
    for (const name of names.split(" ").filter(Boolean)) Object.defineProperty(globalThis, name, { value: undefined });
  }, without);
  await page.goto(address);
  await page.evaluate(async () => {
    Object.assign(globalThis, { client: await import(`${location.origin}/web/client/liftrelay.js`), told: [] });
  });
  return page;
}

/** Makes a meet and opens it in this page. @param {Page} page */
const create = (page) =>
  page.evaluate(async ([secret, places]) => {
    const session = await client.createMeet({ password: secret, locationName: "desk", locations: places });
    globalThis.meet = await client.openMeet(session, { password: secret });
    meet.on("remote", ({ changes }) => told.push(...changes));
    return session;
  }, /** @type {const} */ ([password, locations]));

/** Opens what the browser has. @param {Page} page */
const reopen = (page) =>
  page.evaluate(async (secret) => {
    const [saved] = await client.savedMeets();
    globalThis.meet = await client.openMeet(saved, { password: secret });
    meet.on("remote", ({ changes }) => told.push(...changes));
  }, password);

/** @param {Page} page @param {string} key @param {unknown} value */
const push = (page, key, value) => page.evaluate(([at, what]) => meet.push([{ key: at, value: what }]), /** @type {[string, any]} */ ([key, value]));

/** @param {Page} page @param {string} key @param {unknown} value */
const shows = (page, key, value) => page.waitForFunction(([at, text]) => JSON.stringify(meet.get(at)) === text, [key, JSON.stringify(value)]);

/** @param {Page} page */
const settled = (page) => page.evaluate(() => meet.settled());

/** @param {Page} page @returns {Promise<import("../../client/liftrelay.d.ts").Status>} */
const status = (page) => page.evaluate(() => meet.status);

/** @param {Page} page @param {string} member @param {unknown} value */
const stands = (page, member, value) => page.waitForFunction(([name, is]) => meet.status[name] === is, /** @type {[string, any]} */ ([member, value]));

/** The server is killed, and starts without its data. */
async function loseEverything() {
  await server.kill();
  await rm(server.dataFolder, { recursive: true });
  await server.start();
}

/** @param {() => boolean} isSo */
async function until(isSo) {
  for (const end = Date.now() + PATIENCE_MS; !isSo(); await new Promise((resolve) => setTimeout(resolve, 50))) assert.ok(Date.now() < end, "in time");
}

/** Streams that were opened by now. */
const streams = () => way.asked.filter((asked) => asked.startsWith("UPGRADE") || asked.includes("/events")).length;

test("replicas stand as the golden schedules say", { skip, timeout: 120000 }, async () => {
  const page = await newPage();
  const count = await page.evaluate(async () => {
    const { play } = await import(`${location.origin}/web/tests/client/schedule.mjs`);
    const { cases } = await (await fetch("/vectors/replica.json")).json();
    const text = (/** @type {any} */ value) => JSON.stringify(value, (_, inner) => (inner && typeof inner === "object" && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort()) : inner));
    const equal = (/** @type {unknown} */ one, /** @type {unknown} */ two, /** @type {string} */ at) => {
      if (text(one) !== text(two)) throw new Error(`${at}: ${text(one)} is not ${text(two)}`);
    };
    for (const one of cases) play(one, equal);
    return cases.length;
  });
  assert.ok(count >= 30);
});

test("an address of the hall's network is enough, and a WebSocket carries", { skip, timeout: 120000 }, async () => {
  const page = await newPage();
  assert.equal(await page.evaluate(() => isSecureContext), false);
  await create(page);
  await push(page, "a", { x: [1, null, "Åsa"] });
  await settled(page);
  await stands(page, "transport", "websocket");
  const { storage, carrier, pending, lastNumber } = await status(page);
  assert.deepEqual([storage, carrier, pending, lastNumber], ["indexeddb", "worker", 0, 1]);
});

test("the program serves it, and its own pages' policy lets it work", { skip, timeout: 120000 }, async () => {
  const page = await context.newPage();
  /** @type {string[]} */
  const complaints = [];
  page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
  await page.goto(`${server.origin}/overlay/`);
  await page.evaluate(async () => {
    Object.assign(globalThis, { client: await import(`${location.origin}/web/client/liftrelay.js`), told: [] });
  });
  await create(page);
  await push(page, "a", 1);
  await settled(page);
  await stands(page, "transport", "websocket");
  assert.equal((await status(page)).carrier, "worker");
  assert.deepEqual(complaints, []);
});

for (const [without, carriers] of [["", ["worker", "worker"]], ["SharedWorker", ["this-page", "another-page"]]]) {
  test(`two pages are one client with one stream, by a ${carriers[0]}`, { skip, timeout: 120000 }, async () => {
    const one = await newPage(without);
    await create(one);
    await stands(one, "transport", "websocket");
    const before = streams();
    const two = await newPage(without);
    await reopen(two);
    await push(one, "a", 1);
    await shows(two, "a", 1);
    await push(two, "b", 2);
    await shows(one, "b", 2);
    await Promise.all([settled(one), settled(two)]);
    assert.equal(streams(), before);
    assert.deepEqual(await two.evaluate(() => told), [{ key: "a", value: 1 }], "the other page's edit, not its own");
    assert.deepEqual([(await status(one)).carrier, (await status(two)).carrier], carriers);
    const log = await two.evaluate(() => meet.log());
    assert.equal(new Set(log.map(({ clientId }) => clientId)).size, 1);
  });
}

test("ten views and an editor share the six connections of an origin", { skip, timeout: 120000 }, async () => {
  way.upgrades = false;
  const editor = await newPage();
  const { meetId } = await create(editor);
  const { viewKey } = await editor.evaluate(() => meet.call("POST", "/view-keys", { label: "overlays" }));
  const views = await Promise.all(Array.from({ length: 10 }, () => newPage()));
  await Promise.all(views.map((page) => page.evaluate(async (view) => void (globalThis.meet = await client.viewMeet(view)), { meetId, viewKey })));
  await push(editor, "a", 1);
  await Promise.all(views.map((page) => shows(page, "a", 1)));
  await push(editor, "a", 2);
  await Promise.all(views.map((page) => shows(page, "a", 2)));
});

test("what was edited while nothing came through outlives the page", { skip, timeout: 120000 }, async () => {
  const page = await newPage();
  await create(page);
  await push(page, "a", 1);
  await settled(page);
  way.intercept = (_, response) => Boolean(response.destroy());
  way.upgrades = false;
  way.cut();
  await stands(page, "link", "down");
  await push(page, "b", 2);
  await page.close();
  const again = await newPage();
  await reopen(again);
  assert.deepEqual(await again.evaluate(() => [meet.get("a"), meet.get("b"), meet.status.pending]), [1, 2, 1]);
  way.intercept = () => false;
  await settled(again);
  assert.deepEqual((await again.evaluate(() => meet.log())).map(({ localSeqNum }) => localSeqNum), [1, 2]);
});

test("a page that dies in the middle hands over to the next, and no edit is lost or doubled", { skip, timeout: 120000 }, async () => {
  const leader = await newPage("SharedWorker");
  await create(leader);
  const [two, three] = [await newPage("SharedWorker"), await newPage("SharedWorker")];
  await Promise.all([reopen(two), reopen(three)]);
  const cdp = await context.newCDPSession(leader);
  for (let number = 0; number < 20; number += 1) {
    const pushed = push(number % 2 ? two : three, `k${number}`, number);
    // Nobody answers any more, this call included.
    if (number === 10) void cdp.send("Page.crash").catch(() => {});
    await pushed;
  }
  await Promise.all([settled(two), settled(three)]);
  await Promise.all([shows(two, "k18", 18), shows(three, "k19", 19)]);
  const log = await two.evaluate(() => meet.log());
  assert.deepEqual(log.map(({ updateKey }) => updateKey).sort(), Array.from({ length: 20 }, (_, number) => `k${number}`).sort());
});

test("what is edited while the stream is handed over is kept, and says so", { skip, timeout: 120000 }, async () => {
  const leader = await newPage("SharedWorker");
  await create(leader);
  const other = await newPage("SharedWorker");
  await reopen(other);
  const pushed = other.evaluate(async () => {
    const all = [];
    for (let number = 0; number < 100; number += 1) {
      all.push(meet.push([{ key: `k${number}`, value: number }]));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return (await Promise.all(all)).length;
  });
  await leader.goto("about:blank");
  assert.equal(await pushed, 100);
  await settled(other);
  assert.equal((await other.evaluate(() => meet.log())).length, 100);
});

test("a page that is frozen hands over, and is in step when it thaws", { skip, timeout: 120000 }, async () => {
  const leader = await newPage("SharedWorker");
  await create(leader);
  const other = await newPage("SharedWorker");
  await reopen(other);
  const cdp = await context.newCDPSession(leader);
  await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
  await push(other, "a", 1);
  await settled(other);
  await cdp.send("Page.setWebLifecycleState", { state: "active" });
  await shows(leader, "a", 1);
  await push(leader, "b", 2);
  await shows(other, "b", 2);
});

test("a server that is killed is there again for all pages", { skip, timeout: 120000 }, async () => {
  const [one, two] = [await newPage(), await newPage()];
  await create(one);
  await reopen(two);
  await server.kill();
  await Promise.all([stands(one, "link", "down"), stands(two, "link", "down")]);
  await push(one, "a", 1);
  await server.start();
  await Promise.all([settled(one), settled(two)]);
  await shows(two, "a", 1);
});

test("what brings a lost meet back is there before it is lost", { skip, timeout: 120000 }, async () => {
  const page = await newPage();
  await create(page);
  await push(page, "a", 1);
  await settled(page);
  await until(() => way.taken.includes("client/recovery.js") && way.taken.includes("client/handing-back.js"));
  way.lacks = () => true;
  await loseEverything();
  await push(page, "b", 1);
  await settled(page);
  assert.deepEqual(await page.evaluate(() => meet.status.lastNumber), 2);
});

test("what cannot be loaded beside the core is missed by no edit, and loaded later", { skip, timeout: 120000 }, async () => {
  way.lacks = (name) => /(streams|recovery|chains)\.js$/.test(name);
  const page = await newPage();
  const { meetId } = await create(page);
  await push(page, "a", 1);
  await settled(page);
  assert.equal((await status(page)).transport, "long-poll");
  await loseEverything();
  await push(page, "b", 1);
  await stands(page, "link", "down");
  way.lacks = () => false;
  await settled(page);
  // Each rung has failed some times by now, and may be let be for minutes; a network that comes back is worth a probe at once.
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await stands(page, "transport", "websocket");
  assert.deepEqual([(await status(page)).lastNumber, await page.evaluate(() => meet.identity.meetId)], [2, meetId]);
});

/** Nothing comes through from now on. @param {Page} page */
async function cutOff(page) {
  const chain = way.loseUntilChain();
  await stands(page, "link", "down");
  return { chain };
}

/**
 * Begins a chain, which then is the first to come through. Refusals go to `refusals`, and `decided` takes what becomes of the newest.
 * @param {Page} page
 * @param {Promise<void>} chain when one tries to come through
 */
async function beginChain(page, chain) {
  await page.evaluate(() => {
    Object.assign(globalThis, { refusals: [], ended: null });
    const ask = (/** @type {any} */ refused) => {
      refusals.push(refused);
      return new Promise((resolve) => (globalThis.decided = resolve));
    };
    void meet.syncChain(ask).then((/** @type {any} */ end) => (globalThis.ended = end));
  });
  await chain;
  way.intercept = () => false;
}

test("two browsers: what one made while cut off is committed whole or not at all, and its page decides", { skip, timeout: 120000 }, async () => {
  const direct = await new Way(server.origin).start();
  const other = await browser.newContext();
  try {
    const desk = await newPage();
    const { meetId } = await create(desk);
    const platform = await newPage("", other, direct.origin);
    await platform.evaluate(async ([id, secret]) => {
      globalThis.meet = await client.openMeet(await client.joinMeet({ meetId: id, password: secret, locationName: "platform 1" }));
    }, [meetId, password]);
    await push(desk, "entries[1]", { lot: 1 });
    await desk.evaluate(() => meet.setConflictFree(true));
    await shows(platform, "entries[1].lot", 1);
    await settled(desk);

    const { chain } = await cutOff(desk);
    assert.equal((await status(desk)).conflictFree, "offline");
    assert.match(await desk.evaluate(() => meet.push([{ key: "entries[1].lot", value: 2 }]).catch((/** @type {Error} */ error) => error.message)), /read-only until the server is back/);
    await desk.evaluate(async () => {
      for (const id of [7, 8]) await meet.push([{ key: `entries[${id}]`, value: { name: "desk" }, op: "create" }, { key: `entries[${id}].lot`, value: id }]);
    });
    await platform.evaluate(() => meet.push([{ key: "entries[8]", value: { name: "platform" }, op: "create" }]));
    await settled(platform);
    await beginChain(desk, chain);
    await desk.waitForFunction(() => refusals.length === 1);
    assert.equal((await platform.evaluate(() => meet.call("GET", ""))).serverSeqNum, 2, "nothing of it took effect");
    await desk.evaluate(() => decided("drop-this"));
    await desk.waitForFunction(() => refusals.length === 2);
    await desk.evaluate(() => decided("drop-rest"));
    await desk.waitForFunction(() => ended !== null);

    const told = await desk.evaluate(() => [ended, refusals.map(({ number, code, remaining }) => [number, code, remaining])]);
    assert.deepEqual(told, [{ committed: true, why: "" }, [[4, "exists", [5]], [5, "overruled", []]]]);
    await Promise.all([settled(desk), shows(platform, "entries[7]", { name: "desk", lot: 7 })]);
    assert.equal(await desk.evaluate(() => JSON.stringify(meet.state)), await platform.evaluate(() => JSON.stringify(meet.state)));
    const log = await desk.evaluate(() => meet.log());
    assert.deepEqual(log.map(({ commit, updateKey }) => [commit, updateKey]), [[1, "entries[1]"], [2, "entries[8]"], [3, "entries[7]"], [3, "entries[7].lot"]]);
    assert.deepEqual([await desk.evaluate(() => meet.setAside), (await status(desk)).conflictFree], [[], "online"]);
  } finally {
    await other.close();
    await direct.stop();
  }
});

for (const without of ["", "SharedWorker"]) {
  test(`a page that leaves in the middle of its chain keeps no edit back${without && ", without a worker"}`, { skip, timeout: 120000 }, async () => {
    const [stays, leaves] = [await newPage(without), await newPage(without)];
    const { meetId } = await create(stays);
    await reopen(leaves);
    const { chain } = await cutOff(stays);
    await push(stays, "a", 1);
    const joined = await server.send("POST", `/v1/meets/${meetId.replaceAll("-", "")}/sessions`, { body: { password, locationName: "platform 1" } });
    await server.send("POST", `/v1/meets/${meetId.replaceAll("-", "")}/updates`, { token: joined.sessionToken, body: { updates: [{ updateKey: "a", updateValue: 9 }] } });
    await beginChain(leaves, chain);
    await leaves.waitForFunction(() => refusals.length === 1);
    await push(stays, "b", 2);
    assert.equal((await status(stays)).unanswered, 2);
    await leaves.goto("about:blank");
    await settled(stays);
    assert.deepEqual(await stays.evaluate(() => [meet.get("a"), meet.get("b"), meet.setAside.length]), [9, 2, 1]);
  });
}

test("one 503 and one 401 in between change nothing", { skip, timeout: 120000 }, async () => {
  const page = await newPage();
  await create(page);
  await push(page, "a", 1);
  const left = [503, 401];
  way.upgrades = false;
  way.intercept = (_, response) => {
    const status = left.shift();
    if (status === undefined) return false;
    const code = status === 401 ? "invalid-session" : "overloaded";
    response.writeHead(status, { "Content-Type": "application/problem+json" }).end(JSON.stringify({ code, status, detail: "for a test" }));
    return true;
  };
  way.cut();
  await push(page, "b", 1);
  await page.waitForFunction(() => meet.status.pending === 0 && meet.status.lastNumber === 2);
  assert.deepEqual(left, []);
  await push(page, "c", 1);
  await settled(page);
});

test("after a sleep it is in step at once, though the old connections only look alive", { skip, timeout: 120000 }, async () => {
  const page = await newPage();
  await create(page);
  await push(page, "a", 1);
  await stands(page, "transport", "websocket");
  way.swallows = true;
  const joined = await server.send("POST", `/v1/meets/${(await page.evaluate(() => meet.identity.meetId)).replaceAll("-", "")}/sessions`, { body: { password, locationName: "platform 1" } });
  await server.send("POST", `/v1/meets/${joined.meetId.replaceAll("-", "")}/updates`, { token: joined.sessionToken, body: { updates: [{ updateKey: "b", updateValue: 2 }] } });
  way.swallows = false;
  const started = Date.now();
  await page.evaluate(() => void window.dispatchEvent(new Event("online")));
  await shows(page, "b", 2);
  assert.ok(Date.now() - started < 15000, "not by the watchdog of a stream, which takes 37 s");
});

test("without a database edits are kept as text, and it says so", { skip, timeout: 120000 }, async () => {
  const page = await newPage("SharedWorker indexedDB");
  await create(page);
  way.intercept = (_, response) => Boolean(response.destroy());
  way.upgrades = false;
  way.cut();
  await push(page, "a", 1);
  assert.equal((await status(page)).storage, "localstorage");
  await page.close();
  const again = await newPage("SharedWorker indexedDB");
  await reopen(again);
  assert.equal(await again.evaluate(() => meet.get("a")), 1);
  way.intercept = () => false;
  await settled(again);
});

test("one script tag is enough", { skip, timeout: 120000 }, async () => {
  const page = await newPage();
  await page.addScriptTag({ url: "/web/client/global.js", type: "module" });
  assert.equal(await page.evaluate(() => typeof (/** @type {any} */ (globalThis).liftrelay.openMeet)), "function");
});
