// While this browser is on a meet: how it stands, and what can be done with it.

import { addressLine } from "../../address-line.js";
import { element } from "../../board.js";
import { showConflicts } from "../../conflicts.js";
import { write } from "../../meet-page.js";
import { grouped, onSubmit } from "../../parts.js";
import { Publishing } from "../../publishing.js";
import { linkOf, locationRow, noticeOf, transportOf } from "../../standing.js";
import { correction, generate } from "../../vendor/lean-qr.mjs";
import { explaining } from "./entrance.js";
import { invitation, isLoopback } from "./invitation.js";
import { ask, find } from "./parts.js";
import { LEAVE_YES, leaveQuestion, outOfSync } from "./texts.js";

/** @typedef {import("../app.js").LiveApp} LiveApp */
/** @typedef {import("../../client/liftrelay.d.ts").Meet} Meet */
/** @typedef {import("../../client/liftrelay.d.ts").Status} Status */

export class Live {
  #app;
  #root;
  #publishing;
  /** @type {unknown} */
  #shown = null;

  /**
   * @param {LiveApp} app
   * @param {ShadowRoot} root
   */
  constructor(app, root) {
    this.#app = app;
    this.#root = root;
    this.#publishing = new Publishing(find(root, "publish", HTMLFormElement), this.#at("publishes"), this.#at("publishes-said"));
    const leave = find(root, "leave", HTMLFormElement);
    onSubmit(leave, () => explaining(() => this.#leave(leave)));
    onSubmit(find(root, "overlays", HTMLFormElement), () => explaining(() => this.#addOverlays()));
  }

  /** Gives the way to stop. @param {Meet} meet */
  show(meet) {
    this.#invite(meet);
    const places = {
      title: this.#at("conflicts-title"),
      count: this.#at("conflicts-count"),
      none: this.#at("no-conflicts"),
      refused: this.#at("conflicts"),
      overruled: this.#at("overruled"),
      words: { retry: "Retry", drop: "Accept" },
    };
    const stops = [meet.subscribe((status) => this.#stand(meet, status)), showConflicts(meet, places), this.#publishing.show(meet)];
    return () => {
      for (const stop of stops) stop();
      this.#at("overlay-addresses").replaceChildren();
    };
  }

  /** @param {string} id */
  #at(id) {
    return find(this.#root, id, HTMLElement);
  }

  /**
   * @param {Meet} meet
   * @param {Status} status
   */
  #stand(meet, status) {
    // What a browser says of a connection that is lost helps nobody; the notice does.
    const { state, text } = linkOf({ ...status, why: "" });
    this.#at("link-state").dataset.state = state;
    write(this.#at("link-text"), text);
    const notice = [outOfSync(status), noticeOf(status)].filter(Boolean).join(" ");
    this.#at("notice").hidden = notice === "";
    write(this.#at("notice"), notice);
    this.#at("again").hidden = status.link !== "refused";
    write(this.#at("meet-id"), grouped(meet.identity.meetId));
    write(this.#at("here"), `${meet.identity.locationName} (${meet.identity.priority})`);
    write(this.#at("number"), status.head > status.lastNumber ? `${status.lastNumber} of ${status.head}` : String(status.lastNumber));
    write(this.#at("pending"), String(status.pending));
    write(this.#at("transport"), transportOf(status));
    write(this.#at("viewers"), String(status.viewers));
    this.#at("locations-note").hidden = status.link === "up";
    if (this.#shown === status.locations) return;
    this.#shown = status.locations;
    find(this.#root, "locations", HTMLTableElement).tBodies[0].replaceChildren(...status.locations.map(locationRow));
  }

  /** @param {Meet} meet */
  #invite({ identity }) {
    const address = invitation(identity.meetId);
    this.#at("invitation").replaceChildren(addressLine("Address", "this meet", address));
    this.#at("loopback").hidden = !isLoopback();
    const code = find(this.#root, "invitation-code", HTMLCanvasElement);
    generate(address, { minCorrectionLevel: correction.M }).toCanvas(code, { on: [0, 0, 0, 255], off: [255, 255, 255, 255], pad: 4 });
  }

  /** The server tells a key once; its addresses are shown as long as the page has the meet. */
  async #addOverlays() {
    const { meet } = this.#app;
    if (meet === null) return;
    const label = `overlays (${meet.identity.locationName})`.slice(0, 64);
    const { urls } = /** @type {any} */ (await meet.call("POST", "/view-keys", { label }));
    const addresses = [["Overlays", urls.overlay.replace("/overlay/", "/overlays")], ["Board", urls.overlay]];
    const note = element("p", { className: "note", text: "Shown only now. The director's page can delete its view key." });
    this.#at("overlay-addresses").replaceChildren(note, ...addresses.map(([name, path]) => addressLine(name, label, path)));
  }

  /** @param {HTMLFormElement} form */
  async #leave(form) {
    if (await ask(form, leaveQuestion(this.#app.meet?.status.pending ?? 0), LEAVE_YES)) await this.#app.leave();
  }
}
