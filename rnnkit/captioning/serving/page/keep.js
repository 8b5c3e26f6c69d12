// What can be taken away from the page: text, JSON, and a card with the photo and its caption.
import { element, logarithm } from "./elements.js";

/** The captions as lines of text, with the name of the model where there are several. */
export function text(captions) {
  const name = (caption) => (captions.length > 1 ? `${caption.model}: ` : "");
  return captions.map((caption) => name(caption) + caption.caption).join("\n");
}

/** The same with the n best and their log probabilities. */
export function longText(captions) {
  const line = ({ caption, log_prob }) => `${logarithm(log_prob)}\t${caption}`;
  return captions.map((c) => [`${c.model}, ${JSON.stringify(c.decoder)}`, line(c), ...c.others.map(line), ""].join("\n")).join("\n");
}

export async function copy(words) {
  if (navigator.clipboard) return navigator.clipboard.writeText(words);
  const area = element("textarea", {}, words); // a page from another machine has no clipboard of its own
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export function download(content, type, name) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** A picture of the photo above its captions, as a PNG file. */
export async function card(image, captions) {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name);
  const width = 1200, margin = 64;
  const tall = Math.min(1200, (width * image.naturalHeight) / image.naturalWidth);
  const canvas = element("canvas", { width });
  const pen = canvas.getContext("2d");
  const lines = captions.flatMap(({ model, caption, log_prob }) => [
    ...wrapped(pen, caption || "(nothing)", `46px ${of("--serif")}`, width - 2 * margin, 60, of("--ink")),
    { text: `${model}, log probability ${logarithm(log_prob)}`, font: `22px ${of("--sans")}`, step: 56, colour: of("--soft") },
  ]);
  canvas.height = tall + margin + lines.reduce((sum, { step }) => sum + step, 0) + 24;
  pen.fillStyle = of("--card");
  pen.fillRect(0, 0, width, canvas.height);
  pen.fillStyle = of("--sunk");
  pen.fillRect(0, 0, width, tall);
  pen.imageSmoothingEnabled = image.naturalWidth >= 200;
  const wide = (tall * image.naturalWidth) / image.naturalHeight;
  pen.drawImage(image, (width - wide) / 2, 0, wide, tall);
  let y = tall + margin;
  for (const { text, font, step, colour } of lines) {
    [pen.font, pen.fillStyle] = [font, colour];
    pen.fillText(text, margin, (y += step) - 20);
  }
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function wrapped(pen, words, font, width, step, colour) {
  pen.font = font;
  const lines = [""];
  for (const word of words.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((text) => ({ text, font, step, colour }));
}
