// A server that has lost something, or lets nobody in any more.

import { Fault } from "./fault.js";
import { restorePage } from "./handing-back.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./requests.js").Requests} Requests */
/** @typedef {{ taken?: any, fault?: Fault }} HandedBack `taken` says what the server did; neither: the log is of another history */

/**
 * Gives the server what it has lost, or both one history. Resolves with what kept that from coming through.
 * @param {Core} core
 * @param {Requests} requests
 * @param {import("./answer.js").Need} need
 */
export function giveBack(core, requests, need) {
  return "reset" in need ? handBackAll(core, requests) : handBack(core, requests, need.restoreAfter);
}

/**
 * @param {Core} core
 * @param {Requests} requests
 * @param {number} after
 * @returns {Promise<Fault | undefined>}
 */
async function handBack(core, requests, after) {
  const { taken, fault } = await sendLog(core, requests, after, false);
  if (fault) return fault;
  if (taken && !taken.historyChanged) return undefined;
  return taken || after === 0 ? startOver(core) : handBackAll(core, requests);
}

/**
 * The server's history is another one: it gets the whole of this one, for others may have lost theirs, and is then read anew.
 * @param {Core} core
 * @param {Requests} requests
 * @returns {Promise<Fault | undefined>}
 */
async function handBackAll(core, requests) {
  const { fault } = await sendLog(core, requests, 0, false);
  return fault ?? startOver(core);
}

/**
 * The session opens nothing any more. A server that has lost the meet gets it back with the recovery ticket; resolves with
 * true where that has bought a session.
 * @param {Core} core
 * @param {Requests} requests
 */
export async function comeBack(core, requests) {
  if (core.replica.credentials === null) return false;
  const { taken, fault } = await sendLog(core, requests, 0, true);
  if (fault?.isPassing) throw fault;
  if (!taken) return false;
  const { sessionToken, expiresAt, historyChanged } = taken;
  await core.change(({ credentials }) => [
    ...(sessionToken && credentials ? [{ renewed: { ...credentials, sessionToken, expiresAt } }] : []),
    ...(historyChanged ? [{ reset: /** @type {true} */ (true) }] : []),
  ]);
  return Boolean(sessionToken);
}

/**
 * Buys a session with the password. Resolves with whether it did.
 * @param {Core} core
 * @param {Requests} requests
 * @param {string} password
 */
export async function logIn(core, requests, password) {
  const { identity } = core.replica;
  if (identity === null) return false;
  const { locationName, clientId } = identity;
  const { sessionToken, expiresAt, recoveryTicket, ticketVersion } = await requests.call("POST", "/sessions", { password, locationName, clientId });
  requests.token = sessionToken;
  await core.change(() => [{ renewed: { sessionToken, expiresAt, recoveryTicket, ticketVersion } }]);
  return true;
}

/** @param {Core} core */
async function startOver(core) {
  await core.change(() => [{ reset: true }]);
  return undefined;
}

/**
 * @param {Core} core
 * @param {Requests} requests
 * @param {number} after
 * @param {boolean} lostTheMeet
 * @returns {Promise<HandedBack>}
 */
async function sendLog(core, requests, after, lostTheMeet) {
  for (;;) {
    const page = restorePage(core.replica, after, lostTheMeet);
    if (page === null) return {};
    try {
      const taken = await requests.call("POST", "/restore", page);
      if (taken.sessionToken) requests.token = taken.sessionToken;
      if (!page.more) return { taken };
      after = parseInt(page.cursor, 10);
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      return ["history-changed", "invalid-request"].includes(fault.code) ? {} : { fault };
    }
  }
}
