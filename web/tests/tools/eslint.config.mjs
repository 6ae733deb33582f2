// Overlays run in what OBS ships, and halls have no certificates: no syntax that Chromium 103 lacks, and nothing that browsers
// keep for secure contexts. What the language's library lacks there is an error of types; `../old-chromium/run` shows the rest.

const SECURE_ONLY = "only there in a secure context";
const TOO_NEW = "not in Chromium 103";

/** @type {[string, string, string][]} */
const MEMBERS = [
  ["crypto", "subtle", SECURE_ONLY],
  ["crypto", "randomUUID", SECURE_ONLY],
  ["navigator", "locks", SECURE_ONLY],
  ["navigator", "serviceWorker", SECURE_ONLY],
  ["navigator", "clipboard", SECURE_ONLY],
  ["navigator", "storage", SECURE_ONLY],
  ["navigator", "wakeLock", SECURE_ONLY],
  ["AbortSignal", "any", TOO_NEW],
  ["Response", "json", TOO_NEW],
  ["ReadableStream", "from", TOO_NEW],
  ["URL", "canParse", TOO_NEW],
  ["URL", "parse", TOO_NEW],
];

export default [
  {
    languageOptions: { ecmaVersion: 2022, sourceType: "module" },
    rules: {
      "no-restricted-properties": ["error", ...MEMBERS.map(([object, property, message]) => ({ object, property, message }))],
      "no-restricted-globals": ["error", { name: "caches", message: SECURE_ONLY }, { name: "CookieStore", message: SECURE_ONLY }, { name: "Notification", message: SECURE_ONLY }],
      "no-undef-init": "error",
      "prefer-const": "error",
      eqeqeq: "error",
    },
  },
];
