// Follows one meet for a page: opens its stream, watches over it, opens it again. No DOM.

/** @typedef {import("./meet-reader.js").MeetReader} MeetReader */
/** @typedef {import("./meet-reader.js").Message} Message */
/** @typedef {import("./meet-page.js").Link} Link */

/**
 * What a page gives its follower.
 * @typedef {object} Page
 * @property {() => Promise<string | null>} address asked before every opening: where the stream is, or null where there is
 *   none. What it throws is tried again later; only the words of a Refusal are shown.
 * @property {string} revoked what it means on this page that a stream was revoked
 * @property {(link: Link, why: string) => void} linked
 * @property {(message: Message) => void} changed called once the reader has taken the message in
 */

const EVENTS = ["hello", "state", "update-relay", "heartbeat", "reset", "end"];
const RETRY_MS = { first: 1000, most: 15000 };
/** A stream that has been silent for so many heartbeats is taken for dead. */
const SILENT_HEARTBEATS = 2.5;
const WATCH_MS = 5000;
const ASK_MS = 10000;
const NO_ANSWER = "the server does not answer";

/** The server answers, and says no; its message is for the person in front of the page. */
export class Refusal extends Error {}

/**
 * A request that neither a cache nor a silent server can hold up.
 * @param {string} address
 */
export function ask(address) {
  return fetch(address, { cache: "no-store", signal: AbortSignal.timeout(ASK_MS) });
}

export class Follower {
  #reader;
  #page;
  /** @type {EventSource | null} */
  #source = null;
  /** Grows with every opening: what belongs to an older one does not count any more. */
  #turn = 0;
  #lastHeard = 0;
  #retryMs = RETRY_MS.first;
  #timer = 0;

  /**
   * @param {MeetReader} reader
   * @param {Page} page
   */
  constructor(reader, page) {
    this.#reader = reader;
    this.#page = page;
    self.setInterval(() => this.#watch(), WATCH_MS);
  }

  /** Opens the stream now, in place of one that may be open. */
  async open() {
    const turn = this.#drop();
    try {
      const address = await this.#page.address();
      if (turn === this.#turn && address !== null) this.#listen(address);
    } catch (error) {
      if (turn !== this.#turn) return;
      if (error instanceof Refusal) this.#refused(error.message);
      else this.#retry(NO_ANSWER);
    }
  }

  #drop() {
    self.clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#turn += 1;
    return this.#turn;
  }

  /** @param {string} address */
  #listen(address) {
    const stream = new EventSource(address);
    this.#source = stream;
    this.#lastHeard = Date.now();
    for (const name of EVENTS) {
      stream.addEventListener(name, (event) => {
        if (stream === this.#source) this.#take(JSON.parse(/** @type {MessageEvent<string>} */ (event).data));
      });
    }
    stream.addEventListener("error", () => {
      if (stream !== this.#source) return;
      this.#lastHeard = Date.now();
      // A browser gives up where the answer is no stream, and does not say why; address() finds out.
      if (stream.readyState === EventSource.CLOSED) this.#retry("");
      else this.#page.linked("reconnecting", "");
    });
  }

  /** @param {Message} message */
  #take(message) {
    this.#lastHeard = Date.now();
    if (!this.#reader.receive(message)) {
      this.#retry("an update was missing");
      return;
    }
    if (message.msgType === "END" && message.reason !== "finished") {
      // The browser would only ask again, with a cursor of what may be over; address() knows where things go on.
      this.#retry(this.#whyEnded(message.reason), message.retryAfterSeconds);
      return;
    }
    if (message.msgType === "HELLO") this.#page.linked("live", "");
    else if (message.msgType === "STATE") this.#retryMs = RETRY_MS.first;
    else if (message.msgType === "END") this.#page.linked("finished", "");
    this.#page.changed(message);
  }

  /** @param {string} [reason] */
  #whyEnded(reason) {
    if (reason === "revoked") return this.#page.revoked;
    if (reason === "expired") return "the view key has expired";
    return reason === "shutdown" ? "the server is restarting" : "";
  }

  /**
   * Drops the stream and asks again for all of it, a little later each time.
   * @param {string} why
   * @param {number} [afterSeconds] at the earliest
   */
  #retry(why, afterSeconds = 0) {
    this.#drop();
    this.#page.linked("reconnecting", why);
    this.#openIn(Math.max(1000 * afterSeconds, this.#retryMs));
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS.most);
  }

  /**
   * A refusal may end too: a server that lost a meet knows it again once it has it back.
   * @param {string} why
   */
  #refused(why) {
    this.#drop();
    this.#page.linked("refused", why);
    this.#openIn(RETRY_MS.most);
  }

  /** @param {number} atLeastMs */
  #openIn(atLeastMs) {
    this.#timer = self.setTimeout(() => void this.open(), atLeastMs * (1 + Math.random() / 2));
  }

  #watch() {
    const silentMs = Date.now() - this.#lastHeard;
    const mostMs = SILENT_HEARTBEATS * this.#reader.heartbeatSeconds * 1000;
    if (this.#source !== null && silentMs > mostMs) this.#retry("nothing was heard for a while");
  }
}
