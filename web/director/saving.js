// What the meet is, as files.

import { byId, write } from "../meet-page.js";
import { readMeet } from "../overlay/logic/meet.js";
import { hasAttemptsLeft } from "../overlay/logic/totals.js";
import { saying } from "../parts.js";
import { download } from "../save.js";
import { resultsCsv } from "./results.js";

/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */

/** Offers the files of a meet. Gives the way to stop. @param {Meet} meet */
export function showSaving(meet) {
  const name = `meet-${meet.identity.meetId.replace(/\D/g, "")}`;
  const said = byId("save-said", HTMLElement);
  const offer = (/** @type {string} */ id, /** @type {() => Promise<void>} */ save) => {
    const button = byId(id, HTMLElement);
    const act = () => void saying(said, save);
    button.addEventListener("click", act);
    return () => button.removeEventListener("click", act);
  };
  const stops = [
    offer("save-state", async () => {
      const { state, serverSeqNum } = /** @type {any} */ (await meet.call("GET", "/state"));
      download(`${name}-state-${serverSeqNum}.json`, "application/json", JSON.stringify(state, null, 2));
    }),
    offer("save-results", async () => {
      const { state, serverSeqNum } = /** @type {any} */ (await meet.call("GET", "/state"));
      download(`${name}-results-${serverSeqNum}.opl.csv`, "text/csv", resultsCsv(state));
    }),
    offer("save-log", async () => {
      const lines = (await meet.log()).map((entry) => `${JSON.stringify(entry)}\n`);
      download(`${name}-log-${lines.length}.jsonl`, "application/x-ndjson", lines.join(""));
    }),
    showLeft(meet),
  ];
  return () => stops.forEach((stop) => stop());
}

/** Says that results are not final while somebody may still lift. @param {Meet} meet */
function showLeft(meet) {
  const place = byId("not-over", HTMLElement);
  let isAsked = false;
  const show = () => {
    isAsked = false;
    const { entries } = readMeet(/** @type {any} */ (meet.state));
    const left = entries.filter(hasAttemptsLeft).length;
    place.hidden = left === 0 || meet.status.meet === "finished";
    write(place, `The meet is not over: ${left} of ${entries.length} lifters have attempts left, or passed them. In these results a lifter without a total is DQ, or NS before the first attempt.`);
  };
  return meet.subscribe(() => {
    if (!isAsked) requestAnimationFrame(show);
    isAsked = true;
  });
}
