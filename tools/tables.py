"""Write the tables of results in README.md, studies/README.md and the book's ledger, and the
minutes that chapters take (minutes.py).

    python tools/tables.py

Each stands between `<!-- table: NAME -->` and `<!-- end of table -->` and is made from the files in
studies/, so a number is never typed in. Answers in studies/studies.toml and studies/ledger.csv name
a number as `str.format` would: `runs[camvid].scores[scores].mean_iou` of a run of record, or
`files[speed/step.json][rows][0][ratio][ours]` of a file.
"""

import csv
import itertools
import json
import re
import tomllib
from pathlib import Path

import minutes
import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial.metrics import constant_baseline
from fcn_tutorial.runs import read_table

ROOT = Path(__file__).resolve().parents[1]
STUDIES = ROOT / "studies"
PAGES = [
    ROOT / "README.md",
    STUDIES / "README.md",
    STUDIES / "gpu" / "README.md",
    ROOT / "book" / "pages" / "ledger.md",
]
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(\n<!-- end of table -->)", re.DOTALL)
# Of the table of CamVid: what a row is called, the run, and how copies were averaged.
CAMVID = [
    ("FCN-8s, MobileNet (`camvid`)", "camvid", ""),
    ("the first, then on images enlarged twofold (`camvid_enlarged`)", "camvid_enlarged", ""),
    ("the same, averaged over the mirror image (`--flip`)", "camvid_enlarged", "-flip"),
    (
        "the same, averaged over resized copies (`--scales 0.75,1,1.25`)",
        "camvid_enlarged",
        "-scales0.75,1,1.25",
    ),
    ("the same, averaged over both", "camvid_enlarged", "-flip-scales0.75,1,1.25"),
    (
        "without dilated fc6 and soft Jaccard index (`camvid_enlarged_plain`)",
        "camvid_enlarged_plain",
        "",
    ),
    (
        "without both, half as long, on smaller crops (`camvid_enlarged_short`)",
        "camvid_enlarged_short",
        "",
    ),
    (
        "EfficientNet-Lite0, from `voc_fcn8s`, on images enlarged twofold (`camvid_efficientnet`)",
        "camvid_efficientnet",
        "",
    ),
]
# Of the table of VOC: what a row is called, the run, and how copies were averaged.
VOC = [
    ("FCN-32s: a score layer on FCN-8s's backbone (`voc_fcn32s`)", "voc_efficientnet_fcn32s", ""),
    ("FCN-16s: two score layers on it (`voc_fcn16s`)", "voc_efficientnet_fcn16s", ""),
    ("FCN-8s, EfficientNet-Lite0 (`voc_fcn8s`)", "voc_efficientnet_fcn8s", ""),
    ("the same, averaged over the mirror image (`--flip`)", "voc_efficientnet_fcn8s", "-flip"),
    (
        "the same, averaged over resized copies (`--scales 0.75,1,1.25`)",
        "voc_efficientnet_fcn8s",
        "-scales0.75,1,1.25",
    ),
    ("the same, averaged over both", "voc_efficientnet_fcn8s", "-flip-scales0.75,1,1.25"),
    ("FCN-8s with another seed", "voc_efficientnet_fcn8s_seed1", ""),
    ("the first, trained on for as long, on larger crops", "voc_efficientnet_fcn8s_longer", ""),
    (
        "FCN-8s in 3,100 steps, not 1,900, its first blocks frozen",
        "voc_efficientnet_fcn8s_3100",
        "",
    ),
]
HELD_OUT, VALIDATION = "scores-voc2012_trainaug-held_out_300", "scores-voc2012-val_2007_2008"
# Of the ledger's tables of photographs: what a column or row is called, the run or network, copies.
BOTH = "-flip-scales0.75,1,1.25"
PHOTOGRAPHS = [
    ("FCN-32s", "voc_efficientnet_fcn32s", ""),
    ("FCN-16s", "voc_efficientnet_fcn16s", ""),
    ("FCN-8s", "voc_efficientnet_fcn8s", ""),
    ("FCN-8s, mirrored and resized copies averaged", "voc_efficientnet_fcn8s", BOTH),
]
TIMED = {
    "voc_fcn32s": "FCN-32s, EfficientNet-Lite0 (`voc_fcn32s`)",
    "voc_fcn16s": "FCN-16s, EfficientNet-Lite0 (`voc_fcn16s`)",
    "voc_fcn8s": "FCN-8s, EfficientNet-Lite0 (`voc_fcn8s`)",
    "mobilenet": "FCN-8s, MobileNet, random weights",
    "vgg16": "FCN-8s, VGG-16, random weights",
}
SEEDS, ENLARGED = ["camvid", "camvid_seed1", "camvid_seed2"], ["camvid_enlarged"]
# Of README's table: on which images, the name of their scores, and rows as in the tables above.
RESULTS = [
    (
        "CamVid, 233 test images",
        "scores-camvid-test",
        [
            ("FCN-8s, MobileNet (`camvid`), three seeds", SEEDS, ""),
            ("its first seed, then on images enlarged twofold (`camvid_enlarged`)", ENLARGED, ""),
            ("the same, mirrored and resized copies averaged", ENLARGED, BOTH),
        ],
    ),
    (
        "PASCAL VOC 2012, 634 validation images",
        VALIDATION,
        [
            ("FCN-8s, EfficientNet-Lite0 (`voc_fcn8s`)", ["voc_efficientnet_fcn8s"], ""),
            ("the same, mirrored and resized copies averaged", ["voc_efficientnet_fcn8s"], BOTH),
        ],
    ),
]
TOGETHER = "-with-camvid_seed1-with-camvid_seed2"
CHANGES = {
    "trunk_rate_1": "a backbone that learns at the full rate",
    "crop_288": "crops of 288 instead of 192",
    "class_weighting": "rare classes count for more",
    "trunk_rate_0": "a frozen backbone",
    "from_scratch": "no pretraining",
}
BACKBONES = {
    "vgg16": "VGG-16",
    "vgg_narrow": "narrow VGG",
    "mobilenet": "MobileNet",
    "efficientnet_lite0": "EfficientNet-Lite0",
}


class Lookup(dict):
    """A dictionary that makes what it lacks."""

    def __init__(self, make):
        self.make = make

    def __missing__(self, key):
        self[key] = self.make(key)
        return self[key]


def span(key):
    """The smallest and largest mean IoU of "STUDY/NAME" in a table of several seeds."""
    study, name = key.split("/")
    rows = read_table(STUDIES / study / "table.csv")
    ious = [row["mean_iou"] for row in rows if name in row.values()]
    return f"{min(ious):.1%} to {max(ious):.1%}"


NUMBERS = {
    "runs": Lookup(fcn.run_of_record),
    "files": Lookup(lambda name: json.loads((STUDIES / name).read_text())),
    "spans": Lookup(span),
}


def filled(template):
    """A text with its numbers looked up; percent signs stand apart, as everywhere in the pages."""
    return re.sub(r"(\d)%", r"\1 %", template.format_map(NUMBERS))


def percent(*values):
    """One number as a percentage; of several their mean and standard deviation."""
    text = f"{np.mean(values):.1%}"
    if len(values) > 1:
        text += f" ± {np.std(values, ddof=1):.1%}"
    return text.replace("%", " %")


def iou(run, scores="scores"):
    return NUMBERS["runs"][run].scores[scores].mean_iou


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def results():
    """README's: the networks to use, and a constant label, on images that chose nothing."""
    rows = []
    for images, test, networks in RESULTS:
        for title, runs, over in networks:
            rows.append([title, images, *_row(_scores(runs), test + over, test + over)[1:]])
        record = NUMBERS["runs"][networks[0][1][0]]
        always, lazy = constant_baseline(record.scores[test].confusion)
        values = percent(lazy.mean_iou), percent(lazy.pixel_accuracy)
        rows.append([f"always {record.classes[always]}", images, *values])
    return table(["", "Scored on", "Mean IoU", "Pixel accuracy"], rows)


def _scores(runs):
    return [NUMBERS["runs"][run].scores for run in runs]


def _row(scores, chosen, test):
    """Mean IoU on the images that chose the epoch, and mean IoU and pixel accuracy on others.

    scores: {name: scores} of a run, or of several. chosen, test: names of scores.
    """
    columns = (chosen, "mean_iou"), (test, "mean_iou"), (test, "pixel_accuracy")
    return [percent(*(getattr(each[name], metric) for each in scores)) for name, metric in columns]


def _baselines(scores):
    """The scores of always predicting one class."""
    return {name: constant_baseline(each.confusion)[1] for name, each in scores.items()}


def camvid():
    """Validation and test scores of the runs on CamVid."""
    head = ["", "mean IoU, 101 validation images", "mean IoU, 233 test images"]
    rows = [[title, *_camvid_row([run], over)] for title, run, over in CAMVID]
    rows[1:1] = [
        ["three seeds of it, mean and standard deviation", *_camvid_row(SEEDS, "")],
        ["the three together, probabilities averaged", *_camvid_row(["camvid"], TOGETHER)],
    ]
    record = NUMBERS["runs"]["camvid"]
    always, _ = constant_baseline(record.scores["scores"].confusion)
    lazy = _row([_baselines(record.scores)], "scores", "scores-camvid-test")
    rows.append([f"always {record.classes[always]}", *lazy])
    return table([*head, "pixel accuracy, test"], rows)


def _camvid_row(runs, over):
    chosen = f"scores-camvid-val{over}" if over else "scores"
    return _row(_scores(runs), chosen, f"scores-camvid-test{over}")


def skips():
    """The short runs on CamVid with three seeds each."""
    rows = []
    for variant in ("fcn32s", "fcn16s", "fcn8s"):
        found = [iou(f"camvid_short/{variant}_seed{seed}") for seed in range(3)]
        rows.append([f"FCN-{variant[3:]}, short", ", ".join(map(percent, found)), percent(*found)])
    return table(["", "mean IoU, seeds 0, 1 and 2", "mean and standard deviation"], rows)


def changes():
    """The short runs on CamVid with one change each that say most."""
    known = {row["run"]: row for row in read_table(STUDIES / "camvid_short" / "table.csv")}
    rows = [
        [f"{what} (`{run}`)", percent(known[run]["mean_iou"]), str(known[run]["minutes"])]
        for run, what in CHANGES.items()
    ]
    return table(["", "mean IoU", "processor minutes"], rows)


def voc():
    """The networks for photographs, on the images that chose their epochs and on others."""
    rows = [[title, *_voc_row(_scores([run]), over)] for title, run, over in VOC]
    baselines = [_baselines(NUMBERS["runs"]["voc_efficientnet_fcn8s"].scores)]
    rows.append(["always background", *_voc_row(baselines, "")])
    head = ["mean IoU, 300 held-out images", "mean IoU, 634 validation images"]
    return table(["", *head, "pixel accuracy, validation"], rows)


def _voc_row(scores, over):
    return _row(scores, f"{HELD_OUT}{over}" if over else "scores", f"{VALIDATION}{over}")


def anchors():
    """Other networks, measured on the 634 validation images, and ours on the same images."""
    theirs = [
        [_network(**row), row["published"] or "none", f"{row['measured']} %"]
        for row in _lines_of("anchors.csv")
    ]
    ours = [
        [_network(title, *_trained(run)), "", percent(iou(run, VALIDATION + over))]
        for title, run, over in PHOTOGRAPHS
    ]
    head = ["Network", "Published mean IoU, 1,449 images", "Measured mean IoU, 634 of them"]
    return table(head, theirs + ours)


def _network(method, backbone, training_data, input, **_):
    return f"**{method}**<br>{backbone}, {input}<br>trained on {training_data}"


def _trained(run):
    """Backbone, training images and input of a run on a list of images that stands in its study."""
    record = NUMBERS["runs"][run]
    names = (record.folder / f"{record.recipe.train_split}.txt").read_text().split()
    count = f"{record.recipe.limit or len(names):,} images of VOC 2012 trainaug"
    what = f"{count}, score layers only" if record.recipe.freeze else count
    return BACKBONES[record.recipe.backbone], what, "native size"


def by_class():
    """IoU of each class on the 634 validation images."""
    runs = [(NUMBERS["runs"][run], over) for _, run, over in PHOTOGRAPHS]
    ious = [record.scores[VALIDATION + over].iou for record, over in runs]
    rows = [
        [name.replace("_", " "), *map(percent, row)]
        for name, *row in zip(runs[0][0].classes, *ious, strict=True)
    ]
    return table(["IoU, 634 images", *(title for title, _, _ in PHOTOGRAPHS)], rows)


def sizes():
    """Megabytes and milliseconds of networks, measured in one run."""
    found = NUMBERS["files"]["speed/prediction.json"]["networks"]
    head = ["", "MB, package", "MB, LiteRT in 8 bits", "MB, Keras in 32 bits"]
    rows = [
        [
            title,
            *(_megabytes(found[name], kind) for kind in ("package", "tflite", "keras")),
            *(_milliseconds(found[name], kind) for kind in ("keras", "tflite")),
        ]
        for name, title in TIMED.items()
    ]
    return table([*head, "ms, Keras (ratio)", "ms, LiteRT (ratio)"], rows)


def _megabytes(row, kind):
    return f"{row['megabytes'][kind]:,.1f}" if kind in row["megabytes"] else ""


def _milliseconds(row, kind):
    return f"{row['milliseconds'][kind]:,.0f} ({row['ratio'][kind]:.2f})"


def shapes():
    """The story on the shapes, and the networks that the package carries."""
    story = NUMBERS["files"]["shapes/story.json"]
    rows = [["classifier", "", f"{story['classifier']['minutes']:.1f}"]]
    for variant in ("fcn32s", "fcn16s", "fcn8s"):
        score = percent(iou(f"shapes/{variant}", "scores-shapes-test"))
        rows.append([f"FCN-{variant[3:]}", score, f"{story[variant]['minutes']:.1f}"])
    for variant in ("fcn32s", "fcn8s"):
        stored = json.loads((ROOT / f"fcn_tutorial/pretrained/{variant}.json").read_text())
        title = f'FCN-{variant[3:]} with more epochs, `fcn.load_trained("{variant}")`'
        rows.append([title, percent(stored["test_mean_iou"]), ""])
    rows.append(["all background", percent(story["all background"]["mean_iou"]), ""])
    return table(["", "mean IoU", "minutes so far, two CPU cores"], rows)


def gpu():
    """The run of studies/gpu, where there is one."""
    return _gpu("run.json", "Not run here: the file `studies/gpu/run.json` does not exist.")


def gpu_dry_run():
    """The same parts on a processor, with tiny sizes: they show that all of it runs."""
    names = sorted(path.name for path in (STUDIES / "gpu").glob("dry_run*.json"))
    return "\n\n".join(f"`{name}`: {_gpu(name, '')}" for name in names) or "Not run here."


def _gpu(name, missing):
    path = STUDIES / "gpu" / name
    if not path.is_file():
        return missing
    found = json.loads(path.read_text())
    head = ["", "Images a second", "Times Keras-FCN", "Memory, GB", "Share of the rate", ""]
    theirs = {_way(row): row for row in found["b"] if row["network"] == "keras_fcn"}
    rows = [
        [_gpu_title(part, row), *_gpu_cells(row, theirs.get(_way(row), {}))]
        for part in "bcd"
        for row in found[part]
    ]
    rates = [row["operations_a_second"] for row in found["a"] if "operations_a_second" in row]
    machine, sizes = found["machine"], found["sizes"]
    text = f"{machine['device']}, Keras {machine['keras']} on {machine['backend']}"
    text += f", {sizes['side']} x {sizes['side']} pixels, batches of {sizes['batch']}."
    for each in rates:
        kinds = ", ".join(f"{_rate(rate / 1e12)} in {kind}" for kind, rate in each.items())
        text += f" Matrix products, in 10^12 operations a second: {kinds}."
    for note in found.get("notes", []):
        text += f" {note}"
    if found["left_out"]:
        text += f" Not reached in time: {len(found['left_out'])} rows."
    return f"{text}\n\n{table(head, rows)}"


def _rate(value):
    return f"{value:,.1f}" if value >= 1 else f"{value:.3f}"


def _gpu_title(part, row):
    if part == "c":
        return f"training by `{row.get('name', 'recipe')}`, {row.get('steps', 0):,} steps"
    kind = "Keras-FCN" if row.get("network") == "keras_fcn" else "FCN-8s"
    what = f"{kind}, {BACKBONES[row['backbone']]}, {row['bits']} bits"
    if part == "d":
        return f"prediction, {what}"
    return f"step, {what}, {'compiled' if row['compiled'] else 'not compiled'}"


def _way(row):
    return row.get("compiled"), row.get("bits"), row.get("backbone")


def _gpu_cells(row, theirs):
    rate, memory = row.get("images_a_second"), row.get("peak_bytes")
    share, score = row.get("share_of_matrix_product"), row.get("val", {}).get("mean_iou")
    other = None if row.get("network") == "keras_fcn" else theirs.get("images_a_second")
    return [
        f"{rate:,.1f}" if rate else "",
        f"{rate / other:.2f}" if rate and other else "",
        f"{memory / 1e9:.1f}" if memory else "",
        percent(share) if share else "",
        row.get("error", f"mean IoU {percent(score)}" if score else ""),
    ]


def studies_by_name():
    """{folder or folder/script: its question, answer, command and minutes}."""
    return tomllib.loads((STUDIES / "studies.toml").read_text())


def studies():
    """The table of all studies."""
    rows = []
    for name, study in studies_by_name().items():
        link = f"[{name}]({name.partition('/')[0]})"
        minutes = study.get("minutes") or _minutes(STUDIES / name / "table.csv")
        commands = "<br>".join(f"`{each}`" for each in study["command"].split("; "))
        there = (STUDIES / study["needs"]).is_file() if "needs" in study else True
        answer = filled(study["answer"]) if there else "Not run here"
        rows.append([link, study["question"], answer, commands, str(minutes)])
    return table(["", "Question", "Answer", "Command", "Minutes"], rows)


def _minutes(path):
    """What the runs of a table took together, each counted once however often it was scored."""
    rows = read_table(path)
    minutes = {row["run"]: row["minutes"] for row in rows if row.get("minutes")}
    return round(sum(minutes.values()) or sum(row.get("seconds", 0) for row in rows) / 60)


def backbones():
    """What an FCN-8s costs over each backbone, and which maps it scores."""
    head = ["Backbone, random weights", "Weights", "Multiply-adds", "Maps at stride 8, 16, 32"]
    rows = [
        [
            f"`{row['backbone']}`",
            f"{row['weights'] / 1e6:.1f} million",
            f"{row['multiply_adds'] / 1e9:.1f} billion",
            ", ".join(f"`{name}`" for name in row["maps"].split()),
            row["offsets"].replace(" ", ", "),
            f"{row['seconds_a_step']:.2f}",
        ]
        for row in read_table(STUDIES / "backbones" / "networks.csv")
    ]
    return table([*head, "Their offsets, pixels", "Seconds a step, one core"], rows)


def ledger_lines():
    """The lines of the ledger: published results, and where ours is, or why there is none."""
    return _lines_of("ledger.csv")


def _lines_of(name):
    with (STUDIES / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def ledger():
    """One table of all results, then where ours are from, and how to run what was not run."""
    rows = ledger_lines()
    parts = [table(["Network and data", "Published mean IoU", "Ours"], map(_ledger_cells, rows))]
    parts.append("## Where our numbers come from")
    parts += dict.fromkeys(_origin(row) for row in rows if row["answer"])
    parts.append("## How to run what was not run here")
    missing = sorted((row for row in rows if not row["answer"]), key=lambda row: row["note"])
    for note, group in itertools.groupby(missing, lambda row: row["note"]):
        each = dict.fromkeys(line for row in group for line in row["command"].split("; "))
        commands = "\n".join(each).replace(" --set ", " \\\n  --set ")  # not wider than a page
        parts += [f"{note[0].upper()}{note[1:]}. The commands, or what comes closest:"]
        parts.append(f"```bash\n{commands}\n```")
    return "\n" + "\n\n".join(parts) + "\n"


def _ledger_cells(row):
    trained = "" if row["training_data"] == "none" else f"trained on {row['training_data']}, "
    source = re.sub(r"(?<=\w)[./](?=\w)", r"\g<0><wbr>", row["source"])  # of long names
    what = f"**{row['method']}**", source, f"{trained}scored on {row['evaluated_on']}"
    how = ", ".join(filter(None, (row["backbone"], row["input"], row["loss"])))
    here = filled(f"{{{row['answer']}:.1%}}") if row["answer"] else "not run here"
    published = f"{float(row['mean_iou']):.1f} %", how
    seen = row["our_training"] and f"trained on {row['our_training']}"
    scored = row["our_images"] and f"scored on {row['our_images']}"
    ours = here, _how_here(row["answer"]), ", ".join(filter(None, (seen, scored)))
    return ["<br>".join(filter(None, lines)) for lines in (what, published, ours)]


def _how_here(answer):
    """Backbone, input and loss of the run that an answer names; nothing where it names no run."""
    kind, name = re.match(r"(?:(\w+)\[(.*?)\])?", answer).groups()
    if kind != "runs":
        return ""
    recipe = NUMBERS["runs"][name].recipe
    size = f"crops of {recipe.crop_size} × {recipe.crop_size}"
    size += f" from images enlarged {recipe.enlarge}-fold" if recipe.enlarge > 1 else ""
    loss = "weighted " * bool(recipe.class_weighting) + "cross-entropy"
    loss += " and soft Jaccard" * bool(recipe.jaccard)
    return ", ".join([BACKBONES[recipe.backbone], size, loss])


def _origin(row):
    kind, name = re.match(r"(\w+)\[(.*?)\]", row["answer"]).groups()
    file = name if kind == "files" else f"{NUMBERS['runs'][name].folder.name}/table.csv"
    command = row["command"].replace("; ", "` and `")
    what = f"{row['method']}, {row['evaluated_on']}"
    return f"- *{what}:* {row['note']}; `studies/{file}`, made by `{command}`."


MAKERS = (results, camvid, skips, changes, voc, shapes, gpu, gpu_dry_run, studies, backbones)
MAKERS += (ledger, anchors, by_class, sizes)
TABLES = {make.__name__: make for make in MAKERS}


def page(text):
    """The text of a page with its tables as the studies have them."""
    return BLOCK.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


if __name__ == "__main__":
    texts = {path: page(path.read_text(encoding="utf-8")) for path in PAGES}
    for path, text in (texts | {path: minutes.filled(path)[0] for path in minutes.PAGES}).items():
        path.write_text(text, encoding="utf-8")
        print(f"Wrote {path.relative_to(ROOT)}.")
