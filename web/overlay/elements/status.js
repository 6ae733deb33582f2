// Where the meet is, in one line.

import { box } from "../tree.js";
import { groupWords } from "./parts.js";

/** @param {import("../view.js").View} view */
export function drawStatus(view) {
  const { meet, now, words } = view;
  if (meet.name === "" && meet.entries.length === 0) return [];
  const platforms = new Set(meet.entries.map(({ platform }) => platform)).size;
  const waiting = now.queue.length;
  const parts = [
    platforms > 1 ? words.say("platform", { platform: now.platform }) : "",
    ...(now.order.length > 0 ? groupWords(view) : []),
    waiting > 0 ? words.say("toGo", { count: waiting }) : "",
  ].filter(Boolean);
  return [box("lr-name", meet.name, { key: "name" }), ...parts.map((part, index) => box("lr-fact", part, { tag: "span", key: String(index) }))];
}
