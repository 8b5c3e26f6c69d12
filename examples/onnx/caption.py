"""Captions photos with a file that `rnnkit export MODEL captioner.onnx` wrote, without rnnkit.

pip install onnxruntime pillow && python caption.py captioner.onnx photo.jpg ..
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

path, *photos = sys.argv[1:]
session = onnxruntime.InferenceSession(path)
about = session.get_modelmeta().custom_metadata_map
words, joiner, special = (json.loads(about[key]) for key in ("words", "joiner", "special"))
picture = json.loads(about["picture"])
size = picture["size"], picture["size"]
how = {"squash": Image.Image.resize, "crop": ImageOps.fit, "pad": ImageOps.pad}[picture["fit"]]
for photo in photos:
    upright = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
    pixels = np.asarray(how(upright, size, Image.Resampling[picture["interpolation"].upper()]))
    (tokens,) = session.run(["tokens"], {"pixels": pixels[None]})
    best = tokens.reshape(-1, tokens.shape[-1])[0].tolist()
    end = best.index(special["end"]) if special["end"] in best else len(best)
    print(f"{photo}: {joiner.join(words[t] for t in best[:end])}")
