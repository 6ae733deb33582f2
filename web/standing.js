// How a meet stands, in words.

import { element } from "./board.js";
import { timeText } from "./parts.js";

/** @typedef {import("./client/liftrelay.d.ts").OnlineLocation} OnlineLocation */
/** @typedef {import("./client/liftrelay.d.ts").Status} Status */

const TRANSPORTS = { websocket: "WebSocket", sse: "SSE", ndjson: "NDJSON", "long-poll": "long-poll", "short-poll": "short poll" };
const STORAGES = {
  indexeddb: "",
  localstorage: "This browser keeps edits in a small store only; do not close it while edits are pending.",
  memory: "This browser keeps nothing: edits that are pending are lost when it is closed.",
};

/** @param {Status} status */
export function linkOf({ link, why, meet }) {
  const because = why ? `: ${why}` : "";
  if (link === "up" && meet === "finished") return { state: "finished", text: "finished" };
  if (link === "up") return meet === "recovering" ? { state: "connecting", text: "the server is recovering the meet" } : { state: "live", text: "live" };
  if (link === "refused") return { state: "refused", text: `the session has ended${because}` };
  if (link === "broken") return { state: "refused", text: `edits cannot be kept any more${because}` };
  return { state: "connecting", text: link === "down" ? `reconnecting${because}` : link };
}

/** What carries news, where something does. @param {Status} status */
export function transportOf({ link, transport }) {
  return link === "up" ? TRANSPORTS[transport] : "–";
}

/** What a person has to know of it; mostly nothing. @param {Status} status */
export function noticeOf({ rebuilding, storage }) {
  return rebuilding ? "The server has another history of this meet; it is being read." : STORAGES[storage];
}

/** A line of a table: who, priority, link, lag. @param {OnlineLocation} location */
export function locationRow({ locationName, priority, online, lastSeenAt, behindBy }) {
  const name = element("th", { text: locationName });
  name.scope = "row";
  const seen = lastSeenAt ? `last seen ${timeText(lastSeenAt)}` : "not yet here";
  const link = element("td", { className: online ? "online" : "away", text: online ? "online" : seen });
  const lag = behindBy === null || behindBy === undefined ? "–" : behindBy === 0 ? "none" : `${behindBy} behind`;
  return element("tr", {}, name, element("td", { className: "number", text: String(priority) }), link, element("td", { text: lag }));
}
