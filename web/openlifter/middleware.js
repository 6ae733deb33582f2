// A fork's way in: a Redux middleware of the same core. It has to be the last one, so that plain actions alone come to it.

import { LiveApp } from "./app.js";

/**
 * Makes the middleware, and a promise of what `app.js` offers, which is kept once the store has made its first action.
 * @returns {{ middleware: (store: any) => (next: (action: any) => any) => (action: any) => any, live: Promise<LiveApp> }}
 */
export function liveMiddleware() {
  /** @type {(app: LiveApp) => void} */
  let found = () => {};
  const live = new Promise((/** @type {(app: LiveApp) => void} */ resolve) => (found = resolve));
  const middleware = (/** @type {any} */ store) => {
    const app = new LiveApp(store);
    found(app);
    return (/** @type {any} */ next) => (/** @type {any} */ action) => app.perform(action, next);
  };
  return { middleware, live };
}
