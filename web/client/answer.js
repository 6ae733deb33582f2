// What an answer of the server means to a replica, which is not changed by asking.

import { isSameEntry, seqOf } from "./log.js";
import { parseKey } from "./keys.js";
import { tellsTheHead } from "./replica.js";

/** @typedef {import("./liftrelay.d.ts").Entry} Entry */
/** @typedef {import("./log.js").Page} Page */
/** @typedef {import("./replica.js").Answered} Answered */
/** @typedef {import("./replica.js").Record} Record */
/** @typedef {import("./replica.js").Replica} Replica */
/** @typedef {import("./replica.js").Status} Status */

/**
 * What comes of a push, a pull or both. All of it is expected and none of it is a fault.
 * @typedef {object} Answer
 * @property {"done" | "finished" | "behind" | "history"} kind answered; answered by a finished meet; the server has lost
 *   entries and wants those above `head` back; the client's history is not the server's
 * @property {any[]} [acks]
 * @property {any[]} [rejections]
 * @property {ReceivedPage | null} [page]
 * @property {Status} [meet]
 * @property {number} [ticketVersion]
 * @property {string} [serverTime] where a stream told it
 * @property {string} [head] the server's, as a cursor
 */

/** @typedef {{ updatesRelayed: Entry[], serverSeqNum: number, cursor: string, chain?: string | null, headSeqNum: number, more: boolean, status?: Status }} ReceivedPage */
/** @typedef {{ restoreAfter: number } | { reset: true }} Need the server has lost what is behind an entry; its history is another one */

/** An answer that does not fit the replica. It has no effect; asking again is right. */
export class Unfit extends Error {
  /**
   * @param {string} message
   * @param {boolean} isForeign an entry is of another history
   */
  constructor(message, isForeign = false) {
    super(message);
    this.isForeign = isForeign;
  }
}

/**
 * What is to be stored and applied, null where there is nothing new, and what has to happen then.
 * @param {Replica} replica
 * @param {Answer} answer
 * @returns {{ record: Record | null, need: Need | null }}
 */
export function meaning(replica, answer) {
  if (answer.kind === "behind") return { record: null, need: { restoreAfter: Math.min(seqOf(answer.head ?? ""), replica.log.head) } };
  if (answer.kind === "history") return { record: null, need: { reset: true } };
  const answered = read(replica, answer);
  if (answer.kind === "finished") finish(replica, answered);
  return { record: isOld(replica, answered) ? null : { answered }, need: null };
}

/**
 * @param {Replica} replica
 * @param {Answer} answer
 * @returns {Answered}
 */
function read(replica, { acks = [], rejections = [], page, meet }) {
  const acked = acks
    .filter(({ localSeqNum }) => replica.pending.get(localSeqNum)?.acked === null)
    .map(({ localSeqNum, serverSeqNum, merged }) => ({ number: localSeqNum, seq: serverSeqNum, ...(merged && { merged }) }));
  const refused = rejections.filter(({ localSeqNum }) => replica.pending.has(localSeqNum)).map(refusedOf);
  const status = page?.status ?? meet;
  return { acked, refused, ...(page && { page: fitting(replica, page) }), ...(status && { meet: status }) };
}

/**
 * A refusal as records hold it.
 * @param {any} rejection
 */
export function refusedOf({ localSeqNum, reason, code, standing }) {
  return { number: localSeqNum, reason, code, ...(standing && { standing: standingOf(standing) }) };
}

/** @param {any} standing */
function standingOf({ serverSeqNum, updateKey, updateValue, locationName, priority }) {
  return { serverSeqNum, key: updateKey, ...(updateValue !== undefined && { value: updateValue }), locationName, priority };
}

/**
 * Whatever the meet had not answered when it was finished is refused.
 * @param {Replica} replica
 * @param {Answered} answered
 */
function finish(replica, answered) {
  const told = new Set([...(answered.acked ?? []), ...(answered.refused ?? [])].map(({ number }) => number));
  const left = replica.unanswered.filter(({ number }) => !told.has(number));
  const reason = "the meet was finished before this change reached it";
  answered.refused = [...(answered.refused ?? []), ...left.map(({ number }) => ({ number, reason, code: null }))];
  answered.meet = "finished";
}

/**
 * The page without what is here already.
 * @param {Replica} replica
 * @param {ReceivedPage} page
 * @returns {Page}
 */
function fitting(replica, page) {
  const log = replica.rebuild ?? replica.log;
  /** @type {Entry[]} */
  const entries = [];
  let last = log.head;
  for (const entry of page.updatesRelayed) {
    const seq = entry.serverSeqNum;
    if (entry.opaque) throw new Unfit(`entry ${seq} is private: editing needs a session, not a view key`);
    if (seq > last + 1) throw new Unfit(`the page starts with entry ${seq} where ${last + 1} belongs`);
    if (seq <= last) {
      // Within the page a number that comes twice is as foreign as one that is another entry here.
      if (!isSameEntry(log.get(seq), entry)) throw new Unfit(`entry ${seq} is another one here`, true);
      continue;
    }
    if (parseKey(entry.updateKey) === null) throw new Unfit(`the key of entry ${seq} cannot be read`);
    entries.push(entry);
    last = seq;
  }
  const said = seqOf(page.cursor);
  if (said > last && entries.length === 0) throw new Unfit(`the page starts with entry ${said} where ${last + 1} belongs`);
  if (said !== last && entries.length > 0) throw new Unfit(`the page says that it ends with entry ${said}, and ends with ${last}`);
  return { entries, cursor: page.cursor, chain: page.chain ?? null, head: page.headSeqNum, more: page.more };
}

/**
 * @param {Replica} replica
 * @param {Answered} answered
 */
function isOld(replica, { acked = [], refused = [], page, meet }) {
  if (acked.length > 0 || refused.length > 0 || (meet !== undefined && meet !== replica.meet)) return false;
  if (!page) return true;
  const { log } = replica;
  const seq = seqOf(page.cursor);
  const isKnown = seq < log.head || (log.cursor === page.cursor && log.chains.has(seq));
  const showsLoss = tellsTheHead(page) && [...replica.pending.values()].some(({ acked: ack }) => ack !== null && log.hasLost(ack, page.head));
  return page.entries.length === 0 && isKnown && page.head === replica.head && replica.rebuild === null && !showsLoss;
}
