// How the meet stands: the link, who is there and how far behind, what was refused.

import { element } from "../board.js";
import { byId, write } from "../meet-page.js";
import { meetNameOf } from "../meet-view.js";
import { grouped, lifterOf, messageOf, timeText, valueText } from "./parts.js";

/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */
/** @typedef {import("../client/liftrelay.d.ts").OnlineLocation} OnlineLocation */
/** @typedef {import("../client/liftrelay.d.ts").SetAside} SetAside */
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
  conflicts: byId("conflicts", HTMLElement),
  conflictsTitle: byId("conflicts-title", HTMLElement),
  conflictsCount: byId("conflicts-count", HTMLElement),
  noConflicts: byId("no-conflicts", HTMLElement),
};

/**
 * Shows a meet until it is closed.
 * @param {Meet} meet
 * @param {string} meetName what it was called when it was made
 */
export function showStanding(meet, meetName) {
  /** @type {{ locations?: unknown, setAside?: unknown }} */
  const shown = {};
  return meet.subscribe((status) => {
    showFacts(meet, meetName, status);
    if (shown.locations !== status.locations) showLocations(status.locations);
    if (shown.setAside !== meet.setAside) showConflicts(meet);
    Object.assign(shown, { locations: status.locations, setAside: meet.setAside });
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

/** @param {Meet} meet */
function showConflicts(meet) {
  write(page.conflictsCount, String(meet.setAside.length));
  page.noConflicts.hidden = meet.setAside.length > 0;
  page.conflicts.replaceChildren(...meet.setAside.map((one) => conflictItem(meet, one)));
}

/**
 * @param {Meet} meet
 * @param {SetAside} setAside
 */
function conflictItem(meet, { number, edit, reason, standing }) {
  const lifter = lifterOf(/** @type {any} */ (meet.state), edit.key);
  const head = element("p", {}, element("code", { text: edit.key }), lifter ? ` ${lifter}` : "");
  const facts = element("dl", {}, fact("Yours", edit.op === "remove" ? "removed" : valueText(edit.value)));
  if (standing) facts.append(fact("Stands", `${valueText(standing.value)} – ${standing.locationName} (${standing.priority})`));
  const said = element("p", { className: "said bad" });
  said.setAttribute("role", "alert");
  const decide = (/** @type {string} */ text, /** @type {(number: number) => Promise<void>} */ act) => {
    const button = element("button", { text });
    button.type = "button";
    button.setAttribute("aria-label", `${text}: ${edit.key}`);
    button.addEventListener("click", () => {
      // The button goes with the conflict; whoever works by keyboard stays in the list.
      act(number).then(() => page.conflictsTitle.focus(), (error) => write(said, messageOf(error)));
    });
    return button;
  };
  const actions = element("div", { className: "actions" }, decide("Retry", (one) => meet.retry(one)), decide("Drop", (one) => meet.drop(one)));
  return element("li", { className: "conflict" }, head, facts, element("p", { className: "note", text: reason }), actions, said);
}

/** @param {string} name @param {string} text */
function fact(name, text) {
  return element("div", {}, element("dt", { text: name }), element("dd", { text }));
}
