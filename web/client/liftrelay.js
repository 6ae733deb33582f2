// The browser client: make, join, open and look at meets. README.md beside this file shows how.

import { liveError } from "./errors.js";
import { meetKey, randomName } from "./names.js";
import { Page } from "./page.js";
import { read, send } from "./requests.js";
import { savedIdentities } from "./store.js";

export { LiveError } from "./errors.js";

/** @typedef {import("./liftrelay.d.ts").Session} Session */

/** @type {typeof import("./liftrelay.d.ts").createMeet} */
export function createMeet({ server, password, locationName, locations, meetName, settings, createKey }) {
  const body = { password, thisLocationName: locationName, locations, meetName, settings, clientId: randomName() };
  return sessionFrom(originOf(server), "/v1/meets", body, createKey);
}

/** @type {typeof import("./liftrelay.d.ts").joinMeet} */
export async function joinMeet({ server, meetId, password, locationName }) {
  const origin = originOf(server);
  const key = meetKey({ server: origin, meetId, locationName });
  const known = (await savedIdentities()).find((identity) => meetKey(identity) === key);
  const body = { password, locationName, clientId: known?.clientId ?? randomName() };
  return sessionFrom(origin, `/v1/meets/${meetId.replace(/\D/g, "")}/sessions`, body);
}

/** @type {typeof import("./liftrelay.d.ts").openMeet} */
export function openMeet(meet, { password = "", conflictFree } = {}) {
  return Page.open({ meet: { ...meet, server: originOf(meet.server) }, password, isConflictFree: conflictFree });
}

/** @type {typeof import("./liftrelay.d.ts").viewMeet} */
export function viewMeet({ server, meetId, viewKey }) {
  return Page.open({ view: { server: originOf(server), meetId, viewKey } });
}

/** @type {typeof import("./liftrelay.d.ts").savedMeets} */
export function savedMeets() {
  return savedIdentities();
}

/**
 * @param {string} server
 * @param {string} path
 * @param {object} body
 * @param {string} [token]
 * @returns {Promise<Session>}
 */
async function sessionFrom(server, path, body, token) {
  try {
    const told = read(await send(server + path, "POST", { body, token }));
    const { meetId, locationName, clientId, priority, slot, sessionToken, expiresAt, recoveryTicket, ticketVersion } = told;
    return { server, meetId, locationName, clientId, priority, slot, sessionToken, expiresAt, recoveryTicket, ticketVersion };
  } catch (error) {
    throw liveError(error);
  }
}

/** @param {string} [server] */
function originOf(server) {
  return new URL(server ?? location.origin).origin;
}
