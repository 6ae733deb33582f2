// Where the stream of a meet is for somebody with a view key.

import { ask, Refusal } from "../follow.js";

/**
 * An EventSource cannot see why it is refused, so a request of another kind asks first: the state before the first
 * update, which is small.
 * @param {string} meet
 * @param {string} key
 */
export async function streamAddress(meet, key) {
  if (meet === "" || key === "") throw new Refusal("the address has no meet or no view key");
  const [path, query] = [`/v1/meets/${meet}`, `key=${encodeURIComponent(key)}`];
  const response = await ask(`${path}/state?at=0&${query}`);
  const passes = response.status >= 500 || response.status === 429;
  if (!response.ok && !passes) throw new Refusal(`the server refuses the view key (${response.status})`);
  if (!response.ok) throw new Error(`${response.status}`);
  return `${path}/events?snapshot=1&${query}`;
}
