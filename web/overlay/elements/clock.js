// The clock of the platform.

import { clockText } from "../logic/clock.js";
import { box } from "../tree.js";

/** Seconds that are worth a warning. */
const LOW_MS = 10_000;

/** @param {import("../view.js").View} view */
export function drawClock(view) {
  const { clock } = view;
  if (clock === null) return [];
  const { remainingMs, running } = clock;
  const state = remainingMs === 0 ? "over" : remainingMs <= LOW_MS ? "low" : running ? "running" : "stopped";
  return [box("lr-time", clockText(remainingMs), { data: { state } })];
}
