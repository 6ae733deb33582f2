// The director's page: a meet without OpenLifter. The address says which meet is open; what opens it is in the client's store.

import { openMeet } from "../client/liftrelay.js";
import { showConflicts } from "../conflicts.js";
import { byId } from "../meet-page.js";
import { saying } from "../parts.js";
import { Publishing } from "../publishing.js";
import { Door } from "./door.js";
import { Finish } from "./finish.js";
import { KeyList } from "./keys.js";
import { LogList } from "./log.js";
import { Platform } from "./platform.js";
import { showSaving } from "./saving.js";
import { showStanding } from "./standing.js";
import { TimeTravel } from "./travel.js";

/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */
/** @typedef {import("./door.js").Enter} Enter */

const place = byId("meet", HTMLElement);
const door = new Door(enter, () => keys.make("overlays"));
const log = new LogList((number) => travel.look(number));
const keys = new KeyList();
const platform = new Platform();
const publishing = new Publishing(byId("publish", HTMLFormElement), byId("publishes", HTMLElement), byId("publishes-said", HTMLElement));
const conflicts = {
  title: byId("conflicts-title", HTMLElement),
  count: byId("conflicts-count", HTMLElement),
  none: byId("no-conflicts", HTMLElement),
  refused: byId("conflicts", HTMLElement),
  overruled: byId("overruled", HTMLElement),
  words: { retry: "Retry", drop: "Drop" },
};
const finish = new Finish();
const travel = new TimeTravel((number) => log.timeOf(number));
/** @type {Meet | null} */
let meet = null;
/** What to do when the meet is closed. @type {(() => void)[]} */
let stops = [];

/** @type {Enter} */
async function enter(wanted, password, edits = []) {
  const opened = await openMeet(wanted, { password });
  if (edits.length > 0) await opened.push(edits);
  const { meetId, locationName } = opened.identity;
  history.replaceState(null, "", `#${new URLSearchParams({ meet: meetId.replace(/\D/g, ""), location: locationName })}`);
  await show(opened);
}

/** @param {Meet} opened */
async function show(opened) {
  meet = opened;
  door.hide();
  place.hidden = false;
  stops = [showStanding(opened, ""), opened.subscribe(({ link, why }) => link === "refused" && void closed(why || "The session has ended."))];
  stops.push(log.show(opened), travel.show(opened), showSaving(opened), keys.show(opened), platform.show(opened));
  stops.push(showConflicts(opened, conflicts), publishing.show(opened), finish.show(opened));
  byId("meet-name", HTMLElement).focus();
  // The name that it was made with shows until the meet has one in its state.
  const { meetName = "" } = /** @type {any} */ (await opened.call("GET", "").catch(() => ({})));
  if (meet !== opened || meetName === "") return;
  stops[0]();
  stops[0] = showStanding(opened, meetName);
}

/** Back to the door. @param {string} [why] where the meet wants its password again */
async function closed(why) {
  const was = meet;
  if (was === null) return;
  meet = null;
  // Inside a subscription's first call the way to stop it is not there yet.
  await Promise.resolve();
  for (const stop of stops) stop();
  was.close();
  place.hidden = true;
  document.title = "Director · liftrelay";
  history.replaceState(null, "", location.pathname);
  await door.show(why ? was.identity : null, why);
}

byId("close", HTMLElement).addEventListener("click", () => void closed());
byId("leave", HTMLElement).addEventListener("click", () => {
  void saying(byId("leave-said", HTMLElement), async () => {
    const { pending = 0 } = meet?.status ?? {};
    if (pending > 0) throw new Error(`${pending} edits are not on the server yet; leave once nothing is pending.`);
    await meet?.leave();
    await closed();
  });
});

// Another meet in the address bar or from a bookmark.
addEventListener("hashchange", () => location.reload());

const asked = new URLSearchParams(location.hash.slice(1));
const wanted = { server: location.origin, meetId: asked.get("meet") ?? "", locationName: asked.get("location") ?? "" };
if (wanted.meetId === "") void door.show(null);
else enter(wanted).catch(() => door.show(wanted, "This browser has no session for this meet; it takes the password."));
