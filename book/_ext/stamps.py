"""Whether what an extension has made is still of the files that it was made from."""

import hashlib
import sys


def fingerprint_of(root, paths):
    """Sha256 over Python's version, and the names (below `root`) and contents of files."""
    digest = hashlib.sha256(sys.version.encode())
    for path in paths:
        digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def holds(stamp, fingerprint):
    """Whether a file holds this fingerprint."""
    return stamp.is_file() and stamp.read_text() == fingerprint
