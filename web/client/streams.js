// Opens streams: by fetch, for an EventSource cannot send a token, and over a WebSocket.

import { Fault, faultOf } from "./fault.js";
import { News } from "./news.js";
import { answerOf, jsonOf, open } from "./requests.js";
import { EventTexts, LineTexts } from "./texts.js";
import { Trial } from "./trial.js";

/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("./requests.js").Requests} Requests */
/** @typedef {"websocket" | "sse" | "ndjson"} StreamKind */
/** @typedef {(updates: object[]) => Promise<Answer>} Push */
/** @typedef {{ kind: StreamKind, news: News, push: Push | null, since: number, trial: Trial }} Stream */

/** How long a socket may take to answer a push. */
const ANSWER_MS = 10000;

/**
 * Opens a stream from `after` on; resolves once it has said HELLO.
 * @param {Requests} requests
 * @param {StreamKind} kind
 * @param {string} after
 * @returns {Promise<Stream>}
 */
export async function openStream(requests, kind, after) {
  const since = Date.now();
  const { news, push } = kind === "websocket" ? openSocket(requests, after) : openEvents(requests, after, kind === "sse" ? new EventTexts() : new LineTexts());
  await news.greeted;
  return { kind, news, push, since, trial: new Trial(news.head) };
}

/**
 * @param {Requests} requests
 * @param {string} after
 * @param {EventTexts | LineTexts} texts
 */
function openEvents(requests, after, texts) {
  const stop = new AbortController();
  const news = new News(after, () => stop.abort());
  const accept = texts instanceof EventTexts ? EventTexts.accept : LineTexts.accept;
  void readEvents().then(
    () => news.end(),
    (error) => news.end(error instanceof Fault ? error : new Fault("cut", String(error))),
  );
  return { news, push: null };

  async function readEvents() {
    const response = await open(`${requests.base}/events?after=${after}`, "GET", { token: requests.token, signal: stop.signal, accept });
    const isStream = response.ok && response.headers.get("Content-Type")?.startsWith(accept) && response.body;
    if (!isStream) throw response.ok ? new Fault("unreadable", "the answer is no stream") : faultOf(response.status, jsonOf(response, await response.text()));
    const decoder = new TextDecoder();
    const reader = isStream.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const text of texts.push(decoder.decode(value, { stream: true }))) news.push(JSON.parse(text));
    }
  }
}

/**
 * The design's messages both ways (wire contract, section 9). Its token goes inside the messages.
 * @param {Requests} requests
 * @param {string} after
 */
function openSocket({ server, token: sessionToken }, after) {
  const socket = new WebSocket(`${server.replace(/^http/, "ws")}/v1/socket`);
  const news = new News(after, () => socket.close());
  const asks = new Asks((message) => socket.send(JSON.stringify({ ...message, sessionToken })));
  socket.onopen = () => socket.send(JSON.stringify({ msgType: "CLIENT_PULL", sessionToken, lastServerSeq: after }));
  socket.onclose = () => {
    news.end();
    asks.end();
  };
  socket.onmessage = ({ data }) => {
    try {
      for (const message of [JSON.parse(data)].flat()) {
        const isAnswer = message.code !== undefined || ["UPDATE_ACK", "UPDATE_REJECTED"].includes(message.msgType);
        if (!isAnswer) news.push(message);
        else if (!asks.answered(message)) news.end(faultOf(message.status, message));
      }
    } catch (error) {
      news.end(new Fault("unreadable", String(error)));
    }
  };
  return { news, push: (/** @type {object[]} */ updates) => asks.push(updates) };
}

/** Pushes over a socket. They are answered in the order in which they were sent. */
class Asks {
  /** @type {{ left: number, acks: any[], rejections: any[], resolve: (answer: Answer) => void, reject: (fault: Fault) => void }[]} */
  #waiting = [];
  #send;
  #isClosed = false;

  /** @param {(message: object) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /**
   * @param {object[]} updates
   * @returns {Promise<Answer>}
   */
  async push(updates) {
    if (this.#isClosed) throw new Fault("cut", "the socket has closed");
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Fault("cut", "no answer came over the socket")), ANSWER_MS);
        this.#waiting.push({ left: updates.length, acks: [], rejections: [], resolve, reject });
        this.#send({ msgType: "UPDATE_INIT", updates });
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Takes an answer in; false where nobody has asked. The second half of an answer follows the first.
   * @param {any} message
   */
  answered(message) {
    const [ask] = this.#waiting;
    if (!ask) return false;
    try {
      if (message.code !== undefined) ask.resolve(answerOf(message.status, message));
    } catch (fault) {
      ask.reject(/** @type {Fault} */ (fault));
    }
    const [acks, rejections] = [message.updateAcks ?? [], message.updatesRejected ?? []];
    ask.acks.push(...acks);
    ask.rejections.push(...rejections);
    ask.left = message.code === undefined ? ask.left - acks.length - rejections.length : 0;
    if (ask.left > 0) return true;
    ask.resolve({ kind: "done", acks: ask.acks, rejections: ask.rejections });
    this.#waiting.shift();
    return true;
  }

  end() {
    this.#isClosed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Fault("cut", "the socket has closed"));
  }
}
