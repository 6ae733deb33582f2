// The way to a server: WebSocket, Server-Sent Events, lines of JSON, held requests, short ones. It climbs by evidence while it
// carries. The cursor is in the data, so changing from one to another neither loses nor doubles anything.

import { Climb } from "./climb.js";
import { Fault } from "./fault.js";
import { later } from "./later.js";
import { seqOf } from "./log.js";

/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("./requests.js").Requests} Requests */
/** @typedef {import("./streams.js").Stream} Stream */
/** @typedef {import("./streams.js").StreamKind} StreamKind */

const NOTHING_NEW = /** @type {Answer} */ ({ kind: "done" });

export class Ladder {
  #requests;
  #climb = new Climb();
  /** @type {Stream | null} */
  #carrier = null;
  /** A stream that is being opened; resolves once it was judged. @type {Promise<undefined> | null} */
  #probing = null;
  /** Ends what is under way, for instance after a sleep. */
  #stop = new AbortController();
  #isClosed = false;

  /** @param {Requests} requests */
  constructor(requests) {
    this.#requests = requests;
  }

  get transport() {
    return this.#climb.transport;
  }

  /** Drops whatever is open: it may be dead, and it may have a better way now. */
  reset() {
    this.#carrier?.news.end();
    this.#carrier = null;
    this.#climb.forget();
    this.#stop.abort();
    this.#stop = new AbortController();
  }

  close() {
    this.#isClosed = true;
    this.reset();
  }

  /**
   * Hands updates over and waits until they are answered.
   * @param {object[]} updates
   * @returns {Promise<Answer>}
   */
  async push(updates) {
    const { signal } = this.#stop;
    try {
      const answer = await this.#carrier?.push?.(updates);
      if (answer) return answer;
    } catch (fault) {
      // Whatever became of it, the same updates get the same answers.
      if (!(fault instanceof Fault) || fault.kind !== "cut") throw fault;
    }
    return this.#requests.push(updates, signal);
  }

  /**
   * What follows `after`. Without news it comes back empty after `waitMs`, or earlier where a stream only tells that it is alive.
   * @param {string} after
   * @param {number} waitMs
   * @returns {Promise<Answer>}
   */
  async pull(after, waitMs) {
    const until = Date.now() + waitMs;
    const beside = new AbortController();
    const { signal } = this.#stop;
    const abort = () => beside.abort();
    signal.addEventListener("abort", abort);
    try {
      for (;;) {
        this.#probe(after);
        if (this.#carrier && seqOf(this.#carrier.news.position) > seqOf(after)) this.#drop(Infinity);
        const answer = await (this.#carrier ? this.#take(this.#carrier, after, until, beside) : this.#ask(after, until, beside));
        if (answer) return answer;
      }
    } finally {
      signal.removeEventListener("abort", abort);
      beside.abort();
    }
  }

  /**
   * Starts the next probe where one is due. It goes on between pulls.
   * @param {string} after
   */
  #probe(after) {
    const kind = this.#probing || this.#isClosed ? null : this.#climb.probe(Date.now());
    if (kind === null) return;
    const opened = open(this.#requests, kind, after).catch(() => null);
    this.#probing = opened.then((stream) => this.#judge(kind, stream));
  }

  /**
   * @param {StreamKind} kind
   * @param {Stream | null} stream null where it did not open
   */
  #judge(kind, stream) {
    this.#probing = null;
    if (!stream) this.#climb.failed(kind, Date.now());
    else if (this.#isClosed) stream.news.end();
    else {
      this.#carrier?.news.end();
      this.#carrier = stream;
      this.#climb.proven(kind);
    }
    return undefined;
  }

  /** @param {number} livedMs */
  #drop(livedMs) {
    const stream = this.#carrier;
    this.#carrier = null;
    stream?.news.end();
    if (stream) this.#climb.ended(stream.kind, livedMs, Date.now());
  }

  /**
   * By a request; undefined where a stream is proven meanwhile. That starts where this pull does, so giving it up loses nothing.
   * @param {string} after
   * @param {number} until
   * @param {AbortController} beside
   */
  async #ask(after, until, beside) {
    const asked = this.#request(after, until, beside.signal);
    asked.catch(() => {});
    for (;;) {
      const answer = await Promise.race([asked, this.#probing ?? asked]);
      if (answer || this.#carrier) return answer;
      this.#probe(after);
    }
  }

  /**
   * What the stream that carries has; undefined where requests have to go on, or a better stream is there.
   * @param {Stream} carrier
   * @param {string} after
   * @param {number} until
   * @param {AbortController} beside
   * @returns {Promise<Answer | undefined>}
   */
  async #take(carrier, after, until, beside) {
    const { news, trial } = carrier;
    /** @type {Promise<Answer | undefined>} */
    const never = new Promise(() => {});
    // Where a stream carries, a request that brings nothing need not be made again at once.
    const request = trial.isOver ? never : this.#request(after, until, beside.signal).then((answer) => (isNews(answer) ? answer : never), () => never);
    for (;;) {
      if (this.#carrier !== carrier) return undefined;
      const answer = this.#next(carrier, after);
      if (answer !== undefined) return answer ?? undefined;
      const came = await soon([news.ready.then(() => undefined), this.#probing ?? never, request], Math.min(until, trial.deadline));
      if (came) {
        if (came.page) trial.requestCame(seqOf(came.page.cursor), Date.now());
        if (came.kind !== "done") this.#drop(Infinity);
        return came;
      }
      if (Date.now() >= trial.deadline) {
        this.#drop(0);
        return undefined;
      }
      if (Date.now() >= until) return NOTHING_NEW;
      this.#probe(after);
    }
  }

  /**
   * The next message that says something new; undefined where there is none yet, null where the stream is gone.
   * @param {Stream} carrier
   * @param {string} after
   */
  #next({ news, trial, since }, after) {
    try {
      for (let answer = news.take(); answer; answer = news.take()) {
        if (answer.page?.updatesRelayed.length) trial.streamCame(answer.page.serverSeqNum, Date.now());
        if (answer.kind !== "done") this.#drop(Infinity);
        // What a request has brought already comes again.
        if (!answer.page || answer.page.serverSeqNum >= seqOf(after)) return answer;
      }
      return undefined;
    } catch (fault) {
      const isOver = fault instanceof Fault && ["cut", "unreachable", "unreadable"].includes(fault.kind);
      this.#drop(isOver ? Date.now() - since : Infinity);
      if (!isOver) throw fault;
      // Whether the server is there at all, requests tell.
      return null;
    }
  }

  /**
   * @param {string} after
   * @param {number} until
   * @param {AbortSignal} signal
   * @returns {Promise<Answer>}
   */
  async #request(after, until, signal) {
    const started = Date.now();
    const waitMs = Math.min(Math.max(until - started, 0), this.#climb.waitMs);
    try {
      const answer = await this.#requests.pull(after, waitMs, signal);
      this.#climb.answered(waitMs, Date.now() - started);
      return answer;
    } catch (fault) {
      const tookMs = Date.now() - started;
      // A browser does not tell a request that was cut from one that found nobody.
      const isCut = fault instanceof Fault && ["cut", "unreachable"].includes(fault.kind) && !signal.aborted;
      if (isCut && this.#climb.cut(waitMs, tookMs) && tookMs <= waitMs) return NOTHING_NEW;
      throw fault;
    }
  }
}

/**
 * Streams are no part of the core: requests do without them, and what opens them is loaded beside the first.
 * @param {Requests} requests
 * @param {StreamKind} kind
 * @param {string} after
 */
async function open(requests, kind, after) {
  const { openStream } = await later(() => import("./streams.js"), "streams.js");
  return openStream(requests, kind, after);
}

/** @param {Answer} answer */
function isNews(answer) {
  return answer.kind !== "done" || Boolean(answer.page?.updatesRelayed.length);
}

/**
 * The first of these, or undefined at that time.
 * @template T
 * @param {Promise<T>[]} promises
 * @param {number} until
 * @returns {Promise<T | undefined>}
 */
async function soon(promises, until) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<undefined>} */
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(until - Date.now(), 0));
  });
  try {
    return await Promise.race([...promises, late]);
  } finally {
    clearTimeout(timer);
  }
}
