"""Damaged and hostile files for benchmarks/fuzz.py: mutations of good samples, and built attacks.

Each maker is called as maker(chance, samples, folder): a random.Random, the folder of the good
samples and an empty folder to write into. It returns the path that the library is then given.
Payloads that hold code would write the file CANARY; its being there afterwards is a failure.
"""

import base64
import copy
import json
import marshal
import os
import pickle
import shutil
import struct
import zipfile
import zlib
from io import BytesIO

import h5py
import numpy as np

from fcn_tutorial.data.tfrecord import encode_example, frame

CANARY = "canary-code-was-run"
NUMBERS = (0, -1, 1, 255, 256, 2**31, 2**63, 2**200, -(2**63), 1e308, -0.0)
TEXTS = ("", "x" * 5000, "../../../etc/passwd", "/etc/passwd", "\0", "\ud800", "1e999", "NaN", "é")
NASTY = (*NUMBERS, *TEXTS, None, True, [], {}, float("nan"), float("inf"), [[]], [None])
NASTY += ({"a": {"b": [1]}}, [0] * 5000, "__class__")
DEEP = "[" * 100_000


class Payload:
    """Unpickling it would write the canary."""

    def __reduce__(self):
        return os.system, (f"touch {CANARY}",)


def mutated(chance, content, others=(b"",)):
    """Bytes, with one to eight random edits of the kinds that find faults in parsers."""
    content = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        chance.choice(EDITS)(chance, content, others)
    return bytes(content)


def _place(chance, content):
    # Headers are short and decide most, so half of all edits fall into them.
    return chance.randrange(min(len(content), chance.choice((64, 64, 512, 10**9))) or 1)


def _flip(chance, content, others):
    if content:
        content[_place(chance, content)] ^= 1 << chance.randrange(8)


def _number(chance, content, others):
    """A number of one to eight bytes that lies at the edge of some range."""
    size = chance.choice((1, 2, 4, 8))
    value = chance.choice((0, 1, 0x7F, 0x80, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 10**9))
    value %= 2 ** (8 * size)
    place = _place(chance, content)
    content[place : place + size] = value.to_bytes(size, chance.choice(("little", "big")))


def _cut(chance, content, others):
    del content[_place(chance, content) :]


def _remove(chance, content, others):
    place = _place(chance, content)
    del content[place : place + chance.randint(1, 64)]


def _insert(chance, content, others):
    place = _place(chance, content)
    content[place:place] = chance.randbytes(chance.randint(1, 64))


def _repeat(chance, content, others):
    start = _place(chance, content)
    content[start:start] = content[start : start + chance.randint(1, 512)] * chance.randint(1, 8)


def _splice(chance, content, others):
    """From some place on, another file's content."""
    other = chance.choice(others)
    content[_place(chance, content) :] = other[chance.randrange(len(other) or 1) :]


EDITS = (_flip, _flip, _flip, _number, _number, _cut, _remove, _insert, _repeat, _splice)


def damaged_copy(chance, samples, folder, kind):
    """A mutated copy of one of the samples of a kind."""
    files = sorted((samples / kind).iterdir())
    source = chance.choice(files)
    others = [file.read_bytes() for file in files]
    path = folder / source.name
    path.write_bytes(mutated(chance, source.read_bytes(), others))
    return path


def noise(chance, folder, name):
    """A file of random bytes, behind the first bytes of some format."""
    heads = (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"II*\0", b"RIFF")
    heads += (b"P6 ", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"MATLAB 5.0 MAT-file", b"%!PS", b"{")
    path = folder / name
    path.write_bytes(chance.choice(heads) + chance.randbytes(chance.choice((0, 1, 30, 3000))))
    return path


def image(chance, samples, folder):
    choice = chance.random()
    if choice < 0.80:
        return damaged_copy(chance, samples, folder, "image")
    if choice < 0.90:
        return noise(chance, folder, "noise" + chance.choice((".png", ".jpg", ".gif", ".tif", "")))
    if choice < 0.985:
        return chance.choice((declared_png, text_bomb, postscript, declared_ppm))(chance, folder)
    return chance.choice((zeros_png, zeros_png, full_png))(chance, folder)


def label(chance, samples, folder):
    choice = chance.random()
    if choice < 0.85:
        return damaged_copy(chance, samples, folder, "label")
    if choice < 0.93:
        return damaged_copy(chance, samples, folder, "image")
    if choice < 0.995:
        return declared_png(chance, folder)
    return zeros_png(chance, folder)


def png_chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width, height, depth, color, chunks):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def declared_png(chance, folder):
    """A PNG whose header declares any size, depth and colour, with a little data."""
    sides = (0, 1, 7, 4000, 9999, 10_001, 30_000, 65_535, 2**31 - 1, 2**32 - 1)
    data = png_chunk(b"IDAT", zlib.compress(bytes(chance.choice((0, 10, 10_000)))))
    size = chance.choice(sides), chance.choice(sides)
    depth, color = chance.choice((1, 2, 4, 8, 16, 3)), chance.choice((0, 2, 3, 4, 6, 1))
    path = folder / "declared.png"
    path.write_bytes(png(*size, depth, color, [data]))
    return path


def zeros_png(chance, folder):
    """A whole PNG of zeros, of few bytes and of up to 30,000 x 30,000 pixels of one bit."""
    return _zeros(folder, chance.choice((10_001, 20_000, 30_000)), 1, 0)


def full_png(chance, folder):
    """A whole PNG of zeros with as many pixels as are read, in a mode that takes much memory."""
    return _zeros(folder, 10_000, *chance.choice(((1, 0), (8, 0), (16, 0), (8, 2), (8, 6))))


def _zeros(folder, side, depth, color):
    row = bytes(1 + -(-side * depth * {0: 1, 2: 3, 6: 4}[color] // 8))
    packer = zlib.compressobj(1)
    data = b"".join([packer.compress(row) for _ in range(side)] + [packer.flush()])
    path = folder / "zeros.png"
    path.write_bytes(png(side, side, depth, color, [png_chunk(b"IDAT", data)]))
    return path


def text_bomb(chance, folder):
    """A PNG of one pixel with a text or a colour profile of up to 200 MB."""
    bomb = zlib.compress(bytes(chance.choice((10**6, 2 * 10**8))), 1)
    kind = chance.choice((b"zTXt", b"iCCP", b"iTXt"))
    name = b"x\0\0" if kind != b"iTXt" else b"x\0\1\0\0\0"
    data = png_chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    path = folder / "text.png"
    path.write_bytes(png(1, 1, 8, 2, [png_chunk(kind, name + bomb), data]))
    return path


def postscript(chance, folder):
    """Formats that are programs, under the name of an image."""
    path = folder / "program.png"
    texts = (
        f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch {CANARY}) (w) file\n",
        f'<svg xmlns="http://www.w3.org/2000/svg"><script>{CANARY}</script></svg>',
        f"push graphic-context\nimage over 0,0 0,0 'ephemeral:{CANARY}'\n",
    )
    path.write_text(chance.choice(texts))
    return path


def declared_ppm(chance, folder):
    path = folder / "declared.ppm"
    sides = ("0", "-1", "5", "9999", "99999", "1e9", "9" * 30)
    kinds = ("P1", "P3", "P4", "P5", "P6", "Pf", "P7")
    words = [chance.choice(kinds), chance.choice(sides), chance.choice(sides), "255\n"]
    path.write_bytes(" ".join(words).encode() + bytes(chance.choice((0, 75, 5000))))
    return path


def mat(chance, samples, folder):
    choice = chance.random()
    if choice < 0.85:
        return damaged_copy(chance, samples, folder, "mat")
    if choice < 0.90:
        return noise(chance, folder, "noise.mat")
    return chance.choice((mat_bomb, mat_declared, mat_repacked))(chance, samples, folder)


MAT_HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM"


def mat_element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def mat_matrix(kind, dims, name, *data):
    parts = [
        mat_element(6, struct.pack("<II", kind, 0)),
        mat_element(5, struct.pack(f"<{len(dims)}i", *dims)),
        mat_element(1, name),
        *data,
    ]
    return mat_element(14, b"".join(parts))


def mat_bomb(chance, samples, folder):
    """A few bytes that unpack to up to 400 MB."""
    side = chance.choice((5000, 20_000))
    content = mat_matrix(9, (side, side), b"GTcls", mat_element(2, bytes(side * side)))
    packed = zlib.compress(content, 1)
    path = folder / "bomb.mat"
    path.write_bytes(MAT_HEAD + struct.pack("<II", 15, len(packed)) + packed)
    return path


def mat_declared(chance, samples, folder):
    """Arrays, cells and structs that declare to be huge, and hold next to nothing."""
    dims = (chance.choice((1, 10**4, 10**5, 2**31 - 1)), chance.choice((0, 1, 10**4, 10**5)))
    kind = chance.choice((1, 2, 3, 4, 5, 6, 9))
    fields = mat_element(5, struct.pack("<i", 13)) + mat_element(1, b"Segmentation\0")
    name = chance.choice((b"GTcls", b"other"))
    content = mat_matrix(kind, dims, name, *[fields] * (kind in (2, 3)), mat_element(2, b"\1" * 8))
    path = folder / "declared.mat"
    path.write_bytes(MAT_HEAD + content)
    return path


def mat_repacked(chance, samples, folder):
    """A good file whose compressed content is mutated and compressed again."""
    source = next(file for file in (samples / "mat").iterdir() if "packed" in file.name)
    content = mutated(chance, zlib.decompress(source.read_bytes()[136:]))
    packed = zlib.compress(content)
    path = folder / "repacked.mat"
    path.write_bytes(MAT_HEAD + struct.pack("<II", 15, len(packed)) + packed)
    return path


def records(chance, samples, folder):
    """A folder of records with a damaged index, a damaged shard, or a forged record."""
    target = folder / "records"
    shutil.copytree(samples / "records", target)
    choice = chance.random()
    if choice < 0.35:
        damage_json(chance, target / "index.json")
    elif choice < 0.5:
        damage_bytes(chance, target / "index.json")
    elif choice < 0.8:
        damage_bytes(chance, chance.choice(sorted(target.glob("*.tfrecord"))))
    else:
        forge_record(chance, samples, target)
    return target


def forge_record(chance, samples, folder):
    """A record with damaged content, for which all sums fit."""
    scratch = folder / "scratch"
    scratch.mkdir()
    good = sorted((samples / "label").iterdir())[0].read_bytes()
    hostile = {
        "image": image(chance, samples, scratch).read_bytes(),
        "label": mutated(chance, good),
    }
    payload = encode_example({"name": b"a", **hostile})
    shutil.rmtree(scratch)
    if chance.random() < 0.5:
        payload = mutated(chance, payload)
    path = folder / "index.json"
    index = json.loads(path.read_text())
    index["examples"][0]["crc32"] = zlib.crc32(payload)
    path.write_text(json.dumps(index))
    (folder / index["shards"][0]).write_bytes(frame(payload))


def damage_bytes(chance, path):
    path.write_bytes(mutated(chance, path.read_bytes()))


def damage_json(chance, path):
    """Put something nasty in some place of a JSON file, or take that place away."""
    if chance.random() < 0.03:
        path.write_text(DEEP)
        return
    content = json.loads(path.read_text())
    holder = {"": content}
    for _ in range(chance.choice((1, 1, 2, 3))):
        _damage_node(chance, holder)
    path.write_bytes(json.dumps(holder.get("")).encode(errors="replace"))


def nasty(chance):
    # A copy, since a later edit may fall into it.
    return copy.deepcopy(chance.choice(NASTY))


def _damage_node(chance, holder):
    """Walk from the root to some node and replace, remove, double or mutate it."""
    key, node = "", holder
    while True:
        below = node.get(key) if isinstance(node, dict) else node[key]
        if not isinstance(below, (dict, list)) or not below or chance.random() < 0.2:
            break
        node, key = (
            below,
            chance.choice(list(below) if isinstance(below, dict) else range(len(below))),
        )
    deed = chance.random()
    if deed < 0.7 or node is holder:
        node[key] = nasty(chance)
    elif deed < 0.85:
        del node[key]
    elif isinstance(node, list):
        node.insert(key, nasty(chance))
    else:
        node[str(nasty(chance))] = node.pop(key)


def recipe(chance, samples, folder):
    path = folder / "mine.toml"
    if chance.random() < 0.4:
        path.write_bytes(damaged_copy(chance, samples, folder, "recipe").read_bytes())
        return path
    return made_recipe(chance, folder, path)


TOML = ('""', "[]", "{}", "true", "-1", "nan", "inf", "1e400", "9" * 5000, "0x" + "f" * 5000)
TOML += ('"a\\u0000b"', "1979-05-27", "[1, 2]", '["a", "b"]', '"../../x"', "'''x\n'''", "0.5", "3")
TOML += ("2147483647", "2147483648", "1e-6", "[1e-6, 1.0]", "[0.07, 15]", "[2.0, 0.5]", "1e30")
TOML += ('"shapes"', '"fcn8s"', DEEP, "{a=" * 3000, "[" + "1," * 5000 + "]", "1_0", "", "\x00")
KEYS = ("dataset", "train_split", "limit", "variant", "backbone", "weights", "initial", "dropout")
KEYS += ("crop_size", "scale", "flip", "color", "batch_size", "epochs", "loss", "optimizer", "seed")
KEYS += ("source", "steps_per_epoch", "class_weighting", "freeze", "warmup_epochs", "ema_momentum")
KEYS += ("learning_rate", "schedule", "extends", "records", "enlarge", "fc6_dilation")
KEYS += ("a.b.c", "[x]", "", "é", '"')


def made_recipe(chance, folder, path):
    """A recipe of random keys and values; it may extend itself, or another one in a circle."""
    lines = ['dataset = "shapes"'] if chance.random() < 0.7 else []
    for key in chance.sample(KEYS, chance.randint(0, 4)):
        lines.append(f"{key} = {chance.choice(TOML)}")
    if chance.random() < 0.15:
        other = folder / "other.toml"
        aim = chance.choice((path, other, "shapes", "nowhere", folder, "/dev/null"))
        lines.append(f"extends = {json.dumps(str(aim))}")
        other.write_text(f"extends = {json.dumps(str(path))}\n")
    path.write_bytes("\n".join(lines).encode(chance.choice(("utf-8", "utf-16")), "replace"))
    return path


def npz(chance, samples, folder):
    choice = chance.random()
    if choice < 0.6:
        return damaged_copy(chance, samples, folder, "npz")
    path = folder / "weights.npz"
    source = next((samples / "npz").iterdir())
    members = members_of(source)
    name = chance.choice(sorted(members))
    if choice < 0.75:
        members[name] = mutated(chance, members[name])
    elif choice < 0.85:
        members[name] = npy_declared(chance)
    elif choice < 0.9:
        return pickled_npz(chance, path)
    elif choice < 0.95:
        members[name] = bytes(chance.choice((10**6, 3 * 10**8)))
    else:
        members[chance.choice(("../" + CANARY, "/" + CANARY, "a/../b.npy"))] = members[name]
    write_zip(path, members)
    return path


def npy_declared(chance):
    """An array's header that declares any type and size."""
    kinds = ("'<f4'", "'|O'", "'<U9999999'", "'|V4096'", "[('a', '<f8')]", "'<f8'", "1")
    shapes = ("(2, 3)", "(10**9,)", "(1000000, 1000000)", "(-1,)", "()", "(0,)", "'a'")
    header = f"{{'descr': {chance.choice(kinds)}, 'fortran_order': False, "
    header += f"'shape': {chance.choice(shapes)}, }}\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + bytes(96)


def pickled_npz(chance, path):
    np.savez(path, np.array([Payload()], dtype=object))
    if chance.random() < 0.5:
        path.write_bytes(pickle.dumps(Payload()))
    return path


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def hdf5(chance, samples, folder):
    choice = chance.random()
    if choice < 0.8:
        return damaged_copy(chance, samples, folder, "hdf5")
    source = chance.choice(sorted((samples / "hdf5").iterdir()))
    path = folder / source.name
    shutil.copy(source, path)
    damage_hdf5(chance, path)
    return path


def damage_hdf5(chance, path):
    """Give one of the arrays another type, shape or place; or damage one of the attributes."""
    with h5py.File(path, "a") as file:
        names, holders = [], [file]
        file.visititems(
            lambda name, item: (
                names.append(name) if isinstance(item, h5py.Dataset) else holders.append(item)
            )
        )
        if chance.random() < 0.25:
            holder = chance.choice(holders)
            keys = ["layer_names", "weight_names", "model_config", "epochs", *holder.attrs]
            holder.attrs[chance.choice(keys)] = chance.choice(ATTRIBUTES)
            return
        name = chance.choice(names)
        shape = file[name].shape
        del file[name]
        chance.choice(REPLACEMENTS)(file, name, shape)


ATTRIBUTES = (b"", "x", -1, 2**62, float("nan"), [b"a", b"b"], np.zeros(9), b"{}", b"[" * 9000)


def _declared(file, name, shape):
    file.create_dataset(name, (50_000, 50_000), "float32", chunks=(100, 100))


def _declared_same(file, name, shape):
    file.create_dataset(name, (*shape, 10**6), "float32", chunks=True)


def _packed(file, name, shape):
    array = file.create_dataset(
        name, (3000, 10_000), "float32", chunks=(300, 10_000), compression=1
    )
    for start in range(0, 3000, 300):
        array[start : start + 300] = 0


def _text(file, name, shape):
    file.create_dataset(name, shape, h5py.string_dtype())


def _not_finite(file, name, shape):
    file[name] = np.full(shape, np.nan, "float64")


def _outside(file, name, shape):
    file[name] = h5py.ExternalLink("/etc/passwd", "/x")


def _beside(file, name, shape):
    file.create_dataset(name, shape, "uint8", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def _group(file, name, shape):
    file.create_group(name)
    file[name]["round"] = file["/"]


def _nothing(file, name, shape):
    file[name] = h5py.Empty("float32")


REPLACEMENTS = (_declared, _declared_same, _packed, _text, _not_finite)
REPLACEMENTS += (_outside, _beside, _group, _nothing)


def checkpoint(chance, samples, folder):
    """A run folder with a damaged last.weights.h5."""
    (folder / "checkpoints").mkdir()
    path = folder / "checkpoints" / "last.weights.h5"
    shutil.copy(samples / "checkpoint" / "last.weights.h5", path)
    if chance.random() < 0.7:
        damage_bytes(chance, path)
    else:
        damage_hdf5(chance, path)
    return folder


def model(chance, samples, folder):
    """A .keras file: damaged outside or inside, or with a configuration that asks for more."""
    if chance.random() < 0.45:
        return damaged_copy(chance, samples, folder, "model")
    source = chance.choice(sorted((samples / "model").iterdir()))
    members = members_of(source)
    choice = chance.random()
    if choice < 0.25:
        name = chance.choice(sorted(members))
        members[name] = mutated(chance, members[name])
    elif choice < 0.5:
        scratch = folder / "config.json"
        scratch.write_bytes(members["config.json"])
        damage_json(chance, scratch)
        members["config.json"] = scratch.read_bytes()
        scratch.unlink()
    elif choice < 0.6:
        scratch = BytesIO(members["model.weights.h5"])
        damage_hdf5(chance, scratch)
        members["model.weights.h5"] = scratch.getvalue()
    elif choice < 0.9:
        members["config.json"] = chance.choice(CONFIGS)(json.loads(members["config.json"]))
    else:
        members[chance.choice(("assets/../../" + CANARY, "/" + CANARY))] = b"x"
    path = folder / "model.keras"
    write_zip(path, members)
    return path


def _with_layer(config, layer):
    layer = {"inbound_nodes": config["config"]["layers"][1]["inbound_nodes"], "name": "x", **layer}
    config["config"]["layers"].insert(1, layer)
    return json.dumps(config).encode()


def _lambda(config):
    """A Lambda layer whose code would write the canary."""
    wicked = eval(f"lambda x: (open({CANARY!r}, 'w').close(), x)[1]")
    code = base64.b64encode(marshal.dumps(wicked.__code__)).decode()
    function = {"code": code, "defaults": None, "closure": None}
    function = {"class_name": "__lambda__", "config": function}
    inner = {"name": "x", "trainable": True, "function": function}
    return _with_layer(config, {"module": "keras.layers", "class_name": "Lambda", "config": inner})


def _called(config):
    """A function of Python's own in the place of an activation."""
    text = json.dumps(config)
    function = {"module": "os", "class_name": "function", "config": "system"}
    wild = json.dumps({**function, "registered_name": "system"})
    return text.replace('"activation": "linear"', f'"activation": {wild}').encode()


def _class_of_python(config):
    inner = {"name": "x", "args": f"touch {CANARY}", "shell": True}
    return _with_layer(config, {"module": "subprocess", "class_name": "Popen", "config": inner})


def _huge(config):
    """A layer with weights of terabytes."""
    inner = {"name": "x", "filters": 2**31 - 1, "kernel_size": [99, 99]}
    return _with_layer(config, {"module": "keras.layers", "class_name": "Conv2D", "config": inner})


def _big(config):
    """A layer with weights of a gigabyte, which leads nowhere."""
    inner = {"name": "x", "filters": 10**7, "kernel_size": [3, 3]}
    return _with_layer(config, {"module": "keras.layers", "class_name": "Conv2D", "config": inner})


def _large(config):
    """A layer with weights of gigabytes, which the file does not hold."""
    text = json.dumps(config)
    return text.replace('"filters": 4', '"filters": 90000000').encode()


def _legacy(config):
    return json.dumps({"class_name": "Sequential", "config": {"layers": []}}).encode()


CONFIGS = (_lambda, _lambda, _called, _class_of_python, _huge, _big, _large, _legacy)


def run(chance, samples, folder):
    """A run folder in which one or two files beside the model are damaged."""
    target = folder / "run"
    shutil.copytree(samples / "run", target)
    names = ("classes.json", "history.csv", "environment.json", "recipe.toml", "scores.json")
    for name in chance.sample(names, chance.choice((1, 1, 2))):
        if name.endswith("json") and chance.random() < 0.6:
            damage_json(chance, target / name)
        elif name == "history.csv" and chance.random() < 0.5:
            made_history(chance, target / name)
        else:
            damage_bytes(chance, target / name)
    return target


def made_history(chance, path):
    cells = ("1", "nan", "inf", "", "x", "1e999", "9" * 5000, "-1", '"', "1.5", "\0")
    columns = ["epoch", "loss", "val_mean_iou", chance.choice(("extra", "", '"'))]
    chance.shuffle(columns)
    rows = [[chance.choice(cells) for _ in range(chance.choice((4, 4, 3, 6)))] for _ in range(3)]
    path.write_text("\n".join(",".join(row) for row in [columns, *rows]), errors="replace")
