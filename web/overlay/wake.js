// When an overlay has to look again though nothing came: clocks, pages that turn, lights that go out.

import { lightsOf } from "./elements/lights.js";
import { breakReading } from "./elements/break.js";

/**
 * In how many milliseconds.
 * @param {import("./view.js").View} view
 */
export function nextChange(view) {
  const { clock, params, serverNow } = view;
  const second = (/** @type {import("./logic/clock.js").Reading | null} */ reading) =>
    reading?.running ? reading.remainingMs % 1000 || 1000 : Infinity;
  const page = params.rotateMs > 0 ? params.rotateMs - (serverNow % params.rotateMs) : Infinity;
  return Math.max(1, Math.min(second(clock), second(breakReading(view)), page, lightsOf(view).goneInMs));
}
