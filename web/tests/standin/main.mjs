// A page that stands in for OpenLifter: a store that is handed to the developer tools' hook, an autosave that is read after the store
// was made, and boxes that keep a copy of what they show and write it when they lose the focus.

import { emptyMeet, reduce } from "./app.mjs";

const AUTOSAVE = "persist:root";
const page = /** @type {any} */ (globalThis);

/** As Redux does it, as far as this page needs it. @param {any} reducer @param {any} initial @param {any} [enhancer] @returns {any} */
function createStore(reducer, initial, enhancer) {
  if (enhancer) return enhancer(createStore)(reducer, initial);
  let state = initial;
  const listeners = new Set();
  const dispatch = (/** @type {any} */ action) => {
    if (typeof action?.type !== "string") throw new Error("actions are plain objects");
    state = reducer(state, action);
    for (const listener of listeners) listener();
    return action;
  };
  return { getState: () => state, dispatch, subscribe: (/** @type {() => void} */ listener) => (listeners.add(listener), () => listeners.delete(listener)) };
}

/** Actions may be functions, as with redux-thunk. @param {any} create */
const thunks = (create) => (/** @type {any[]} */ ...parts) => {
  const store = create(...parts);
  const dispatch = (/** @type {any} */ action) => (typeof action === "function" ? action(dispatch) : store.dispatch(action));
  return { ...store, dispatch };
};

/** As Redux's `applyMiddleware`. @param {any} middleware */
const applied = (middleware) => (/** @type {any} */ create) => (/** @type {any[]} */ ...parts) => {
  const store = create(...parts);
  const api = { getState: store.getState, dispatch: (/** @type {any} */ action) => dispatch(action) };
  const dispatch = middleware(api)(store.dispatch);
  return { ...store, dispatch };
};

/** What a fork does in place of loading the hook. */
async function forked() {
  const { liveMiddleware } = await import(`${location.origin}/web/openlifter/middleware.js`);
  const { addTab } = await import(`${location.origin}/web/openlifter/tab/tab.js`);
  const { middleware, live } = liveMiddleware();
  page.liftrelayLive = live.then(async (/** @type {any} */ app) => {
    await addTab(app);
    return app;
  });
  return (/** @type {any} */ create) => thunks(applied(middleware)(create));
}

/** @param {any} state @param {any} action */
function persisted(state, action) {
  if (action.type === "persist/PERSIST") return { ...state, _persist: { version: -1, rehydrated: false } };
  if (action.type === "persist/REHYDRATE") return { ...state, ...action.payload, _persist: { version: -1, rehydrated: true } };
  return reduce(state, action);
}

const compose = page.__REDUX_DEVTOOLS_EXTENSION_COMPOSE__;
const store = createStore(persisted, { ...emptyMeet(), _persist: undefined }, compose ? compose(thunks) : await forked());
page.store = store;

store.dispatch({ type: "persist/PERSIST" });
setTimeout(() => {
  store.dispatch({ type: "persist/REHYDRATE", payload: JSON.parse(localStorage.getItem(AUTOSAVE) ?? "{}") });
  store.subscribe(() => localStorage.setItem(AUTOSAVE, JSON.stringify(store.getState())));
}, 50);

const by = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
by("new-lifter").onclick = () => store.dispatch((/** @type {any} */ dispatch) => dispatch({ type: "NEW_REGISTRATION", overwriteDefaults: {} }));
by("new-meet").onclick = () => store.dispatch({ type: "OVERWRITE_STORE", store: { ...emptyMeet(), _persist: store.getState()._persist } });
by("lots").onclick = () => store.dispatch({ type: "ASSIGN_LOT_NUMBERS", lotNumbers: store.getState().registration.entries.map((/** @type {any} */ _, /** @type {number} */ index) => 10 - index) });
by("pounds").onclick = () => store.dispatch({ type: "SET_IN_KG", inKg: false });
by("meet-name").oninput = () => store.dispatch({ type: "UPDATE_MEET", changes: { name: /** @type {HTMLInputElement} */ (by("meet-name")).value } });

/** A box that is filled once and written on blur. @param {string} id @param {any} value @param {(text: string) => any} actionOf */
function box(id, value, actionOf) {
  const input = Object.assign(document.createElement("input"), { id, value: value || "" });
  input.onkeydown = ({ key }) => void (key === "Enter" && input.blur());
  input.onblur = () => store.dispatch(actionOf(input.value));
  return input;
}

/** @param {any} entry */
function row({ id, name, squatKg }) {
  const line = Object.assign(document.createElement("tr"), { id: `lifter-${id}` });
  const boxes = [0, 1, 2].map((index) => box(`squat-${id}-${index}`, squatKg[index], (text) => ({ type: "ENTER_ATTEMPT", entryId: id, field: "squatKg", attemptOneIndexed: index + 1, weightKg: Number(text) })));
  const good = Object.assign(document.createElement("button"), { id: `good-${id}`, textContent: "Good lift" });
  good.onclick = () => {
    store.dispatch({ type: "MARK_LIFT", entryId: id, field: "squatStatus", attemptOneIndexed: 1, success: true });
    boxes[1].focus();
  };
  line.append(box(`name-${id}`, name, (text) => ({ type: "UPDATE_REGISTRATION", entryId: id, changes: { name: text } })), ...boxes, good);
  return line;
}

function draw() {
  const { entries } = store.getState().registration;
  const known = new Set(entries.map(({ id }) => `lifter-${id}`));
  for (const line of [...by("lifters").children]) if (!known.has(line.id)) line.remove();
  for (const entry of entries) if (!document.getElementById(`lifter-${entry.id}`)) by("lifters").append(row(entry));
}
store.subscribe(draw);
draw();
