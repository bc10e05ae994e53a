"""What can go wrong with a frontier API, on demand.

    NAME[:SHARE[:ARGUMENT]]     that share of the requests (default 1), seeded, in the order the requests come
    script:A,B,C                request by request; after the end everything is in order

| name | what happens |
| --- | --- |
| slow | ARGUMENT seconds (default 5) are added to the latency |
| never | the request is read and never answered |
| 429 | too many requests, Retry-After of ARGUMENT seconds (default 1) |
| 500 502 503 504 529 | that status, in the provider's own error shape (529: overloaded) |
| html | a proxy's 502 page in HTML |
| hangup | the connection closes before an answer |
| cut | the connection closes in the middle of the body or the stream |
| wrong_json | status 200 and a body that is no JSON |
| wrong_shape | an answer that does not fit the schema or the choices asked for |
| wrong_usage | token counts far above what the request could have used |
| no_usage | no token counts |
| length | the answer stops at the token limit |
| refusal | the model declines |
| redirect | 307 to ARGUMENT (default: this server under another name), where credentials must not go |
"""
import random

NAMES = ("slow", "never", "429", "500", "502", "503", "504", "529", "html", "hangup", "cut", "wrong_json", "wrong_shape",
         "wrong_usage", "no_usage", "length", "refusal", "redirect")


class Fault:
    def __init__(self, name, argument=None):
        if name not in NAMES:
            raise ValueError(f"unknown fault {name!r}; there are: {', '.join(NAMES)}")
        self.name, self.argument = name, argument


class Faults:
    """Decides the fault of each request."""

    def __init__(self, specs=(), seed=1):
        self.random = random.Random(seed)
        self.script, self.shares = [], []
        for spec in specs:
            name, _, rest = spec.partition(":")
            if name == "script":
                self.script += [None if word == "ok" else Fault(*word.split("=", 1)) for word in rest.split(",")]
                continue
            share, _, argument = rest.partition(":")
            self.shares.append((float(share or 1), Fault(name, argument or None)))

    def next(self):
        """A Fault, or None."""
        if self.script:
            return self.script.pop(0)
        for share, fault in self.shares:
            if self.random.random() < share:
                return fault
        return None
