// The words of one language. What is missing in it stands in English.

/** @typedef {Record<string, string>} Dictionary */

export class Words {
  #own;
  #english;

  /**
   * @param {Dictionary} own
   * @param {Dictionary} english
   */
  constructor(own, english) {
    this.#own = own;
    this.#english = english;
  }

  /**
   * @param {string} name
   * @param {Record<string, string | number>} [values] for the places in braces
   */
  say(name, values = {}) {
    const phrase = this.#own[name] ?? this.#english[name] ?? name;
    return phrase.replace(/\{(\w+)\}/g, (_, place) => String(values[place] ?? ""));
  }
}

/**
 * An overlay that starts before its server can be reached asks again until it has its words.
 * @param {string} lang
 */
export async function loadWords(lang) {
  const [own, english] = await Promise.all([load(lang), load("en")]);
  return new Words(own, english);
}

/**
 * @param {string} lang
 * @returns {Promise<Dictionary>}
 */
async function load(lang) {
  for (let pause = 500; ; pause = Math.min(2 * pause, 10_000)) {
    try {
      const response = await fetch(new URL(`words/${lang}.json`, import.meta.url));
      if (response.ok) return await response.json();
    } catch {
      // The server is away; so are most things that could be shown.
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
