// Captions photos with an exported file: npm install && node caption.mjs captioner.onnx photo.jpg ..
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import sharp from "sharp";

// The file's metadata: fields 14 of a protobuf message, each with a key (field 1) and a value (field 2).
function* fields(bytes) {
  let at = 0;
  const number = () => {
    for (let n = 0n, shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      n |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(n);
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const length = number(); // of bytes, or else the number itself
    if (tag % 8 === 2) yield [tag >> 3, bytes.subarray(at, (at += length))];
  }
}

const [path, ...photos] = process.argv.slice(2);
const file = readFileSync(path);
const text = (bytes) => new TextDecoder().decode(bytes);
const entries = [...fields(file)].filter(([field]) => field === 14);
const about = Object.fromEntries(entries.map(([, e]) => [...fields(e)].map(([, b]) => text(b))));
const [words, joiner, special] = ["words", "joiner", "special"].map((key) => JSON.parse(about[key]));
const { size, fit } = JSON.parse(about.picture);

const session = await ort.InferenceSession.create(file);
for (const photo of photos) {
  const how = { fit: { squash: "fill", crop: "cover", pad: "contain" }[fit], kernel: "cubic" };
  const picture = sharp(photo).rotate().removeAlpha().toColourspace("srgb");
  const pixels = await picture.resize(size, size, { ...how, fastShrinkOnLoad: false }).raw().toBuffer();
  const { tokens } = await session.run({ pixels: new ort.Tensor("uint8", pixels, [1, size, size, 3]) });
  const best = Array.from(tokens.data, Number).slice(0, tokens.dims.at(-1));
  const end = best.includes(special.end) ? best.indexOf(special.end) : best.length;
  console.log(`${photo}: ${best.slice(0, end).map((t) => words[t]).join(joiner)}`);
}
