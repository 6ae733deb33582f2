// What an element looks like, as plain values, and how a page becomes that: only what differs is touched.

/**
 * @typedef {object} Tree
 * @property {string} tag
 * @property {string} cls
 * @property {string} text shown as it is, never read as markup; only where there are no children
 * @property {Tree[]} children
 * @property {string} key siblings with another key are other nodes, and come in anew
 * @property {Record<string, string>} data
 * @property {Record<string, string>} vars CSS custom properties
 * @property {string} src of a picture
 */

/** @typedef {Tree | null | false | undefined} Maybe */

/**
 * @param {string} cls
 * @param {string | number | Maybe[]} [inside]
 * @param {{ tag?: string, key?: string, data?: Record<string, string>, vars?: Record<string, string>, src?: string }} [more]
 * @returns {Tree}
 */
export function box(cls, inside = "", { tag = "div", key = "", data = {}, vars = {}, src = "" } = {}) {
  const children = Array.isArray(inside) ? /** @type {Tree[]} */ (inside.filter(Boolean)) : [];
  return { tag, cls, text: Array.isArray(inside) ? "" : String(inside), children, key, data, vars, src };
}

/** @type {WeakMap<Node, Tree>} */
const painted = new WeakMap();

/**
 * Makes the children of `parent` what the trees say.
 * @param {Element} parent
 * @param {Tree[]} trees
 */
export function paint(parent, trees) {
  const old = new Map(Array.from(parent.children, (node, index) => [nameOf(painted.get(node), index), node]));
  trees.forEach((tree, index) => {
    const name = nameOf(tree, index);
    const node = old.get(name) ?? parent.ownerDocument.createElement(tree.tag);
    old.delete(name);
    dress(/** @type {HTMLElement} */ (node), tree);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  for (const node of old.values()) node.remove();
}

/**
 * @param {Tree | undefined} tree
 * @param {number} index
 */
function nameOf(tree, index) {
  return tree?.key ? `${tree.tag} ${tree.key}` : `${tree?.tag} ${index}`;
}

/**
 * @param {HTMLElement} node
 * @param {Tree} tree
 */
function dress(node, tree) {
  const before = painted.get(node);
  painted.set(node, tree);
  if (before?.cls !== tree.cls) node.className = tree.cls;
  if (tree.src !== "" && before?.src !== tree.src) /** @type {HTMLImageElement} */ (node).src = tree.src;
  differences(before?.data, tree.data, (name, value) => (value === undefined ? delete node.dataset[name] : (node.dataset[name] = value)));
  differences(before?.vars, tree.vars, (name, value) => node.style.setProperty(name, value ?? ""));
  if (tree.children.length > 0 || (before?.children.length ?? 0) > 0) {
    if (before?.text) node.textContent = "";
    paint(node, tree.children);
  }
  if (tree.children.length === 0 && (before?.text ?? "") !== tree.text) node.textContent = tree.text;
}

/**
 * @param {Record<string, string>} before
 * @param {Record<string, string>} after
 * @param {(name: string, value: string | undefined) => unknown} change
 */
function differences(before = {}, after, change) {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (before[name] !== after[name]) change(name, after[name]);
  }
}
