// Handing the log back to a server that has lost it.

import { byteLength } from "./json.js";

/** @typedef {import("./replica.js").Replica} Replica */

const PAGE_MAX = { entries: 1000, bytes: 4 * 1024 * 1024 };
/** Bytes of a page besides its entries: ticket, cursor, chain. */
const FRAME_BYTES = 64 * 1024;

/**
 * The page of the log behind entry `after`. It ends where a page of the server's ended, for only there the chain is known that
 * proves it. Null where no chain is known at all, so that nothing can be proved: then there was never anything to lose.
 * @param {Replica} replica
 * @param {number} after
 * @param {boolean} lostTheMeet the server does not know the meet: the recovery ticket goes along
 */
export function restorePage({ log, credentials }, after, lostTheMeet) {
  const ends = [...log.chains.keys()];
  const last = ends.pop();
  if (last === undefined) return null;
  let [end, bytes] = [after, FRAME_BYTES];
  for (const next of [...ends, last]) {
    if (next <= after) continue;
    bytes += byteLength(JSON.stringify(log.entries.slice(end, next)));
    if (end > after && (next - after > PAGE_MAX.entries || bytes > PAGE_MAX.bytes)) break;
    end = next;
  }
  end = end > after ? end : last;
  return {
    ...(lostTheMeet && credentials && { recoveryTicket: credentials.recoveryTicket }),
    updates: log.entries.slice(after, end),
    cursor: `${end}-${log.chains.get(end)?.slice(0, 8)}`,
    chain: /** @type {string} */ (log.chains.get(end)),
    more: end < last,
  };
}
