"""PyPI launchdarkly-eventsource. Left alone it ends with the first lost connection; it is told to go on."""

import json
import sys

from ld_eventsource import SSEClient
from ld_eventsource.config import ErrorStrategy

client = SSEClient(sys.argv[1], error_strategy=ErrorStrategy.always_continue())
for event in client.events:
    print(json.dumps({"event": event.event, "id": event.last_event_id, "data": event.data}), flush=True)
