// Chains and the pages that decide about them: no server, no browser, and time as the tests want it.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { meaning } from "../client/answer.js";
import { Chains } from "../client/chains.js";
import { Core } from "../client/core.js";
import { Fault } from "../client/fault.js";
import { MemoryStore } from "../client/store.js";
import { Turns } from "../client/turns.js";

const identity = { meetId: "123456789", locationName: "desk", clientId: "laptop" };
const PAGE_GONE_MS = 150000;

/** Bodies that were sent. @type {any[]} */
let sent = [];
/** What comes back, one answer after the other. @type {[number, object][]} */
let answers = [];

beforeEach(() => {
  [sent, answers] = [[], []];
  mock.method(globalThis, "fetch", async (/** @type {string} */ _, /** @type {any} */ { body }) => {
    sent.push(JSON.parse(body));
    const [status, json] = answers.shift() ?? [500, {}];
    return new Response(JSON.stringify(json), { status, headers: { "Content-Type": "application/json" } });
  });
});

/** A desk with two edits, and the loop as far as chains know it. */
async function desk() {
  const core = new Core(new MemoryStore(), () => {});
  await core.change(() => [{ joined: identity }]);
  for (const key of ["a", "b"]) await core.change((replica) => [replica.edit([{ key, value: 1 }])]);
  const live = {
    sending: new Turns(),
    isClosed: false,
    link: { link: "up", why: "" },
    due: () => new Promise((resolve) => void setImmediate(resolve)),
    edited: mock.fn(),
    outgoing: async (/** @type {any} */ choose) => choose(core.replica),
    exchange: async (/** @type {any} */ ask) => {
      const answer = await ask({ base: "http://hall/v1/meets/123456789", token: "" }).catch((/** @type {Fault} */ fault) => fault);
      const { record } = answer instanceof Fault ? { record: null } : meaning(core.replica, answer);
      if (record) await core.change(() => [record]);
      return answer;
    },
  };
  /** @type {import("../client/host.js").Port} */
  const port = { onmessage: null, postMessage: () => {} };
  return { core, live, port, chains: new Chains(/** @type {any} */ (live), core) };
}

/** @param {number} seq */
const entry = (seq) => ({ serverSeqNum: seq, commit: seq, updateKey: "a", updateValue: seq, locationName: "platform", clientId: "tablet", priority: 2, at: "2026-05-01T09:30:00.000Z" });

/** News up to an entry, as they come along with a problem. @param {number} from @param {number} to */
const news = (from, to) => ({
  updatesRelayed: Array.from({ length: to - from }, (_, place) => entry(from + place + 1)),
  serverSeqNum: to,
  cursor: `${to}-0000000${to}`,
  headSeqNum: to,
  more: false,
});

const problem = { localSeqNum: 1, code: "overruled", reason: "because", standing: { serverSeqNum: 1, updateKey: "a", updateValue: 1, locationName: "platform", priority: 2 } };

/** @returns {[number, object]} */
const conflict = () => [409, { code: "sync-conflict", status: 409, processed: [], problem, remaining: [2], ...news(0, 1) }];

/** @param {number} to @returns {[number, object]} */
const stale = (to) => [409, { code: "sync-stale", status: 409, ...news(to - 1, to) }];

/** @param {...number} numbers @returns {[number, object]} */
const acked = (...numbers) => [200, { updateAcks: numbers.map((number) => ({ localSeqNum: number, serverSeqNum: 90 + number })), updatesRejected: [], serverSeqNum: 99, cursor: "99-00000099" }];

test("a refusal comes with all that a page needs to decide, and what it keeps is made anew", async () => {
  const { core, port, chains } = await desk();
  answers.push(conflict(), acked(1, 2));
  const asked = await chains.goOn({ chain: "c" }, port);
  const standing = { serverSeqNum: 1, key: "a", value: 1, locationName: "platform", priority: 2 };
  assert.deepEqual(asked, { done: false, value: { number: 1, edit: { key: "a", value: 1 }, reason: "because", code: "overruled", standing, processed: [], remaining: [2] } });
  assert.equal(core.replica.meet, null, "the status of a problem says nothing of the meet");
  assert.deepEqual(await chains.goOn({ chain: "c", decision: { keep: [1, 2] } }, port), { done: true, value: { committed: true, why: "" } });
  assert.deepEqual(sent.map(({ mode, ifHead, updates }) => [mode, ifHead, updates.map((/** @type {any} */ one) => one.afterServerSeqNum)]), [["atomic", "0", ["0", "0"]], ["atomic", "1-00000001", ["1-00000001", "1-00000001"]]]);
});

test("after three times that others were faster each edit goes by itself", async () => {
  const { port, chains } = await desk();
  answers.push(stale(1), stale(2), stale(3), acked(1, 2));
  assert.deepEqual(await chains.goOn({ chain: "c" }, port), { done: true, value: { committed: true, why: "" } });
  assert.deepEqual(sent.map(({ mode, ifHead }) => [mode, ifHead]), [["atomic", "0"], ["atomic", "1-00000001"], ["atomic", "2-00000002"], [undefined, undefined]]);
});

test("what is refused for good interrupts it; what passes, and what is no answer of the server, does not", async () => {
  const { live, port, chains } = await desk();
  answers.push([503, { code: "overloaded" }], [409, { code: "sync-conflict", problem: {} }], [413, { code: "too-large", detail: "too large" }]);
  assert.deepEqual(await chains.goOn({ chain: "c" }, port), { done: true, value: { committed: false, why: "too large" } });
  assert.equal(sent.length, 3);
  await live.sending.take(async () => {});
  assert.equal(live.edited.mock.callCount(), 1, "the edits go by themselves");
});

test("while a page decides nothing else is sent; one that is not heard of for long decides no more", async () => {
  const { live, port, chains } = await desk();
  answers.push(conflict());
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    await chains.goOn({ chain: "c" }, port);
    let isSent = false;
    const other = live.sending.take(async () => void (isSent = true));
    for (let ms = 0; ms < 10 * PAGE_GONE_MS; ms += 15000) {
      port.isHeard = ms % 60000 === 0;
      mock.timers.tick(15000);
    }
    await live.due();
    assert.equal(isSent, false, "a hidden page says once a minute that it is there");
    mock.timers.tick(PAGE_GONE_MS);
    await other;
    assert.equal((await chains.goOn({ chain: "c", decision: "drop-this" }, port)).value.committed, false);
    assert.equal(sent.length, 1);
  } finally {
    mock.timers.reset();
  }
});

test("a page that leaves while nothing comes through keeps nothing back", async () => {
  const { live, port, chains } = await desk();
  const going = chains.goOn({ chain: "c" }, port);
  await live.due();
  chains.gone(port);
  assert.equal((await going).value.committed, false);
  await live.sending.take(async () => {});
});
