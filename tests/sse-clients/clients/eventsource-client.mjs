// npm eventsource-client: a stream to iterate over.

import { createEventSource } from "eventsource-client";

for await (const { event, id, data } of createEventSource(process.argv[2])) console.log(JSON.stringify({ event, id, data }));
