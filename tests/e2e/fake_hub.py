"""A hub for tests: the API and the resolve addresses on 127.0.0.1, the storage they redirect to on 127.0.0.2, and faults on demand.

Standard library only. Behaviour as the Hugging Face hub's: tree listing with Link pages, X-Repo-Commit, X-Linked-ETag, X-Linked-Size,
a 302 to storage on another host; storage knows Range and If-Range."""
import hashlib
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that left is what many tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        """Quiet."""

    @property
    def hub(self):
        return self.server.hub

    def note(self):
        with self.hub.lock:
            self.hub.log.append((self.server.role, self.command, self.path, dict(self.headers)))

    def reply(self, code, headers=(), body=b"", length=True):
        self.send_response(code)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def take(self, faults):
        """The next fault of a list, or none."""
        with self.hub.lock:
            return faults.pop(0) if faults else {}


class Api(Handler):
    def do_GET(self):
        self.note()
        hub = self.hub
        path, _, query = self.path.partition("?")
        fault = self.take(hub.api_faults)
        if "status" in fault:
            return self.reply(fault["status"], fault.get("headers", {}))
        if "raw" in fault:
            self.wfile.write(fault["raw"])
            self.close_connection = True
            return None
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            known = "Authorization" in self.headers
            return self.reply(403 if known else 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "gated"})
        if path.startswith("/api/models/"):
            return self.tree(path, urllib.parse.parse_qs(query))
        if "/resolve/" in path:
            return self.resolve(path)
        return self.reply(404, {"X-Error-Code": "RepoNotFound"})

    def tree(self, path, query):
        hub = self.hub
        if hub.tree_text is not None:
            return self.reply(200, {"Content-Type": "application/json"}, hub.tree_text)
        repo = "/".join(path.split("/")[3:5])
        if repo not in hub.repos:
            return self.reply(404, {"X-Error-Code": "RepoNotFound"})
        entries = hub.entries(repo)
        headers = {}
        if hub.page_size:
            at = int(query.get("cursor", ["0"])[0])
            if hub.endless_pages or at + hub.page_size < len(entries):
                base = hub.next_page_base or hub.endpoint
                headers["Link"] = f'<{base}{path}?recursive=true&cursor={at + hub.page_size}>; rel="next"'
            entries = entries[at:at + hub.page_size]
        return self.reply(200, headers, json.dumps(entries).encode())

    def resolve(self, path):
        hub = self.hub
        words = path.split("/")
        repo, revision, name = "/".join(words[1:3]), words[4], urllib.parse.unquote("/".join(words[5:]))
        if repo in hub.renamed:
            return self.reply(307, {"Location": path.replace(repo, hub.renamed[repo], 1)})
        data = hub.repos.get(repo, {}).get(name)
        if data is None:
            return self.reply(404, {"X-Error-Code": "EntryNotFound"})
        headers = {"X-Repo-Commit": COMMIT, "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"',
                   "X-Linked-Size": str(hub.sizes.get(name, len(data))),
                   "Location": f"{hub.storage_url}/{repo}/{urllib.parse.quote(name)}?signature=verysecret"}
        headers.update(hub.resolve_headers)
        return self.reply(302, {k: v for k, v in headers.items() if v is not None})


class Storage(Handler):
    def do_GET(self):
        self.note()
        hub = self.hub
        words = urllib.parse.unquote(self.path.partition("?")[0]).split("/")
        data = hub.repos["/".join(words[1:3])]["/".join(words[3:])]
        fault = self.take(hub.faults)
        hub.asked.set()
        if "status" in fault:
            return self.reply(fault["status"], fault.get("headers", {}))
        etag = fault.get("etag", '"e1"')
        begin = self.range_begin(fault, etag)
        body = bytearray(data[begin:])
        if "corrupt" in fault:
            body[fault["corrupt"]] ^= 1
        self.send_response(206 if begin else 200)
        self.send_header("ETag", etag)
        for name, value in fault.get("headers", {}).items():
            self.send_header(name, value)
        if begin:
            shown = begin + fault.get("range_shift", 0)
            total = len(data) + fault.get("range_total", 0)
            self.send_header("Content-Range", f"bytes {shown}-{len(data) - 1}/{total}")
        if "endless" in fault or "chunked" in fault:
            return self.chunks(bytes(body), fault)
        self.send_header("Content-Length", str(len(body) + fault.get("length", 0)))
        self.end_headers()
        return self.bytes(bytes(body), fault)

    def range_begin(self, fault, etag):
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if not wanted or "ignore_range" in fault or (condition and condition != etag and "ignore_if_range" not in fault):
            return 0
        return int(wanted.removeprefix("bytes=").partition("-")[0])

    def bytes(self, body, fault):
        if "hold" in fault:  # the first byte, and the rest when the event comes
            self.wfile.write(body[:1])
            fault["hold"].wait(60)
            body = body[1:]
        cut = fault.get("cut", len(body))
        self.wfile.write(body[:cut])
        if "wait" in fault:  # keeps the connection open, silent
            fault["wait"].wait(60)
        if cut < len(body) or fault.get("length"):
            self.close_connection = True
        else:
            self.wfile.write(body[cut:])

    def chunks(self, body, fault):
        body = body[:fault.get("cut", len(body))]
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        while "endless" in fault:
            self.wfile.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")


class Hub:
    def __init__(self):
        self.lock = threading.Lock()
        self.asked = threading.Event()  # storage was asked for something
        self.log = []                   # (role, method, path, headers)
        self.repos = {}                 # "owner/repo" -> {path: bytes}
        self.sizes = {}                 # path -> a size that is a lie
        self.faults, self.api_faults = [], []  # what the next requests meet, in order
        self.resolve_headers = {}       # on top of the true ones; None leaves one out
        self.renamed = {}
        self.tree_text = None
        self.page_size, self.endless_pages, self.next_page_base = 0, False, None
        self.token = None               # when set, asked for
        self.servers = [self.serve("127.0.0.1", Api, "hub"), self.serve("127.0.0.2", Storage, "storage")]
        self.endpoint, self.storage_url = (f"http://{s.server_address[0]}:{s.server_address[1]}" for s in self.servers)

    def serve(self, host, handler, role):
        server = Server((host, 0), handler)
        server.hub, server.role = self, role
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def entries(self, repo):
        result = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "folder"}]
        for path, data in self.repos[repo].items():
            size = self.sizes.get(path, len(data))
            result.append({"type": "file", "oid": "1" * 40, "size": size, "path": path,
                           "lfs": {"oid": hashlib.sha256(data).hexdigest(), "size": size, "pointerSize": 134}})
        return result

    def requests(self, role, method="GET"):
        with self.lock:
            return [entry for entry in self.log if entry[0] == role and entry[1] == method]

    def ranges(self):
        """The Range header of every request that storage got; None: without."""
        return [headers.get("Range") for _, _, _, headers in self.requests("storage")]
