// View keys: what they are for, and the addresses of those that were made here.

import { addressLine } from "../address-line.js";
import { element } from "../board.js";
import { byId } from "../meet-page.js";
import { onSubmit, saying, textOf, timeText, wheneverUp } from "../parts.js";

/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */
/** @typedef {{ keyId: string, label: string, createdAt: string, expiresAt: string | null }} Key */
/** @typedef {{ events: string, state: string, overlay: string }} Addresses */

export class KeyList {
  #list = byId("keys", HTMLElement);
  #none = byId("no-keys", HTMLElement);
  #said = byId("keys-said", HTMLElement);
  #form = byId("new-key", HTMLFormElement);
  /** @type {Meet | null} */
  #meet = null;
  /** The server tells a secret once; it is kept as long as the page. @type {Map<string, Addresses>} */
  #addresses = new Map();

  constructor() {
    onSubmit(this.#form, async (data) => {
      await this.#create(textOf(data, "label").trim());
      this.#form.reset();
    });
  }

  /** A key that nobody had to ask for. @param {string} label */
  async make(label) {
    await saying(this.#said, () => this.#create(label));
  }

  /** @param {string} label */
  async #create(label) {
    const { keyId, urls } = /** @type {any} */ (await this.#meet?.call("POST", "/view-keys", { label }));
    this.#addresses.set(keyId, urls);
    await this.#read();
  }

  /** Shows the keys of a meet. Gives the way to stop. @param {Meet} meet */
  show(meet) {
    this.#meet = meet;
    const stop = wheneverUp(meet, this.#said, () => this.#read());
    return () => {
      stop();
      this.#meet = null;
      this.#addresses.clear();
      this.#list.replaceChildren();
      this.#none.hidden = true;
    };
  }

  async #read() {
    const meet = this.#meet;
    const { viewKeys } = /** @type {{ viewKeys: Key[] }} */ (/** @type {unknown} */ (await meet?.call("GET", "/view-keys")));
    if (meet !== this.#meet) return;
    this.#list.replaceChildren(...viewKeys.reverse().map((key) => this.#item(key)));
    this.#none.hidden = viewKeys.length > 0;
  }

  /** @param {Key} key */
  #item({ keyId, label, createdAt, expiresAt }) {
    const until = expiresAt === null ? "" : `, until ${timeText(expiresAt)}`;
    const note = element("span", { className: "note", text: `made ${timeText(createdAt)}${until}` });
    const head = element("div", { className: "item-head" }, element("strong", { text: label }), note, this.#deleteButton(keyId, label));
    const item = element("li", { className: "item" }, head);
    const addresses = this.#addresses.get(keyId);
    if (addresses === undefined) return item;
    item.append(element("p", { className: "note", text: "Shown only now: whoever has one of these addresses can read the meet." }));
    const list = addresses.overlay.replace("/overlay/", "/overlays");
    const lowerThird = addresses.overlay.replace("/overlay/", "/overlay/lower-third");
    item.append(addressLine("Overlays", label, list), addressLine("Lower third", label, lowerThird));
    item.append(addressLine("Board", label, addresses.overlay), addressLine("Stream", label, addresses.events), addressLine("State", label, addresses.state));
    return item;
  }

  /**
   * Overlays on air go dark with their key, so it takes two clicks.
   * @param {string} keyId
   * @param {string} label
   */
  #deleteButton(keyId, label) {
    const button = element("button", { className: "grave", text: "Delete" });
    button.type = "button";
    button.setAttribute("aria-label", `Delete: ${label}`);
    const ask = (/** @type {boolean} */ isSure) => {
      button.textContent = isSure ? "Delete for good" : "Delete";
      button.setAttribute("aria-label", `${button.textContent}: ${label}`);
      button.dataset.sure = isSure ? "yes" : "";
    };
    button.addEventListener("blur", () => ask(false));
    button.addEventListener("click", () => {
      if (button.dataset.sure !== "yes") return ask(true);
      void saying(this.#said, async () => {
        await this.#meet?.call("DELETE", `/view-keys/${keyId}`);
        byId("keys-title", HTMLElement).focus();
        await this.#read();
      });
    });
    return button;
  }
}
