// The live demo meet where there is one, first steps from a shell where there is none.

import { showFeed } from "./board.js";
import { showLines } from "./copy.js";
import { demoLines, meetLines } from "./curl-lines.js";
import { byId, MeetPage, write } from "./meet-page.js";
import { emptyState } from "./meet-state.js";
import { attemptPlaceOf, feedLineOf } from "./meet-view.js";
import { watch } from "./watch.js";

/** @typedef {import("./client/liftrelay.d.ts").Status} Status */
/** @typedef {import("./client/liftrelay.d.ts").View} View */

const ASK_MS = 10000;
const AGAIN_MS = 1000;
const RECENT_MAX = 12;

const page = {
  waiting: byId("waiting", HTMLElement),
  demo: byId("demo", HTMLElement),
  first: byId("first-steps", HTMLElement),
  id: byId("meet-id", HTMLElement),
  number: byId("seq-num", HTMLElement),
  head: byId("head-seq-num", HTMLElement),
  feed: byId("feed", HTMLElement),
  noFeed: byId("no-feed", HTMLElement),
  demoLines: byId("demo-lines", HTMLElement),
  meetLines: byId("meet-lines", HTMLElement),
};

/** @type {import("./meet-page.js").Shown} */
const shown = { state: emptyState(), meetId: "", meetName: "", attempt: null };
/** The newest entries, newest first. @type {import("./client/liftrelay.d.ts").Entry[]} */
let recent = [];
let numbers = { lastNumber: 0, head: 0 };
const meetPage = new MeetPage(shown, showMore);

function showMore() {
  write(page.id, shown.meetId);
  write(page.number, String(numbers.lastNumber));
  write(page.head, String(numbers.head));
  showFeed(page.feed, recent.map(feedLineOf));
  page.noFeed.hidden = recent.length > 0;
}

/** @returns {Promise<import("./curl-lines.js").Demo | null>} null where the server runs no demo */
async function fetchDemo() {
  const response = await fetch("/v1/demo", { cache: "no-store", signal: AbortSignal.timeout(ASK_MS) });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`/v1/demo answered ${response.status}`);
  return response.json();
}

/** @param {HTMLElement} section */
function showOnly(section) {
  for (const each of [page.waiting, page.demo, page.first]) each.hidden = each !== section;
}

function showFirstSteps() {
  document.title = "First steps · liftrelay";
  showLines(page.meetLines, meetLines(location.origin));
  showOnly(page.first);
}

/** Follows this lap's meet; a server may be restarted with a demo or without one. */
async function begin() {
  try {
    const demo = await fetchDemo();
    if (demo === null) return showFirstSteps();
    showLines(page.demoLines, demoLines(location.origin, demo));
    showOnly(page.demo);
    Object.assign(shown, { meetId: demo.meetId, meetName: demo.meetName, attempt: null });
    recent = [];
    meetPage.askShow();
    const stop = watch({ meetId: demo.meetId, viewKey: demo.viewKey }, { opened, told: (status, view) => told(status, view, stop), lost });
  } catch {
    lost("the server does not answer");
    beginSoon();
  }
}

function beginSoon() {
  setTimeout(() => void begin(), AGAIN_MS * (1 + Math.random()));
}

/** @param {View} view */
function opened(view) {
  view.on("relayed", ({ entries }) => {
    for (const entry of entries) shown.attempt = attemptPlaceOf(entry) ?? shown.attempt;
    recent = [...entries.slice(-RECENT_MAX).reverse(), ...recent].slice(0, RECENT_MAX);
  });
}

/**
 * @param {Status} status
 * @param {View} view
 * @param {() => void} stop
 */
function told({ link, why, meet, lastNumber, head }, view, stop) {
  if (link === "refused") {
    stop();
    lost("this lap is over, the next one begins");
    return beginSoon();
  }
  if (link === "down") return lost(why);
  if (link !== "up") return;
  meetPage.showLink(meet === "finished" ? "finished" : "live", "");
  shown.state = /** @type {import("./meet-state.js").JsonObject} */ (view.state);
  numbers = { lastNumber, head };
  meetPage.askShow();
}

/** @param {string} why */
function lost(why) {
  meetPage.showLink("reconnecting", why);
  write(page.waiting, "The server does not answer yet; this page keeps trying.");
}

void begin();
