// A display of one meet. Which one its address says, and with what key the address's fragment, which browsers send to nobody.

import { ask, Follower, Refusal } from "./follow.js";
import { byId, MeetPage, write } from "./meet-page.js";
import { MeetReader } from "./meet-reader.js";

/** @typedef {{ code?: string, title?: string, detail?: string }} Problem */

const WHOLE = "The whole address is in urls.overlay of the answer to whoever made the view key: /overlay/?meet=123456789#key=lrv_…";
const MEET = /^\d{3}[- ]?\d{3}[- ]?\d{3}$/;
const VIEW_KEY = /^lrv_/;

const page = {
  wrong: byId("wrong", HTMLElement),
  wrongTitle: byId("wrong-title", HTMLElement),
  wrongText: byId("wrong-text", HTMLElement),
  board: byId("board-place", HTMLElement),
  noLifters: byId("no-lifters", HTMLElement),
};

const reader = new MeetReader();
const meetPage = new MeetPage(reader, showMore);

/** Nobody sits in front of a display to scroll it. */
function showMore() {
  page.board.hidden = !page.noLifters.hidden;
  page.board.querySelector(".changed")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/**
 * Tells what is wrong where the board would be.
 * @param {string} title
 * @param {string} text
 */
function refusal(title, text) {
  write(page.wrongTitle, title);
  write(page.wrongText, text);
  page.wrong.hidden = false;
  return new Refusal(title);
}

/** The meet and the key in this page's address, as they stand in another one. */
function readAddress() {
  const meet = (new URLSearchParams(location.search).get("meet") ?? "").trim();
  const key = (new URLSearchParams(location.hash.slice(1)).get("key") ?? "").trim();
  if (meet === "") throw refusal("This address names no meet", WHOLE);
  if (!MEET.test(meet)) throw refusal("This address names no meet", `A meet's id has nine digits, and “${meet}” is none. ${WHOLE}`);
  if (key === "") throw refusal("This address has no view key", WHOLE);
  // A session token must not get into any other address either.
  if (!VIEW_KEY.test(key)) throw refusal("What this address has is no view key", `View keys begin with lrv_. ${WHOLE}`);
  return { path: `/v1/meets/${encodeURIComponent(meet)}`, key: `key=${encodeURIComponent(key)}` };
}

/**
 * Where the stream is. An EventSource cannot see why it is refused, so a request of another kind asks first:
 * the state before the first update, which is small.
 */
async function address() {
  const { path, key } = readAddress();
  const response = await ask(`${path}/state?at=0&${key}`);
  if (!response.ok) throw await whyRefused(response);
  page.wrong.hidden = true;
  return `${path}/events?snapshot=1&${key}`;
}

/** @param {Response} response */
async function whyRefused(response) {
  /** @type {Problem} */
  const { code, title = "The server refuses this", detail = "" } = await response.json();
  if (code === "invalid-view-key") {
    const why = "It was deleted, has expired or belongs to another meet.";
    return refusal("The view key is refused", `${why} Ask an editor of the meet for a new one.`);
  }
  // What may pass is no reason to cover the board.
  return response.status < 500 && response.status !== 429 ? refusal(title, detail) : new Error(title);
}

const follower = new Follower(reader, {
  address,
  revoked: "the view key was deleted",
  linked(link, why) {
    meetPage.showLink(link, link === "refused" ? "" : why);
  },
  changed: () => meetPage.askShow(),
});
window.addEventListener("hashchange", () => void follower.open());
void follower.open();
