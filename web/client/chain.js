// A sync chain: edits that are committed all or not at all, with the user deciding about each refusal. Decisions are records of
// the replica, so they hold when the chain starts again because others were faster, and after a reload. No I/O and no time.

import { refusedOf } from "./answer.js";
import { LiveError } from "./errors.js";

/** @typedef {import("./answer.js").ReceivedPage} ReceivedPage */
/** @typedef {import("./liftrelay.d.ts").ChainDecision} ChainDecision */
/** @typedef {import("./replica.js").Record} Record */
/** @typedef {import("./replica.js").Replica} Replica */
/** @typedef {{ processed: number[], problem: any, remaining: number[] }} Conflict one of a chain was refused, so none took effect */

/** How often others may be faster before the edits are sent each by itself: on a busy meet a chain would wait for ever. */
export const STALES_MAX = 3;

export class Chain {
  #numbers;
  #stales = 0;

  /**
   * All edits that wait now, as far as one batch takes them. Later ones are not part of it.
   * @param {Replica} replica
   */
  constructor(replica) {
    this.#numbers = new Set(replica.batch().map(({ number }) => number));
  }

  /** All or nothing, or each by itself where others were faster too often. */
  get mode() {
    return this.#stales < STALES_MAX ? "atomic" : "each";
  }

  /**
   * What to send now; nothing once all of it was answered or given up.
   * @param {Replica} replica
   */
  batch(replica) {
    return replica.sendable.filter(({ number }) => this.#numbers.has(number));
  }

  /**
   * Others were faster, and their news are in the replica. Coming up to the head page by page does not count.
   * @param {Replica} replica
   */
  stale({ log, head }) {
    if (log.head >= head) this.#stales += 1;
  }

  /**
   * Why what is left of it cannot be sent now; empty where nothing is left, because it was answered or given up.
   * @param {Replica} replica
   */
  interruption({ pending, setAside }) {
    const numbers = [...this.#numbers];
    if (numbers.some((number) => setAside.get(number)?.code === null)) return "the meet is finished; what it had not taken is set aside";
    return numbers.some((number) => pending.get(number)?.acked === null) ? "the server has another history, which is read first" : "";
  }

  /**
   * Carries out what the user decided, before the rest is sent. Seeing what stands in the way helps where a priority decided.
   * What is refused for another reason would be refused again, and so would be what was refused once by itself, under the same
   * number: it is set aside even where it is to be kept.
   * @param {Replica} replica
   * @param {Conflict} conflict
   * @param {ChainDecision} decision
   * @returns {Record[]}
   */
  decide(replica, { problem, remaining }, decision) {
    const refused = problem.localSeqNum;
    const kept = keptBy(decision, remaining);
    const isKept = kept.includes(refused);
    const dropped = [...(isKept ? [] : [refused]), ...(decision === "drop-this" ? [] : remaining.filter((number) => !kept.includes(number)))];
    const isSetAside = isKept && !helpsToHaveSeen(replica, problem);
    return [...(isSetAside ? [{ answered: { refused: [refusedOf(problem)] } }] : []), { decided: { dropped, kept } }];
  }
}

/**
 * What goes on, on top of what is known now.
 * @param {ChainDecision} decision
 * @param {number[]} remaining
 */
function keptBy(decision, remaining) {
  if (decision === "drop-this" || decision === "drop-rest") return [];
  if (Array.isArray(decision?.keep)) return decision.keep;
  throw new LiveError(`${JSON.stringify(decision)} decides nothing; it can be "drop-this", "drop-rest" or {keep: numbers of ${JSON.stringify(remaining)} and the refused one}`, "edit");
}

/**
 * Whether a refused edit was overruled by what its author had not seen.
 * @param {Replica} replica
 * @param {any} problem
 */
function helpsToHaveSeen({ pending }, { localSeqNum, code, standing }) {
  const seen = parseInt(pending.get(localSeqNum)?.after ?? "", 10);
  return code === "overruled" && !(seen >= standing?.serverSeqNum);
}
