"""Draw the picture of the landing page and of the README: python book/hero.py runs/story

Takes the run folders fcn32s, fcn16s and fcn8s that benchmarks/story.py leaves.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import fcn_tutorial as fcn
from fcn_tutorial import plotting

SCENES = (6, 21, 33)  # of the held-out split
PICTURE = Path(__file__).parent / "_static" / "hero.png"


def main(folder):
    dataset = fcn.load_dataset("shapes", "test")
    runs = {f"FCN-{n}s": fcn.load_run(Path(folder) / f"fcn{n}s") for n in (32, 16, 8)}
    with plt.rc_context({**plotting.STYLE, "font.size": 13, "axes.titlesize": 15}):
        figure, axes = plt.subplots(len(SCENES), 5, figsize=(10, 6.3))
        for row, index in zip(axes, SCENES, strict=True):
            image, label = dataset[index]
            maps = [fcn.segment(run.model, image) for run in runs.values()]
            pictures = [image, *(plotting.colorize(m, dataset.palette) for m in [*maps, label])]
            for axis, picture in zip(row, pictures, strict=True):
                axis.imshow(picture, interpolation="nearest")
                axis.axis("off")
        for axis, title in zip(axes[0], ["picture", *runs, "truth"], strict=True):
            axis.set_title(title)
        figure.tight_layout(pad=0.3)
        figure.savefig(PICTURE, dpi=110)
    print(f"Wrote {PICTURE}.")


if __name__ == "__main__":
    main(sys.argv[1])
