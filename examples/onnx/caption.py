"""Captions photos with an exported file, without rnnkit: python caption.py captioner.onnx photo.jpg .."""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

path, *photos = sys.argv[1:]
session = onnxruntime.InferenceSession(path)
about = session.get_modelmeta().custom_metadata_map
words, joiner, special, picture = map(
    json.loads, map(about.get, ("words", "joiner", "special", "picture"))
)
size, how = (picture["size"],) * 2, Image.Resampling[picture["interpolation"].upper()]
for photo in photos:
    upright = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
    crop_or_pad = {"crop": ImageOps.fit, "pad": ImageOps.pad}.get(picture["fit"])
    fitted = crop_or_pad(upright, size, how) if crop_or_pad else upright.resize(size, how)
    (tokens,) = session.run(["tokens"], {"pixels": np.asarray(fitted)[None]})
    best = tokens.reshape(-1, tokens.shape[-1])[0].tolist()
    said = best[: best.index(special["end"])] if special["end"] in best else best
    print(f"{photo}: {joiner.join(words[token] for token in said)}")
