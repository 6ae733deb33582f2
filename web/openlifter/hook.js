// Loaded by OpenLifter's page before its own scripts, as a classic script: OpenLifter hands its store to the developer tools for
// Redux where it finds any, and this takes their place. Until somebody goes live, every action passes untouched.

(() => {
  const name = "__REDUX_DEVTOOLS_EXTENSION_COMPOSE__";
  const page = /** @type {any} */ (globalThis);
  const tools = page[name];
  const own = /** @type {HTMLScriptElement} */ (document.currentScript).src;

  /** @type {(action: any, next: (action: any) => any) => any} */
  let perform = (action, next) => next(action);
  /** @type {(store: any) => void} */
  let found = () => {};
  const store = new Promise((resolve) => (found = resolve));

  const capturing = (/** @type {any} */ createStore) => (/** @type {any[]} */ ...parts) => {
    const made = createStore(...parts);
    const captured = { ...made, dispatch: (/** @type {any} */ action) => perform(action, made.dispatch) };
    found(captured);
    return captured;
  };

  const composed = (/** @type {any[]} */ ...enhancers) => {
    if (tools) return tools(...enhancers, capturing);
    return (/** @type {any} */ createStore) => enhancers.reduceRight((create, enhance) => enhance(create), capturing(createStore));
  };

  /** With options or without, as the tools take it. */
  page[name] = (/** @type {any[]} */ ...enhancers) => {
    if (enhancers.length === 1 && typeof enhancers[0] === "object") return composed;
    return composed(...enhancers);
  };

  /** Resolves to what `app.js` offers, once OpenLifter has made its store. */
  page.liftrelayLive = store.then(async (made) => {
    const { LiveApp } = await import(new URL("app.js", own).href);
    const app = new LiveApp(made);
    perform = (action, next) => app.perform(action, next);
    const { addTab } = await import(new URL("tab/tab.js", own).href);
    await addTab(app);
    return app;
  });
})();
