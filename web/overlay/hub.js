// One stream for all overlays of a meet in one browser: HTTP/1.1 gives an origin six connections, and a broadcast has ten overlays.
// The worker's name says which meet and key; each overlay that comes gets what is known so far, then everything that comes.

import { Follower } from "../follow.js";
import { MeetReader } from "../meet-reader.js";
import { streamAddress } from "./address.js";

/** @typedef {import("../meet-reader.js").Message} Message */
/** @typedef {{ link: string, why: string }} LinkNews */
/** @typedef {{ message: Message & { serverTime?: string }, ageMs: number }} MessageNews `ageMs`: how long ago it was heard */

const [meet, key] = JSON.parse(self.name);
const reader = new MeetReader();
/** @type {Set<MessagePort>} */
const ports = new Set();
/** @type {LinkNews} */
let link = { link: "connecting", why: "" };
/** The last message that told the time. @type {{ serverTime: string, heardAt: number } | null} */
let time = null;

/** @param {LinkNews | MessageNews} news */
function tell(news) {
  for (const port of ports) port.postMessage(news);
}

const follower = new Follower(reader, {
  address: () => streamAddress(meet, key),
  revoked: "the view key was deleted",
  linked(state, why) {
    link = { link: state, why };
    tell(link);
  },
  changed(message) {
    const { serverTime } = /** @type {MessageNews["message"]} */ (message);
    if (serverTime !== undefined) time = { serverTime, heardAt: performance.now() };
    tell({ message, ageMs: 0 });
  },
});
void follower.open();

self.addEventListener("connect", (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  ports.add(port);
  port.onmessage = ({ data }) => {
    if (data === "leave") ports.delete(port);
    else port.postMessage({});
  };
  const { meetId, meetName, heartbeatSeconds, headSeqNum, state, seqNum } = reader;
  port.postMessage(link);
  if (meetId === "") return;
  const hello = { msgType: "HELLO", meetId, meetName, heartbeatSeconds, headSeqNum, serverTime: time?.serverTime };
  port.postMessage({ message: hello, ageMs: time === null ? 0 : performance.now() - time.heardAt });
  port.postMessage({ message: { msgType: "STATE", state, serverSeqNum: seqNum }, ageMs: 0 });
});
