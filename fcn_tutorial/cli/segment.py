"""`fcn-tutorial segment`."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from fcn_tutorial.cli import common
from fcn_tutorial.errors import InputError, check_file

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def segment(
    run: Annotated[Path, Argument(help="Run folder, or a network of the package: voc_fcn8s.")],
    images: Annotated[list[Path], Argument(help="Image files, or folders of images.")],
    output: Annotated[Path, Option(help="Folder for the results.")] = Path("predictions"),
    scales: common.Scales = "1",
    flip: common.Flip = False,
    also: Annotated[
        list[Path] | None, Option("--with", help="Another run to average with the first.")
    ] = None,
    voc_list: Annotated[
        Path | None,
        Option(
            help="List of VOC images, such as ImageSets/Segmentation/test.txt: write only their "
            "label maps, in the layout of VOC's evaluation server."
        ),
    ] = None,
) -> None:
    """Label every pixel of photos, and write label maps, overlays and a colour legend."""
    factors, files = common.factors_of(scales), _image_files(images)
    files = files if voc_list is None else _listed(files, voc_list)
    with common.quiet_import():
        from fcn_tutorial import inference
        from fcn_tutorial.data.voc import CLASSES as VOC_CLASSES
    opened = common.open_runs([run, *(also or [])])
    models = [each.model for each in opened]
    label_of = partial(inference.segment, models, scales=factors, flip=flip, progress=True)
    if voc_list is None:
        _write(files, label_of, opened[0], output)
    elif opened[0].classes != VOC_CLASSES:
        raise InputError(f"{run} does not have VOC's classes: give a run trained on VOC.")
    else:
        folder = common.server_folder(output, voc_list.stem)
        _write(files, label_of, opened[0], folder, only_labels=True)


def _image_files(paths):
    """The files among some paths, and the images in the folders among them."""
    first = {}
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not inside:
            raise InputError(f"folder {path} holds no images: give one with JPEG or PNG files.")
        for file in inside:
            if file.stem in first:
                raise InputError(
                    f"{first[file.stem]} and {file} would be written to the same file: segment "
                    "them into separate output folders."
                )
            first[file.stem] = file
    return list(first.values())


def _listed(files, path):
    """The files whose names a text file lists (without suffix), in the order of the list."""
    check_file(path, "list", "check the path")
    names = path.read_text(errors="replace").split()
    if not names:
        raise InputError(f"list {path} is empty: give one with image names.")
    found = {file.stem: file for file in files}
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(names)} images listed in {path} are missing, such as "
            f"{missing[0]}: give the folder that holds them."
        )
    return [found[name] for name in names]


def _write(files, label_of, run, folder, only_labels=False):
    """Write the label map of each photo and, for people to look at, its overlay and the legend."""
    from tqdm import tqdm

    from fcn_tutorial import plotting
    from fcn_tutorial.data.images import read_image, write_image, write_label
    from fcn_tutorial.files import make_folder, write_whole

    kinds = ("",) if only_labels else ("-label", "-overlay")
    made = {os.path.realpath(folder / f"{f.stem}{kind}.png") for f in files for kind in kinds}
    for file in files:
        if os.path.realpath(file) in made | {os.path.realpath(folder / "legend.png")}:
            raise InputError(f"{file} would be overwritten: choose another --output.")
    make_folder(folder)
    for file in tqdm(files, desc="segment", disable=len(files) == 1):
        image = read_image(file)
        label = label_of(image)
        write_label(folder / f"{file.stem}{kinds[0]}.png", label, run.palette)
        if not only_labels:
            blend = plotting.overlay(image, label, run.palette)
            write_image(folder / f"{file.stem}-overlay.png", blend)
    if only_labels:
        print(f"Wrote {common.counted(files)} (NAME.png) to {folder}.")
        return
    write_whole(folder / "legend.png", partial(plotting.draw_legend, run.classes, run.palette))
    written = f"{common.counted(files)} (-label.png), overlays (-overlay.png) and legend.png"
    print(f"Wrote {written} to {folder}.")
