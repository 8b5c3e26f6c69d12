// Elements in one expression, and numbers as people read them.

/** A new element with these attributes and children. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A probability: 43 %, 0.6 %, < 0.1 %. */
export function percent(p) {
  if (p < 0.001) return "< 0.1 %";
  return `${p < 0.0095 ? (100 * p).toFixed(1) : Math.round(100 * p)} %`;
}

/** A log probability: −2.31; null stands for that of what cannot be. */
export const logarithm = (x) => (x === null ? "−∞" : x.toFixed(2).replace("-", "−"));
