"""Let sphinxcontrib.katex talk to Node over TCP, where it tries again until Node answers.

Over a Unix socket it connects as soon as the socket is there, which on a busy machine can be before
Node listens to it; then the build ends with "Connection refused".
"""

from sphinxcontrib.katex import KaTeXServer


def setup(app):
    KaTeXServer.start_server_process = KaTeXServer.start_network_socket
    return {"parallel_read_safe": True, "parallel_write_safe": True}
