// Results on their way out, and how far they have got.

import { element } from "./board.js";
import { messageOf, onSubmit, textOf, timeText, wheneverUp } from "./parts.js";

/** @typedef {import("./client/liftrelay.d.ts").Meet} Meet */

/**
 * @typedef {object} Publish
 * @property {"queued" | "handed-over" | "failed"} status
 * @property {string} [reason]
 * @property {string} at
 * @property {string} locationName
 * @property {string} returnEmail
 * @property {number} lifters
 * @property {{ to: string, subject: string, body: string }} mail
 */

const STATUSES = { queued: "queued", "handed-over": "handed over", failed: "failed" };
/** So often it is looked how far a queued publish has got. */
const LOOK_MS = 5000;

export class Publishing {
  #list;
  #said;
  #form;
  /** @type {Meet | null} */
  #meet = null;
  #timer = 0;

  /**
   * @param {HTMLFormElement} form with `file` and `returnEmail`
   * @param {HTMLElement} list of what was published
   * @param {HTMLElement} said
   */
  constructor(form, list, said) {
    this.#form = form;
    this.#list = list;
    this.#said = said;
    onSubmit(this.#form, (data) => this.#publish(data));
  }

  /** Shows what was published of a meet. Gives the way to stop. @param {Meet} meet */
  show(meet) {
    this.#meet = meet;
    this.#form.reset();
    const stop = wheneverUp(meet, this.#said, () => this.#read());
    return () => {
      stop();
      this.#meet = null;
      window.clearTimeout(this.#timer);
      this.#list.replaceChildren();
      delete this.#list.dataset.shown;
    };
  }

  /** @param {FormData} data */
  async #publish(data) {
    const file = data.get("file");
    if (!(file instanceof File) || file.size === 0) throw new Error("The file is empty; choose the CSV file that OpenLifter exports for OpenPowerlifting.");
    const body = { returnEmail: textOf(data, "returnEmail").trim(), oplCsv: await file.text() };
    const { duplicate } = /** @type {any} */ (await this.#meet?.call("POST", "/publish", body));
    await this.#read();
    return duplicate ? "These results had been published before." : "The server has the results.";
  }

  async #read() {
    const meet = this.#meet;
    const { publishes } = /** @type {{ publishes: Publish[] }} */ (/** @type {unknown} */ (await meet?.call("GET", "/publish")));
    if (meet !== this.#meet) return;
    // Somebody may be in the list with the keyboard.
    const shown = JSON.stringify(publishes);
    if (this.#list.dataset.shown !== shown) this.#list.replaceChildren(...publishes.map(publishItem));
    this.#list.dataset.shown = shown;
    window.clearTimeout(this.#timer);
    if (publishes.some(({ status }) => status === "queued")) this.#timer = window.setTimeout(() => void this.#look(), LOOK_MS);
  }

  /** While the link is down its next coming up reads anew. */
  async #look() {
    await this.#read().catch((error) => (this.#said.textContent = messageOf(error)));
  }
}

/** @param {Publish} publish */
function publishItem({ status, reason, at, locationName, returnEmail, lifters, mail }) {
  const note = element("span", { className: "note", text: `${timeText(at)}, ${locationName}, ${lifters} lifters, answers to ${returnEmail}` });
  const head = element("div", { className: "item-head" }, element("strong", { className: status, text: STATUSES[status] ?? status }), note);
  const link = element("a", { text: "Mail it by hand" });
  const parts = [["subject", mail.subject], ["body", mail.body]].map(([name, text]) => `${name}=${encodeURIComponent(text)}`);
  link.href = `mailto:${encodeURIComponent(mail.to).replace("%40", "@")}?${parts.join("&")}`;
  const why = reason ? [element("p", { className: "note", text: reason })] : [];
  return element("li", { className: "item" }, head, ...why, link);
}
