"""`fcn-tutorial segment`."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option

from fcn_tutorial.cli import common
from fcn_tutorial.errors import InputError, check_file, check_scales, shown
from fcn_tutorial.tables import counted


def segment(
    run: Annotated[Path, Argument(help="Run folder, or name of a network such as voc_fcn8s.")],
    images: Annotated[list[Path], Argument(help="Image files, or folders of images.")],
    output: Annotated[Path, Option(help="Folder for the results.")] = Path("predictions"),
    scales: common.Scales = "1",
    flip: common.Flip = False,
    also: Annotated[
        list[Path] | None,
        Option("--with", help="Another run to average with the first; can be repeated."),
    ] = None,
    recursive: Annotated[
        bool, Option("--recursive", help="Include sub-folders, and mirror them in the output.")
    ] = False,
    voc_list: Annotated[
        Path | None,
        Option(
            help="List of VOC images, such as ImageSets/Segmentation/test.txt: write only their "
            "label maps, in the layout of VOC's evaluation server."
        ),
    ] = None,
) -> None:
    """Label every pixel of photos, and write label maps, overlays and a colour legend."""
    factors = check_scales(f"--scales {shown(scales)}", scales.split(","))
    files = _image_files(images, recursive, output)
    if voc_list is not None:
        files = _listed(files, voc_list)
    with common.quiet_import():
        from fcn_tutorial import inference
        from fcn_tutorial.data.voc import CLASSES as VOC_CLASSES
    opened = common.open_runs([run, *(also or [])])
    models = [each.model for each in opened]
    label_of = partial(inference.segment, models, scales=factors, flip=flip, progress=True)
    if voc_list is not None:
        output = common.server_folder(output, voc_list.stem)
        if opened[0].classes != VOC_CLASSES:
            raise InputError(f"{run} does not have VOC's classes: give a run trained on VOC.")
    _write(files, label_of, opened[0], output, only_labels=voc_list is not None)


def _image_files(paths, recursive, output):
    """{name of its results: file} of the files among some paths and of the images in folders."""
    files, notes = {}, []
    for path in paths:
        inside = [(path.stem, path)]
        if path.is_dir():
            inside, note = _images_in(path, recursive, output)
            notes.append(note)
        else:
            check_file(path, "image", "check the path")
        for name, file in inside:
            if name in files:
                raise InputError(
                    f"{files[name]} and {file} would be written to the same file: segment them "
                    "into separate output folders."
                )
            files[name] = file
    for note in filter(None, notes):
        common.say(f"{note}.")
    return files


def _images_in(folder, recursive, output):
    """[(name, file)] of a folder's images, and what to say of sub-folders that are not entered."""
    from fcn_tutorial.data.layouts import SUFFIXES

    found, left_out = [], ""

    def fail(error):
        raise error

    for here, folders, names in os.walk(folder, onerror=fail):
        results = os.path.realpath(output)
        others = sorted(f for f in folders if os.path.realpath(Path(here, f)) != results)
        if others and not recursive:
            left_out = f"sub-folders of {here} are left out, such as {others[0]}: use --recursive"
        folders[:] = others if recursive else []
        for file in sorted(Path(here, name) for name in names):
            if file.suffix.lower() in SUFFIXES:
                found.append((str(file.relative_to(folder).with_suffix("")), file))
    if not found:
        advice = left_out or "give one with JPEG or PNG files"
        raise InputError(f"folder {folder} holds no images: {advice}.")
    return found, left_out


def _listed(files, path):
    """The files whose names a text file lists (without suffix), by name in the list's order."""
    from fcn_tutorial.data.dataset import read_lines

    check_file(path, "list", "check the path")
    names = read_lines(path)
    found = {file.stem: file for file in files.values()}
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(names)} images listed in {path} are missing, such as "
            f"{missing[0]}: give the folder that holds them."
        )
    return {name: found[name] for name in names}


def _write(files, label_of, run, folder, only_labels=False):
    """Write the label map of each photo and, for people to look at, its overlay and the legend.

    A photo that cannot be read is named and left out; at the end the exit code is then 1.
    """
    from tqdm import tqdm

    from fcn_tutorial import plotting
    from fcn_tutorial.data.images import read_image, write_image, write_label
    from fcn_tutorial.files import make_folder, write_whole

    kinds = ("",) if only_labels else ("-label", "-overlay")
    made = {os.path.realpath(folder / f"{name}{kind}.png") for name in files for kind in kinds}
    made.add(os.path.realpath(folder / "legend.png"))
    for file in files.values():
        if os.path.realpath(file) in made:
            raise InputError(f"{file} would be overwritten: choose another --output.")
    make_folder(folder)
    unread = 0
    for name, file in tqdm(files.items(), desc="segment", disable=len(files) == 1):
        try:
            image = read_image(file)
        except InputError as error:
            common.say(error)
            unread += 1
            continue
        label = label_of(image)
        write_label(folder / f"{name}{kinds[0]}.png", label, run.palette)
        if not only_labels:
            picture = plotting.overlay(image, label, run.palette)
            write_image(folder / f"{name}-overlay.png", picture)
    what = "(NAME.png)"
    if not only_labels:
        write_whole(folder / "legend.png", partial(plotting.draw_legend, run.classes, run.palette))
        what = "(-label.png), overlays (-overlay.png) and legend.png"
    print(f"Wrote {counted(len(files) - unread, 'label map')} {what} to {folder}.")
    if unread:
        common.say(f"{unread} of {counted(len(files), 'image')} could not be read.")
        raise Exit(1)
