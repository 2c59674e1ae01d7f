"""Which chapter definitions are library code: the marks on cells, and the list in CONTRIBUTING.

A cell that defines what the library holds has the metadata
{"fcn_tutorial": {"equals": {"name in the cell": "fcn_tutorial.module.function"}}}.
"""

import ast
import re
from functools import cache

from IPython.core.inputtransformer2 import TransformerManager
from rules import ROOT

ROW = re.compile(r"^\| ([^|]+?) \| \w+ \| `(fcn_tutorial\.[\w.]+)` \|$", re.M)


class Bare(ast.NodeTransformer):
    """Drops what may differ: docstring, annotations, name, and `fcn.` before a library name."""

    def visit_FunctionDef(self, node):
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        node.name, node.returns, node.decorator_list = "_", None, []
        return self.generic_visit(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_Attribute(self, node):
        if isinstance(node.value, ast.Name) and node.value.id == "fcn":
            return ast.Name(node.attr, node.ctx)
        return self.generic_visit(node)


def bare(function):
    """What two equal definitions have in common, as text."""
    return ast.dump(Bare().visit(ast.parse(ast.unparse(function)).body[0]))


def functions(source):
    """{name: syntax tree} of the functions at the top level of a source."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


@cache
def library():
    """{dotted name: syntax tree} of the functions at the top level of the library's modules."""
    found = {}
    for path in (ROOT / "fcn_tutorial").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        trees = functions(path.read_text(encoding="utf-8"))
        found |= {f"{module}.{name}": tree for name, tree in trees.items()}
    return found


def calls(function):
    """The library functions that a function calls by name."""
    called = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    names = {node.id for node in called if isinstance(node, ast.Name)}
    return names & {name.rpartition(".")[2] for name in library()} - {function.name}


def marks(chapter):
    """(name in the cell, name in the library, the cell's syntax tree or None) of each mark."""
    for cell in chapter.code_cells:
        shown = functions(TransformerManager().transform_cell(cell.source))
        for name, library in cell.metadata.get("fcn_tutorial", {}).get("equals", {}).items():
            yield name, library, shown.get(name)


def complaint(shown, name):
    """What is wrong with marking a definition as equal to a library function, or None."""
    function = library().get(name)
    if function is None:
        return f"is marked as {name}, which the library does not define"
    if function.name.startswith("_"):
        return f"is marked as {name}, which is private"
    if calls(function):
        return f"is marked as {name}, which leaves the work to {', '.join(calls(function))}"
    if shown is None:
        return f"is marked as {name}, but the cell does not define it"
    if bare(shown) != bare(function):
        return f"differs from {name}"


def constructs(text):
    """{construct: library function} as the table in CONTRIBUTING lists them."""
    return dict(ROW.findall(text))


OTHER = {"+": "-", "-": "+", "*": "+", "/": "*", "//": "*", "%": "*", "**": "*", "|": "&", "~": "-"}
OTHER |= {"<": "<=", ">": ">=", "==": "!=", "!=": "==", "Add": "Subtract"}  # Add is Keras's layer
OPERATOR = re.compile(r"(?<= )[-+*/%|<>=!]{1,2}(?= )|-(?=\d)|~|\bAdd\b")


def mutants(function):
    """Copies of a function, in each of which one operator is another one."""
    source = ast.unparse(Bare().visit(ast.parse(ast.unparse(function))))
    for found in OPERATOR.finditer(source):
        if found[0] in OTHER:
            other = source[: found.start()] + OTHER[found[0]] + source[found.end() :]
            yield ast.parse(other).body[0]
