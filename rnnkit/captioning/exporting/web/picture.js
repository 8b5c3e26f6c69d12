// A photo as the network takes it. It was trained on pictures that Pillow made small, so this does what Pillow 13 does, to
// the bit: filters that are widened, 22 bits behind the point, and whole numbers between the two axes.

const FILTERS = {
  bilinear: [1, (x) => Math.max(0, 1 - x)],
  bicubic: [2, (x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((x - 5) * x + 8) * x * -0.5 + 2 : 0)],
  lanczos: [3, (x) => (x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};
const sinc = (x) => (x ? Math.sin(Math.PI * x) / (Math.PI * x) : 1);

/** The pixels of a photo, upright, on white: {width, height, data}, red, green and blue. */
export async function read(photo) {
  const as = { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(photo, as).catch(() => {
    throw new Error("This browser cannot read the file as a picture.");
  });
  const { width, height } = bitmap;
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "white";
  pen.fillRect(0, 0, width, height);
  pen.drawImage(bitmap, 0, 0);
  const { data: four } = pen.getImageData(0, 0, width, height);
  const data = new Uint8ClampedArray(width * height * 3);
  for (let i = 0, k = 0; k < data.length; i += 4, k += 3) data.set(four.subarray(i, i + 3), k);
  return { width, height, data };
}

/** The picture at the size that the network takes, (size, size, 3). */
export function prepare(picture, { size, fit, interpolation, shorter }) {
  if (fit === "crop") picture = middle(picture, 8 * Math.min(picture.width, picture.height));
  const { width, height } = picture;
  const short = Math.max(size, shorter ?? size), least = Math.min(width, height), most = Math.max(width, height);
  const to = {
    squash: [size, size],
    crop: [width, height].map((side) => Math.floor((short * side) / least)),
    pad: [width, height].map((side) => Math.max(1, even((size * side) / most))),
  }[fit];
  const small = resize(picture, ...to, interpolation);
  return new Uint8Array((fit === "pad" ? padded(small, size) : middle(small, size)).data);
}

function resize(picture, width, height, interpolation) {
  if (interpolation === "nearest") {
    const columns = nearest(picture.width, width), rows = nearest(picture.height, height);
    return drawn(width, height, (x, y) => (rows[y] * picture.width + columns[x]) * 3, picture.data);
  }
  const across = (picture) => rescaled(picture, width, interpolation);
  const down = (picture) => turned(rescaled(turned(picture), height, interpolation));
  const rowsFirst = picture.height > height && picture.height - height > 2 * (picture.width - width);
  return rowsFirst ? across(down(picture)) : down(across(picture));
}

/** Where each of `to` places is among `now`; sums, as Pillow's, which round. */
function nearest(now, to) {
  const found = [];
  for (let at = (now / to) * 0.5; found.length < to; at += now / to) found.push(Math.min(now - 1, Math.floor(at)));
  return found;
}

/** The picture at another width. */
function rescaled({ width, height, data }, to, interpolation) {
  if (width === to) return { width, height, data };
  const [support, filter] = FILTERS[interpolation];
  const scale = width / to, wide = Math.max(1, scale);
  const out = new Uint8ClampedArray(to * height * 3);
  for (let x = 0; x < to; x++) {
    const center = (x + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(center - support * wide + 0.5));
    const end = Math.min(width, Math.trunc(center + support * wide + 0.5));
    const shares = Array.from({ length: end - begin }, (_, k) => filter(Math.abs(k + begin - center + 0.5) / wide));
    const sum = shares.reduce((a, b) => a + b, 0);
    const whole = shares.map((share) => Math.trunc((share / sum) * 2 ** 22 + (share / sum < 0 ? -0.5 : 0.5)));
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < 3; c++) {
        let total = 2 ** 21;
        for (let k = 0, at = (y * width + begin) * 3 + c; k < whole.length; k++, at += 3) total += whole[k] * data[at];
        out[(y * to + x) * 3 + c] = Math.floor(total / 2 ** 22);
      }
    }
  }
  return { width: to, height, data: out };
}

const turned = ({ width, height, data }) => drawn(height, width, (x, y) => (x * width + y) * 3, data);

/** A picture whose pixel at (x, y) is that at a place of the data; black where the place is below 0. */
function drawn(width, height, place, from) {
  const data = new Uint8ClampedArray(width * height * 3);
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 0; x < width; x++, k += 3) {
      const at = place(x, y);
      for (let c = 0; at >= 0 && c < 3; c++) data[k + c] = from[at + c];
    }
  }
  return { width, height, data };
}

/** What is left when a picture is cut to at most `side` around its middle. */
function middle({ width, height, data }, side) {
  const [left, top] = [width, height].map((now) => Math.max(0, even((now - side) / 2)));
  return drawn(Math.min(width, side), Math.min(height, side), (x, y) => ((y + top) * width + x + left) * 3, data);
}

function padded({ width, height, data }, side) {
  const left = Math.floor((side - width) / 2), top = Math.floor((side - height) / 2);
  const inside = (x, y) => x >= left && y >= top && x < left + width && y < top + height;
  return drawn(side, side, (x, y) => (inside(x, y) ? ((y - top) * width + x - left) * 3 : -1), data);
}

/** The nearest whole number, as Python rounds: halves to the even one. */
function even(x) {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}
