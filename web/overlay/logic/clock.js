// What a clock shows at a moment of the server's time.

import { number, text } from "./meet.js";

/** @typedef {import("../../meet-state.js").Json} Json */
/** @typedef {{ remainingMs: number, running: boolean }} Reading */

/**
 * What a clock (`{seconds, startedAt?, stoppedAt?}`) shows at a moment of the server's time; null where there is none.
 * @param {Json | undefined} clock
 * @param {number} serverNow
 * @returns {Reading | null}
 */
export function readingOf(clock, serverNow) {
  const seconds = number(clock, "seconds");
  if (!(seconds > 0)) return null;
  const startedAt = Date.parse(text(clock, "startedAt"));
  const stoppedAt = Date.parse(text(clock, "stoppedAt"));
  const until = Number.isNaN(stoppedAt) ? serverNow : stoppedAt;
  const passedMs = Number.isNaN(startedAt) ? 0 : Math.max(0, until - startedAt);
  const remainingMs = Math.max(0, 1000 * seconds - passedMs);
  return { remainingMs, running: !Number.isNaN(startedAt) && Number.isNaN(stoppedAt) && remainingMs > 0 };
}

/**
 * `1:00`, `0:09`; a second is shown until it is over, so that 0:00 means what it says.
 * @param {number} remainingMs
 */
export function clockText(remainingMs) {
  const seconds = Math.ceil(remainingMs / 1000);
  const hours = Math.floor(seconds / 3600);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
