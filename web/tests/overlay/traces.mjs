// Real meets, change by change (data of the OpenPowerlifting project; the lifters' names are invented), and what OpenLifter made of them.

import { readFileSync } from "node:fs";

import { applyEntry, emptyState } from "../../meet-state.js";

const ROOT = new URL("../../../", import.meta.url);
const FOLDERS = { "kg-single-34": "src/cli/demo/" };

export const MEETS = ["kg-single-34", "kg-multidiv-36", "lbs-25", "kg-large-310"];

/** @param {string} name */
export function trace(name) {
  const text = readFileSync(new URL(`${FOLDERS[name] ?? "tests/data/"}${name}.updates.jsonl`, ROOT), "utf8");
  return text.trim().split("\n").map((line) => JSON.parse(line));
}

/** Folds a trace; `before` sees the state as it stands before each change. */
export function fold(lines, before = (_state, _line) => {}) {
  const state = emptyState();
  for (const line of lines) {
    before(state, line);
    applyEntry(state, { ...line, serverSeqNum: 1 });
  }
  return state;
}

/** The rows of a results file as OpenLifter exports it, by column. */
export function results(name) {
  const lines = readFileSync(new URL(`tests/data/${name}.opl.csv`, ROOT), "utf8").trim().split("\n").map((line) => line.split(","));
  const head = lines.findIndex(([first]) => first === "Place");
  return lines.slice(head + 1).map((cells) => Object.fromEntries(lines[head].map((column, index) => [column, cells[index]])));
}
