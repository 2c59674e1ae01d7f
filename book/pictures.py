"""Draw the pictures of the landing page and of the README from finished runs.

python book/pictures.py shapes runs/story     # the folder that benchmarks/story.py leaves
python book/pictures.py camvid runs/camvid_finetune
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import fcn_tutorial as fcn
from fcn_tutorial import plotting

ROOT = Path(__file__).resolve().parent.parent


def draw(dataset, runs, indices, path, width=10.0):
    """A row for each example: the picture, what each run says, the truth; then the legend."""
    titles = ["picture", *runs, "truth"]
    ratio = dataset[indices[0]][1].shape[0] / dataset[indices[0]][1].shape[1]
    size = (width, width / len(titles) * ratio * len(indices) + 1.2)
    with plt.rc_context({**plotting.STYLE, "font.size": 13, "axes.titlesize": 15}):
        figure, axes = plt.subplots(len(indices), len(titles), figsize=size)
        for row, index in zip(axes, indices, strict=True):
            image, label = dataset[index]
            maps = [*(fcn.segment(run.model, image) for run in runs.values()), label]
            pictures = [image, *(plotting.colorize(each, dataset.palette) for each in maps)]
            for axis, picture in zip(row, pictures, strict=True):
                axis.imshow(picture)
                axis.axis("off")
        for axis, title in zip(axes[0], titles, strict=True):
            axis.set_title(title)
        handles = plotting.legend_handles(dataset.classes, dataset.palette)
        figure.legend(handles=handles, loc="lower center", ncols=6, frameon=False)
        figure.tight_layout(pad=0.3, rect=(0, 0.75 / size[1], 1, 1))
        figure.savefig(path, dpi=100)
    print(f"Wrote {path}.")


def main(what, folder):
    folder = Path(folder)
    if what == "shapes":
        runs = {f"FCN-{n}s": fcn.load_run(folder / f"fcn{n}s") for n in (32, 16, 8)}
        path = ROOT / "book" / "_static" / "hero.png"
        draw(fcn.load_dataset("shapes", "test"), runs, (76, 2, 13), path)
    else:
        runs = {"FCN-8s": fcn.load_run(folder)}
        path = ROOT / "results" / folder.name / "predictions.jpg"
        draw(fcn.load_dataset("camvid", "test"), runs, (20, 120, 200), path)


if __name__ == "__main__":
    main(*sys.argv[1:])
