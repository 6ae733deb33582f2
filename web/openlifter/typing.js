// OpenLifter's boxes keep a copy of what they show, and write it when they lose the focus, which moves by itself after each lift.
// A copy that is older than what another browser entered meanwhile would undo it. Only what a person typed is to be written.

const WRITES = new Set(["ENTER_ATTEMPT", "UPDATE_REGISTRATION", "UPDATE_MEET"]);
/** Behind these a person has done something else. */
const DEEDS = ["pointerdown", "pointerup", "mousedown", "mouseup", "click", "keydown", "change", "input"];

/**
 * Watches a page for what a person types. Gives the test whether an action is a copy that is being written back.
 * @param {Window} page
 * @returns {(action: { type: string }) => boolean}
 */
export function watchTyping(page) {
  /** @type {WeakSet<EventTarget>} */
  const typedInto = new WeakSet();
  /** The box that is losing the focus. @type {EventTarget | null} */
  let left = null;
  const on = (/** @type {string} */ name, /** @type {(event: Event) => void} */ listener) => page.addEventListener(name, listener, true);

  for (const name of DEEDS) on(name, () => (left = null));
  on("input", ({ isTrusted, target }) => void (isTrusted && target && typedInto.add(target)));
  on("focusin", ({ target }) => void (target && typedInto.delete(target)));
  on("blur", ({ target }) => {
    if (!(target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement)) return;
    left = target;
    setTimeout(() => {
      if (left === target) left = null;
    });
  });
  return ({ type }) => left !== null && WRITES.has(type) && !typedInto.has(left);
}
