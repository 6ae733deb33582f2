// The live demo meet where there is one, first steps from a shell where there is none.

import { showFeed } from "./board.js";
import { showLines } from "./copy.js";
import { demoLines, meetLines } from "./curl-lines.js";
import { ask, Follower } from "./follow.js";
import { byId, MeetPage, write } from "./meet-page.js";
import { MeetReader } from "./meet-reader.js";
import { feedLineOf } from "./meet-view.js";

/** Answers for the current lap, so an EventSource that reconnects by itself finds the next one. */
const STREAM = "/demo/events?snapshot=1";

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

const reader = new MeetReader();
const meetPage = new MeetPage(reader, showMore);

function showMore() {
  write(page.id, reader.meetId);
  write(page.number, String(reader.seqNum));
  write(page.head, String(reader.headSeqNum));
  showFeed(page.feed, reader.recent.map(feedLineOf));
  page.noFeed.hidden = reader.recent.length > 0;
}

/** @returns {Promise<import("./curl-lines.js").Demo | null>} null where the server runs no demo */
async function fetchDemo() {
  const response = await ask("/v1/demo");
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

function showFirstSteps() {
  document.title = "First steps · liftrelay";
  showLines(page.meetLines, meetLines(location.origin));
  showOnly(page.first);
}

/** Where the demo's stream is; a server may be restarted with a demo or without one. */
async function address() {
  const demo = await fetchDemo();
  if (demo === null) {
    showFirstSteps();
    return null;
  }
  if (reader.meetId === "") {
    reader.meetId = demo.meetId;
    reader.meetName = demo.meetName;
    meetPage.askShow();
  }
  showLines(page.demoLines, demoLines(location.origin, demo));
  showOnly(page.demo);
  return STREAM;
}

const follower = new Follower(reader, {
  address,
  revoked: "this lap is over, the next one begins",
  linked(link, why) {
    meetPage.showLink(link, why);
    if (link === "reconnecting") write(page.waiting, "The server does not answer yet; this page keeps trying.");
  },
  changed(message) {
    if (message.msgType === "HELLO") void refreshLines();
    meetPage.askShow();
  },
});
void follower.open();
