"""PyPI requests-sse: an EventSource on top of requests."""

import json
import sys

from requests_sse import EventSource

with EventSource(sys.argv[1]) as source:
    for event in source:
        print(json.dumps({"event": event.type, "id": event.last_event_id, "data": event.data}), flush=True)
