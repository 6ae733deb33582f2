// Looks at a meet for a page that nobody sits in front of: whatever fails, it goes on by itself.

import { viewMeet } from "./client/liftrelay.js";

/** @typedef {import("./client/liftrelay.d.ts").Status} Status */
/** @typedef {import("./client/liftrelay.d.ts").View} View */
/** @typedef {import("./client/liftrelay.d.ts").ViewOptions} ViewOptions */

/** Where parts of the client itself did not come through, they are asked for again. */
const AGAIN_MS = 2000;

/**
 * @typedef {object} Watcher
 * @property {(view: View) => void} [opened] before anything is told of this view
 * @property {(status: Status, view: View) => void} told
 * @property {(why: string) => void} lost there is no view for a while
 */

/**
 * Gives the way to stop it.
 * @param {ViewOptions} options
 * @param {Watcher} watcher
 */
export function watch(options, { opened, told, lost }) {
  let isOver = false;
  /** @type {View | null} */
  let view = null;
  void open();
  return () => {
    isOver = true;
    view?.close();
  };

  async function open() {
    try {
      const found = await viewMeet(options);
      if (isOver) return found.close();
      view = found;
      opened?.(found);
      found.subscribe((status) => {
        if (isOver || status.link === "closed") return;
        if (status.link === "broken") again(status.why);
        else told(status, found);
      });
    } catch (error) {
      again(String(error));
    }
  }

  /** @param {string} why */
  function again(why) {
    view?.close();
    view = null;
    if (isOver) return;
    lost(why);
    setTimeout(() => void open(), AGAIN_MS);
  }
}
