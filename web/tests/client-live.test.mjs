// The client against the real server, over a way that fails on demand. No browser: what a browser adds is in `browser/`.

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { afterEach, beforeEach, test } from "node:test";

import { createMeet, joinMeet, LiveError, openMeet, viewMeet } from "../client/liftrelay.js";
import { Server } from "./browser/server.mjs";
import { Way } from "./client/way.mjs";

const password = "ten characters";
const locations = [{ locationName: "platform 1", priority: 2 }, { locationName: "desk", priority: 1 }];
/** A black hole is noticed after two and a half heartbeats, or when a request's time is over. */
const PATIENCE_MS = 60000;

/** @type {Server} */
let server;
/** @type {Way} */
let way;
/** @type {import("../client/liftrelay.d.ts").View[]} */
let opened = [];

beforeEach(async () => {
  server = await new Server().start();
  way = await new Way(server.origin).start();
});

afterEach(async () => {
  for (const meet of opened.splice(0)) meet.close();
  await way.stop();
  await server.remove();
});

/** @template {import("../client/liftrelay.d.ts").View} T @param {T} meet */
function kept(meet) {
  opened.push(meet);
  return meet;
}

/** The desk over the way, and the platform, which overrules it, directly. */
async function hall() {
  const session = await createMeet({ server: way.origin, password, locationName: "desk", locations });
  const desk = kept(await openMeet(session, { password }));
  const platform = kept(await openMeet(await joinMeet({ server: server.origin, meetId: session.meetId, password, locationName: "platform 1" })));
  await standing(desk, ({ link }) => link === "up");
  await standing(platform, ({ link }) => link === "up");
  return { desk, platform, session };
}

/**
 * @param {import("../client/liftrelay.d.ts").View} meet
 * @param {(status: import("../client/liftrelay.d.ts").Status) => boolean} isSo
 */
async function standing(meet, isSo) {
  /** @type {() => void} */
  let stop = () => {};
  const reached = new Promise((resolve) => {
    stop = meet.subscribe((status) => {
      if (isSo(status)) resolve(undefined);
    });
  });
  await within(reached, () => JSON.stringify(meet.status));
  stop();
}

/**
 * @param {import("../client/liftrelay.d.ts").View} meet
 * @param {string} key
 * @param {unknown} value
 */
const shows = (meet, key, value) => standing(meet, () => JSON.stringify(meet.get(key)) === JSON.stringify(value));

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {() => string} otherwise
 */
async function within(promise, otherwise) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`does not come to it: ${otherwise()}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** With prototypes, as parsed JSON has them. @param {unknown} value */
const plain = (value) => JSON.parse(JSON.stringify(value));

/** @param {number} status @param {object} [headers] */
const answer = (status, headers = {}) => (/** @type {unknown} */ _, /** @type {import("node:http").ServerResponse} */ response) => {
  response.writeHead(status, { "Content-Type": "text/html", ...headers });
  response.end("<html>");
  return true;
};

test("edits and news go both ways, by a stream that needs no EventSource", async () => {
  const { desk, platform } = await hall();
  /** @type {object[]} */
  const told = [];
  platform.on("remote", ({ changes }) => told.push(...changes));
  assert.deepEqual(await desk.push([{ key: "registration.entries[5003]", value: { name: "Ada", squatKg: [100] }, op: "create" }]), [1]);
  assert.equal(desk.get("registration.entries[5003].name"), "Ada", "shown at once");
  await shows(platform, "registration.entries[5003].name", "Ada");
  await platform.push([{ key: "registration.entries[5003].squatKg[0]", value: 102.5 }]);
  await shows(desk, "registration.entries[5003].squatKg", [102.5]);
  assert.deepEqual(plain(told), [{ key: "registration", value: { entries: { 5003: { name: "Ada", squatKg: [100] } } } }], "not its own edit");
  await standing(desk, ({ transport }) => transport === "sse");
});

test("one call is one commit, and an edit that cannot be made changes nothing", async () => {
  const { desk } = await hall();
  await desk.push([{ key: "a", value: 1 }, { key: "b", value: 2 }, { key: "c", value: 3 }]);
  await desk.settled();
  assert.deepEqual((await desk.log()).map(({ commit, updateKey }) => [commit, updateKey]), [[1, "a"], [1, "b"], [1, "c"]]);
  const before = JSON.stringify(desk.state);
  for (const wrong of [{ key: "a..b", value: 1 }, { key: "a.b", value: 1 }, { key: "d", op: "remove" }, { key: "d", value: NaN }, { key: "d", value: () => 1 }]) {
    const edits = [{ key: "e", value: 1 }, /** @type {any} */ (wrong)];
    await assert.rejects(desk.push(edits), (error) => error instanceof LiveError && error.code === "edit");
  }
  assert.equal(JSON.stringify(desk.state), before);
});

test("what was edited while the server was away is merged, and who loses is asked", async () => {
  const { desk, platform } = await hall();
  way.intercept = answer(503);
  way.cut();
  await standing(desk, ({ link }) => link === "down");
  const [rejected] = [new Promise((resolve) => desk.on("rejected", resolve))];
  await desk.push([{ key: "a", value: "desk" }]);
  await desk.push([{ key: "b", value: "desk" }]);
  await platform.push([{ key: "a", value: "platform" }]);
  await platform.settled();
  assert.deepEqual([desk.get("a"), desk.status.pending], ["desk", 2]);
  way.intercept = () => false;
  const told = /** @type {any} */ (await within(rejected, () => "nobody was asked"));
  assert.deepEqual([told.setAside[0].edit.value, told.setAside[0].standing.value, told.setAside[0].code], ["desk", "platform", "overruled"]);
  await shows(platform, "b", "desk");
  // Answers to pushes and news come each by their own way.
  await shows(desk, "a", "platform");
  assert.deepEqual([desk.setAside.length, desk.status.conflicts], [1, 1]);
  await desk.retry(told.setAside[0].number);
  await shows(platform, "a", "desk");
  assert.equal(desk.setAside.length, 0);
});

test("who is overruled later is told both values", async () => {
  const { desk, platform } = await hall();
  const overruled = new Promise((resolve) => desk.on("overruled", resolve));
  await platform.push([{ key: "first", value: 1 }]);
  await platform.settled();
  await desk.push([{ key: "a", value: "desk" }]);
  await desk.settled();
  await platform.call("POST", "/updates", { updates: [{ updateKey: "a", updateValue: "platform", localSeqNum: 900, afterServerSeqNum: 1 }] });
  const { overruled: [told] } = /** @type {any} */ (await within(overruled, () => "nobody was told"));
  assert.deepEqual([told.old, told.new, told.locationName], ["desk", "platform", "platform 1"]);
});

test("a server that is killed costs pauses and nothing else", async () => {
  const { desk, platform } = await hall();
  await desk.push([{ key: "before", value: 1 }]);
  await server.kill();
  await desk.push([{ key: "while", value: 1 }]);
  await Promise.all([standing(desk, ({ link }) => link === "down"), standing(platform, ({ link }) => link === "down")]);
  await server.start();
  await shows(platform, "while", 1);
  await desk.settled();
  assert.deepEqual(plain(platform.state), { before: 1, while: 1 });
});

test("a server that lost its data gets the meet back, sessions included", async () => {
  const { desk, platform } = await hall();
  await desk.push([{ key: "kept", value: 1 }]);
  await shows(platform, "kept", 1);
  await server.kill();
  await rm(server.dataFolder, { recursive: true });
  await platform.push([{ key: "later", value: 1 }]);
  await server.start();
  await shows(desk, "later", 1);
  await Promise.all([desk.settled(), platform.settled()]);
  assert.deepEqual([plain(desk.state), desk.status.lastNumber, desk.status.meet], [{ kept: 1, later: 1 }, 2, "live"]);
});

for (const [status, headers] of /** @type {[number, object][]} */ ([[503, { "Retry-After": "1" }], [502, {}], [429, {}], [404, {}]])) {
  test(`one ${status} in between never ends it`, async () => {
    const { desk, platform } = await hall();
    let left = 3;
    way.intercept = (request, response) => {
      left -= 1;
      return left >= 0 && answer(status, headers)(request, response);
    };
    way.cut();
    await desk.push([{ key: "a", value: status }]);
    await shows(platform, "a", status);
    await platform.push([{ key: "b", value: status }]);
    await shows(desk, "b", status);
    assert.equal(desk.setAside.length, 0);
  });
}

for (const body of ["{}", '{"updatesRelayed":[{}],"updateAcks":{},"cursor":7}', "[]", "null", "{"]) {
  test(`${body} in the server's place is no answer, and no reason to hurry`, async () => {
    const { desk, platform } = await hall();
    way.intercept = (_, response) => Boolean(response.writeHead(200, { "Content-Type": "application/json" }).end(body));
    way.cut();
    await desk.push([{ key: "a", value: 1 }]);
    await standing(desk, ({ link }) => link === "down");
    const before = way.asked.length;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.ok(way.asked.length - before < 60, `${way.asked.length - before} requests in 1.5 s`);
    way.intercept = () => false;
    await shows(platform, "a", 1);
    assert.equal(desk.setAside.length, 0);
  });
}

test("a session that has ended buys one new one where the password is known, and says so where it is not", async () => {
  const { desk, platform } = await hall();
  await Promise.all([desk, platform].map((meet) => meet.call("DELETE", "/session")));
  await standing(platform, ({ link }) => link === "refused");
  await desk.push([{ key: "a", value: 1 }]);
  await desk.settled();
  assert.equal(way.asked.filter((asked) => asked.endsWith("/sessions")).length, 1);
});

test("a session that is about to end is replaced once where the password is known, before anything is refused", async () => {
  const session = await createMeet({ server: way.origin, password, locationName: "desk", locations });
  const isEnding = { ...session, expiresAt: new Date(Date.now() + 1_800_000).toISOString() };
  const desk = kept(await openMeet(isEnding, { password }));
  const logins = () => way.asked.filter((asked) => asked.endsWith("/sessions")).length;
  await standing(desk, () => logins() === 1);
  await desk.call("GET", "");
  await server.send("DELETE", `/v1/meets/${session.meetId.replace(/\D/g, "")}/session`, { token: session.sessionToken });
  await desk.push([{ key: "a", value: 1 }]);
  await desk.settled();
  assert.deepEqual([logins(), way.asked.filter((asked) => asked.endsWith("/restore")).length], [1, 0]);
  const alone = kept(await openMeet({ ...(await joinMeet({ server: way.origin, meetId: session.meetId, password, locationName: "platform 1" })), expiresAt: isEnding.expiresAt }));
  await alone.settled();
  await standing(alone, ({ locations }) => locations.length > 0);
  await alone.call("GET", "");
  assert.equal(logins(), 2, "the one of joining");
});

test("a way that cuts held requests and streams is found out, and carries", async () => {
  const { desk, platform } = await hall();
  way.intercept = (request, response) => {
    if (request.url?.includes("/events")) return answer(502)(request, response);
    if (!request.url?.includes("wait=") || request.url.includes("wait=0&")) return false;
    setTimeout(() => response.destroy(), 800);
    return true;
  };
  way.cut();
  await standing(desk, ({ transport, link }) => transport === "short-poll" && link === "up");
  await platform.push([{ key: "a", value: 1 }]);
  await shows(desk, "a", 1);
});

test("a way that holds streams back delays no news", async () => {
  const { desk, platform } = await hall();
  way.holdsBack = true;
  way.cut();
  /** @type {string[]} */
  const carried = [];
  desk.subscribe(({ transport }) => carried.push(transport));
  const isLeft = () => carried.lastIndexOf("long-poll") > carried.indexOf("sse") && carried.includes("sse");
  for (let number = 1; number <= 20 && !isLeft(); number += 1) {
    await standing(desk, ({ link }) => link === "up");
    const since = Date.now();
    await platform.push([{ key: "a", value: number }]);
    await shows(desk, "a", number);
    assert.ok(Date.now() - since < 10000, "requests bring it, not the watchdog of a stream");
    await new Promise((resolve) => setTimeout(resolve, 1100));
  }
  assert.ok(isLeft(), carried.join(" "));
});

/** Nothing comes through until `comeBack`. @param {import("../client/liftrelay.d.ts").View} meet */
async function cutOff(meet) {
  const { intercept, upgrades } = way;
  const chain = way.loseUntilChain();
  await standing(meet, ({ link }) => link === "down");
  return { chain, comeBack: () => void Object.assign(way, { intercept, upgrades }) };
}

/** A desk that was cut off and has made edits 1 to 4, the second of which the platform overrules. */
async function inConflict() {
  const { desk, platform } = await hall();
  const { chain, comeBack } = await cutOff(desk);
  for (const key of ["a", "b", "c", "d"]) await desk.push([{ key, value: "mine" }]);
  await platform.push([{ key: "b", value: "theirs" }]);
  await platform.settled();
  return { desk, platform, chain, comeBack };
}

/** Begins a chain, which then is the first to come through. @param {any} made @param {Parameters<import("../client/liftrelay.d.ts").Meet["syncChain"]>[0]} decide */
async function chainOf({ desk, chain, comeBack }, decide) {
  const ending = desk.syncChain(decide);
  ending.catch(() => {});
  await chain;
  comeBack();
  return within(ending, () => JSON.stringify(desk.status));
}

test("what was edited while cut off is committed together, and a refusal is the page's to decide", async () => {
  const made = await inConflict();
  const { desk, platform } = made;
  /** @type {any[]} */
  const asked = [];
  const end = await chainOf(made, (refused) => {
    asked.push(plain(refused));
    assert.deepEqual(plain(platform.state), { b: "theirs" }, "none of it took effect");
    return "drop-this";
  });
  assert.deepEqual(end, { committed: true, why: "" });
  const [{ number, edit, code, standing: standingThere, processed, remaining }] = asked;
  assert.deepEqual([asked.length, number, edit, code, processed, remaining], [1, 2, { key: "b", value: "mine" }, "overruled", [1], [3, 4]]);
  assert.deepEqual([standingThere.value, standingThere.locationName], ["theirs", "platform 1"]);
  await desk.settled();
  assert.deepEqual(plain(desk.state), { a: "mine", b: "theirs", c: "mine", d: "mine" });
  assert.deepEqual((await desk.log()).map(({ commit }) => commit), [1, 2, 2, 2]);
  assert.deepEqual(desk.setAside, []);
});

test("of a chain only what is kept goes on, and over what was seen", async () => {
  const made = await inConflict();
  assert.equal((await chainOf(made, () => Promise.resolve({ keep: [2, 4] }))).committed, true);
  await made.desk.settled();
  await shows(made.platform, "d", "mine");
  assert.deepEqual(plain(made.platform.state), { a: "mine", b: "mine", d: "mine" });
});

for (const [what, decide] of /** @type {const} */ ([
  ["fails", () => Promise.reject(new Error("the page's fault"))],
  ["decides nothing", () => /** @type {any} */ ("perhaps")],
])) {
  test(`where a page ${what} the edits of its chain go by themselves`, async () => {
    const made = await inConflict();
    await assert.rejects(chainOf(made, decide), /the page's fault|decides nothing/);
    await made.desk.settled();
    assert.deepEqual(plain(made.desk.state), { a: "mine", b: "theirs", c: "mine", d: "mine" });
    assert.deepEqual(made.desk.setAside.map(({ number }) => number), [2]);
  });
}

test("a chain that a finished meet does not take is not called committed", async () => {
  const made = await inConflict();
  await made.platform.call("POST", "/finish", {});
  const end = await chainOf(made, () => "drop-this");
  assert.equal(end.committed, false);
  await shows(made.desk, "b", "theirs");
  assert.deepEqual([made.desk.setAside.length, plain(made.desk.state)], [4, { b: "theirs" }]);
});

test("a chain goes on with the session that a password buys", async () => {
  const made = await inConflict();
  await made.desk.push([{ key: "e", value: 1 }]);
  const { desk } = made;
  let isOver = false;
  const { comeBack } = made;
  made.comeBack = () => {
    comeBack();
    way.intercept = (request, response) => {
      if (isOver || request.method !== "POST" || !request.url?.endsWith("/updates")) return false;
      isOver = true;
      const problem = { code: "invalid-session", status: 401, detail: "for a test" };
      return Boolean(response.writeHead(401, { "Content-Type": "application/problem+json" }).end(JSON.stringify(problem)));
    };
  };
  assert.equal((await chainOf(made, () => "drop-rest")).committed, true);
  await desk.settled();
  assert.deepEqual([isOver, plain(desk.state)], [true, { a: "mine", b: "theirs" }]);
});

test("in conflict-free mode only own new objects can be edited while the server is out of reach", async () => {
  const { desk, platform } = await hall();
  await desk.push([{ key: "entries[1]", value: { lot: 1 } }]);
  await desk.settled();
  await desk.setConflictFree(true);
  assert.equal(desk.status.conflictFree, "online");
  await desk.push([{ key: "entries[1].lot", value: 2 }]);
  await desk.settled();
  const { comeBack } = await cutOff(desk);
  assert.equal(desk.status.conflictFree, "offline");
  for (const wrong of [[{ key: "entries[1].lot", value: 3 }], [{ key: "entries", op: "remove" }], [{ key: "entries[2]", value: {} }]]) {
    await assert.rejects(desk.push(/** @type {any} */ (wrong)), (error) => error instanceof LiveError && error.code === "edit" && /read-only/.test(error.message));
  }
  await desk.push([{ key: "entries[2]", value: {}, op: "create" }, { key: "entries[2].lot", value: 7 }]);
  await desk.push([{ key: "entries[2].lot", value: 8 }]);
  assert.deepEqual([await desk.isEditable("entries[2].name"), await desk.isEditable("entries[1].lot"), await desk.isEditable("..")], [true, false, false]);
  comeBack();
  await shows(platform, "entries[2]", { lot: 8 });
  await standing(desk, ({ conflictFree }) => conflictFree === "online");
  await desk.push([{ key: "entries[1].lot", value: 3 }]);
  await shows(platform, "entries[1].lot", 3);
});

test("what waited when others finished the meet is set aside", async () => {
  const { desk, platform, comeBack } = await inConflict();
  await platform.call("POST", "/finish", {});
  comeBack();
  await standing(desk, ({ meet, pending }) => meet === "finished" && pending === 0);
  assert.deepEqual(desk.setAside.map(({ number }) => number), [1, 2, 3, 4]);
});

test("a finished meet takes no more edits and says so", async () => {
  const { desk, platform } = await hall();
  await platform.call("POST", "/finish", {});
  await standing(desk, ({ meet }) => meet === "finished");
  await assert.rejects(desk.push([{ key: "a", value: 1 }]), /finished/);
});

test("a view key shows the meet without its private parts, and edits nothing", async () => {
  const { desk, session } = await hall();
  await desk.push([{ key: "registration.entries[7]", value: { name: "Ada", memberId: "secret" } }]);
  const { viewKey } = /** @type {any} */ (await desk.call("POST", "/view-keys", { label: "stream" }));
  const view = kept(await viewMeet({ server: way.origin, meetId: session.meetId, viewKey }));
  await shows(view, "registration.entries[7]", { name: "Ada" });
  await desk.push([{ key: "registration.entries[7].memberId", value: "other" }, { key: "registration.entries[7].name", value: "Bo" }]);
  await shows(view, "registration.entries[7]", { name: "Bo" });
  await assert.rejects(/** @type {any} */ (view).push([{ key: "a", value: 1 }]), (error) => error instanceof LiveError && error.code === "read-only");
  way.cut();
  await desk.push([{ key: "more", value: 1 }]);
  await shows(view, "more", 1);
});

test("a view that was cut off says at once that it is up again, though nothing is new", async () => {
  const { desk, session } = await hall();
  const { viewKey } = /** @type {any} */ (await desk.call("POST", "/view-keys", { label: "stream" }));
  way.upgrades = false;
  way.intercept = ({ url = "" }, response) => url.includes("/events") && Boolean(response.writeHead(403).end());
  const view = kept(await viewMeet({ server: way.origin, meetId: session.meetId, viewKey }));
  await standing(view, ({ link }) => link === "up");
  const { intercept } = way;
  way.intercept = (_, response) => Boolean(response.destroy());
  way.cut();
  await standing(view, ({ link }) => link === "down");
  way.intercept = intercept;
  const since = Date.now();
  await standing(view, ({ link }) => link === "up");
  assert.ok(Date.now() - since < 15000, "a held request is not waited for");
});

test("a meet that is left is over for this browser", async () => {
  const { desk } = await hall();
  await desk.leave();
  assert.equal(desk.status.link, "closed");
  await assert.rejects(desk.push([{ key: "a", value: 1 }]), /closed/);
});
