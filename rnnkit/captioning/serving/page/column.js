// What one model says of the photo: its caption, and behind each word what it might have said instead.
import { element, logarithm, percent } from "./elements.js";
import { paint } from "./photo.js";

const PACE = 80; // milliseconds at least from word to word, so that an eye can follow

export class Column {
  /** `look` is called with the attention at a word, and with null when nobody points at one. */
  constructor(model, look) {
    this.model = model;
    this.look = look;
    this.article = document.getElementById("column").content.firstElementChild.cloneNode(true);
    this.said = this.part(".said");
    this.article.ariaLabel = this.part("h2").textContent = model.name;
    this.part(".about").textContent = about(model);
    this.said.addEventListener("keydown", (event) => this.walk(event));
  }

  part(selector) {
    return this.article.querySelector(selector);
  }

  /** Another caption begins. */
  begin() {
    this.article.classList.add("writing");
    this.due = 0;
    this.said.replaceChildren();
    for (const name of [".choice", ".looks", ".best", ".facts"]) this.part(name).hidden = true;
  }

  /** One more word, which appears no sooner than PACE after the last. */
  write(word) {
    const button = element("button", { type: "button", class: "word", tabindex: this.said.children.length ? -1 : 0 },
      word.word, element("span", { class: "hidden" }, `, ${percent(word.probability)}`), element("i"));
    button.style.setProperty("--p", word.probability);
    this.due = Math.max(performance.now(), this.due + PACE);
    button.style.animationDelay = `${this.due - performance.now()}ms`;
    button.addEventListener("animationstart", () => this.follow(word.attention));
    button.addEventListener("animationend", () => button.nextSibling || this.follow(null));
    button.addEventListener("pointerenter", () => this.point(button, word));
    button.addEventListener("focus", () => this.point(button, word));
    for (const end of ["pointerleave", "blur"]) button.addEventListener(end, () => this.look(null));
    if (this.said.children.length) this.said.append(" ");
    this.said.append(button);
  }

  /** The caption is whole; `url` is the photo's. */
  finish(caption, url) {
    const shown = [...this.said.children].map((button) => button.firstChild.data);
    if (shown.join(" ") !== caption.words.map(({ word }) => word).join(" ")) {
      this.said.replaceChildren();
      this.due = 0;
      caption.words.forEach((word) => this.write(word));
    }
    if (!caption.words.length) this.said.textContent = "(nothing)";
    this.article.classList.remove("writing");
    this.part(".facts").hidden = false;
    this.part(".facts").textContent = facts(caption);
    this.list([caption, ...caption.others]);
    if (caption.map) this.lookBack(caption, url);
    const least = caption.words.reduce((a, b, i, all) => (b.probability < all[a].probability ? i : a), 0);
    if (caption.words.length) this.show(this.said.children[least], caption.words[least]);
  }

  list(captions) {
    const rows = captions.map(({ caption, log_prob }) =>
      element("li", {}, element("span", {}, caption || "(nothing)"), element("data", { value: log_prob }, logarithm(log_prob))));
    this.part(".best").hidden = captions.length < 2;
    this.part(".best ol").replaceChildren(...rows);
  }

  /** The photo once for each word, bright where the model looked. */
  lookBack({ words, map: [rows, columns] }, url) {
    const looks = words.map(({ word, attention }) => {
      const shade = element("canvas", { role: "img", "aria-label": `where it looked for ${word}` });
      paint(shade, attention, { rows, columns });
      return element("li", {}, element("div", {}, element("img", { src: url, alt: "" }), shade), word);
    });
    this.part(".looks").hidden = false;
    this.part(".looks ol").replaceChildren(...looks);
  }

  /** Look along while the caption appears, unless somebody points at a word. */
  follow(attention) {
    if (this.model.attention && !document.querySelector(".said:is(:hover, :focus-within)")) this.look(attention);
  }

  point(button, word) {
    this.show(button, word);
    this.look(word.attention);
  }

  /** What was likely at this place: the word, and those that nearly were. */
  show(button, { word, probability, instead }) {
    for (const other of this.said.children) other.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    this.part(".choice").hidden = false;
    this.part(".choice b").textContent = word;
    const all = [{ word, probability, chosen: true }, ...instead].sort((a, b) => b.probability - a.probability);
    const rows = all.map((one) => {
      const row = element("li", one.chosen ? { class: "chosen" } : {}, element("span", {}, one.word === "<END>" ? "(the end)" : one.word), element("i"),
        element("data", { value: one.probability }, percent(one.probability)));
      row.style.setProperty("--p", one.probability);
      return row;
    });
    this.part(".choice ol").replaceChildren(...rows);
  }

  /** Arrow keys go from word to word; Tab goes past the caption. */
  walk(event) {
    const buttons = [...this.said.children];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[at].tabIndex = -1;
    buttons[to].tabIndex = 0;
    buttons[to].focus();
  }
}

function about({ parameters, words, encoder }) {
  const count = (n) => n.toLocaleString("en");
  return `${count(parameters)} parameters, ${count(words)} words${encoder ? `, encoder ${encoder.use}` : ""}`;
}

function facts({ log_prob, seconds, words }) {
  if (log_prob === null) return "The decoder found no caption.";
  const sure = words.length ? `, ${percent(Math.exp(log_prob / (words.length + 1)))} sure of each word` : "";
  return `log probability ${logarithm(log_prob)}${sure}, in ${Math.max(1, Math.round(1000 * seconds))} ms`;
}
