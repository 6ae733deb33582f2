// What the tab says of a meet and of what went wrong: what it is, and what to do next.

/** @typedef {import("../../client/liftrelay.d.ts").Status} Status */

export const TITLE = "Live (Advanced)";

/** What happens on a platform counts more than what the desk knows. */
export const USUAL = [
  { locationName: "platform 1", priority: 20 },
  { locationName: "platform 2", priority: 20 },
  { locationName: "weigh-in desk", priority: 10 },
];

export const PASSWORD_MIN = 10;

/** @param {number} length */
export function shortPassword(length) {
  return `The password has ${counted(length, "character")}; it needs at least ${PASSWORD_MIN}, for it is all that keeps others out of the meet.`;
}

export const NO_MEET_ID = "A meet id has nine digits, such as 123-456-789; whoever went live has it in this panel.";
export const REPLACE_YES = "Join and replace";
export const NOT_JOINED = "Nothing has changed.";
export const LEAVE_YES = "Leave";
export const NO = "Cancel";

/** @param {number} pending */
export function leaveQuestion(pending) {
  const lost = pending > 0 ? `${counted(pending, "change")} made here ${pending === 1 ? "has" : "have"} not reached the server; ${pending === 1 ? "it stays" : "they stay"} in this browser, but the others will not get ${pending === 1 ? "it" : "them"}. ` : "";
  return `${lost}All lifters stay in this browser. To come back, join again with the meet id and the password: that replaces what is here. Leave?`;
}

/** @param {string} title @param {Status | null} status */
export function entryText(title, status) {
  if (status === null) return title;
  if (status.conflicts > 0) return `${title} · ${counted(status.conflicts, "conflict")}`;
  if (status.pending > 0) return `${title} · ${status.pending} pending`;
  return `${title} · ${status.link === "up" ? "on" : "no connection"}`;
}

/** Where others see another meet than this browser does, and why; else empty. @param {Status} status */
export function outOfSync({ link, why, pending, lastNumber, head, meet }) {
  const kept = pending > 0 ? ` ${counted(pending, "change")} made here ${pending === 1 ? "is" : "are"} kept in this browser and sent as soon as there is one.` : "";
  if (link === "refused") return `The session has ended, so nothing comes or goes.${kept && ` ${counted(pending, "change")} made here wait in this browser.`} Join again with the password.`;
  if (link === "broken") return `This browser cannot keep changes any more${why && ` (${why})`}. Save the meet as a file, free some space, and load the page anew.`;
  if (link === "down" || link === "connecting") return `Out of sync: there is no connection to the server. Go on working.${kept} What others do shows here when it is back.`;
  if (meet === "finished") return pending > 0 ? `The meet was finished; ${counted(pending, "change")} made here will not be taken any more.` : "";
  if (meet === "recovering") return "The server is taking the meet back from the browsers that have it. Go on working; this takes some seconds.";
  return head > lastNumber ? `Catching up: ${counted(head - lastNumber, "update")} to come.` : "";
}

/** What to do about errors, by code. @type {Record<string, string>} */
const NEXT = {
  unreachable: "The server does not answer. Check this computer's network and that the server runs, then try again.",
  "rate-limited": "Wait a little, then try again.",
  storage: "Free some space in this browser, then try again.",
  "invalid-session": "The session has ended; join again with the password.",
};

/** @param {unknown} error */
export function explained(error) {
  if (!(error instanceof Error)) return String(error);
  const code = /** @type {any} */ (error).code;
  if (code === "unreachable") return NEXT.unreachable;
  if (code !== "join-rejected") return [sentence(error.message), NEXT[code]].filter(Boolean).join(" ");
  const isLocation = /location/i.test(error.message);
  return isLocation ? `${sentence(error.message)} Ask whoever went live for the list.` : "No meet has this id and this password. Check both with whoever went live.";
}

/** @param {string} text */
function sentence(text) {
  const whole = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/** @param {number} number @param {string} thing */
function counted(number, thing) {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}
