"""Draw the pictures of the first page, of the README and of chapters 8 and 9.

python tools/pictures.py first                 # from the networks that the package carries
python tools/pictures.py photographs voc_fcn8s
python tools/pictures.py camvid runs/camvid_enlarged
python tools/pictures.py short runs/camvid_short    # holds fcn8s_seed0, from_scratch and the like
python tools/pictures.py voc runs              # holds voc_mobilenet_fcn32s_seed0 and the like
python tools/pictures.py gallery runs/voc_efficientnet_fcn8s
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial import plotting
from fcn_tutorial.data.dataset import VOID
from fcn_tutorial.data.images import read_image, write_label
from fcn_tutorial.runs import read_table

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "book" / "_static"
PHOTOS = ROOT / "studies" / "voc_efficientnet" / "photos"
VOC_EXAMPLES = (312, 243, 252, 189)  # two that go well, two that do not
SMALL = 160  # pixels of the longer side of a picture in a gallery
SCENE = "0016E5_08089"  # a validation image of CamVid with people, cyclists and poles
SHORT = ("fcn8s_seed0", "from_scratch", "trunk_rate_1", "class_weighting")


def draw(dataset, runs, indices, path, width=10.0):
    """A row for each example: the picture, what each run says, the truth; then the legend."""
    titles = ["picture", *runs, "truth"]
    ratio = dataset[indices[0]][1].shape[0] / dataset[indices[0]][1].shape[1]
    legend = 0.21 + 0.27 * -(-(len(dataset.classes) + 1) // 6)
    size = (width, width / len(titles) * ratio * len(indices) + 0.45 + legend)
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
        figure.tight_layout(pad=0.3, rect=(0, legend / size[1], 1, 1))
        figure.savefig(path, dpi=100)
    print(f"Wrote {path}.")


def draw_first(name, folder):
    """The first page's photograph, and on it what three networks and we say, a file each."""
    dataset = fcn.load_dataset("photos", "all")
    photo = read_image(PHOTOS / f"{name}.jpg")  # larger than the package's copy
    ours = Image.fromarray(dataset[dataset.names.index(name)][1])
    labels = {"photo": np.zeros(photo.shape[:2], np.uint8)}
    for variant in ("fcn32s", "fcn16s", "fcn8s"):
        labels[variant] = fcn.segment(fcn.load_trained(f"voc_{variant}"), photo)
    labels["ours"] = np.array(ours.resize(photo.shape[1::-1], Image.Resampling.NEAREST))
    for what, label in labels.items():
        blend = _blended(photo, label, dataset.palette, 0.7)
        Image.fromarray(blend).save(folder / f"first-{what}.jpg", quality=82, optimize=True)
        print(f"Wrote {folder / f'first-{what}.jpg'}.")


def _blended(photo, label, palette, alpha):
    """A label on its photograph; as void, the background stays the photograph."""
    return plotting.overlay(photo, np.where(label == 0, VOID, label), palette, alpha=alpha)


def label_photos(runs, folder):
    """Write what each run says of the photos in a folder, as label maps beside them."""
    for photo in sorted(folder.glob("*.jpg")):
        for name, run in runs.items():
            label = fcn.segment(run.model, read_image(photo))
            write_label(folder / f"{photo.stem}-{name}.png", label, run.palette)


def draw_photographs(run, folder, path):
    """Photographs above what a network says of them, and the classes it finds."""
    paths, found = sorted(folder.glob("*.jpg")), set()
    with plt.rc_context({**plotting.STYLE, "font.size": 15}):
        figure, axes = plt.subplots(2, len(paths), figsize=(16, 5), layout="constrained")
        for file, column in zip(paths, axes.T, strict=True):
            photo = read_image(file)
            label = fcn.segment(run.model, photo)
            found |= set(label.ravel().tolist()) - {0}
            blend = _blended(photo, label, run.palette, 0.65)
            margin = max(0, photo.shape[1] - photo.shape[0] * 3 // 2) // 2
            for axis, picture in zip(column, (photo, blend), strict=True):
                axis.imshow(picture[:, margin : photo.shape[1] - margin])
                axis.axis("off")
        classes = sorted(found)
        names = [run.classes[each] for each in classes]
        handles = plotting.legend_handles(names, run.palette[classes])[:-1]
        figure.legend(handles=handles, loc="outside lower center", ncols=9, frameon=False)
        figure.savefig(path, dpi=100, pil_kwargs={"quality": 85})
    print(f"Wrote {path}.")


def draw_gallery(run, folder):
    """Small pictures of the validation images that a study's gallery.csv names: photo, what the
    run says, truth."""
    examples = fcn.load_dataset("voc2012", "val_2007_2008")
    for row in read_table(folder.parent / "gallery.csv"):
        image, label = examples[examples.names.index(row["image"])]
        maps = fcn.segment(run.model, image), label
        panels = [image, *(plotting.colorize(each, run.palette) for each in maps)]
        panels = [_small(panel, smooth) for panel, smooth in zip(panels, (1, 0, 0), strict=True)]
        gap = np.full((len(panels[0]), plotting.GAP, 3), 255, np.uint8)
        picture = np.hstack([panels[0], gap, panels[1], gap, panels[2]])
        Image.fromarray(picture).quantize(256).save(folder / f"{row['name']}.png")


def draw_short(runs, folder):
    """A validation scene, its true label, and what each of CamVid's short runs says of it."""
    scenes = fcn.load_dataset("camvid", "val")
    photo, label = scenes[scenes.names.index(SCENE)]
    Image.fromarray(_small(photo, True, 240)).save(folder / "photo.jpg", quality=85)
    maps = {name: fcn.segment(fcn.load_run(runs / name).model, photo) for name in SHORT}
    for name, each in {**maps, "truth": label}.items():
        write_label(folder / f"{name}.png", _small(each, False, 240), scenes.palette)


def _small(picture, smooth, longer=SMALL):
    """A picture whose longer side has `longer` pixels; label maps keep their colours."""
    height, width = (round(longer * side / max(picture.shape)) for side in picture.shape[:2])
    way = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(picture).resize((width, height), way))


def main(what, folder=ROOT):
    folder = Path(folder)
    if what == "first":
        draw_first("jockey", STATIC)
    elif what == "photographs":
        draw_photographs(fcn.load_run(folder), PHOTOS, STATIC / "photographs.jpg")
    elif what == "gallery":
        draw_gallery(fcn.load_run(folder), ROOT / "studies" / "voc_efficientnet" / "gallery")
    elif what == "short":
        draw_short(folder, ROOT / "studies" / "camvid_short" / "gallery")
    elif what == "voc":
        names = [f"fcn{n}s" for n in (32, 16, 8)]
        runs = {name: fcn.load_run(folder / f"voc_mobilenet_{name}_seed0") for name in names}
        label_photos(runs, ROOT / "studies" / "voc_mobilenet" / "photos")
        titled = {name.replace("fcn", "FCN-"): run for name, run in runs.items()}
        path = ROOT / "studies" / "voc_mobilenet" / "predictions.jpg"
        draw(fcn.load_dataset("voc2012", "val"), titled, VOC_EXAMPLES, path)
    else:
        runs = {"FCN-8s": fcn.load_run(folder)}
        path = ROOT / "studies" / folder.name / "predictions.jpg"
        draw(fcn.load_dataset("camvid", "test"), runs, (20, 120, 200), path)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
