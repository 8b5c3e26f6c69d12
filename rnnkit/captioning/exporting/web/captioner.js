// All that the page knows of who captions: here a network in this browser, run by ONNX Runtime. It has the functions of
// the module of the same name with which the page asks a server.
import * as ort from "../runtime/ort.wasm.min.mjs";
import { prepare, read } from "./picture.js";
import { beam, follow, greedy, likeliest } from "./search.js";

const INSTEAD = 5; // words that nearly were, of each word

ort.env.wasm.numThreads = 1; // more need headers that not every web host can send
let about, loading;

/** What there is to ask for. The network is on its way when this is known. */
export async function models() {
  about = await (await fetched("about.json")).json();
  loading = Promise.all(["begin.onnx", "step.onnx"].map(session));
  loading.catch(() => {}); // whoever captions is told
  return about;
}

async function session(file) {
  return ort.InferenceSession.create(new Uint8Array(await (await fetched(file)).arrayBuffer()));
}

async function fetched(file) {
  const answer = await fetch(new URL(`../${file}`, import.meta.url)).catch(() => null);
  if (answer?.ok) return answer;
  throw new Error(`${file} could not be loaded. Is this page served by a web host, and the folder whole?`);
}

/**
 * Have a photo captioned.
 *
 * @param {Blob} photo - a file.
 * @param {{decoder: object, n_best: number, signal: AbortSignal}} options - n_best: captions at most.
 * @param {(word: object) => void} onWord - called with each word as it is chosen.
 * @returns {Promise<{captions: object[], picture: {width: number, height: number}}>}
 * @throws an Error with a sentence for the reader, or the AbortError of `signal`.
 */
export async function caption(photo, { decoder, n_best, signal }, onWord) {
  const [begin, step] = await loading;
  const picture = await read(photo);
  const began = performance.now();
  const { size } = about.network.picture;
  const pixels = prepare(picture, about.network.picture);
  const memory = await begin.run({ pixels: new ort.Tensor("uint8", pixels, [1, size, size, 3]) });
  const network = new Network(step, signal);
  const { use, ...options } = decoder;
  const found = use === "beam" ? await beam(network, memory, options) : [await greedy(network, memory, options, told(onWord))];
  const [best, ...others] = found.filter((one) => one);
  return {
    captions: [{
      model: about.models[0].name,
      caption: best ? text(best.tokens) : "",
      log_prob: best?.log_prob ?? null,
      decoder,
      words: best ? await words(network, memory, best.tokens) : [],
      others: others.slice(0, n_best - 1).map(({ tokens, log_prob }) => ({ caption: text(tokens), log_prob })),
      map: about.network.map,
      seconds: (performance.now() - began) / 1000,
    }],
    picture: { width: picture.width, height: picture.height },
  };
}

/** One step of the network, for some captions under way at once. */
class Network {
  constructor(step, signal) {
    Object.assign(this, about.network.special, { limit: about.network.limit, session: step, signal });
  }

  async step(tokens, memory) {
    await new Promise((done) => setTimeout(done)); // the page can show what there is
    this.signal.throwIfAborted();
    const last = new ort.Tensor("int64", BigInt64Array.from(tokens, BigInt), [tokens.length]);
    const found = await this.session.run({ tokens: last, ...memory });
    const V = found.log_probs.dims[1];
    return {
      log_probs: tokens.map((_, row) => found.log_probs.data.subarray(row * V, (row + 1) * V)),
      attention: about.network.attention && found[about.network.attention].data,
      memory: Object.fromEntries(Object.keys(memory).map((name) => [name, found[`next.${name}`]])),
    };
  }

  /** The memory of some rows, in this order. */
  take(memory, rows) {
    const taken = ({ data, dims: [n, ...rest] }) => {
      const width = data.length / n;
      const chosen = new Float32Array(rows.length * width);
      rows.forEach((row, k) => chosen.set(data.subarray(row * width, (row + 1) * width), k * width));
      return new ort.Tensor("float32", chosen, [rows.length, ...rest]);
    };
    return Object.fromEntries(Object.entries(memory).map(([name, tensor]) => [name, taken(tensor)]));
  }
}

/** Calls `onWord` with each word that is chosen. */
const told = (onWord) => (...chosen) => onWord({ model: about.models[0].name, ...word(...chosen) });

/** The words of a caption, each with what it was chosen among. */
async function words(network, memory, tokens) {
  const found = [];
  await follow(network, memory, tokens, (...chosen) => found.push(word(...chosen)));
  return found;
}

function word(token, log_probs, attention) {
  const said = (other) => ({ word: about.network.words[other], probability: Math.exp(log_probs[other]) });
  const others = likeliest(log_probs, INSTEAD + 1).filter((other) => other !== token && log_probs[other] > -Infinity);
  return { ...said(token), instead: others.slice(0, INSTEAD).map(said), attention: attention && Array.from(attention) };
}

function text(tokens) {
  const end = tokens.indexOf(about.network.special.end);
  return joined(tokens.slice(0, end < 0 ? undefined : end).map((token) => about.network.words[token]));
}

/** Words that are parts of one, such as "does" and "n't", are put together again. */
function joined(words) {
  const { joiner, cut } = about.network;
  return cut === "ptb" ? words.join(joiner).replace(/ (n't|'(?:s|m|d|re|ve|ll))(?= |$)/g, "$1") : words.join(joiner);
}
