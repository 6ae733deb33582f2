// The address that brings another browser to a meet.

const MEET = "meet";
/** Pages of OpenLifter may have addresses of their own below the one that it is served at. */
const APP = /^\/app\//;

/** @param {string} meetId */
export function invitation(meetId) {
  const { origin, pathname } = location;
  const start = new URL(APP.test(pathname) ? "/app/" : pathname, origin);
  start.searchParams.set(MEET, meetId.replace(/\D/g, ""));
  return start.href;
}

/** The meet that this page was opened for; else empty. */
export function invitedTo() {
  const meetId = new URLSearchParams(location.search).get(MEET) ?? "";
  return meetId.replace(/\D/g, "").length === 9 ? meetId : "";
}

/** Whether the page's address means another computer on every computer. */
export function isLoopback() {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);
}
