// Commands to paste into a shell.

/** @typedef {{ title: string, note: string, command: string }} CurlLine */

/**
 * What GET /v1/demo answers.
 * @typedef {object} Demo
 * @property {string} meetId
 * @property {string} meetName
 * @property {string} viewKey
 * @property {{ events: string, state: string, updates: string, info: string }} urls
 */

/** @param {string} text */
export function shellQuoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The demo meet under addresses that answer for the current lap, whichever that is.
 * @param {string} origin
 * @param {Demo} demo
 * @returns {CurlLine[]}
 */
export function demoLines(origin, demo) {
  const url = (/** @type {string} */ rest) => shellQuoted(`${origin}${rest}`);
  return [
    {
      title: "Stream, server-sent events",
      note: "A snapshot, then every update as it is committed. What this page reads.",
      command: `curl -N ${url("/demo/events?snapshot=1")}`,
    },
    {
      title: "Stream, one JSON object per line",
      note: "The same messages for scripts; pipe them into jq.",
      command: `curl -N ${url("/demo/events?snapshot=1&format=ndjson")}`,
    },
    {
      title: "State",
      note: "The whole meet as it stands.",
      command: `curl -s ${url("/demo/state")}`,
    },
    {
      title: "One value of it",
      note: "Any key of the meet; write .5003 for [5003].",
      command: `curl -s ${url("/demo/state?path=meet.name")}`,
    },
    {
      title: "Long-poll",
      note: "Updates after a number, for networks that let no stream through; add wait=25 to wait for the next one.",
      command: `curl -s ${url("/demo/updates?after=0&limit=5")}`,
    },
    {
      title: "This lap's meet by its own address",
      note: "A view key only reads. It ends with the lap.",
      command: `curl -s -H ${shellQuoted(`Authorization: Bearer ${demo.viewKey}`)} ${url(demo.urls.info)}`,
    },
  ];
}

/**
 * From no meet to two locations and a stream, in one bash.
 * @param {string} origin
 * @returns {CurlLine[]}
 */
export function meetLines(origin) {
  const json = "-H 'Content-Type: application/json'";
  const bearer = '-H "Authorization: Bearer $TOKEN"';
  const meet = '"$HOST/v1/meets/$MEET';
  const member = (/** @type {string} */ name) => `$(printf %s "$ANSWER" | sed -n 's/.*"${name}":"\\([^"]*\\)".*/\\1/p')`;
  return [
    {
      title: "Create a meet",
      note: "Choose a password of ten characters or more. The larger priority overrules the smaller.",
      command: [
        `HOST=${shellQuoted(origin)}`,
        `ANSWER=$(curl -s "$HOST/v1/meets" ${json} -d '{`,
        '  "meetName": "Try-out", "password": "change this password",',
        '  "thisLocationName": "platform 1",',
        '  "locations": [{"locationName": "platform 1", "priority": 10},',
        '                {"locationName": "weigh-in", "priority": 5}]}\')',
        `MEET=${member("meetId")}`,
        `TOKEN=${member("sessionToken")}`,
        'echo "$ANSWER"',
      ].join("\n"),
    },
    {
      title: "Join it from a second location",
      note: "Meet id, password and the location's name are all that it takes; the answer has a sessionToken of its own.",
      command: `curl -s ${meet}/sessions" ${json} \\\n  -d '{"password": "change this password", "locationName": "weigh-in"}'`,
    },
    {
      title: "Push an update",
      note: "The answer comes once the update is on disk.",
      command: [
        `curl -s ${meet}/updates" ${bearer} ${json} \\`,
        '  -d \'{"updates": [{"updateKey": "registration.entries[5000].squatKg[0]", "updateValue": 182.5}]}\'',
      ].join("\n"),
    },
    {
      title: "Long-poll",
      note: "Everything after a number; where there is nothing yet, the answer waits for up to 25 seconds.",
      command: `curl -s ${meet}/updates?after=0&wait=25" ${bearer}`,
    },
    {
      title: "Stream",
      note: "It goes on in the background: push again and watch the update arrive. Add &format=ndjson for plain lines of JSON; end it with kill %1.",
      command: `curl -sN ${meet}/events?snapshot=1" ${bearer} &`,
    },
  ];
}
