// All that the page knows of who captions: here a server, `rnnkit serve`. A module with the same two functions makes
// the same page work without one.

/** What there is to ask for: models, decoders with their options, and limits. As `GET /model` answers. */
export async function models() {
  const answer = await ask("model");
  return answer.json();
}

/**
 * Have a photo captioned by all models.
 *
 * @param {Blob|number} photo - a file, or the number of a sample of the first model.
 * @param {{decoder: object, n_best: number, signal: AbortSignal}} options - n_best: captions of each model at most.
 * @param {(word: {model: string, word: string, probability: number, instead: object[], attention: number[]|null}) => void} onWord -
 *   called with each word as it is chosen.
 * @returns {Promise<{captions: object[], picture: {width: number, height: number}}>} as `POST /caption` answers.
 * @throws an Error with a sentence for the reader, or the AbortError of `signal`.
 */
export async function caption(photo, { decoder, n_best, signal }, onWord) {
  const query = new URLSearchParams({ decoder: JSON.stringify(decoder), n_best });
  const headers = { Accept: "text/event-stream" };
  if (photo instanceof Blob) headers["Content-Type"] = "application/octet-stream";
  else query.set("sample", photo);
  const body = photo instanceof Blob ? photo : undefined;
  const answer = await ask(`caption?${query}`, { method: "POST", headers, body, signal });
  const captions = [];
  for await (const [name, data] of events(answer.body)) {
    signal.throwIfAborted(); // what had come before that is nobody's any more
    if (name === "word") onWord(data);
    if (name === "caption") captions.push(data);
    if (name === "error") throw new Error(data.error);
    if (name === "done") return { captions, ...data };
  }
  throw new Error("The server broke off before the caption was whole.");
}

async function ask(address, request) {
  let answer;
  try {
    answer = await fetch(address, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({ error: `The server answered with ${answer.status}.` }));
  throw new Error(told.error);
}

/** Server-sent events, each as [name, data]. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const blocks = (rest + piece.value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const [, name, data] = block.match(/^event: (.*)\ndata: (.*)$/);
        yield [name, JSON.parse(data)];
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // nothing is left to cancel of what has failed
  }
}
