// The search for words: greedy, and with a beam, as rnnkit's decoders do it.

/** The k largest of an array, largest first; the first of equal ones. */
export function likeliest(values, k) {
  const best = [];
  for (let i = 0; i < values.length; i++) {
    if (best.length === k && values[i] <= values[best[k - 1]]) continue;
    let at = best.length;
    while (at && values[i] > values[best[at - 1]]) at--;
    best.splice(at, 0, i);
    if (best.length > k) best.pop();
  }
  return best;
}

/** -inf for every token that would be the last of `size` tokens which are there already. */
function blockRepeats(log_probs, tokens, size) {
  if (!size || tokens.length < size) return;
  const last = tokens.slice(tokens.length - size + 1);
  for (let i = 0; i + size <= tokens.length; i++) {
    if (last.every((token, k) => tokens[i + k] === token)) log_probs[tokens[i + size - 1]] = -Infinity;
  }
}

/** The likeliest word, word by word; `tell` is called with each. The caption, or null if it cannot go on. */
export async function greedy(network, memory, { no_repeat }, tell) {
  const tokens = [];
  const choose = (log_probs) => {
    blockRepeats(log_probs, tokens, no_repeat);
    tokens.push(likeliest(log_probs, 1)[0]);
    return tokens.at(-1);
  };
  const log_prob = await walk(network, memory, choose, tell);
  return log_prob > -Infinity ? { tokens, log_prob } : null;
}

/** Go along a caption; `tell` is called with each word. */
export async function follow(network, memory, tokens, tell) {
  let t = 0;
  await walk(network, memory, () => tokens[t++], tell);
}

/** Take steps with the tokens that are chosen of log probabilities, until one is the end. Their log probability. */
async function walk(network, memory, choose, tell) {
  let last = network.start, total = 0;
  for (let t = 0; t < network.limit && last !== network.end && total > -Infinity; t++) {
    const now = await network.step([last], memory);
    last = choose(now.log_probs[0]);
    total += now.log_probs[0][last];
    memory = now.memory;
    if (last !== network.end && total > -Infinity) tell(last, now.log_probs[0], now.attention);
  }
  return total;
}

/** The captions that a beam finds, best first: tokens and log_prob of each. */
export async function beam(network, memory, { width = 3, length_penalty = 0, no_repeat }) {
  const { start, end, limit } = network;
  const best = (captions, value) => captions.sort((a, b) => value(b) - value(a)).slice(0, width); // the sort is stable
  let live = [{ tokens: [], log_prob: 0 }], ended = [];
  for (let t = 0; t < limit && live.length; t++) {
    const now = await network.step(live.map(({ tokens }) => tokens.at(-1) ?? start), memory);
    const longer = live.flatMap(({ tokens, log_prob }, row) => {
      const log_probs = now.log_probs[row];
      blockRepeats(log_probs, tokens, no_repeat);
      return likeliest(log_probs, width).map((token) => ({ tokens: [...tokens, token], log_prob: log_prob + log_probs[token], row }));
    });
    const going = best(longer, ({ log_prob }) => log_prob).filter(({ log_prob }) => log_prob > -Infinity);
    const done = ({ tokens }) => tokens.at(-1) === end || t === limit - 1;
    const aside = going.filter(done).map((one) => ({ ...one, rank: one.log_prob / (t + 1) ** length_penalty }));
    ended = best([...ended, ...aside], ({ rank }) => rank);
    // Log probabilities only fall, and are divided by no more than that of the limit.
    const worst = ended[width - 1]?.rank ?? -Infinity;
    live = going.filter((one) => !done(one) && one.log_prob / limit ** length_penalty > worst);
    if (live.length) memory = network.take(now.memory, live.map(({ row }) => row));
  }
  return ended;
}
