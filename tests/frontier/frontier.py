"""A frontier API to test against: answers as OpenAI, Anthropic, OpenAI Decisions and TypeSafe System One do, on loopback, from gold labels.

    python3 tests/frontier/frontier.py --gold test.jsonl [--accuracy 0.96] [--latency-ms 800] [--fault NAME:SHARE:ARGUMENT]...

Prints one line, "listening on http://127.0.0.1:PORT", when it is ready; ends when its standard input does. GET /_log gives the requests
so far (path, body, what was done to them), POST /_faults {"faults": [...]} replaces the faults. Everything is seeded.
"""
import argparse
import asyncio
import datetime
import json
import ssl
import sys
import time

import chat
import messages
import typed
from brain import Brain
from faults import Faults
from http11 import Cut, serve

KEY = "test-key"


class Bucket:
    """Requests a minute, refilled evenly."""

    def __init__(self, per_minute):
        self.per_minute, self.left, self.at = per_minute, float(per_minute), time.monotonic()

    def take(self):
        """Seconds to wait; 0 when the request may pass."""
        if not self.per_minute:
            return 0
        now = time.monotonic()
        self.left = min(float(self.per_minute), self.left + (now - self.at) * self.per_minute / 60)
        self.at = now
        if self.left >= 1:
            self.left -= 1
            return 0
        return (1 - self.left) * 60 / self.per_minute


class Frontier:
    def __init__(self, brain, faults, per_minute=0, key=KEY):
        self.brain, self.faults, self.key = brain, faults, key
        self.bucket, self.log, self.number, self.attempts = Bucket(per_minute), [], 0, {}

    # ---- how each API looks when it answers and when it does not ----

    def limits(self, is_anthropic):
        limit, left = str(self.bucket.per_minute or 100000), str(int(self.bucket.left or 99999))
        if not is_anthropic:
            return {"x-ratelimit-limit-requests": limit, "x-ratelimit-remaining-requests": left, "x-ratelimit-reset-requests": "1s",
                    "x-request-id": f"req_{self.number:08d}", "openai-processing-ms": "1"}
        reset = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"anthropic-ratelimit-requests-limit": limit, "anthropic-ratelimit-requests-remaining": left,
                "anthropic-ratelimit-requests-reset": reset, "request-id": f"req_{self.number:08d}"}

    def problem(self, path, status, text, param=None):
        if path == "/v1/messages":
            return messages.error(status, text, self.number)
        if path == "/v1/systemone":
            return {"detail": [{"loc": ["body", param or ""], "msg": text, "type": "value_error"}]} if status == 422 else {"detail": text}
        return chat.error(status, text, param=param, code="invalid_api_key" if status == 401 else None)

    def is_authorised(self, request):
        is_bearer = request.headers.get("authorization") == f"Bearer {self.key}"
        if request.path == "/v1/messages":  # x-api-key, or since version 2 of the official client a bearer token
            return (is_bearer or request.headers.get("x-api-key") == self.key) and "anthropic-version" in request.headers
        return is_bearer

    # ---- requests ----

    async def __call__(self, request, reply):
        request.path = request.path.partition("?")[0]
        if request.path == "/_log":
            return await reply.send(200, self.log)
        if request.path == "/_faults":
            self.faults = Faults(request.json()["faults"])
            return await reply.send(200, {})
        if request.path == "/v1/models" and request.method == "GET":
            return await reply.send(200, {"object": "list", "data": [{"id": "simulated", "object": "model", "created": 0, "owned_by": "tests"}]})
        self.number += 1
        handlers = {"/v1/chat/completions": chat.completion, "/v1/messages": messages.message, "/v1/decisions": typed.decisions,
                    "/v1/systemone": typed.systemone}
        if request.path not in handlers:
            return await reply.send(404, self.problem(request.path, 404, f"Unknown path {request.path}"))
        if request.method != "POST":
            return await reply.send(405, self.problem(request.path, 405, "Method not allowed"))
        await self.answer(request, reply, handlers[request.path])

    async def answer(self, request, reply, handler):
        path, number = request.path, self.number
        entry = {"path": path, "body": request.body.decode("utf-8", "replace"), "headers": sorted(request.headers), "done": "answered"}
        self.log.append(entry)
        reply.headers = self.limits(path == "/v1/messages")
        if not self.is_authorised(request):
            entry["done"] = "unauthorised"
            return await reply.send(401, self.problem(path, 401, "Incorrect API key provided."))
        wait = self.bucket.take()
        if wait:
            entry["done"] = "limited"
            reply.headers["retry-after"] = str(max(1, round(wait)))
            return await reply.send(429, self.problem(path, 429, "Rate limit reached for requests"))
        fault = self.faults.next()
        entry["fault"] = fault.name if fault else None
        try:
            body = request.json()
            if not isinstance(body, dict) or not isinstance(body.get("model"), str):
                raise chat.BadRequest("you must provide a model parameter", "model")
            attempt = self.attempts[request.body] = self.attempts.get(request.body, 0) + 1
            await asyncio.sleep(self.brain.latency_s(entry["body"], attempt))
            if fault and await self.fail(fault, path, reply, entry):
                return
            await self.deliver(handler, number, body, fault.name if fault else None, path, reply)
        except (chat.BadRequest, KeyError, TypeError, AttributeError, ValueError) as problem:
            entry["done"] = "refused"
            message, param = (problem.args + (None, None))[:2] if isinstance(problem, chat.BadRequest) else (f"Invalid request: {problem}", None)
            status = 422 if path == "/v1/systemone" else 400
            await reply.send(status, self.problem(path, status, message, param))

    async def fail(self, fault, path, reply, entry):
        """True when the fault was the whole answer."""
        name = fault.name
        if name == "slow":
            await asyncio.sleep(float(fault.argument or 5))
        elif name == "never":
            entry["done"] = "never"
            await asyncio.sleep(3600)
        elif name == "hangup":
            entry["done"] = "hangup"
            raise Cut
        elif name == "html":
            entry["done"] = "502"
            await reply.send(502, b"<html><head><title>502 Bad Gateway</title></head></html>", "text/html")
            return True
        elif name == "redirect":
            entry["done"] = "redirected"
            reply.headers["location"] = fault.argument or f"http://localhost:{self.port}{path}"
            await reply.send(307, b"", "text/plain")
            return True
        elif name.isdigit():
            entry["done"] = name
            if name == "429":
                reply.headers["retry-after"] = fault.argument or "1"
            texts = {"429": "Rate limit reached", "529": "Overloaded", "503": "The server is overloaded", "504": "Timed out"}
            await reply.send(int(name), self.problem(path, int(name), texts.get(name, "Internal server error")))
            return True
        return False

    async def deliver(self, handler, number, body, fault, path, reply):
        streams = {"/v1/chat/completions": chat.stream, "/v1/messages": messages.stream}
        if body.get("stream") and path in streams:
            return await streams[path](self.brain, number, body, fault, reply, Cut() if fault == "cut" else None)
        whole = json.dumps(handler(self.brain, number, body, fault), ensure_ascii=False).encode()
        if fault == "wrong_json":
            whole = whole[:len(whole) // 2] + b"\xff}"
        await reply.send(200, whole, cut_after=len(whole) // 2 if fault == "cut" else None)


async def run(args):
    tls = None
    if args.cert:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(args.cert, args.key)
    frontier = Frontier(Brain(args.gold, args.accuracy, args.latency_ms, args.seed), Faults(args.fault, args.seed), args.per_minute)
    server = await serve(frontier, args.port, tls)
    frontier.port = server.sockets[0].getsockname()[1]
    print(f"listening on http{'s' if tls else ''}://127.0.0.1:{frontier.port}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # the end of standard input ends the server


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gold", action="append", required=True, help="JSON Lines with text and label")
    parser.add_argument("--accuracy", type=float, default=0.96)
    parser.add_argument("--latency-ms", type=float, default=800, help="median")
    parser.add_argument("--per-minute", type=int, default=0, help="requests a minute; 0: no limit")
    parser.add_argument("--fault", action="append", default=[], help="see faults.py")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cert", help="PEM certificate: speak TLS")
    parser.add_argument("--key", help="PEM key")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
