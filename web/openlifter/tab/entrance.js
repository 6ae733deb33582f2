// While this browser is on no meet: going live, or joining.

import { NewLocations } from "../../new-locations.js";
import { grouped, onSubmit, textOf } from "../../parts.js";
import { ask, find, optionOf } from "./parts.js";
import { explained, NO_MEET_ID, NOT_JOINED, PASSWORD_MIN, REPLACE_YES, shortPassword, USUAL } from "./texts.js";

/** @typedef {import("../app.js").LiveApp} LiveApp */
/** @typedef {{ meetId: string, locationName?: string, platform?: number | null }} Wanted */

export class Entrance {
  #app;
  #root;
  #locations;

  /**
   * @param {LiveApp} app
   * @param {ShadowRoot} root
   */
  constructor(app, root) {
    this.#app = app;
    this.#root = root;
    this.#locations = new NewLocations(find(root, "new-locations", HTMLElement), find(root, "add-location", HTMLElement), USUAL);
    find(root, "usual-locations", HTMLDataListElement).append(...USUAL.map(({ locationName }) => optionOf(locationName)));
    const [goLive, join] = [find(root, "go-live", HTMLFormElement), find(root, "join", HTMLFormElement)];
    onSubmit(goLive, (data) => explaining(() => this.#goLive(data)));
    onSubmit(join, (data) => explaining(() => this.#join(join, data)));
    proposePlatform(goLive, () => goLive.querySelector("input[name=here]:checked")?.closest("li")?.querySelector("input"));
    proposePlatform(join, () => fieldOf(join, "locationName"));
  }

  /** Forgets what was typed, passwords first of all. */
  reset() {
    for (const form of ["go-live", "join"]) find(this.#root, form, HTMLFormElement).reset();
    this.#locations.reset();
    fieldOf(find(this.#root, "go-live", HTMLFormElement), "platform").value = "1";
  }

  /** Fills in what is known of the meet to be joined. @param {Wanted} wanted */
  want({ meetId, locationName = "", platform = null }) {
    const form = find(this.#root, "join", HTMLFormElement);
    fieldOf(form, "meetId").value = grouped(meetId);
    fieldOf(form, "locationName").value = locationName;
    fieldOf(form, "platform").value = platform === null ? "" : String(platform);
    fieldOf(form, locationName === "" ? "locationName" : "password").focus();
  }

  /** @param {FormData} data */
  async #goLive(data) {
    const password = textOf(data, "password");
    const { length } = Array.from(password);
    if (length < PASSWORD_MIN) {
      fieldOf(find(this.#root, "go-live", HTMLFormElement), "password").focus();
      throw new Error(shortPassword(length));
    }
    const { locations, here } = this.#locations.read();
    const createKey = textOf(data, "createKey") || undefined;
    await this.#app.goLive({ password, locationName: here, locations, createKey, platform: platformOf(data) }).catch((error) => {
      // Only a server that wants its own key says so to somebody who has no session yet.
      if (error.status === 401) find(this.#root, "create-key", HTMLElement).hidden = false;
      throw error;
    });
  }

  /**
   * @param {HTMLFormElement} form
   * @param {FormData} data
   */
  async #join(form, data) {
    const [meetId, password, locationName] = ["meetId", "password", "locationName"].map((name) => textOf(data, name).trim());
    if (meetId.replace(/\D/g, "").length !== 9) throw new Error(NO_MEET_ID);
    const agree = (/** @type {string} */ question) => ask(form, question, REPLACE_YES);
    const meet = await this.#app.join({ meetId, password: textOf(data, "password") || password, locationName, platform: platformOf(data), agree });
    return meet === null ? NOT_JOINED : undefined;
  }
}

/**
 * Says what went wrong in words of this panel.
 * @param {() => Promise<string | void>} work
 */
export async function explaining(work) {
  try {
    return await work();
  } catch (error) {
    throw new Error(explained(error));
  }
}

/** @param {FormData} data */
function platformOf(data) {
  const platform = textOf(data, "platform");
  return platform === "" ? null : Number(platform);
}

/** @param {HTMLFormElement} form @param {string} name */
function fieldOf(form, name) {
  return /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
}

/**
 * A location that has a platform in its name scores it, unless somebody chose otherwise.
 * @param {HTMLFormElement} form
 * @param {() => HTMLInputElement | null | undefined} location
 */
function proposePlatform(form, location) {
  let isChosen = false;
  form.addEventListener("reset", () => (isChosen = false));
  form.addEventListener("input", ({ target }) => {
    isChosen ||= target === fieldOf(form, "platform");
    if (!isChosen) fieldOf(form, "platform").value = /platform ([1-9])\b/i.exec(location()?.value ?? "")?.[1] ?? "";
  });
}
