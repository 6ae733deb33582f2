// The way to the panel: in OpenLifter's own bar where the page shows one, else a button in a corner. The bar is React's, which may
// make it anew at any time; nothing of React's is changed, and what is added stands behind all that React has there.

export class Entry {
  #button = document.createElement("button");
  #place = document.createElement("div");
  #corner;

  /**
   * @param {HTMLElement} corner where the entry is while there is no bar
   * @param {() => void} open
   */
  constructor(corner, open) {
    this.#corner = corner;
    this.#button.type = "button";
    this.#button.addEventListener("click", open);
    this.#place.append(this.#button);
    this.#find();
    new MutationObserver(() => this.#find()).observe(document.body, { childList: true, subtree: true });
  }

  /** @param {string} text */
  say(text) {
    // Every change of the page is looked at, this one included.
    if (this.#button.textContent !== text) this.#button.textContent = text;
  }

  #find() {
    const bar = document.querySelector(".navbar-collapse") ?? document.querySelector(".navbar");
    const wanted = bar ?? this.#corner;
    if (this.#place.parentNode === wanted) return;
    this.#place.className = bar ? "navbar-nav" : "corner";
    this.#button.className = bar ? "nav-link liftrelay-entry" : "main";
    // The bar has its own look for links; a button there is to have no other.
    const link = bar?.querySelector(".nav-link:not(.active)");
    const font = link ? getComputedStyle(link).font : "inherit";
    Object.assign(this.#button.style, bar ? { background: "none", border: "0", font, textAlign: "start" } : { background: "", border: "", font: "", textAlign: "" });
    wanted.append(this.#place);
  }
}
