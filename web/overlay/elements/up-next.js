// Who lifts after the current lifter.

import { kgAt } from "../logic/order.js";
import { box } from "../tree.js";
import { heading } from "./parts.js";

const ROWS = 4;

/** @param {import("../view.js").View} view */
export function drawUpNext(view) {
  const { now, params, words } = view;
  const turns = now.queue.filter(({ entry }) => entry !== now.current).slice(0, params.rows || ROWS);
  if (turns.length === 0) return [];
  const rows = turns.map(({ entry, attempt }) =>
    box("lr-row", [box("lr-nth", String(attempt)), box("lr-name", entry.name), box("lr-weight", view.weight(kgAt(entry, now.lift, attempt)))], {
      key: `${entry.id} ${attempt}`,
    }),
  );
  return [heading(words.say("upNext"), words.say(now.lift)), ...rows];
}
