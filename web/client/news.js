// The messages of a stream, whichever way they are carried, read ahead of whoever takes them.

import { Fault } from "./fault.js";
import { isPage } from "./log.js";

/** @typedef {import("./answer.js").Answer} Answer */

/** Within this time HELLO must arrive: proxies that buffer delay even the head of a stream. */
export const HELLO_MS = 3000;
/** A stream without a word for so many of its heartbeats is dead. */
const HEARTBEATS_MISSED = 2.5;

/** @typedef {() => void} Close */

/** An open stream. */
export class News {
  /** The head of the log at its HELLO: up to there it has all at once. */
  head = 0;
  /** @type {Answer[]} */
  #answers = [];
  /** @type {Fault | null} */
  #fault = null;
  #patienceMs = HELLO_MS;
  #close;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #wake = () => {};
  /** Resolves when there is something to take. @type {Promise<void>} */
  ready;
  /** Resolves with HELLO; rejects where the stream ended before. @type {Promise<void>} */
  greeted;
  #greet = () => {};

  /**
   * @param {string} after up to where it was taken
   * @param {Close} close
   */
  constructor(after, close) {
    this.position = after;
    this.#close = close;
    this.ready = this.#sleep();
    this.greeted = new Promise((greet, refuse) => {
      this.#greet = () => (this.#fault ? refuse(this.#fault) : greet());
    });
    this.#listen();
  }

  /**
   * Takes a message in.
   * @param {any} message
   */
  push(message) {
    if (this.#fault) return;
    this.#listen();
    if (message.msgType === "HELLO") {
      this.head = message.headSeqNum;
      this.#patienceMs = HEARTBEATS_MISSED * 1000 * Math.max(message.heartbeatSeconds, 1);
      this.#listen();
      this.#greet();
    }
    try {
      const answer = answerOf(message);
      if (answer) this.#answers.push(answer);
    } catch (error) {
      this.end(/** @type {Fault} */ (error));
    }
    this.#wake();
  }

  /**
   * Nothing comes after this.
   * @param {Fault} [fault]
   */
  end(fault = new Fault("cut", "the stream ended")) {
    if (this.#fault) return;
    this.#fault = fault;
    clearTimeout(this.#timer);
    this.#close();
    this.#greet();
    this.#wake();
  }

  /** What has arrived, in order; throws the fault that ended it; undefined where there is nothing. */
  take() {
    const answer = this.#answers.shift();
    if (answer === undefined && this.#fault) throw this.#fault;
    if (this.#answers.length === 0 && !this.#fault) this.ready = this.#sleep();
    if (answer?.page) this.position = answer.page.cursor;
    return answer;
  }

  #listen() {
    clearTimeout(this.#timer);
    if (!this.#fault) this.#timer = setTimeout(() => this.end(new Fault("cut", "the stream has fallen silent")), this.#patienceMs);
  }

  /** @returns {Promise<void>} */
  #sleep() {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

/**
 * What a message means to whoever pulls; null where it means nothing to them.
 * @param {any} message
 * @returns {Answer | null}
 */
function answerOf(message) {
  const { cursor, status, ticketVersion, serverTime } = message;
  switch (message.msgType) {
    case "HELLO":
      return { kind: "done", meet: status, ticketVersion, serverTime };
    case "UPDATE_RELAY":
    case "HEARTBEAT": {
      const page = { updatesRelayed: [], more: message.headSeqNum > message.serverSeqNum, ...message };
      if (!isPage(page)) throw new Fault("unreadable", "the stream brings what is no page of the log");
      return { kind: "done", page, meet: status, ticketVersion, serverTime };
    }
    case "SERVER_PULL":
      return { kind: "behind", head: cursor };
    case "RESET":
      return { kind: "history", head: cursor };
    case "END":
      return ended(message);
  }
  return null;
}

/**
 * @param {{ reason: string, retryAfterSeconds?: number }} end
 * @returns {Answer}
 */
function ended({ reason, retryAfterSeconds }) {
  // The stream stays open, and nothing but heartbeats comes.
  if (reason === "finished") return { kind: "done", meet: "finished" };
  if (reason !== "shutdown") throw new Fault("unauthorised", `the session is ${reason}`);
  throw new Fault("busy", "the server stops", { status: 503, retryAfterMs: retryAfterSeconds && 1000 * retryAfterSeconds });
}
