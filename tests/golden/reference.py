"""Gemma 2 and 3 in exact arithmetic: the logits of every position from a GGUF file of float32 tensors.

Written from the models' descriptions (arXiv 2408.00118 and 2503.19786; docs/models states the formulas), in Python's 64-bit floats and with no
library, to be compared with weir's float32. A model of 300,000 weights and 64 tokens takes a few seconds.
"""
import array
import math
import struct
import sys
from operator import mul
from pathlib import Path

SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}  # GGUF value types
STRING, ARRAY = 8, 9
TENSOR_F32 = 0
GEMMA3_LOCAL_BASE = 10000.0  # rotary base of local layers
GEMMA3_PATTERN = 6           # every 6th layer is global


class Reader:
    """Values one after the other from the bytes of a GGUF file."""

    def __init__(self, data, at):
        self.data, self.at = data, at

    def scalar(self, form):
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def string(self):
        size = self.scalar("<Q")
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            element, count = self.scalar("<I"), self.scalar("<Q")
            return [self.value(element) for _ in range(count)]
        return self.scalar(SCALARS[kind])


def floats(data, at, count):
    values = array.array("f", data[at:at + 4 * count])
    if sys.byteorder == "big":
        values.byteswap()
    return list(values)


def read_gguf(path):
    """Keys, and tensors by name: a list of rows for two dimensions, a list of numbers for one."""
    data = Path(path).read_bytes()
    if data[:4] != b"GGUF":
        raise SystemExit(f"reference: {path} is not a GGUF file")
    reader = Reader(data, 8)
    n_tensors, n_keys = reader.scalar("<Q"), reader.scalar("<Q")
    keys = {}
    for _ in range(n_keys):
        name = reader.string()
        keys[name] = reader.value(reader.scalar("<I"))
    infos = []
    for _ in range(n_tensors):
        name = reader.string()
        dims = [reader.scalar("<Q") for _ in range(reader.scalar("<I"))]
        kind, offset = reader.scalar("<I"), reader.scalar("<Q")
        if kind != TENSOR_F32:
            raise SystemExit(f"reference: {path}: tensor {name} has type {kind}, only float32 is read")
        infos.append((name, dims, offset))
    alignment = keys.get("general.alignment", 32)
    start = (reader.at + alignment - 1) // alignment * alignment
    tensors = {}
    for name, dims, offset in infos:
        values, width = floats(data, start + offset, math.prod(dims)), dims[0]
        tensors[name] = values if len(dims) == 1 else [values[i:i + width] for i in range(0, len(values), width)]
    return keys, tensors


def to_float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def dot(a, b):
    return sum(map(mul, a, b))


def product(matrix, x):
    return [dot(row, x) for row in matrix]


def rms_norm(x, weight, eps):
    scale = 1.0 / math.sqrt(dot(x, x) / len(x) + eps)
    return [v * scale * w for v, w in zip(x, weight)]


def gelu_tanh(x):
    return 0.5 * x * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x ** 3)))


def rotate(x, position, base, scale):
    """Pairs (i, i + n/2) turned by position * scale / base^(2i/n)."""
    half = len(x) // 2
    out = list(x)
    for i in range(half):
        angle = position * scale * base ** (-i / half)
        c, s = math.cos(angle), math.sin(angle)
        out[i], out[i + half] = x[i] * c - x[i + half] * s, x[i] * s + x[i + half] * c
    return out


def soft_cap(value, cap):
    """cap * tanh(value / cap); no cap: the value."""
    return cap * math.tanh(value / cap) if cap else value


def attend(query, keys, values, first, cap):
    """One head's result at the last key's position; it sees the keys from `first` on."""
    scale = 1.0 / math.sqrt(len(query))
    scores = [soft_cap(scale * dot(query, key), cap) for key in keys[first:]]
    top = max(scores)
    weights = [math.exp(score - top) for score in scores]
    total = math.fsum(weights)
    return [dot(weights, column) / total for column in zip(*values[first:])]


class Gemma:
    """What both have in common; the subclasses say how they differ."""
    family = None
    score_cap = logit_cap = None
    has_head_norms = False

    def __init__(self, path):
        self.keys, self.tensors = read_gguf(path)
        self.n_layers = self.key("block_count")
        self.n_heads = self.key("attention.head_count")
        self.n_kv_heads = self.key("attention.head_count_kv")
        self.head_dim = self.key("attention.key_length")
        self.window = self.key("attention.sliding_window")
        self.eps = self.key("attention.layer_norm_rms_epsilon")

    def key(self, name):
        return self.keys[f"{self.family}.{name}"]

    def is_local(self, layer):
        raise NotImplementedError

    def rotary(self, layer):
        """Base and scale."""
        raise NotImplementedError

    def norm(self, x, name):
        return rms_norm(x, self.tensors[name + ".weight"], self.eps)

    def heads(self, x, layer, name):
        """The heads of W x, for each token."""
        matrix, n = self.tensors[f"blk.{layer}.attn_{name}.weight"], self.head_dim
        rows = [product(matrix, row) for row in x]
        return [[row[i:i + n] for i in range(0, len(row), n)] for row in rows]

    def attention(self, x, layer):
        base, scale = self.rotary(layer)
        h = [self.norm(row, f"blk.{layer}.attn_norm") for row in x]
        q, k, v = (self.heads(h, layer, name) for name in "qkv")
        for tokens, name in ((q, f"blk.{layer}.attn_q_norm"), (k, f"blk.{layer}.attn_k_norm")):
            for position, heads in enumerate(tokens):
                normed = [self.norm(head, name) for head in heads] if self.has_head_norms else heads
                heads[:] = [rotate(head, position, base, scale) for head in normed]
        group, results = self.n_heads // self.n_kv_heads, [[] for _ in x]
        for head in range(self.n_heads):
            keys, values = [token[head // group] for token in k], [token[head // group] for token in v]
            for t, result in enumerate(results):
                first = max(0, t + 1 - self.window) if self.is_local(layer) else 0
                result += attend(q[t][head], keys[:t + 1], values[:t + 1], first, self.score_cap)
        return [product(self.tensors[f"blk.{layer}.attn_output.weight"], result) for result in results]

    def feed_forward(self, x, layer):
        h = self.norm(x, f"blk.{layer}.ffn_norm")
        gate, up = (product(self.tensors[f"blk.{layer}.ffn_{name}.weight"], h) for name in ("gate", "up"))
        return product(self.tensors[f"blk.{layer}.ffn_down.weight"], [gelu_tanh(g) * u for g, u in zip(gate, up)])

    def add(self, x, block, name):
        """x + norm(block), for each token."""
        return [[a + b for a, b in zip(row, self.norm(result, name))] for row, result in zip(x, block)]

    def logits(self, ids):
        """Row after row of the vocabulary, one for each token."""
        embedding = self.tensors["token_embd.weight"]
        scale = to_float32(math.sqrt(len(embedding[0])))
        x = [[scale * v for v in embedding[token]] for token in ids]
        for layer in range(self.n_layers):
            x = self.add(x, self.attention(x, layer), f"blk.{layer}.post_attention_norm")
            x = self.add(x, [self.feed_forward(row, layer) for row in x], f"blk.{layer}.post_ffw_norm")
        output = self.tensors.get("output.weight", embedding)
        return [soft_cap(logit, self.logit_cap) for row in x for logit in product(output, self.norm(row, "output_norm"))]


class Gemma2(Gemma):
    family = "gemma2"

    def __init__(self, path):
        super().__init__(path)
        self.score_cap = self.key("attn_logit_softcapping")
        self.logit_cap = self.key("final_logit_softcapping")
        self.base = self.key("rope.freq_base")

    def is_local(self, layer):
        return layer % 2 == 0

    def rotary(self, layer):
        return self.base, 1.0


class Gemma3(Gemma):
    family = "gemma3"
    has_head_norms = True

    def __init__(self, path):
        super().__init__(path)
        self.global_base = self.key("rope.freq_base")
        linear = self.keys.get("gemma3.rope.scaling.type") == "linear"
        self.global_scale = 1.0 / self.key("rope.scaling.factor") if linear else 1.0

    def is_local(self, layer):
        return layer % GEMMA3_PATTERN != GEMMA3_PATTERN - 1

    def rotary(self, layer):
        return (GEMMA3_LOCAL_BASE, 1.0) if self.is_local(layer) else (self.global_base, self.global_scale)
