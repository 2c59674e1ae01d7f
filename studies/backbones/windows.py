"""Does a classifier made convolutional predict for each window what the classifier does?

    python -m studies.backbones.windows fcn_tutorial/photos/cat.jpg

The package's EfficientNet-Lite0 on a photograph, scaled to 448 x 640 pixels: one cell of its map
for each window of 224 x 224, 32 pixels apart. Inside the photograph the convolutional network sees
the pixels around a window, where the classifier sees the zeros that its convolutions pad with. The
share of windows with the same first class is counted for the window alone, and for the window with
more and more of the pixels around it.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from studies.common import write

SIDE, CELL, SIZE = 224, 32, (640, 448)
MARGINS = (0, 32, 64, 128, 192)


def main(photo):
    import keras

    import fcn_tutorial as fcn
    from fcn_tutorial.surgery import any_size

    classifier = any_size(fcn.load_trained("efficientnet_lite0"), (SIDE, SIDE))
    network = fcn.convolutionize(classifier, padding="valid")
    image = np.asarray(Image.open(photo).convert("RGB").resize(SIZE), np.float32)
    own = image[:SIDE, :SIDE][None]
    scores, expected = network.predict_on_batch(own)[0, 0, 0], classifier.predict_on_batch(own)[0]
    difference = np.abs(scores - expected).max() / np.abs(expected).max()
    found = network.predict_on_batch(image[None])[0]
    pooled = next(x for x in network.layers if isinstance(x, keras.layers.AveragePooling2D))
    trunk = keras.Model(network.input, pooled.input)
    head = keras.Model(pooled.input, network.output)
    rows = []
    for margin in MARGINS:
        same = [
            _with_surroundings(trunk, head, image, row, column, margin).argmax() == cell.argmax()
            for row, cells in enumerate(found)
            for column, cell in enumerate(cells)
        ]
        rows.append({"margin": margin, "windows": len(same), "share": float(np.mean(same))})
        print(rows[-1], flush=True)
    classes = {str(i): int(n) for i, n in enumerate(np.bincount(found.argmax(-1).ravel())) if n}
    content = {"photo": Path(photo).name, "difference_at_own_size": float(difference)}
    write(__file__, {**content, "map": list(found.shape[:2]), "classes": classes, "rows": rows})


def _with_surroundings(trunk, head, image, row, column, margin):
    """The scores of the window at a cell, from a crop with up to `margin` pixels around it."""
    corner = np.array([row, column]) * CELL
    first = np.maximum(corner - margin, 0)
    last = corner + SIDE + margin
    features = trunk.predict_on_batch(image[None, first[0] : last[0], first[1] : last[1]])
    (top, left), cells = (corner - first) // CELL, SIDE // CELL
    return head.predict_on_batch(features[:, top : top + cells, left : left + cells])[0, 0, 0]


if __name__ == "__main__":
    main(sys.argv[1])
