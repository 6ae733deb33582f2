"""Reads what a run of schemathesis recorded, prints a summary, and fails where an operation was never answered 2xx."""

import collections
import json
import sys

import yaml

METHODS = {"get", "put", "post", "delete", "patch"}


def operations(path):
    """Those that say of themselves that they can be answered 2xx; a WebSocket is answered 101."""
    with open(path, encoding="utf-8") as file:
        paths = yaml.safe_load(file)["paths"]
    every = [(path, method, item[method]) for path, item in paths.items() for method in METHODS & item.keys()]
    return {
        (method.upper(), path): operation["operationId"]
        for path, method, operation in every
        if any(str(status).startswith("2") for status in operation["responses"])
    }


def statuses(path):
    """How often each operation was answered with each status; a status counts for the operation of the case that got it."""
    counts = collections.defaultdict(collections.Counter)
    with open(path, encoding="utf-8") as file:
        events = (json.loads(line).get("ScenarioFinished") for line in file)
        for recorder in (event["recorder"] for event in events if event):
            for case, interaction in recorder.get("interactions", {}).items():
                value = recorder["cases"][case]["value"]
                response = interaction.get("response")
                if response:
                    counts[(value["method"].upper(), value["path"])][response["status_code"]] += 1
    return counts


def main(document, events):
    wanted, counts = operations(document), statuses(events)
    unreached = [name for key, name in wanted.items() if not any(200 <= status < 300 for status in counts[key])]
    requests = sum(counter.total() for counter in counts.values())
    print(f"schemathesis: {requests} requests, {len(wanted) - len(unreached)} of {len(wanted)} operations answered 2xx")
    for name in unreached:
        key = next(key for key, operation in wanted.items() if operation == name)
        print(f"  {name} was never answered 2xx: {dict(counts[key]) or 'it was not called'}")
    return 1 if unreached else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
