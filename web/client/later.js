// Loads what is no part of the core. Old browsers (Chromium 103) remember for ever that an address could not be loaded, so what
// did not come is tried once more at one that differs.

let failures = 0;

/**
 * @template T
 * @param {() => Promise<T>} load imports it, by its address as a literal, which bundlers can follow
 * @param {string} name of the file, beside this one
 * @returns {Promise<T>}
 */
export async function later(load, name) {
  try {
    return await load();
  } catch {
    failures += 1;
    return import(new URL(`./${name}?again=${failures}`, import.meta.url).href);
  }
}
