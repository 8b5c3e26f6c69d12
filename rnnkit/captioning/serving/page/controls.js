// Controls of a decoder and its options, made from what the decoders say of themselves.
import { element } from "./elements.js";

/** Fills `choice` with a button for each decoder, and `options` with the controls of the one that is chosen. */
export class Controls {
  constructor(choice, options, decoders, chosen, changed) {
    this.options = options;
    this.changed = changed;
    this.given = new Map(decoders.map(({ name }) => [name, name === chosen.use ? { ...chosen } : { use: name }]));
    for (const decoder of decoders) {
      const button = element("input", { type: "radio", name: "use", value: decoder.name });
      button.checked = decoder.name === chosen.use;
      button.addEventListener("change", () => this.choose(decoder));
      choice.append(element("label", {}, button, element("span", {}, decoder.name)));
      if (button.checked) this.show(decoder);
    }
  }

  /** The decoder as a spec names it: {use: "beam", width: 5}, with what differs from the defaults. */
  get value() {
    return this.given.get(this.name);
  }

  choose(decoder) {
    this.show(decoder);
    this.changed();
  }

  show(decoder) {
    this.name = decoder.name;
    const rows = decoder.options.map((option) => this.row(option));
    this.options.replaceChildren(element("p", { class: "help" }, decoder.help), ...rows);
  }

  row(option) {
    const make = { integer: number, number, boolean: truth, choice, string: text }[option.type];
    const set = (value) => {
      if (value === option.default) delete this.value[option.name];
      else this.value[option.name] = value;
      this.changed();
    };
    return make(option, this.value[option.name] ?? option.default, set);
  }
}

function truth(option, value, set) {
  const box = element("input", { type: "checkbox" });
  box.checked = value;
  box.addEventListener("change", () => set(box.checked));
  return element("div", { class: "option" }, element("label", {}, box, title(option)), help(option));
}

function choice(option, value, set) {
  const select = element("select", {}, ...option.choices.map((one) => new Option(one, one, false, one === value)));
  select.addEventListener("change", () => set(option.choices[select.selectedIndex]));
  return element("div", { class: "option" }, element("label", {}, title(option), select), help(option));
}

function text(option, value, set) {
  const field = element("input", { type: "text", value: value ?? "" });
  field.addEventListener("change", () => set(field.value || option.default));
  return element("div", { class: "option" }, element("label", {}, title(option), field), help(option));
}

/** A slider with a field beside it, which takes what lies beyond the slider too; off as long as it is left open. */
function number(option, value, set) {
  const range = ends(option);
  const start = value ?? range.start;
  const slider = element("input", { type: "range", ...range.bounds, value: start, id: `option-${option.name}` });
  const field = element("input", {
    type: "number", min: range.bounds.min, max: option.maximum ?? "", step: range.bounds.step, value: start,
    "aria-label": `${title(option)}, as a number`,
  });
  const label = element("label", { for: slider.id }, title(option));
  const row = element("div", { class: "option" }, label, element("div", { class: "value" }, slider, field), help(option));
  slider.addEventListener("input", () => {
    field.value = slider.value;
    set(Number(slider.value));
  });
  field.addEventListener("input", () => {
    if (!field.value || !field.validity.valid) return;
    slider.value = field.value;
    set(Number(field.value));
  });
  if (option.default === null) label.prepend(opener([slider, field], value !== null, set));
  return row;
}

/** A box that says whether an option is set at all. */
function opener(inputs, on, set) {
  const box = element("input", { type: "checkbox" });
  const heed = () => inputs.forEach((input) => (input.disabled = !box.checked));
  box.checked = on;
  heed();
  box.addEventListener("change", () => {
    heed();
    set(box.checked ? Number(inputs[0].value) : null);
  });
  return box;
}

/** Where a slider ends: at the option's bounds, or where people hardly go further. */
function ends({ type, minimum, maximum, above }) {
  const [step, far] = type === "number" ? [0.05, 2] : [1, 9];
  const min = (minimum ?? 0) + (above ? step : 0);
  const max = Math.min(maximum ?? Infinity, (minimum ?? 0) + far);
  const start = maximum === max ? max : min + Math.round((max - min) / 5 / step) * step;
  return { bounds: { min, max, step }, start };
}

const title = (option) => option.name.replaceAll("_", " ");
const help = (option) => element("p", { class: "help" }, option.help);
