// The page: a photo comes in, captions come out.
import { caption, models } from "./captioner.js";
import { Column } from "./column.js";
import { Controls } from "./controls.js";
import { element } from "./elements.js";
import { card, copy, download, longText, text } from "./keep.js";
import { Frame, receive } from "./photo.js";

const VISIT = 12; // photos of this visit that stay at hand
const BEST = 10; // captions of each model, if the decoder finds so many
const WAIT = 150; // milliseconds after a control has moved, for it may move on

const part = (id) => document.getElementById(id);
const frame = new Frame(part("photo"));

class Page {
  constructor(offer) {
    this.offer = offer;
    this.columns = new Map();
    part("columns").replaceChildren();
    for (const model of offer.models) {
      const column = new Column(model, (weights) => frame.look(weights, model.attention));
      this.columns.set(model.name, column);
      part("columns").append(column.article);
    }
    this.controls = new Controls(part("choice"), part("options"), offer.decoders, offer.models[0].decoder, () => this.later());
    document.querySelector(".decoder").hidden = false;
    this.samples();
    this.keeping();
    part("ask").addEventListener("submit", (event) => event.preventDefault());
    receive(part("ask"), (photo) => this.open(photo), complain);
  }

  /** Caption another photo. */
  open(photo) {
    const { bytes } = this.offer.limits;
    if (!photo.size) return complain("The file is empty.");
    if (photo.size > bytes) return complain(`The photo has ${megabytes(photo.size)} MB, and ${megabytes(bytes)} MB are the most that is taken.`);
    this.write({ photo, url: URL.createObjectURL(photo) });
  }

  /** The controls have moved. */
  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now && this.write(this.now), WAIT);
  }

  /** Have a photo captioned. It is shown as soon as there is a word: by then it is known to be one. */
  async write(shot) {
    clearTimeout(this.timer);
    this.running?.abort();
    const running = (this.running = new AbortController());
    part("page").setAttribute("aria-busy", "true");
    complain("");
    let begun = false;
    const begin = () => {
      if (begun) return;
      begun = true;
      this.columns.forEach((column) => column.begin());
      this.show(shot);
    };
    try {
      const options = { decoder: this.controls.value, n_best: BEST, signal: running.signal };
      const answer = await caption(shot.photo, options, (word) => {
        begin();
        this.columns.get(word.model).write(word);
      });
      begin();
      this.finish(answer);
    } catch (error) {
      if (error.name === "AbortError") return;
      complain(error.message);
    }
    if (this.running === running) part("page").removeAttribute("aria-busy");
  }

  show(shot) {
    if (this.now !== shot) frame.show(shot.url).catch(() => complain("This browser cannot show the photo."));
    part("empty").hidden = true;
    this.now = shot;
    if (!shot.button) this.remember(shot);
    for (const button of document.querySelectorAll(".strip button")) button.removeAttribute("aria-current");
    shot.button.setAttribute("aria-current", "true");
  }

  finish(answer) {
    this.answer = answer;
    for (const one of answer.captions) this.columns.get(one.model).finish(one, this.now.url);
    frame.image.alt = `Photo: ${answer.captions[0].caption}`;
    part("spoken").textContent = text(answer.captions);
    part("keep").hidden = false;
  }

  /** The last photos of this visit, newest first. They are in the memory of this page, and nowhere else. */
  remember(shot) {
    const list = part("visit");
    shot.button = thumbnail(shot.url, "Photo of this visit", () => this.write(shot));
    list.prepend(element("li", {}, shot.button));
    list.closest("section").hidden = false;
    const old = list.children[VISIT];
    if (!old) return;
    URL.revokeObjectURL(old.querySelector("img").src);
    old.remove();
  }

  /** The buttons with samples, which the page has from the beginning. */
  samples() {
    for (const button of document.querySelectorAll("#samples button")) {
      const shot = { photo: Number(button.value), url: button.querySelector("img").src, button };
      button.addEventListener("click", () => this.write(shot));
    }
  }

  keeping() {
    const with_ = (id, act) => part(id).addEventListener("click", () => act(this.answer));
    with_("copy", async ({ captions }) => {
      await copy(text(captions));
      part("spoken").textContent = part("copy").textContent = "Copied";
      setTimeout(() => (part("copy").textContent = "Copy"), 1500);
    });
    with_("text", ({ captions }) => download(longText(captions), "text/plain", "captions.txt"));
    with_("json", (answer) => download(JSON.stringify(answer, null, 2), "application/json", "captions.json"));
    with_("card", async ({ captions }) => download(await card(frame.image, captions), "image/png", "caption.png"));
  }
}

function thumbnail(url, name, act) {
  const button = element("button", { type: "button" }, element("img", { src: url, alt: name, loading: "lazy" }));
  button.addEventListener("click", act);
  return button;
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

function complain(sentence) {
  part("trouble").textContent = sentence;
}

models().then((offer) => new Page(offer), (error) => complain(error.message));
