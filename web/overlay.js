// A display of one meet. Which one its address says, and with what key the address's fragment, which browsers send to nobody.

import { byId, MeetPage, write } from "./meet-page.js";
import { emptyState } from "./meet-state.js";
import { attemptPlaceOf } from "./meet-view.js";
import { watch } from "./watch.js";

/** @typedef {import("./client/liftrelay.d.ts").Status} Status */
/** @typedef {import("./client/liftrelay.d.ts").View} View */
/** @typedef {import("./client/liftrelay.d.ts").ViewOptions} ViewOptions */

const WHOLE = "The whole address is in urls.overlay of the answer to whoever made the view key: /overlay/?meet=123456789#key=lrv_…";
const REFUSED = "It was deleted, has expired or belongs to another meet. Ask an editor of the meet for a new one.";
const NOTHING = { state: emptyState(), meetId: "", meetName: "", attempt: null };
const ASK_MS = 10000;
const MEET = /^\d{3}[- ]?\d{3}[- ]?\d{3}$/;
const VIEW_KEY = /^lrv_/;

const page = {
  wrong: byId("wrong", HTMLElement),
  wrongTitle: byId("wrong-title", HTMLElement),
  wrongText: byId("wrong-text", HTMLElement),
  board: byId("board-place", HTMLElement),
  noLifters: byId("no-lifters", HTMLElement),
};

/** @type {import("./meet-page.js").Shown} */
const shown = { ...NOTHING };
const meetPage = new MeetPage(shown, showMore);
let stop = () => {};
/** The name that the meet was made with is known, or was asked for. */
let isNamed = false;

/** Nobody sits in front of a display to scroll it. */
function showMore() {
  page.board.hidden = !page.noLifters.hidden;
  page.board.querySelector(".changed")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** What is wrong with the address. */
class Wrong extends Error {
  /**
   * @param {string} title
   * @param {string} text
   */
  constructor(title, text) {
    super(text);
    this.title = title;
  }
}

/** The meet and the key in this page's address, as they stand in another one. */
function readAddress() {
  const meet = (new URLSearchParams(location.search).get("meet") ?? "").trim();
  const key = (new URLSearchParams(location.hash.slice(1)).get("key") ?? "").trim();
  if (meet === "") throw new Wrong("This address names no meet", WHOLE);
  if (!MEET.test(meet)) throw new Wrong("This address names no meet", `A meet's id has nine digits, and “${meet}” is none. ${WHOLE}`);
  if (key === "") throw new Wrong("This address has no view key", WHOLE);
  // A session token must not get into any other address either.
  if (!VIEW_KEY.test(key)) throw new Wrong("What this address has is no view key", `View keys begin with lrv_. ${WHOLE}`);
  return { meetId: meet.replace(/\D/g, ""), viewKey: key };
}

function open() {
  stop();
  page.wrong.hidden = true;
  try {
    const options = readAddress();
    Object.assign(shown, { ...NOTHING, meetId: options.meetId });
    isNamed = false;
    stop = watch(options, { opened, told: (status, view) => told(status, view, options), lost: (why) => meetPage.showLink("reconnecting", why) });
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    refuse(error.title, error.message);
  }
}

/** @param {View} view */
function opened(view) {
  view.on("relayed", ({ entries }) => {
    for (const entry of entries) shown.attempt = attemptPlaceOf(entry) ?? shown.attempt;
  });
}

/**
 * @param {Status} status
 * @param {View} view
 * @param {ViewOptions} options
 */
function told({ link, why, meet }, view, options) {
  if (link === "refused") return refuse("The view key is refused", `${REFUSED} The server says: ${why}.`);
  if (link !== "up") return meetPage.showLink(link === "connecting" ? link : "reconnecting", why);
  page.wrong.hidden = true;
  meetPage.showLink(meet === "finished" ? "finished" : "live", "");
  shown.state = /** @type {import("./meet-state.js").JsonObject} */ (view.state);
  meetPage.askShow();
  if (!isNamed) void askName(options);
}

/**
 * Tells what is wrong where the board would be.
 * @param {string} title
 * @param {string} text
 */
function refuse(title, text) {
  write(page.wrongTitle, title);
  write(page.wrongText, text);
  page.wrong.hidden = false;
  meetPage.showLink("refused", "");
}

/** For as long as the meet gives itself no name. @param {ViewOptions} options */
async function askName({ meetId, viewKey }) {
  isNamed = true;
  const asked = { cache: /** @type {const} */ ("no-store"), headers: { Authorization: `Bearer ${viewKey}` }, signal: AbortSignal.timeout(ASK_MS) };
  try {
    const answer = await fetch(`/v1/meets/${meetId}`, asked);
    const { meetName } = await answer.json();
    if (shown.meetId !== meetId) return;
    shown.meetName = meetName ?? "";
    meetPage.askShow();
  } catch {
    // The next news ask again.
    isNamed = false;
  }
}

self.addEventListener("hashchange", open);
open();
