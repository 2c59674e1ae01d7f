"""Every GPU number of this project, in one run of a few minutes on JAX or PyTorch.

    python -m studies.gpu.run --minutes 10 --pack runs/gpu/voc2012.zip --weights runs/gpu

The parts, in order; --parts picks some of them:

a: the rate at which the card multiplies large square matrices, in each precision.
b: training steps of FCN-8s, beside those of the construction of Keras-FCN (studies/speed/step.py),
   on noise that lies in memory: images a second, memory, and the step's arithmetic as a share of
   the rate in (a). A step counts as three forward passes, and those as their convolutions.
c: a training run by a recipe, from a pack, as long as the minutes allow; scored on the pack's
   validation images.
d: prediction.

In 32 bits, products are made in tf32, as both backends make convolutions by default. Each row is
measured in a process of its own, which is killed when its time is up, and written at once.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from dataclasses import asdict, dataclass, fields
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial.errors import InputError, reason_of
from fcn_tutorial.files import write_text
from studies.common import in_turn, multiply_adds, noise
from studies.gpu.backend import (
    compute_halves_in,
    device,
    multiply_32_bits_in,
    peak_memory,
    seconds_of_fit,
)
from studies.gpu.pack import changes
from studies.gpu.train import learn

SHARES = {"a": 1, "b": 5, "c": 3, "d": 1}  # of the minutes
LONGEST_ROW = 0.4  # of the minutes; XLA may take one or two of them to compile a step
LEAST = 2  # seconds, with fewer of which no row is begun
CLASSES = 21
PRODUCTS = 10  # of matrices, between two looks at the clock
RATES = {"float32": "float32", "tf32": "float32", "bfloat16": "bfloat16", "float16": "float16"}


@dataclass(frozen=True)
class Sizes:
    """What is measured on."""

    backbones: tuple[str, ...]
    side: int
    batch: int
    steps: int
    rounds: int
    matrix: int
    half: str
    recipe: str
    changes: dict
    pack: Path | None
    weights: Path | None


def matrix_products(row, sizes):
    """Part a: operations a second; the best of several rounds, one product after the other."""
    import keras

    # Entries of this size neither grow nor vanish from one product to the next.
    numbers = np.random.default_rng(0).normal(size=(sizes.matrix,) * 2) / np.sqrt(sizes.matrix)
    found = {}
    for kind, dtype in RATES.items():
        multiply_32_bits_in("float32" if kind == "float32" else "tf32")
        factor = keras.ops.convert_to_tensor(numbers, dtype)

        def products(factor=factor):
            result = factor
            for _ in range(PRODUCTS):
                result = keras.ops.matmul(factor, result)
            keras.ops.convert_to_numpy(result[:1, :1])  # waits until the device is done

        seconds = in_turn({kind: products}, sizes.rounds)[kind]
        found[kind] = 2 * sizes.matrix**3 * PRODUCTS / min(seconds)
        yield {"matrix": sizes.matrix, "operations_a_second": found}


def network(row, sizes):
    """The network of a row, compiled as its training is."""
    from fcn_tutorial.devices import precision
    from studies.speed import step

    multiply_32_bits_in("tf32")
    compute_halves_in(sizes.half)
    mixed = row["bits"] == 16
    if row["network"] == "ours":
        model = step.ours(row["backbone"], sizes.side, mixed_precision=mixed)
    else:
        with precision(mixed):
            model = step.baseline(row["backbone"])
    model.jit_compile = row["compiled"]
    return model


def training_steps(row, sizes):
    """Part b: the pace of training; the first two steps, in which it is compiled, do not count."""
    from fcn_tutorial.data.pipeline import Batches

    model, batch = network(row, sizes), noise(sizes.batch, sizes.side)
    data = Batches(lambda number: batch, workers=1)
    (first,) = seconds_of_fit(model, data, 2, 1)
    seconds = np.median(seconds_of_fit(model, data, sizes.steps, sizes.rounds)) / sizes.steps
    yield {
        "computes_in": model.compute_dtype,
        "seconds_of_first_two_steps": first,
        "seconds_a_step": float(seconds),
        "images_a_second": float(sizes.batch / seconds),
        "operations_a_second": 6 * sizes.batch * multiply_adds(model, sizes.side) / float(seconds),
        "peak_bytes": peak_memory(),
    }


def prediction(row, sizes):
    """Part d: labels of a batch, made on the device, and of one image by `fcn.segment`."""
    import keras

    from fcn_tutorial.devices import precision

    multiply_32_bits_in("tf32")
    compute_halves_in(sizes.half)
    with precision(row["bits"] == 16):
        model = fcn.build_fcn("fcn8s", CLASSES, row["backbone"])
        labels = keras.Model(model.input, keras.ops.argmax(model.output, axis=-1))
    images, _ = noise(sizes.batch, sizes.side)
    calls = {
        "images_a_second": partial(labels.predict_on_batch, images),
        "segment_a_second": partial(fcn.segment, model, images[0]),
    }
    rates, counts = {}, {"images_a_second": sizes.batch, "segment_a_second": 1}
    for name, call in calls.items():
        seconds = in_turn({name: call}, sizes.rounds * sizes.steps, warm_up=2)[name]
        rates[name] = counts[name] / float(np.median(seconds))
        yield {"computes_in": model.compute_dtype, **rates, "peak_bytes": peak_memory()}


def learning(row, sizes, seconds):
    """Part c: train by a recipe for so many seconds, and score the validation images."""
    recipe = fcn.Recipe.load(sizes.recipe, **sizes.changes | {"initial": ""})
    weights = sizes.weights / f"{recipe.backbone}.npz" if sizes.weights else None
    with TemporaryDirectory() as folder:
        more = {"weights": weights, "half": sizes.half, "steps": sizes.steps}
        for found in learn(recipe, [sizes.pack], Path(folder, "run"), seconds, **more):
            yield {"name": sizes.recipe, **found}


def plan(part, sizes):
    """The rows of a part: [(what is measured, the function that does)]; the first matter most."""
    if part == "a":
        return [({}, matrix_products)]
    if part == "b":
        networks = [("ours", backbone) for backbone in sizes.backbones]
        networks[1:1] = [("keras_fcn", name) for name in sizes.backbones[:1] if "vgg" in name]
        compiled = os.environ.get("KERAS_BACKEND") != "torch"  # as each backend is used
        ways = [(16, compiled), (32, compiled), (16, not compiled), (32, not compiled)]
        rows = product(ways, networks)
        names = "bits", "compiled", "network", "backbone"
        return [(dict(zip(names, (*w, *n), strict=True)), training_steps) for w, n in rows]
    if part == "c":
        return [({}, learning)] if sizes.pack else []
    rows = product((16, 32), sizes.backbones)
    return [({"bits": bits, "backbone": name}, prediction) for bits, name in rows]


def send(pipe, function, arguments):
    """In a process of its own: send all that a function yields, or why it stopped."""
    with pipe:  # closed at the end, since a process that has computed may take long to exit
        try:
            for found in function(*arguments):
                pipe.send(found)
        except Exception as error:
            pipe.send({"error": f"{type(error).__name__}: {reason_of(error)}"})


def follow(function, arguments, seconds):
    """Yield what a function yields in a process of its own, which is killed after so long."""
    ends, context = time.monotonic() + seconds, multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=send, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        while receiver.poll(max(0, ends - time.monotonic())):
            yield receiver.recv()
        yield {"error": f"stopped after {seconds:.0f} seconds"}
    except EOFError:
        process.join(LEAST)
        if process.exitcode:
            yield {"error": f"the process ended with code {process.exitcode}"}
    finally:
        process.kill()
        process.join()


def ends_of(parts, seconds):
    """Seconds from the start at which each part has to end: {part: seconds}."""
    total, so_far, ends = sum(SHARES[part] for part in parts), 0, {}
    for part in parts:
        so_far += SHARES[part]
        ends[part] = seconds * so_far / total
    return ends


def with_share(row, found):
    """A row of part b, with its arithmetic as a share of the rate at which matrices multiply."""
    rates = found["a"][0].get("operations_a_second", {}) if found["a"] else {}
    kind = row.get("computes_in")
    kind = "tf32" if kind == "float32" else kind
    if kind not in rates or "operations_a_second" not in row:
        return row
    return {**row, "share_of_matrix_product": row["operations_a_second"] / rates[kind]}


def measure(parts, sizes, minutes, head, write, began):
    """Measure part after part until the minutes are up, and `write` the findings after each row."""
    found = {**head, **{part: [] for part in SHARES}, "left_out": []}
    for part, end in ends_of(parts, 60 * minutes).items():
        for what, function in plan(part, sizes):
            left = end - (time.monotonic() - began)
            if left < LEAST:
                found["left_out"].append({"part": part, **what})
                continue
            more = (left - LEAST,) if function is learning else ()
            seconds = left if more else min(left, 60 * LONGEST_ROW * minutes)
            row = what
            for each in follow(function, (what, sizes, *more), seconds):
                row = with_share(row | each, found)
                write({**found, part: [*found[part], row]})
            found[part].append(row)
            print(part, json.dumps(row), flush=True)
    write(found)
    return found


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="Stop after so many.")
    parser.add_argument("--parts", default="abcd", help="Which, as in the text above.")
    parser.add_argument("--pack", type=Path, help="For part c, by studies.gpu.pack.")
    parser.add_argument("--weights", type=Path, help="Folder of BACKBONE.npz, by studies.gpu.pack.")
    parser.add_argument("--output", type=Path, help="Default: run.json, dry_run.json on a CPU.")
    parser.add_argument("--backbones", nargs="+", default=["vgg16", "efficientnet_lite0"])
    parser.add_argument("--recipe", default="voc_vgg16_fcn8s_at_once", help="Of part c.")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--side", type=int, default=512, help="Of images, in pixels.")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20, help="In each round.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--matrix", type=int, default=8192, help="Side of the matrices.")
    parser.add_argument("--half", default="", help="float16 or bfloat16. Default: the library's.")
    parser.add_argument("--allow-cpu", action="store_true", help="For a try with small sizes.")
    return parser.parse_args(arguments)


def main(arguments=None):
    began, chosen = time.monotonic(), options(arguments)
    os.environ.setdefault("KERAS_BACKEND", "jax" if find_spec("jax") else "torch")
    head = {}
    for head in follow(device, (), 60 * chosen.minutes):
        print(json.dumps(head), flush=True)
    if not (head.get("gpu") or ("gpu" in head and chosen.allow_cpu)):
        reason = head.get("error", "sees no GPU")
        raise InputError(
            f"Keras on {os.environ['KERAS_BACKEND']} {reason}: run it where there is a GPU, or "
            "with --allow-cpu and small sizes."
        )
    names = [field.name for field in fields(Sizes)]
    given = {key: value for key, value in vars(chosen).items() if key in names}
    sizes = Sizes(**given | {"backbones": tuple(chosen.backbones), "changes": changes(chosen.set)})
    name = "run.json" if head["gpu"] else "dry_run.json"
    output = chosen.output or Path(__file__).with_name(name)
    head = {"machine": head, "minutes": chosen.minutes, "sizes": shown(sizes)}
    write = partial(write_json, output)
    with TemporaryDirectory() as folder:
        # Of JAX: what one row has compiled to make its weights, the next ones take from there.
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", folder)
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        measure(chosen.parts, sizes, chosen.minutes, head, write, began)
    print(f"Wrote {output} after {(time.monotonic() - began) / 60:.1f} minutes.")


def shown(sizes):
    return {key: value for key, value in asdict(sizes).items() if key not in ("pack", "weights")}


def write_json(path, content):
    write_text(path, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"studies.gpu.run: {error}")
