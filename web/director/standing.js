// How the meet stands: the link, who is there and how far behind.

import { byId, write } from "../meet-page.js";
import { meetNameOf } from "../meet-view.js";
import { grouped } from "../parts.js";
import { linkOf, locationRow, noticeOf, transportOf } from "../standing.js";

/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */
/** @typedef {import("../client/liftrelay.d.ts").OnlineLocation} OnlineLocation */
/** @typedef {import("../client/liftrelay.d.ts").Status} Status */

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
  const notice = noticeOf(status);
  page.notice.hidden = notice === "";
  write(page.notice, notice);
  write(page.id, grouped(meet.identity.meetId));
  write(page.here, `${meet.identity.locationName} (${meet.identity.priority})`);
  write(page.number, status.head > status.lastNumber ? `${status.lastNumber} of ${status.head}` : String(status.lastNumber));
  write(page.pending, String(status.pending));
  write(page.transport, transportOf(status));
  write(page.viewers, String(status.viewers));
}

/** @param {OnlineLocation[]} locations */
function showLocations(locations) {
  page.locations.tBodies[0].replaceChildren(...locations.map(locationRow));
}
