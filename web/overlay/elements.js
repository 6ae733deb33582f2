// Every element by the name that its address has.

import { drawAttempts } from "./elements/attempts.js";
import { drawBoard } from "./elements/board.js";
import { drawBreak } from "./elements/break.js";
import { drawClock } from "./elements/clock.js";
import { drawLeaderboard } from "./elements/leaderboard.js";
import { drawLights } from "./elements/lights.js";
import { drawLowerThird } from "./elements/lower-third.js";
import { drawOrder } from "./elements/order.js";
import { drawSponsors } from "./elements/sponsors.js";
import { drawStatus } from "./elements/status.js";
import { drawUpNext } from "./elements/up-next.js";
import { drawWarmUp } from "./elements/warm-up.js";

/**
 * @typedef {object} Element
 * @property {import("./params.js").Position} usual where it stands on the screen unless its address says otherwise
 * @property {(view: import("./view.js").View) => import("./tree.js").Tree[]} draw nothing where there is nothing to show
 */

/** @type {Record<string, Element>} */
export const ELEMENTS = {
  "lower-third": { usual: "bottom-left", draw: drawLowerThird },
  attempts: { usual: "bottom-right", draw: drawAttempts },
  "up-next": { usual: "right", draw: drawUpNext },
  leaderboard: { usual: "right", draw: drawLeaderboard },
  lights: { usual: "top-right", draw: drawLights },
  clock: { usual: "top-left", draw: drawClock },
  board: { usual: "center", draw: drawBoard },
  order: { usual: "left", draw: drawOrder },
  "warm-up": { usual: "center", draw: drawWarmUp },
  break: { usual: "center", draw: drawBreak },
  sponsors: { usual: "bottom-right", draw: drawSponsors },
  status: { usual: "top", draw: drawStatus },
};

/** @param {string} name */
export function isElement(name) {
  return Object.hasOwn(ELEMENTS, name);
}

/** @param {string} name */
export function elementOf(name) {
  return isElement(name) ? ELEMENTS[name] : { usual: /** @type {const} */ ("center"), draw: () => [] };
}
