"""A local server that cuts, stalls and lies."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves `content`; `faults` holds, for each coming request, how to fail (None: do not).

    A fault is a word, a status, a status and headers before the content, or bytes for all of it.
    framing: whether it says the length, sends chunks as GitHub does for archives, or just closes.
    resumes: whether it can go on in the middle; GitHub cannot for archives.
    """

    def __init__(self, content, faults=(), framing="length", resumes=True):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.faults, self.ranges = content, list(faults), []
        self.framing, self.resumes = framing, resumes
        self.release = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/toy.tgz"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        fault = server.faults.pop(0) if server.faults else None
        server.ranges.append(wanted)
        if isinstance(fault, int):
            self.send_error(fault)
        elif isinstance(fault, tuple):
            self.send_head(*fault)
            self.wfile.write(server.content)
        elif isinstance(fault, bytes):
            self.wfile.write(fault)
        elif fault == "drips":
            self.drip()
        else:
            ranged = wanted and server.resumes and fault != "ignores ranges"
            self.send_rest(int(wanted[len("bytes=") : -1]) if ranged else 0, fault)

    def send_head(self, code, headers):
        self.send_response(code)
        for each in headers.items():
            self.send_header(*each)
        self.end_headers()

    def send_rest(self, start, fault):
        framing, size = self.server.framing, len(self.server.content)
        rest = self.server.content[start:]
        headers = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
        if framing == "length":
            lies = {"says less": -1000, "says more": 1000}
            headers["Content-Length"] = str(len(rest) + lies.get(fault, 0))
        elif framing == "chunks":
            headers["Transfer-Encoding"] = "chunked"
        self.send_head(206 if start else 200, headers)
        parts = {"cuts": 2, "stalls": 2, "cuts early": 3}.get(fault, 1)
        self.send_body(rest[: len(rest) // parts], ends=parts == 1)
        if fault == "stalls":
            self.server.release.wait(10)

    def drip(self):
        """A byte at a time, always within the limit of a socket, as long as somebody listens."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not self.server.release.wait(0.02):
            self.wfile.write(b"x")

    def send_body(self, body, ends):
        if self.server.framing == "chunks":
            for start in range(0, len(body), 1000):
                chunk = body[start : start + 1000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            body = b"0\r\n\r\n" if ends else b""
        self.wfile.write(body)
        self.wfile.flush()
