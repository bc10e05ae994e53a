"""A small HTTP/1.1 server on asyncio for the simulated frontier: keep-alive, chunked streams, and connections that break on demand.

Only what the simulation needs, on loopback. A handler gets a Request and a Reply; what it does not answer is never answered.
"""
import asyncio
import json

REQUEST_BYTES_MAX = 64 << 20
REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
           405: "Method Not Allowed", 413: "Payload Too Large", 422: "Unprocessable Entity", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 529: ""}


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body

    def json(self):
        """The body as JSON; ValueError when it is none."""
        return json.loads(self.body.decode("utf-8"))


class Cut(Exception):
    """The connection ends here and now."""


class Reply:
    def __init__(self, writer):
        self.writer = writer
        self.headers = {}
        self.chunked = False

    def _head(self, status, fields):
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, '')}"] + [f"{k}: {v}" for k, v in {**self.headers, **fields}.items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def send(self, status, body, content_type="application/json", cut_after=None):
        """One whole body. cut_after: close after that many bytes of it, though Content-Length promised all."""
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        self._head(status, {"Content-Type": content_type, "Content-Length": len(body)})
        self.writer.write(body if cut_after is None else body[:cut_after])
        await self.writer.drain()
        if cut_after is not None:
            raise Cut

    async def start_stream(self):
        self._head(200, {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "Transfer-Encoding": "chunked"})
        self.chunked = True

    async def event(self, data, name=None):
        """One server-sent event."""
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        payload = ((f"event: {name}\n" if name else "") + f"data: {text}\n\n").encode()
        self.writer.write(f"{len(payload):x}\r\n".encode() + payload + b"\r\n")
        await self.writer.drain()

    async def end_stream(self):
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()


async def read_request(reader):
    """None when the client has left."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {}
    for line in lines[1:]:
        if line:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await read_chunks(reader)
    else:
        size = int(headers.get("content-length", 0))
        if size > REQUEST_BYTES_MAX:
            raise Cut
        body = await reader.readexactly(size)
    return Request(method, path, headers, body)


async def read_chunks(reader):
    body = b""
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        if len(body) + size > REQUEST_BYTES_MAX:
            raise Cut
        body += await reader.readexactly(size)
        await reader.readline()
        if size == 0:
            return body


async def serve(handler, port, tls=None):
    """The listening server; handler(request, reply) is a coroutine."""

    async def connection(reader, writer):
        try:
            while (request := await read_request(reader)) is not None:
                await handler(request, Reply(writer))
                if request.headers.get("connection", "").lower() == "close":
                    break
        except (Cut, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(connection, "127.0.0.1", port, ssl=tls, limit=1 << 20)
