// Those who pay, one after the other.

import { list, text } from "../logic/meet.js";
import { box } from "../tree.js";

/** Only pictures that come with the meet: an address elsewhere would be asked from every screen. */
const PICTURE = /^data:image\/(?:png|jpeg|webp|svg\+xml)[;,]/;

/** @param {import("../view.js").View} view */
export function drawSponsors(view) {
  const sponsors = list(view.state, "overlays", "sponsors")
    .map((sponsor) => ({ name: text(sponsor, "name").trim(), image: text(sponsor, "image") }))
    .filter(({ name, image }) => name !== "" || PICTURE.test(image));
  if (sponsors.length === 0) return [];
  const page = view.page(sponsors.length);
  const { name, image } = sponsors[page];
  const shown = PICTURE.test(image) ? box("lr-picture", "", { tag: "img", src: image }) : box("lr-name", name);
  return [box("lr-label", view.words.say("sponsors"), { key: "label" }), box("lr-sponsor", [shown], { key: `${page} ${name}` })];
}
