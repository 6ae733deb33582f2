// Clients that others have written follow a meet through cut lines and a server that is killed: each asks for what follows the id
// that it saw last, an event's or a heartbeat's, and gets every entry once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Server } from "../../web/tests/browser/server.mjs";
import { Line } from "./line.mjs";
import { Reader } from "./reader.mjs";

const PYTHON = fileURLToPath(new URL("../../target/sse-clients/bin/python", import.meta.url));

const CLIENTS = {
  "npm eventsource": [process.execPath, "eventsource.mjs"],
  "npm eventsource-client": [process.execPath, "eventsource-client.mjs"],
  "PyPI requests-sse": [PYTHON, "with_requests_sse.py"],
  "PyPI launchdarkly-eventsource": [PYTHON, "with_ld_eventsource.py"],
  "curl": ["./curl.sh"],
};

describe("what others have written resumes without gap or double", { concurrency: true, timeout: 180_000 }, () => {
  for (const [name, command] of Object.entries(CLIENTS)) {
    test(`${name}, from an event, from a heartbeat, and after a kill -9`, (t) => resumes(t, command));
  }
});

/**
 * @param {import("node:test").TestContext} t
 * @param {string[]} command
 */
async function resumes(t, command) {
  const server = new Server();
  t.after(() => server.remove());
  await server.start();
  const push = await newMeet(server);
  const line = new Line(Number(new URL(server.origin).port));
  const port = await line.start();
  t.after(() => line.stop());
  // From the first entry on: whoever forgets where it was gets everything twice.
  const reader = new Reader([...command, `http://127.0.0.1:${port}${push.path}/events?after=0&paths=shown&key=${push.viewKey}`]);
  t.after(() => reader.stop());

  await push("shown", 1);
  await push("shown", 2);
  const event = await reader.entry(2);
  line.cut();
  await push("shown", 3);
  line.mend();
  await reader.entry(3);
  assert.deepEqual(line.askedFrom, ["", event.id], "resumes from the event");

  // What the reader did not ask for moves the heartbeat's id alone.
  await push("hidden", 4);
  await push("hidden", 5);
  const heartbeat = await reader.heartbeat(5);
  line.cut();
  await push("shown", 6);
  line.mend();
  const last = await reader.entry(6);
  assert.deepEqual(line.askedFrom.slice(2), [heartbeat.id], "resumes from the heartbeat");

  await server.kill();
  await server.start();
  await push("shown", 7);
  await reader.entry(7);
  assert.equal(line.askedFrom.at(-1), last.id, "resumes from what was sent before the kill");
  assert.deepEqual(reader.numbers, [1, 2, 3, 6, 7]);
}

/** @param {Server} server */
async function newMeet(server) {
  const locations = [{ locationName: "desk", priority: 1 }];
  const body = { meetName: "Try-out", password: "ten characters", thisLocationName: "desk", locations };
  const { meetId, sessionToken: token } = await server.send("POST", "/v1/meets", { body });
  const path = `/v1/meets/${meetId.replaceAll("-", "")}`;
  const { viewKey } = await server.send("POST", `${path}/view-keys`, { token, body: { label: "reader" } });
  const push = (/** @type {string} */ updateKey, /** @type {number} */ updateValue) => server.send("POST", `${path}/updates`, { token, body: { updates: [{ updateKey, updateValue }] } });
  return Object.assign(push, { path, viewKey });
}
