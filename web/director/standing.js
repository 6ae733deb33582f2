// How the meet stands: the link, who is there and how far behind.

import { element } from "../board.js";
import { byId, write } from "../meet-page.js";
import { meetNameOf } from "../meet-view.js";
import { grouped, timeText } from "./parts.js";

/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */
/** @typedef {import("../client/liftrelay.d.ts").OnlineLocation} OnlineLocation */
/** @typedef {import("../client/liftrelay.d.ts").Status} Status */

const TRANSPORTS = { websocket: "WebSocket", sse: "SSE", ndjson: "NDJSON", "long-poll": "long-poll", "short-poll": "short poll" };
const STORAGES = {
  indexeddb: "",
  localstorage: "This browser keeps edits in a small store only; do not close it while edits are pending.",
  memory: "This browser keeps nothing: edits that are pending are lost when it is closed.",
};

const page = {
  name: byId("meet-name", HTMLElement),
  link: byId("link-state", HTMLElement),
  linkText: byId("link-text", HTMLElement),
  notice: byId("notice", HTMLElement),
  id: byId("meet-id", HTMLElement),
  here: byId("here", HTMLElement),
  number: byId("number", HTMLElement),
  pending: byId("pending", HTMLElement),
  transport: byId("transport", HTMLElement),
  viewers: byId("viewers", HTMLElement),
  locations: byId("locations", HTMLTableElement),
};

/**
 * Shows a meet until it is closed.
 * @param {Meet} meet
 * @param {string} meetName what it was called when it was made
 */
export function showStanding(meet, meetName) {
  /** @type {unknown} */
  let shown = null;
  return meet.subscribe((status) => {
    showFacts(meet, meetName, status);
    if (shown !== status.locations) showLocations(status.locations);
    shown = status.locations;
  });
}

/**
 * @param {Meet} meet
 * @param {string} meetName
 * @param {Status} status
 */
function showFacts(meet, meetName, status) {
  const name = meetNameOf(/** @type {any} */ (meet.state)) || meetName || `Meet ${grouped(meet.identity.meetId)}`;
  write(page.name, name);
  document.title = `${name} · director`;
  const { state, text } = linkOf(status);
  page.link.dataset.state = state;
  write(page.linkText, text);
  const notice = status.rebuilding ? "The server has another history of this meet; it is being read." : STORAGES[status.storage];
  page.notice.hidden = notice === "";
  write(page.notice, notice);
  write(page.id, grouped(meet.identity.meetId));
  write(page.here, `${meet.identity.locationName} (${meet.identity.priority})`);
  write(page.number, status.head > status.lastNumber ? `${status.lastNumber} of ${status.head}` : String(status.lastNumber));
  write(page.pending, String(status.pending));
  write(page.transport, status.link === "up" ? TRANSPORTS[status.transport] : "–");
  write(page.viewers, String(status.viewers));
}

/** @param {Status} status */
function linkOf({ link, why, meet }) {
  const because = why ? `: ${why}` : "";
  if (link === "up" && meet === "finished") return { state: "finished", text: "finished" };
  if (link === "up") return meet === "recovering" ? { state: "connecting", text: "the server is recovering the meet" } : { state: "live", text: "live" };
  if (link === "refused") return { state: "refused", text: `the session has ended${because}` };
  if (link === "broken") return { state: "refused", text: `edits cannot be kept any more${because}` };
  return { state: "connecting", text: link === "down" ? `reconnecting${because}` : link };
}

/** @param {OnlineLocation[]} locations */
function showLocations(locations) {
  const rows = locations.map(({ locationName, priority, online, lastSeenAt, behindBy }) => {
    const name = element("th", { text: locationName });
    name.scope = "row";
    const seen = lastSeenAt ? `last seen ${timeText(lastSeenAt)}` : "not yet here";
    const link = element("td", { className: online ? "online" : "away", text: online ? "online" : seen });
    const lag = behindBy === null || behindBy === undefined ? "–" : behindBy === 0 ? "none" : `${behindBy} behind`;
    return element("tr", {}, name, element("td", { className: "number", text: String(priority) }), link, element("td", { text: lag }));
  });
  page.locations.tBodies[0].replaceChildren(...rows);
}
