// npm eventsource: the browser's EventSource for Node.js. It wants the name of each event.

import { EventSource } from "eventsource";

const source = new EventSource(process.argv[2]);
for (const name of ["hello", "state", "update-relay", "heartbeat", "reset", "end"]) {
  source.addEventListener(name, ({ type, lastEventId, data }) => console.log(JSON.stringify({ event: type, id: lastEventId, data })));
}
