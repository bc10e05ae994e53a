"""Small GGUF files for the tests of the program: a writer for version 3, and a model of random weights.

Standard library only. Format: github.com/ggml-org/ggml docs/gguf.md."""
import random
import struct

U16, U32, I32, F32, BOOL, STRING, ARRAY, U64 = 2, 4, 5, 6, 7, 8, 9, 10
ALIGNMENT = 32


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(kind, value):
    if kind == STRING:
        return text(value)
    return struct.pack({U16: "<H", U32: "<I", I32: "<i", F32: "<f", BOOL: "<?", U64: "<Q"}[kind], value)


def entry(key, kind, value):
    if isinstance(value, list):
        return text(key) + struct.pack("<IIQ", ARRAY, kind, len(value)) + b"".join(scalar(kind, item) for item in value)
    return text(key) + struct.pack("<I", kind) + scalar(kind, value)


def pad(data):
    return data + b"\0" * (-len(data) % ALIGNMENT)


def build(entries, tensors=()):
    """entries: (key, kind, value or list); tensors: (name, shape with the contiguous dimension first, list of floats)."""
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(entries))
    head += b"".join(entry(*item) for item in entries)
    data = b""
    for name, shape, values in tensors:
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += pad(struct.pack(f"<{len(values)}f", *values))
    return pad(head) + data


def vocabulary(words):
    """The entries of a SentencePiece vocabulary: <unk>, <s>, </s>, the 256 bytes, then `words` with falling scores."""
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + words
    kinds = [2, 3, 3] + [6] * 256 + [1] * len(words)
    scores = [0.0] * 259 + [-float(i) for i in range(len(words))]
    return [("tokenizer.ggml.model", STRING, "llama"), ("tokenizer.ggml.tokens", STRING, tokens),
            ("tokenizer.ggml.scores", F32, scores), ("tokenizer.ggml.token_type", I32, kinds),
            ("tokenizer.ggml.bos_token_id", U32, 1), ("tokenizer.ggml.eos_token_id", U32, 2),
            ("tokenizer.ggml.unknown_token_id", U32, 0), ("tokenizer.ggml.add_bos_token", BOOL, True),
            ("tokenizer.ggml.add_space_prefix", BOOL, True)]


def llama_contents(words, seed=1, layers=2, width=32, heads=4, kv_heads=2, ff=64, ctx=256):
    """Entries and tensors of a llama model of random float32 weights over that vocabulary, with tied embeddings."""
    rng = random.Random(seed)
    n_vocab = 259 + len(words)
    kv = width // heads * kv_heads
    entries = [("general.architecture", STRING, "llama"), ("general.name", STRING, "tiny"),
               ("llama.block_count", U32, layers), ("llama.context_length", U32, ctx),
               ("llama.embedding_length", U32, width), ("llama.feed_forward_length", U32, ff),
               ("llama.attention.head_count", U32, heads), ("llama.attention.head_count_kv", U32, kv_heads),
               ("llama.attention.layer_norm_rms_epsilon", F32, 1e-5), ("llama.rope.freq_base", F32, 10000.0),
               ("llama.rope.dimension_count", U32, width // heads)] + vocabulary(words)
    shapes = {"token_embd.weight": (width, n_vocab), "output_norm.weight": (width,)}
    for layer in range(layers):
        shapes |= {f"blk.{layer}.{name}.weight": shape for name, shape in {
            "attn_norm": (width,), "attn_q": (width, width), "attn_k": (width, kv), "attn_v": (width, kv),
            "attn_output": (width, width), "ffn_norm": (width,), "ffn_gate": (width, ff), "ffn_up": (width, ff),
            "ffn_down": (ff, width)}.items()}
    tensors = []
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        norm = len(shape) == 1
        tensors.append((name, shape, [1.0 if norm else rng.gauss(0, 0.3) for _ in range(count)]))
    return entries, tensors


def llama(words, **shape):
    """That model in one file, about 100 KB."""
    return build(*llama_contents(words, **shape))


def llama_parts(words, count, **shape):
    """That model in `count` files, as llama.cpp's gguf-split makes them: the metadata in the first."""
    entries, tensors = llama_contents(words, **shape)
    files = []
    for part in range(count):
        split = [("split.no", U16, part), ("split.count", U16, count), ("split.tensors.count", I32, len(tensors))]
        some = tensors[len(tensors) * part // count:len(tensors) * (part + 1) // count]
        files.append(build((entries if part == 0 else []) + split, some))
    return files
