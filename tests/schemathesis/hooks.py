"""What no schema can say: which meets exist, whose token opens which, and how long a test can wait."""

import collections.abc
import copy
import itertools
import os
import re

import requests
import schemathesis

SERVER = os.environ["LIFTRELAY_URL"]
PASSWORD = "chalk and collars"
LOCATION = "platform 1"

CURSOR = re.compile("[0-9]{1,16}(-[0-9a-fA-F]{8})?")
CURSORS = ("after", "at", "afterServerSeqNum", "ifHead", "Last-Event-ID")

# Characters of a key that are surely below 512 bytes in any spelling.
LONG_KEY = 100

# What these are called with is of no use afterwards, so they never get what all tests share.
ENDS_ITS_SESSION = {"endSession"}
ENDS_ITS_MEET = {"finishMeet"}


class Meets:
    """The meets of this run, and the newest token for each."""

    def __init__(self):
        self._tokens = {}
        self.shared = self.create()

    def create(self):
        locations = [{"locationName": LOCATION, "priority": 20}]
        body = {"password": PASSWORD, "thisLocationName": LOCATION, "locations": locations}
        return self.remember(_post("/v1/meets", body))

    def remember(self, session):
        meet = session["meetId"].replace("-", "")
        self._tokens[meet] = session["sessionToken"]
        return meet

    def token(self, meet):
        return self._tokens.get(_digits(meet))

    def is_token(self, authorization):
        return (authorization or "").removeprefix("Bearer ") in self._tokens.values()

    def one_more_session(self):
        """A token of the shared meet that can be spent."""
        return _post(f"/v1/meets/{self.shared}/sessions", {"password": PASSWORD, "locationName": LOCATION})["sessionToken"]

    def knows(self, meet):
        return _digits(meet) in self._tokens


def _digits(meet):
    return str(meet).replace("-", "").replace(" ", "")


def _post(path, body):
    response = requests.post(SERVER + path, json=body, headers=_from_somewhere(), timeout=20)
    response.raise_for_status()
    return response.json()


_addresses = itertools.count(1)


def _from_somewhere():
    """Every request comes from an address of its own, or the wrong passwords of some would lock out all."""
    number = next(_addresses)
    return {"X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}


meets = Meets()


def _operation_id(operation):
    return operation.definition.raw.get("operationId")


@schemathesis.auth(refresh_interval=None)
class Session:
    """A token wherever one is needed; `before_call` puts the one of the meet in the path in its place."""

    def get(self, case, context):
        required = case.operation.definition.raw.get("security") or [{}]
        return None if {} in required else meets.token(meets.shared)

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers = {**(case.headers or {}), **_from_somewhere()}
    # What follows changes bodies, and one from an example serves more than one case.
    if isinstance(case.body, dict):
        case.body = copy.deepcopy(case.body)
    if "meetId" in (case.path_parameters or {}):
        _visit_a_meet(case)
    if isinstance(case.body, dict) and "msgType" in case.body:
        _speak_for_somebody(case.body)
    _shorten_waits(case)
    _drop_long_keys(case)
    _bring_cursors_down(case)
    _name_each_location_once(case.body)
    _bring_results(case)
    _hand_back_what_there_is(case)


def _visit_a_meet(case):
    """A meet that exists in place of one that was made up, and its token in place of another one. What has no token, or a
    made-up one, stays so: that is what the test is about."""
    operation = _operation_id(case.operation)
    if not meets.knows(case.path_parameters["meetId"]):
        case.path_parameters["meetId"] = meets.shared
    if operation in ENDS_ITS_MEET and _digits(case.path_parameters["meetId"]) == meets.shared:
        case.path_parameters["meetId"] = meets.create()
    meet = _digits(case.path_parameters["meetId"])
    if meets.is_token(case.headers.get("Authorization")):
        spent = operation in ENDS_ITS_SESSION and meet == meets.shared
        token = meets.one_more_session() if spent else meets.token(meet)
        case.headers["Authorization"] = f"Bearer {token}"


def _speak_for_somebody(message):
    """In messages the meet and the token are in the body. Those of the document's examples become real; made-up ones stay."""
    if str(message.get("sessionToken", "")).startswith("lrs_"):
        message["sessionToken"] = meets.token(meets.create() if message["msgType"] == "FINISH_MEET" else meets.shared)
    if message["msgType"] == "JOIN_MEET" and re.fullmatch("[0-9]{3}-[0-9]{3}-[0-9]{3}", str(message.get("meetId"))):
        message |= {"meetId": meets.shared, "password": PASSWORD, "locationName": LOCATION}


def _shorten_waits(case):
    """Valid waits are made short; what is not valid goes out as it is."""
    _shorten(case.query, "wait", 0.05)
    if isinstance(case.body, dict):
        _shorten(case.body, "wait", 0.05)
    if "maxSeconds" in _names(case.operation.query) and "maxSeconds" not in (case.query or {}):
        case.query = {**(case.query or {}), "maxSeconds": 1}
    _shorten(case.query, "maxSeconds", 1)


def _names(parameters):
    return {parameter.name for parameter in parameters}


def _shorten(values, name, most):
    value = (values or {}).get(name)
    try:
        # In a query a number may be a text already.
        is_long = not isinstance(value, bool) and float(value) > most
    except (TypeError, ValueError):
        is_long = False
    if is_long:
        values[name] = most


def _drop_long_keys(case):
    """A key may have 512 bytes in its canonical form, and a schema counts characters of the form at hand: what is long there may
    be too long here. Parameters that take keys can be left out."""
    for name in ("path", "paths"):
        if _is_long((case.query or {}).get(name)):
            del case.query[name]
    settings = case.body.get("settings") if isinstance(case.body, dict) else None
    if isinstance(settings, dict) and _is_long(settings.get("privatePaths")):
        del settings["privatePaths"]


def _is_long(keys):
    return any(isinstance(key, str) and LONG_KEY < len(key) <= 512 for key in (keys if isinstance(keys, list) else [keys]))


_turns = itertools.count()


def _bring_cursors_down(case):
    """Made-up cursors are above the head, or of another history, which is one answer. Every other case starts from 0."""
    if next(_turns) % 2:
        return
    body = case.body if isinstance(case.body, dict) else {}
    updates = body.get("updates") if isinstance(body.get("updates"), list) else []
    for values in (case.query or {}, case.headers, body, *updates):
        for name in CURSORS if isinstance(values, collections.abc.MutableMapping) else ():
            if CURSOR.fullmatch(str(values.get(name))):
                values[name] = "0"


def _name_each_location_once(body):
    """A new meet's own location must be in the list, and none twice. What is wrong with single names stays wrong."""
    if not isinstance(body, dict) or not isinstance(body.get("thisLocationName"), str) or not body["thisLocationName"]:
        return
    locations = body.get("locations")
    if not isinstance(locations, list) or not all(isinstance(each, dict) for each in locations):
        return
    taken = set()
    for number, location in enumerate(locations):
        name = location.get("locationName")
        if isinstance(name, str) and name in taken:
            location["locationName"] = name[:60] + str(number)
        taken.add(location.get("locationName") if isinstance(name, str) else None)
    if locations and body["thisLocationName"] not in taken and isinstance(locations[0].get("locationName"), str):
        locations[0]["locationName"] = body["thisLocationName"]


def _is_wrong_on_purpose(case):
    return case.meta is not None and case.meta.generation.mode.is_negative


with open("tests/data/lbs-25.opl.csv", encoding="utf-8") as results:
    RESULTS = results.read()


def _bring_results(case):
    """No schema says what results look like, or knows all the rules for mail: what would fit becomes real results and a plain
    address. What is wrong on purpose stays wrong; the tests of publishing know the rest of what is refused."""
    if isinstance(case.body, dict) and {"oplCsv", "returnEmail"} <= case.body.keys() and not _is_wrong_on_purpose(case):
        case.body |= {"oplCsv": RESULTS, "returnEmail": "director@example.org"}


def _hand_back_what_there_is(case):
    """A log that is handed back must be one that the server wrote, which no schema can say: a page that would fit becomes the start
    of the meet's own log. What is wrong on purpose stays wrong."""
    if not isinstance(case.body, dict) or not {"cursor", "chain"} <= case.body.keys() or _is_wrong_on_purpose(case):
        return
    meet = (case.path_parameters or {}).get("meetId", meets.shared)
    headers = {"Authorization": f"Bearer {meets.token(meet)}"}
    page = requests.get(f"{SERVER}/v1/meets/{meet}/updates?limit=2", headers=headers, timeout=20).json()
    case.body |= {"updates": page["updatesRelayed"], "cursor": page["cursor"], "chain": page["chain"]}
    # The document lets those in who have a ticket and no session; a made-up ticket opens nothing.
    if "msgType" not in case.body:
        case.headers = {**case.headers, **headers}


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 201 and "sessionToken" in response.text:
        meets.remember(response.json())
