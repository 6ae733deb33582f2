// Files to take away: what OBS imports, and a page that waits for the server.

export const SIZE = { width: 1920, height: 1080 };

/** Elements that cover the picture start hidden. */
const COVERING = ["board", "warm-up", "break", "all"];

/**
 * A scene collection for OBS, with one browser source for each overlay.
 * @param {{ name: string, address: string }[]} overlays
 */
export function sceneCollection(overlays) {
  const scene = "Overlays";
  const sources = overlays.map(({ name, address }) => ({
    id: "browser_source",
    name: `liftrelay ${name}`,
    settings: { url: address, ...SIZE, css: "", shutdown: false, restart_when_active: false },
  }));
  const items = overlays.map(({ name }, index) => ({
    id: index + 1,
    name: `liftrelay ${name}`,
    visible: !COVERING.includes(name),
    pos: { x: 0, y: 0 },
    scale: { x: 1, y: 1 },
  }));
  const settings = { custom_size: false, id_counter: items.length, items };
  const collection = {
    name: "liftrelay",
    current_scene: scene,
    current_program_scene: scene,
    scene_order: [{ name: scene }],
    sources: [...sources, { id: "scene", name: scene, settings }],
  };
  return JSON.stringify(collection, null, 2);
}

/**
 * A page for OBS's "Local file": a source of an address that does not answer when OBS starts stays an error page for ever.
 * It asks for a picture, which needs no leave of the server's, and goes to the overlay once that comes.
 * @param {string} address
 */
export function shell(address) {
  // Within a script element, `</` would end it.
  const literal = (/** @type {string} */ text) => JSON.stringify(text).replaceAll("<", "\\u003c");
  return `<!doctype html>
<meta charset="utf-8">
<title>liftrelay overlay</title>
<style>html { background: transparent }</style>
<script>
  const overlay = ${literal(address)};
  const probe = ${literal(new URL("/web/icon.svg", address).href)};
  (function ask() {
    const picture = new Image();
    picture.onload = () => location.replace(overlay);
    picture.onerror = () => setTimeout(ask, 2000);
    picture.src = probe + "?" + Date.now();
  })();
</script>
`;
}
