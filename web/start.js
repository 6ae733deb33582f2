// The start page: the live demo meet where there is one, first steps where there is none.

import { BoardTable, showFeed } from "./board.js";
import { showLines } from "./copy.js";
import { demoLines, meetLines } from "./curl-lines.js";
import { MeetReader } from "./meet-reader.js";
import { attemptText, boardOf, feedLineOf, meetNameOf } from "./meet-view.js";

const STREAM = "/demo/events?snapshot=1";
const EVENTS = ["hello", "state", "update-relay", "heartbeat", "reset", "end"];
const RETRY_MS = { first: 1000, most: 15000 };
/** A stream that has been silent for so many heartbeats is taken for dead. */
const SILENT_HEARTBEATS = 2.5;
const WATCH_MS = 5000;

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function byId(id, type) {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${id}`);
}

const page = {
  waiting: byId("waiting", HTMLElement),
  demo: byId("demo", HTMLElement),
  first: byId("first-steps", HTMLElement),
  link: byId("link-state", HTMLElement),
  linkText: byId("link-text", HTMLElement),
  name: byId("meet-name", HTMLElement),
  id: byId("meet-id", HTMLElement),
  number: byId("seq-num", HTMLElement),
  head: byId("head-seq-num", HTMLElement),
  latest: byId("latest", HTMLElement),
  noLifters: byId("no-lifters", HTMLElement),
  feed: byId("feed", HTMLElement),
  noFeed: byId("no-feed", HTMLElement),
  demoLines: byId("demo-lines", HTMLElement),
  meetLines: byId("meet-lines", HTMLElement),
};
const table = new BoardTable(byId("board", HTMLTableElement));

const reader = new MeetReader();
/** @type {EventSource | null} */
let source = null;
let lastHeard = 0;
let retryMs = RETRY_MS.first;
let renderAsked = false;
/** @type {import("./meet-view.js").AttemptPlace | null} */
let markedAttempt = null;

/**
 * Writes only what changed: the status is read aloud whenever its text is written.
 * @param {HTMLElement} place
 * @param {string} text
 */
function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/**
 * @param {"connecting" | "live" | "reconnecting" | "finished"} state
 * @param {string} [why]
 */
function showLink(state, why = "") {
  page.link.dataset.state = state;
  write(page.linkText, why ? `${state}: ${why}` : state);
}

function render() {
  renderAsked = false;
  const name = meetNameOf(reader.state) || reader.meetName || "Demo meet";
  write(page.name, name);
  write(page.id, reader.meetId);
  write(page.number, String(reader.seqNum));
  write(page.head, String(reader.headSeqNum));
  document.title = `${name} · liftrelay`;
  const board = boardOf(reader.state);
  table.show(board);
  page.noLifters.hidden = board.rows.length > 0;
  showFeed(page.feed, reader.recent.map(feedLineOf));
  page.noFeed.hidden = reader.recent.length > 0;
  write(page.latest, reader.attempt ? attemptText(reader.state, reader.attempt) || "–" : "–");
  if (reader.attempt && reader.attempt !== markedAttempt) table.mark(reader.attempt);
  markedAttempt = reader.attempt;
}

/** However many messages come at once, the page is drawn once a frame. */
function askRender() {
  if (renderAsked) return;
  renderAsked = true;
  window.requestAnimationFrame(render);
}

/** @param {import("./meet-reader.js").Message} message */
function take(message) {
  lastHeard = Date.now();
  if (!reader.receive(message)) {
    retry("an update was missing");
    return;
  }
  if (message.msgType === "END" && message.reason !== "finished") {
    // A browser may reconnect to where it was redirected, which is the lap that is over.
    retry(whyEnded(message.reason), message.retryAfterSeconds);
    return;
  }
  if (message.msgType === "HELLO") {
    showLink("live");
    void refreshLines();
  } else if (message.msgType === "STATE") {
    retryMs = RETRY_MS.first;
  } else if (message.msgType === "END") {
    showLink("finished");
  }
  askRender();
}

/** @param {string} [reason] */
function whyEnded(reason) {
  if (reason === "revoked") return "this lap is over, the next one begins";
  return reason === "shutdown" ? "the server is restarting" : "";
}

function openStream() {
  source?.close();
  const stream = new EventSource(STREAM);
  source = stream;
  lastHeard = Date.now();
  for (const name of EVENTS) {
    stream.addEventListener(name, (event) => {
      if (stream === source) take(JSON.parse(/** @type {MessageEvent<string>} */ (event).data));
    });
  }
  stream.addEventListener("error", () => {
    if (stream !== source) return;
    lastHeard = Date.now();
    if (stream.readyState === EventSource.CLOSED) retry("");
    else showLink("reconnecting");
  });
}

/**
 * Drops the stream and asks again for all of it, a little later each time.
 * @param {string} why
 * @param {number} [afterSeconds] at the earliest
 */
function retry(why, afterSeconds = 0) {
  source?.close();
  source = null;
  showLink("reconnecting", why);
  window.setTimeout(() => void start(), Math.max(1000 * afterSeconds, retryMs) * (1 + Math.random() / 2));
  retryMs = Math.min(2 * retryMs, RETRY_MS.most);
}

function watch() {
  const silentMs = Date.now() - lastHeard;
  if (source !== null && silentMs > SILENT_HEARTBEATS * reader.heartbeatSeconds * 1000) retry("nothing was heard for a while");
}

/** @returns {Promise<import("./curl-lines.js").Demo | null>} null where the server runs no demo */
async function fetchDemo() {
  const response = await fetch("/v1/demo", { cache: "no-store" });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`/v1/demo answered ${response.status}`);
  return response.json();
}

/** The view key in one of the lines is another one in every lap. */
async function refreshLines() {
  try {
    const demo = await fetchDemo();
    if (demo !== null) showLines(page.demoLines, demoLines(location.origin, demo));
  } catch {
    // The lines on the page stay; the next HELLO asks again.
  }
}

/** @param {HTMLElement} section */
function showOnly(section) {
  for (const each of [page.waiting, page.demo, page.first]) each.hidden = each !== section;
}

async function start() {
  let demo;
  try {
    demo = await fetchDemo();
  } catch {
    if (!page.waiting.hidden) write(page.waiting, "The server does not answer yet; this page keeps trying.");
    retry("the server does not answer");
    return;
  }
  if (demo === null) {
    document.title = "liftrelay";
    showLines(page.meetLines, meetLines(location.origin));
    showOnly(page.first);
    return;
  }
  if (reader.meetId === "") {
    reader.meetName = demo.meetName;
    write(page.name, demo.meetName);
    write(page.id, demo.meetId);
  }
  showLines(page.demoLines, demoLines(location.origin, demo));
  showOnly(page.demo);
  openStream();
}

window.setInterval(watch, WATCH_MS);
void start();
