// Who else is at a meet.

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./liftrelay.d.ts").OnlineLocation} OnlineLocation */
/** @typedef {import("./replica.js").Replica} Replica */
/** @typedef {import("./requests.js").Requests} Requests */
/** @typedef {{ locations: OnlineLocation[], viewers: number }} Around */

/**
 * Asks who is there, and takes a newer recovery ticket along. Null where no answer comes; it is asked for again.
 * @param {Core} core
 * @param {Requests} requests
 * @returns {Promise<Around | null>}
 */
export async function lookAround(core, requests) {
  const info = await requests.call("GET", "").catch(() => null);
  if (info === null) return null;
  const { recoveryTicket, ticketVersion, locations = [], viewers = 0 } = info;
  await core.change((replica) => {
    const { credentials } = replica;
    return credentials && recoveryTicket && isNewer(ticketVersion, replica) ? [{ renewed: { ...credentials, recoveryTicket, ticketVersion } }] : [];
  });
  return { locations, viewers };
}

/**
 * Whether a recovery ticket of this version is newer than the one here.
 * @param {number | undefined} version
 * @param {Replica} replica
 */
export function isNewer(version = 0, { credentials }) {
  return credentials !== null && version > credentials.ticketVersion;
}
