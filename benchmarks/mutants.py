"""Break the code on purpose, in one place at a time, and count how often the tests notice.

    python benchmarks/mutants.py [--only metrics ...] [--jobs 2]

For each of the parts in PARTS, every mutant of its modules is run through the part's tests, in a
process of its own: forked from one that has imported TensorFlow but has run nothing, so that a
mutant costs no start. Killed is a mutant with which a test fails, that ends the process, or that
takes ten times as long as the code as it is, and a minute more. Before that, the code as it is has
to pass in the same way, and code that returns nothing to fail. Neither $FCN_DATA nor a network is
used, and Hypothesis draws the same examples each time. Prose is not mutated, which is strings with
a blank and all within `raise`, nor are annotations and tables of names and colours.

Writes results/mutation/mutants.json. Needs fork, so Linux or macOS.
"""

import argparse
import ast
import copy
import gc
import json
import os
import platform
import resource
import signal
import sys
import tempfile
import time
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fcn_tutorial"
RESULT = ROOT / "results" / "mutation" / "mutants.json"
OPTIONS = ("-x", "-q", "--tb=short", "--assert=plain", "-p", "no:cacheprovider")
LIMIT = 15 * 60  # seconds for a mutant that waits for ever


class Part(NamedTuple):
    modules: tuple[str, ...]  # below the package
    tests: tuple[str, ...]  # arguments of pytest


PARTS = {
    "metrics": Part(("metrics.py",), ("tests/test_metrics.py",)),
    "geometry": Part(
        ("geometry.py",), ("tests/test_geometry.py", "-k", "not vgg16 and not gradient")
    ),
    "upsampling": Part(("upsampling.py",), ("tests/test_upsampling.py",)),
    "convolutionize": Part(
        ("convolutionize.py",),
        ("tests/test_convolutionize.py", "-k", "not vgg16 and not shapes_classifier"),
    ),
    "splits": Part(
        ("datasets/__init__.py", "datasets/voc.py", "datasets/camvid.py"),
        tuple(f"tests/datasets/test_{name}.py" for name in ("registry", "voc", "camvid")),
    ),
}

# Mutants that do what the code does, which no test can notice: the module, what is in the line,
# what the change starts with, and why.
EQUIVALENT = [
    (
        "convolutionize.py",
        "type(layer).from_config",
        "type(layer)",
        "an object has it from its class",
    ),
    ("convolutionize.py", "strict=False", "zip(", "not strict by default"),
    ("geometry.py", "def window", "1 -> 2", "the default is used with kernels of 1 only"),
    ("geometry.py", "max(", "0 -> 1", "half of one pixel is none"),
    ("upsampling.py", "resized = ", "keras.ops.image.resize(", "bilinear by default"),
    ("upsampling.py", "phases = ", "t > 0 -> t >= 0", "at 0, either neighbour has no weight"),
    ("upsampling.py", "Conv2DTranspose", "keras.layers.Conv2DTranspose(", "valid by default"),
    ("datasets/voc.py", "range(8)", "8 -> 9", "an id has eight bits"),
]

LIBRARIES = {"keras", "ndimage", "np", "shlex"}
TABLES = {"CLASSES", "PALETTE", "VOID_COLOR"}
OTHER_OPERATORS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Div],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
    ast.LShift: [ast.RShift],
    ast.RShift: [ast.LShift],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
}


class Mutant(NamedTuple):
    line: int
    code: str  # the line
    change: str
    source: str


def mutants(source):
    """All mutants of a module's source, in the order of its lines: a list of Mutant."""
    tree, lines, found = ast.parse(source), source.splitlines(), []
    for holder, key, node in places(tree):
        for other in alternatives(node):
            put(holder, key, other)
            # The first line is enough of a compound statement.
            change = " -> ".join(ast.unparse(part).partition("\n")[0] for part in (node, other))
            code = lines[node.lineno - 1].strip()
            found.append(Mutant(node.lineno, code, change, ast.unparse(tree)))
            put(holder, key, node)
    return sorted(found, key=lambda mutant: mutant.line)


def put(holder, key, node):
    if isinstance(holder, list):
        holder[key] = node
    else:
        setattr(holder, key, node)


def places(parent):
    """(holder, key, node) of all that may be mutated: the node is what the holder has there."""
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns"):
            continue
        children = enumerate(value) if isinstance(value, list) else [(field, value)]
        for key, node in list(children):
            if not isinstance(node, ast.AST) or is_docstring(node) or is_table(node):
                continue
            if hasattr(node, "lineno"):
                yield value if isinstance(value, list) else parent, key, node
            if not isinstance(node, ast.Raise):
                yield from places(node)


def is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_table(node):
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in TABLES


def changed(node, **fields):
    other = copy.copy(node)
    for field, value in fields.items():
        setattr(other, field, value)
    return other


def without(items, index):
    return [*items[:index], *items[index + 1 :]]


def alternatives(node):
    """What a node of the syntax tree becomes in its mutants."""
    match node:
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            yield from (changed(node, op=op()) for op in OTHER_OPERATORS[type(node.op)])
        case ast.Compare():
            for index, old in enumerate(node.ops):
                for op in OTHER_OPERATORS[type(old)]:
                    yield changed(node, ops=[*node.ops[:index], op(), *node.ops[index + 1 :]])
        case ast.UnaryOp():
            yield node.operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str(value)) if value and " " not in value:
            yield ast.Constant(f"X{value}X")
        case ast.Slice():
            bounds = [bound for bound in ("lower", "upper", "step") if getattr(node, bound)]
            yield from (changed(node, **{bound: None}) for bound in bounds)
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.Tuple(ctx=ast.Load()) if is_list_of_names(node):
            for index in range(len(node.elts)):
                yield changed(node, elts=without(node.elts, index))
        case ast.Call():
            for index in range(len(node.keywords)):
                yield changed(node, keywords=without(node.keywords, index))
            if len(node.args) > 1:
                yield changed(node, args=node.args[:-1])
            yield from what_it_is_called_on(node)
    if removable(node):
        yield ast.Pass()
    # A comparison and a `not` have been turned round above.
    test = getattr(node, "test", None)
    if test and not isinstance(test, (ast.Compare, ast.UnaryOp)):
        yield changed(node, test=ast.UnaryOp(ast.Not(), test))


def what_it_is_called_on(call):
    """The object of a method, the first argument of a function: the call itself left out."""
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(call.func, ast.Attribute) and ast.unparse(root) not in LIBRARIES:
        yield call.func.value
    elif call.args and not isinstance(call.args[0], ast.Starred):
        yield call.args[0]


def is_list_of_names(node):
    return all(isinstance(item, ast.Attribute) for item in node.elts) or all(
        isinstance(item, ast.Constant) and isinstance(item.value, str) for item in node.elts
    )


def removable(node):
    """Statements; an assignment to a name is none, as without it the name is not known."""
    if isinstance(node, ast.Assign):
        return not isinstance(node.targets[0], (ast.Name, ast.Tuple))
    return isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise, ast.Continue, ast.Break))


class Replaced(SourceFileLoader):
    """Finds and loads one module, with another source than its file has."""

    def __init__(self, module, source):
        names = ("fcn_tutorial", *Path(module).with_suffix("").parts)
        super().__init__(".".join(names).removesuffix(".__init__"), str(PACKAGE / module))
        self.source = source

    def find_spec(self, name, path=None, target=None):
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname):
        return compile(self.source, self.path, "exec")


def tested(module, source, tests, seconds, log):
    """Start the tests in a process that sees another source of a module; returns its id."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 60))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(LIMIT)  # whose default is to end the process
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
        sys.meta_path.insert(0, Replaced(module, source))
        code = pytest.main([*OPTIONS, *tests])
    finally:
        os._exit(code)


def passes(status):
    """Whether tests passed, by how their process ended.

    Raises RuntimeError when that says nothing about the tests, as when none was found.
    """
    code = os.waitstatus_to_exitcode(status)
    # A negative code is a signal: at a limit or of a crash. SIGKILL is someone else's.
    # 1: a test failed. 2: a test's file could not be imported.
    if code > 2 or code == -signal.SIGKILL:
        raise RuntimeError(f"the tests ended with {code}, which says nothing about the code.")
    return code == 0


def checked(part):
    """CPU seconds of the part's tests; the code as it is passes, and without returns it fails."""
    longest = 0
    for module in part.modules:
        tree = ast.parse((PACKAGE / module).read_text())
        for empty in (False, True):
            if empty:
                for node in ast.walk(tree):
                    if isinstance(node, ast.Return):
                        node.value = None
            with tempfile.TemporaryFile("w+") as log:
                process = tested(module, ast.unparse(tree), part.tests, 3600, log)
                _, status, used = os.wait4(process, 0)
                log.seek(0)
                if passes(status) == empty:
                    raise RuntimeError(
                        f"{module}, {'emptied' if empty else 'as it is'}:\n{log.read()}"
                    )
            longest = max(longest, used.ru_utime + used.ru_stime)
    return longest


def survivors(part, jobs):
    """(number of mutants, [{module, line, code, change}] of those that no test noticed)."""
    seconds = round(60 + 10 * checked(part))
    waiting = [
        (module, mutant)
        for module in part.modules
        for mutant in mutants((PACKAGE / module).read_text())
    ]
    count, running, found = len(waiting), {}, []
    with open(os.devnull, "w") as log:
        while waiting or running:
            while waiting and len(running) < jobs:
                module, mutant = waiting.pop(0)
                process = tested(module, mutant.source, part.tests, seconds, log)
                running[process] = module, mutant
            process, status = os.wait()
            module, mutant = running.pop(process)
            if passes(status):
                fields = {"line": mutant.line, "code": mutant.code, "change": mutant.change}
                found.append({"module": module, **fields})
                print(f"  {module}:{mutant.line}: {mutant.change}", flush=True)
    return count, sorted(found, key=lambda row: (part.modules.index(row["module"]), row["line"]))


def row_of(name, count, found):
    """A part's row of the result."""
    for row in found:
        for module, part_of_line, beginning, reason in EQUIVALENT:
            same_place = row["module"] == module and part_of_line in row["code"]
            if same_place and row["change"].startswith(beginning):
                row["equivalent"] = reason
    killed, same = count - len(found), sum("equivalent" in row for row in found)
    return {
        "part": name,
        "modules": PARTS[name].modules,
        "tests": " ".join(PARTS[name].tests),
        "mutants": count,
        "killed": killed,
        "share": round(killed / count, 4),
        "equivalent": same,
        "share_of_the_others": round(killed / (count - same), 4),
        "survivors": found,
    }


def prepare():
    """Import what the tests need, but for the library, and make Hypothesis repeat itself."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ.pop("FCN_DATA", None)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    libraries = ("hypothesis.extra.numpy", "scipy.io", "scipy.ndimage", "sklearn.metrics")
    for library in ("tensorflow", "PIL.Image", *libraries):
        import_module(library)
    import hypothesis
    import keras

    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        # Or else a busy machine would kill mutants, too.
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=phases,
    )
    hypothesis.settings.load_profile("mutants")
    # What is there by now stays: a child that looked through it for garbage would copy it all.
    gc.freeze()
    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "keras": keras.__version__,
    }


def write(row, machine):
    """Put a part's row into the result, beside those of other parts that are there."""
    rows = json.loads(RESULT.read_text())["parts"] if RESULT.is_file() else []
    rows = [*(other for other in rows if other["part"] != row["part"]), row]
    rows.sort(key=lambda row: list(PARTS).index(row["part"]))
    content = {"command": "python benchmarks/mutants.py", "machine": machine, "parts": rows}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(content, indent=1) + "\n")


def main(only, jobs):
    machine = prepare()
    for name in only:
        begun = time.monotonic()
        row = row_of(name, *survivors(PARTS[name], jobs))
        write({**row, "seconds": round(time.monotonic() - begun)}, machine)
        print("{part}: {killed} of {mutants} killed, {share:.1%}".format(**row), flush=True)
    print(f"Wrote {RESULT}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    main(**vars(parser.parse_args()))
