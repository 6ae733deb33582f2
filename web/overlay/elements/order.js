// The flight in lifting order, with what is declared and what became of it.

import { box } from "../tree.js";
import { attemptBox, groupWords, heading, pageOf } from "./parts.js";

const ROWS = 15;

/** @param {import("../view.js").View} view */
export function drawOrder(view) {
  const { now, words } = view;
  if (now.order.length === 0) return [];
  const { items, note } = pageOf(view, now.order, ROWS);
  const [flight, lift] = groupWords(view);
  const rows = items.map((entry) =>
    box("lr-row", [box("lr-name", entry.name), attemptBox(view, entry, now.lift, Math.min(now.attempt, entry.attempts[now.lift].length))], {
      key: entry.id,
      data: { current: String(entry === now.current) },
    }),
  );
  return [heading(words.say("liftingOrder"), [flight, lift, note].filter(Boolean).join(" · ")), ...rows];
}
