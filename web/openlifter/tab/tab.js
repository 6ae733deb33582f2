// The Live (Advanced) tab: an entry in the page, and a panel over it.

import { Entrance } from "./entrance.js";
import { Entry } from "./entry.js";
import { invitedTo } from "./invitation.js";
import { Live } from "./live.js";
import { MARKUP } from "./markup.js";
import { find } from "./parts.js";
import { entryText, explained, TITLE } from "./texts.js";

/** @typedef {import("../app.js").LiveApp} LiveApp */
/** @typedef {import("../../client/liftrelay.d.ts").Meet} Meet */

const STYLES = ["../../board.css", "../../director/page.css", "tab.css"];
/** OpenLifter has keys of its own, for the whole page. */
const KEYS = ["keydown", "keypress", "keyup"];

/**
 * Adds the tab to the page, and goes on with the meet that this browser was on before its page was loaded anew.
 * @param {LiveApp} app
 */
export async function addTab(app) {
  const tab = new Tab(app);
  await app.resume().catch((error) => tab.tell(error));
  const meetId = invitedTo();
  if (app.meet === null && meetId !== "") tab.invite(meetId);
}

class Tab {
  #app;
  #root;
  #panel;
  #entrance;
  #live;
  #entry;
  #stop = () => {};

  /** @param {LiveApp} app */
  constructor(app) {
    const host = document.createElement("div");
    host.id = "liftrelay-live";
    for (const name of KEYS) host.addEventListener(name, (event) => event.stopPropagation());
    this.#app = app;
    this.#root = host.attachShadow({ mode: "open" });
    this.#root.innerHTML = `${STYLES.map((file) => `<link rel="stylesheet" href="${new URL(file, import.meta.url)}">`).join("")}${MARKUP}`;
    document.body.append(host);
    this.#panel = find(this.#root, "panel", HTMLDialogElement);
    this.#entrance = new Entrance(app, this.#root);
    this.#live = new Live(app, this.#root);
    this.#entry = new Entry(/** @type {any} */ (this.#root), () => this.open());
    find(this.#root, "close", HTMLElement).addEventListener("click", () => this.#panel.close());
    find(this.#root, "again", HTMLElement).addEventListener("click", () => this.#joinAgain());
    app.subscribe((meet) => this.#show(meet));
  }

  open() {
    if (!this.#panel.open) this.#panel.showModal();
  }

  /** @param {string} meetId */
  invite(meetId) {
    this.open();
    this.#entrance.want({ meetId });
  }

  /** @param {unknown} error */
  tell(error) {
    find(this.#root, "panel-said", HTMLElement).textContent = explained(error);
    this.open();
  }

  /** @param {Meet | null} meet */
  #show(meet) {
    this.#stop();
    this.#entrance.reset();
    find(this.#root, "panel-said", HTMLElement).textContent = "";
    this.#turn(meet !== null);
    if (meet === null) {
      this.#stop = () => {};
      return this.#entry.say(entryText(TITLE, null));
    }
    const stops = [this.#live.show(meet), meet.subscribe((status) => this.#entry.say(entryText(TITLE, status)))];
    this.#stop = () => stops.forEach((stop) => stop());
  }

  /** To the part for a meet, or to the other one; whoever works by keyboard starts at its top. @param {boolean} isLive */
  #turn(isLive) {
    find(this.#root, "entrance", HTMLElement).hidden = isLive;
    find(this.#root, "live", HTMLElement).hidden = !isLive;
    this.#panel.scrollTop = 0;
    if (this.#panel.open) find(this.#root, "panel-title", HTMLElement).focus();
  }

  #joinAgain() {
    const { meet, platform } = this.#app;
    if (meet === null) return;
    this.#turn(false);
    this.#entrance.want({ ...meet.identity, platform });
  }
}
