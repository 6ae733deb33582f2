// A film strip of an overlay: every text that a part of it shows, and real pictures of it, one after the other.

import assert from "node:assert/strict";

/** @typedef {import("playwright-core").Page} Page */

/** A picture that does not come in this time is none: a page that is frozen is not painted. */
const PICTURE_MS = 2000;

export class Film {
  #page;
  #selector;
  #isOver = false;
  /** @type {Promise<string[]>} */
  #pictures = Promise.resolve([]);

  /** @param {Page} page @param {string} selector of the text */
  constructor(page, selector) {
    this.#page = page;
    this.#selector = selector;
  }

  /** @param {Page} page @param {string} selector */
  static async of(page, selector) {
    const film = new Film(page, selector);
    await page.evaluate((selector) => {
      const texts = (/** @type {any} */ (window).texts = new Set());
      const look = () => texts.add(document.querySelector(selector)?.textContent ?? "");
      new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
      look();
    }, selector);
    const clip = /** @type {NonNullable<Awaited<ReturnType<import("playwright-core").Locator["boundingBox"]>>>} */ (await page.locator(".lr").first().boundingBox());
    film.#pictures = film.#shoot(clip);
    return film;
  }

  /** @param {{ x: number, y: number, width: number, height: number }} clip */
  async #shoot(clip) {
    const pictures = [];
    while (!this.#isOver) {
      const picture = await this.#page.screenshot({ clip, omitBackground: true, timeout: PICTURE_MS }).catch(() => null);
      if (picture) pictures.push(picture.toString("base64"));
    }
    return pictures;
  }

  /** Ends it: it has shown these texts and no other, each picture has the overlay in it, and there are so many of them. @param {string[]} texts */
  async isUnbroken(texts, least = 10) {
    this.#isOver = true;
    const covered = await this.#page.evaluate(shares, await this.#pictures);
    assert.deepEqual(await this.#page.evaluate(() => [.../** @type {any} */ (window).texts]), texts);
    assert.ok(covered.length >= least, `${covered.length} pictures`);
    assert.ok(covered[0] > 0.1 && Math.min(...covered) > covered[0] / 2, covered.map((share) => share.toFixed(2)).join(" "));
  }
}

/** How much of each picture is not transparent. Runs in a page. @param {string[]} pictures */
async function shares(pictures) {
  const found = [];
  for (const text of pictures) {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))]));
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d"));
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    found.push(data.filter((value, place) => place % 4 === 3 && value > 128).length / (data.length / 4));
  }
  return found;
}
