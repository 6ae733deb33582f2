// Chains under way. Each goes on from one refusal to the next whenever its page has decided.

import { refusedOf } from "./answer.js";
import { Chain } from "./chain.js";
import { editOf, updateOf } from "./edit.js";
import { Fault } from "./fault.js";
import { isPage } from "./log.js";
import { answerOf, send } from "./requests.js";

/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("./chain.js").Conflict} Conflict */
/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./host.js").Port} Port */
/** @typedef {import("./liftrelay.d.ts").ChainDecision} ChainDecision */
/** @typedef {import("./liftrelay.d.ts").ChainEnd} ChainEnd */
/** @typedef {import("./liftrelay.d.ts").ChainRefusal} ChainRefusal */
/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("./requests.js").Requests} Requests */
/** @typedef {Answer | { kind: "conflict", page: Answer["page"] } & Conflict | { kind: "stale", page: Answer["page"] }} ChainAnswer */
/** @typedef {AsyncGenerator<ChainRefusal, ChainEnd, ChainDecision>} Steps */
/** @typedef {{ steps: Steps, port: Port, isOver: boolean, silent: number, looking?: ReturnType<typeof setInterval> }} Running */

/** Pages that decide say that they are there, hidden ones once a minute: one that lets so many looks pass is gone. */
const LOOK_MS = 15000;
const LOOKS_MAX = 10;

export class Chains {
  #live;
  #core;
  /** By the name that a page gave. @type {Map<string, Running>} */
  #running = new Map();

  /**
   * @param {Live} live
   * @param {Core} core
   */
  constructor(live, core) {
    this.#live = live;
    this.#core = core;
  }

  /**
   * To the next refusal, or to the end. Without a decision it begins; with one that comes too late it is over already.
   * @param {{ chain: string, decision?: ChainDecision, isOver?: boolean }} asked
   * @param {Port} port of the page that decides
   * @returns {Promise<IteratorResult<ChainRefusal, ChainEnd>>}
   */
  async goOn({ chain, decision, isOver = false }, port) {
    const running = this.#running.get(chain) ?? (decision || isOver ? null : this.#begin(chain, port));
    if (running === null || isOver) {
      if (running) this.#end(running);
      return { done: true, value: interrupted("nothing was decided in time, so the edits went by themselves") };
    }
    clearInterval(running.looking);
    let isDone = true;
    try {
      const step = await running.steps.next(/** @type {ChainDecision} */ (decision));
      isDone = step.done ?? false;
      return step;
    } finally {
      if (isDone) this.#running.delete(chain);
      else running.looking = setInterval(() => this.#look(running), LOOK_MS);
    }
  }

  /** A page has left. @param {Port} port */
  gone(port) {
    for (const running of this.#running.values()) {
      if (running.port === port) this.#end(running);
    }
  }

  /**
   * @param {string} chain
   * @param {Port} port
   */
  #begin(chain, port) {
    /** @type {Running} */
    const running = { steps: steps(this.#live, this.#core, () => running.isOver), port, isOver: false, silent: 0 };
    this.#running.set(chain, running);
    return running;
  }

  /** @param {Running} running */
  #look(running) {
    running.silent = running.port.isHeard ? 0 : running.silent + 1;
    running.port.isHeard = false;
    if (running.silent >= LOOKS_MAX) this.#end(running);
  }

  /** @param {Running} running */
  #end(running) {
    running.isOver = true;
    clearInterval(running.looking);
    for (const [chain, other] of this.#running) if (other === running) this.#running.delete(chain);
    void running.steps.return(interrupted("it was given up"));
  }
}

/**
 * A chain from its turn to its end.
 * @param {Live} live
 * @param {Core} core
 * @param {() => boolean} isOver nobody waits for it any more
 * @returns {Steps}
 */
async function* steps(live, core, isOver) {
  const letGo = await turn(live);
  try {
    const chain = new Chain(core.replica);
    for (;;) {
      await live.due();
      if (live.isClosed || isOver()) return interrupted("the meet was closed");
      const batch = await live.outgoing((replica) => chain.batch(replica));
      if (batch.length === 0) return ended(chain.interruption(core.replica));
      const answer = await exchange(live, { updates: batch.map(updateOf), ...(chain.mode === "atomic" && { mode: "atomic", ifHead: core.replica.cursor }) });
      if (answer instanceof Fault) {
        // A session that has ended is renewed where the password is known.
        if (answer.kind === "refused" || live.link.link === "refused") return interrupted(answer.message);
      } else if (answer.kind === "conflict") {
        const decision = yield refusal(core, answer);
        await core.change((replica) => chain.decide(replica, answer, decision));
      } else if (answer.kind === "stale") chain.stale(core.replica);
      else if (answer.kind === "behind" || answer.kind === "history") return interrupted("the server has another history; it is settled first");
    }
  } finally {
    letGo();
    live.edited();
  }
}

/**
 * Waits until nobody else sends edits; from then on nobody does, until it is let go.
 * @param {Live} live
 * @returns {Promise<() => void>}
 */
function turn(live) {
  return new Promise((begin) => void live.sending.take(() => new Promise((letGo) => begin(() => letGo(undefined)))));
}

/**
 * Sends a batch and takes the answer in.
 * @param {Live} live
 * @param {object} body
 * @returns {Promise<ChainAnswer | Fault>}
 */
async function exchange(live, body) {
  /** @type {ChainAnswer | null} */
  let told = null;
  const answer = await live.exchange(async (requests) => {
    told = await push(requests, body);
    // What has come along with a refusal is a page of the log like any other.
    return told.kind === "conflict" || told.kind === "stale" ? { kind: "done", page: told.page } : told;
  });
  return answer instanceof Fault ? answer : (told ?? answer);
}

/**
 * @param {Requests} requests
 * @param {object} body
 * @returns {Promise<ChainAnswer>}
 */
async function push({ base, token }, body) {
  const { status, json, retryAfter } = await send(`${base}/updates`, "POST", { body, token });
  const kind = { "sync-conflict": /** @type {const} */ ("conflict"), "sync-stale": /** @type {const} */ ("stale") }[String(json?.code)];
  if (!kind) return answerOf(status, json, retryAfter);
  const { updatesRelayed, serverSeqNum, cursor, chain, headSeqNum, more, processed, problem, remaining } = json;
  const page = { updatesRelayed, serverSeqNum, cursor, chain, headSeqNum, more };
  if (!isPage(page) || (kind === "conflict" && !problem)) throw new Fault("unreadable", "what a refused chain brings is no page of the log");
  return { kind, page, processed, problem, remaining };
}

/**
 * @param {Core} core
 * @param {Conflict} conflict
 * @returns {ChainRefusal}
 */
function refusal({ replica }, { processed, problem, remaining }) {
  const { number, standing, reason, code } = refusedOf(problem);
  const pending = replica.pending.get(number);
  return { number, edit: pending ? editOf(pending.read) : { key: "" }, reason, code, ...(standing && { standing }), processed, remaining };
}

/** @param {string} why */
const interrupted = (why) => ({ committed: false, why });

/** @param {string} why empty where nothing is left */
const ended = (why) => ({ committed: why === "", why });
