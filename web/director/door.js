// The way into a meet: one that this browser has, one that others made, or a new one.

import { element } from "../board.js";
import { createMeet, joinMeet, savedMeets } from "../client/liftrelay.js";
import { byId } from "../meet-page.js";
import { NewLocations } from "../new-locations.js";
import { grouped, onSubmit, textOf } from "../parts.js";
import { editsOf } from "./openlifter.js";

/** @typedef {import("../client/liftrelay.d.ts").Edit} Edit */
/** @typedef {import("../client/liftrelay.d.ts").Saved} Saved */
/** @typedef {import("../client/liftrelay.d.ts").Session} Session */
/** @typedef {(meet: Session | Saved, password?: string, edits?: Edit[]) => Promise<void>} Enter */

/** The director decides in the end; what happens on the platform counts more than what the desk knows. */
const USUAL = [
  { locationName: "director", priority: 30 },
  { locationName: "platform 1", priority: 20 },
  { locationName: "weigh-in desk", priority: 10 },
];

/** Offers the demo meet where the server runs one. */
async function showDemo() {
  const isOn = await fetch("/v1/demo", { cache: "no-store" }).then(({ ok }) => ok, () => false);
  byId("demo", HTMLElement).hidden = !isOn;
}

export class Door {
  #place = byId("door", HTMLElement);
  #open = byId("open", HTMLFormElement);
  #create = byId("create", HTMLFormElement);
  #locations = new NewLocations(byId("locations-new", HTMLElement), byId("add-location", HTMLElement), USUAL);
  #enter;
  #made;

  /**
   * @param {Enter} enter goes into a meet; with `edits`, they are its first commit
   * @param {() => Promise<void>} made is called in a meet that was just made
   */
  constructor(enter, made) {
    this.#enter = enter;
    this.#made = made;
    onSubmit(this.#open, (data) => this.#openOne(data));
    onSubmit(this.#create, (data) => this.#createOne(data));
  }

  /**
   * @param {{ meetId: string, locationName: string } | null} wanted what the form is filled in with
   * @param {string} [why]
   */
  async show(wanted, why = "") {
    this.#place.hidden = false;
    void showDemo();
    await this.#list();
    const said = /** @type {HTMLElement} */ (this.#open.querySelector(".said"));
    said.classList.toggle("bad", why !== "");
    said.textContent = why;
    if (wanted === null) return;
    this.#field("meetId").value = grouped(wanted.meetId);
    this.#field("locationName").value = wanted.locationName;
    this.#field("password").focus();
  }

  hide() {
    this.#place.hidden = true;
    for (const form of [this.#open, this.#create]) form.reset();
    this.#locations.reset();
  }

  /** @param {string} name */
  #field(name) {
    return /** @type {HTMLInputElement} */ (this.#open.elements.namedItem(name));
  }

  async #list() {
    const saved = (await savedMeets().catch(() => [])).filter(({ server }) => server === location.origin);
    byId("saved", HTMLElement).hidden = saved.length === 0;
    byId("saved-list", HTMLElement).replaceChildren(...saved.map((meet) => this.#savedItem(meet)));
  }

  /** @param {Saved} meet */
  #savedItem(meet) {
    const button = element("button", { text: `${grouped(meet.meetId)} as ${meet.locationName}` });
    button.type = "button";
    button.addEventListener("click", () => {
      this.#enter(meet).catch((error) => this.show(meet, error.message));
    });
    return element("li", {}, button);
  }

  /** @param {FormData} data */
  async #openOne(data) {
    const [meetId, password, locationName] = ["meetId", "password", "locationName"].map((name) => textOf(data, name));
    if (meetId.replace(/\D/g, "").length !== 9) throw new Error("A meet id has nine digits, such as 123-456-789.");
    await this.#enter(await joinMeet({ meetId, password, locationName: locationName.trim() }), password);
  }

  /** @param {FormData} data */
  async #createOne(data) {
    // Whatever is wrong with the file has to show before there is a meet.
    const file = data.get("file");
    const edits = file instanceof File && file.size > 0 ? editsOf(await file.text()) : [];
    const { locations, here } = this.#locations.read();
    const [meetName, password, createKey] = ["meetName", "password", "createKey"].map((name) => textOf(data, name));
    const session = await createMeet({ meetName: meetName.trim(), password, locationName: here, locations, createKey: createKey || undefined }).catch((error) => {
      // Only a server that wants its own key says so to somebody who has no session yet.
      if (error.status === 401) byId("create-key", HTMLElement).hidden = false;
      throw error;
    });
    await this.#enter(session, password, edits);
    await this.#made();
  }
}
