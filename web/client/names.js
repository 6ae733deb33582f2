// What things are called.

/** 128 random bits as hex. (`randomUUID` wants a secure context, which an address in a hall's network is not.) */
export function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * A meet in this browser.
 * @param {import("./liftrelay.d.ts").Saved} meet
 */
export function meetKey({ server, meetId, locationName }) {
  return JSON.stringify([server, meetId.replace(/\D/g, ""), locationName]);
}

/**
 * What a page opens.
 * @param {any} open
 */
export function keyOf({ meet, view }) {
  return view ? JSON.stringify([view.server, view.meetId, view.viewKey]) : meetKey(meet);
}
