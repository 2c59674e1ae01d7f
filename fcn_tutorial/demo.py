"""Segment a photo with the .onnx file beside this one: python NAME.py photo.jpg overlay.png"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

if __name__ == "__main__":
    photo, output = sys.argv[1:] if len(sys.argv) == 3 else sys.exit(__doc__)
    session = onnxruntime.InferenceSession(Path(__file__).with_suffix(".onnx"))
    entries = session.get_modelmeta().custom_metadata_map
    classes, palette = (json.loads(entries[key]) for key in ("classes", "palette"))

    image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
    image.thumbnail((640, 640))  # a photo of many megapixels could need more memory than there is
    height, width = session.get_inputs()[0].shape[1:3]
    given = image.resize((width, height)) if isinstance(height, int) else image
    label = session.run(None, {"image": np.array(given, np.float32)[None]})[0][0].argmax(axis=-1)

    colors = Image.fromarray(np.array(palette, np.uint8)[label]).resize(image.size, 0)
    Image.blend(image, colors, 0.5).save(output)
    print("Found", ", ".join(classes[index] for index in np.unique(label)))
