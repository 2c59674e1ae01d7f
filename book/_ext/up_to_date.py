"""Sphinx extension: every output and every page is of the code that is there now.

Chapters that were executed with another library or other studies are executed again, two at a
time, which is faster than the one at a time of myst-nb. Pages of chapters that are gone are
removed.
"""

import shutil
import sys
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from sphinx.errors import ExtensionError
from stamps import fingerprint_of, holds

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))

from execute import execute_all, failures  # noqa: E402

# What chapters read of the studies: what a wheel holds of them, but for the chapters' own seconds.
STUDIED = ("*.csv", "*.json", "*.toml", "photos/*", "gallery/*")


def library_fingerprint(root):
    """Sha256 over what a chapter's outputs depend on besides its own code."""
    found = (root / "fcn_tutorial").rglob("*")
    library = sorted(path for path in found if "__pycache__" not in path.parts and path.is_file())
    found = {path for kind in STUDIED for path in (root / "studies").glob(f"*/{kind}")}
    studied = sorted(path for path in found if path.parent.name != "chapters" and path.is_file())
    return fingerprint_of(root, [root / "requirements.txt", *library, *studied])


def drop_stale(cache, fingerprint):
    """Remove the executed chapters when the library has changed; return whether it has."""
    stamp = cache.parent / "library.sha256"
    if holds(stamp, fingerprint):
        return False
    shutil.rmtree(cache, ignore_errors=True)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(fingerprint)
    return True


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


def execute_chapters(app, env, added, changed, removed):
    """Put what is executed into the cache before myst-nb looks for it; return what to read."""
    if env.mystnb_config.execution_mode != "cache":
        return []
    chapters = {name for name in env.found_docs if env.doc2path(name).endswith(".ipynb")}
    folder = Path(env.mystnb_config.execution_cache_path)
    fingerprint = library_fingerprint(ROOT)
    drop_stale(folder, fingerprint)
    # Sphinx keeps the environment only when a build has read all it must: after one that failed,
    # the pages are still those of the library before.
    same = getattr(env, "library_of_pages", None) == fingerprint
    read = chapters & (added | changed) if same else chapters
    paths = sorted(Path(env.doc2path(name)) for name in read)
    failed = fill_cache(get_cache(folder), paths)
    if failed:
        raise ExtensionError(failures(failed))
    env.library_of_pages = fingerprint
    return read


def remove_stale_pages(app, error):
    if error or app.builder.name != "html":
        return
    pages = {Path(app.builder.get_outfilename(name)) for name in app.env.found_docs}
    for path in set(Path(app.outdir, "book").rglob("*.html")) - pages:
        path.unlink()


def setup(app):
    app.connect("env-get-outdated", execute_chapters)
    app.connect("build-finished", remove_stale_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
