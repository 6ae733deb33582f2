// The golden vectors that hold for every implementation, against the reader's own keys and fold.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { adopt, applyEntry, emptyState, keyText, parseKey } from "../meet-state.js";

const vectors = (name) => JSON.parse(readFileSync(new URL(`../../tests/vectors/${name}.json`, import.meta.url), "utf8"));

/** Canonical JSON (RFC 8785): members in the order of their UTF-16 code units, numbers and strings as JavaScript writes them. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(",")}}`;
}

const sha256 = (text) => createHash("sha256").update(text, "utf8").digest("hex");

/** Folds entries as relayed; whatever the server committed must apply. */
function fold(state, entries) {
  for (const entry of entries) assert.ok(applyEntry(state, entry), `entry ${entry.serverSeqNum}`);
}

test("keys.json: segments, canonical forms and what is no key", () => {
  for (const { text, canonical: form, segments } of vectors("keys").cases) {
    assert.deepEqual(parseKey(text), segments ?? null, text);
    if (!segments) continue;
    assert.equal(keyText(segments), form, text);
    assert.deepEqual(parseKey(form), segments, form);
  }
});

test("keys.json: two keys overlap when the segments of one begin those of the other", () => {
  const begins = (path, other) => path.every((segment, depth) => other[depth] === segment);
  for (const { a, b, overlap } of vectors("keys").overlaps) {
    const [one, two] = [parseKey(a), parseKey(b)];
    assert.equal(begins(one, two) || begins(two, one), overlap, `${a} and ${b}`);
  }
});

for (const file of ["fold", "conflicts", "resend", "atomic"]) {
  const { cases } = vectors(file);
  test(`${file}.json: the state behind every step of ${cases.length} cases`, async (t) => {
    for (const { name, steps } of cases) {
      await t.test(name, () => {
        const state = emptyState();
        for (const { expect } of steps) {
          fold(state, expect.entries ?? []);
          assert.equal(canonical(state), canonical(expect.state));
          assert.equal(sha256(canonical(state)), expect.stateHash);
        }
      });
    }
  });
}

test("canonical-json.json: a value comes through adoption unchanged", () => {
  for (const { text, canonical: form, sha256: hash } of vectors("canonical-json").cases) {
    if (form === undefined) continue;
    const value = adopt(JSON.parse(text));
    assert.equal(canonical(value), form, text);
    assert.equal(sha256(canonical(value)), hash, text);
  }
});
