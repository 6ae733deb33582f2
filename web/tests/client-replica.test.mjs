// The replica against golden schedules: random histories with lost, doubled and late answers, kills, servers that lose the end
// of their log. REPLICA_SCHEDULES names a file with further ones (tests/vectors/README.md).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { play } from "./client/schedule.mjs";

const golden = new URL("../../tests/vectors/replica.json", import.meta.url);
for (const file of [golden, ...(process.env.REPLICA_SCHEDULES ? [process.env.REPLICA_SCHEDULES] : [])]) {
  const { cases } = JSON.parse(readFileSync(file, "utf8"));
  test(`${cases.length} replicas stand as the schedules say, step by step`, () => {
    for (const one of cases) play(one, assert.deepEqual);
  });
}
