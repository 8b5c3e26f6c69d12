// The photo: the ways in which one comes onto the page, and where a model looks in it.
import { element } from "./elements.js";

/** Calls `take` with each photo that is chosen, dropped, pasted or taken, and `complain` with a sentence if none was. */
export function receive(form, take, complain) {
  const input = form.elements.photo;
  const first = (files) => {
    if (files.length) take(files[0]);
    else complain("That was no file. Save the photo first, and drop the file.");
  };
  const chosen = () => {
    if (input.files.length) take(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  };
  input.addEventListener("change", chosen);
  chosen(); // one may have been before this ran
  let inside = 0; // elements of the page that the file is over
  const over = (change) => document.body.classList.toggle("dropping", (inside += change) > 0);
  addEventListener("dragenter", () => over(1));
  addEventListener("dragleave", () => over(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(-inside);
    first(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files[0]);
  });
  camera(document.getElementById("camera"), take, complain);
}

/** A camera in a dialog; on a page that may not use one directly, the telephone's own. */
function camera(button, take, complain) {
  const dialog = document.querySelector("dialog");
  const video = dialog.querySelector("video");
  const close = () => video.srcObject?.getTracks().forEach((track) => track.stop());
  dialog.addEventListener("close", close);
  dialog.querySelector("[value=take]").addEventListener("click", () => {
    const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob(take, "image/png");
  });
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (!navigator.mediaDevices) {
      const input = element("input", { type: "file", accept: "image/*", capture: "environment" });
      input.addEventListener("change", () => take(input.files[0]));
      input.click();
      return;
    }
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      dialog.showModal();
    } catch {
      complain("There is no camera that this page may use.");
    }
  });
}

/** The photo as it is shown, under a shade that is clear where a model looks. */
export class Frame {
  constructor(figure) {
    this.figure = figure;
    this.image = figure.querySelector("img");
    this.shade = figure.querySelector("canvas");
  }

  /** Show a photo; resolves when it is there. */
  async show(url) {
    this.image.src = url;
    await this.image.decode();
    const { naturalWidth: width, naturalHeight: height } = this.image;
    this.figure.style.setProperty("--ratio", width / height);
    this.figure.classList.toggle("small", width < 200);
    this.figure.hidden = false;
  }

  /** Shade all but where `weights` are large, of regions in so many rows and columns; null takes the shade away. */
  look(weights, map) {
    this.shade.classList.toggle("on", Boolean(weights && map));
    if (weights && map) paint(this.shade, weights, map);
  }
}

/** One dark pixel for each region, the clearer the larger its weight; the browser makes it large and smooth. */
export function paint(canvas, weights, { rows, columns }) {
  [canvas.width, canvas.height] = [columns, rows];
  const picture = new ImageData(columns, rows);
  const most = Math.max(...weights);
  weights.forEach((weight, i) => picture.data.set([12, 14, 18, 165 * (1 - weight / most)], 4 * i));
  canvas.getContext("2d").putImageData(picture, 0, 0);
}
