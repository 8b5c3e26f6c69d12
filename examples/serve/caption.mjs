// What `rnnkit serve` says of a photo, word after word, with fetch. In Node 18 or newer, or in a page.
//
//     node caption.mjs photo.jpg [http://127.0.0.1:8000]
import { readFile } from "node:fs/promises";

const [photo, url = "http://127.0.0.1:8000"] = process.argv.slice(2);

/** The events of an answer, each as [name, data], as they come. */
async function* events(answer) {
  let rest = "";
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    const whole = (rest + piece).split("\n\n");
    rest = whole.pop();
    for (const event of whole) {
      const [, name, data] = event.match(/^event: (.*)\ndata: (.*)$/);
      yield [name, JSON.parse(data)];
    }
  }
}

const form = new FormData();
form.append("photo", new Blob([await readFile(photo)]), "photo");
form.append("decoder", "greedy");
const answer = await fetch(`${url}/caption`, {
  method: "POST",
  headers: { Accept: "text/event-stream" },
  body: form,
});
if (!answer.ok) {
  console.error((await answer.json()).error);
  process.exit(1);
}
for await (const [name, data] of events(answer)) {
  if (name === "word") console.log(`${data.word}  ${data.probability.toFixed(2)}`);
  if (name === "caption") console.log(`${data.model}: ${data.caption}`);
  if (name === "error") console.error(data.error);
}
