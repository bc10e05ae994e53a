"""The vocabulary of a GGUF file as PyPI tokenizers encodes and decodes with it: the second opinion on ids. Needs gguf and tokenizers."""
from dataclasses import dataclass

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6  # tokenizer.ggml.token_type

CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,%d}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL
NOT_SMALL, NOT_CAPITAL = r"(?:(?=\p{L})[^a-z])", r"(?:(?=\p{L})[^A-Z])"  # llama.cpp's reading of o200k
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?{NOT_SMALL}*{NOT_CAPITAL}+{CONTRACTION}?|[^\r\n\p{{L}}\p{{N}}]?{NOT_SMALL}+{NOT_CAPITAL}*{CONTRACTION}?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + TAIL)


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level(False)])


PRE = {
    "gpt-2": lambda: byte_level(True),
    "smollm": lambda: pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
    "llama-bpe": lambda: split(LLAMA3 % 3),
    "dbrx": lambda: split(LLAMA3 % 3),
    "qwen2": lambda: split(LLAMA3 % 1),
    "gpt-4o": lambda: split(O200K),
}


@dataclass
class Vocabulary:
    model: str  # gpt2 or llama
    pre: str
    tokens: list
    types: list
    merges: list  # gpt2
    scores: list  # llama
    adds_space: bool

    @property
    def is_bpe(self):
        return self.model == "gpt2"


def read_vocabulary(path):
    fields = gguf.GGUFReader(path).fields

    def field(key):
        return fields.get("tokenizer.ggml." + key)

    def strings(key):
        found = field(key)
        return [bytes(found.parts[i]).decode() for i in found.data] if found else []

    def numbers(key):
        found = field(key)
        return [found.parts[i][0].item() for i in found.data] if found else []

    model, space = strings("model")[0], numbers("add_space_prefix")
    return Vocabulary(model, "".join(strings("pre")), strings("tokens"), numbers("token_type"), strings("merges"), numbers("scores"),
                      bool(space[0]) if space else model == "llama")


def score_merges(vocab):
    """SentencePiece knows no merges, only scores: every way to put a token together, best score first, as transformers writes them."""
    ids = {token: i for i, token in enumerate(vocab.tokens) if vocab.types[i] in (NORMAL, UNUSED)}
    found = []
    for token, i in ids.items():
        parts = [(token[:at], token[at:]) for at in range(1, len(token)) if token[:at] in ids and token[at:] in ids]
        found += [(-vocab.scores[i], ids[left], ids[right], left, right) for left, right in parts]
    return [(left, right) for _, _, _, left, right in sorted(found)]


def tokenizer(vocab):
    """Control and user-defined tokens are found in text, as weir does with --special."""
    inside = {token: i for i, token in enumerate(vocab.tokens) if vocab.types[i] in (NORMAL, UNUSED, BYTE)}
    outside = [i for i, kind in enumerate(vocab.types) if kind in (UNKNOWN, CONTROL, USER_DEFINED)]
    inside |= {vocab.tokens[i]: i for i in outside}
    if vocab.is_bpe:
        made = Tokenizer(models.BPE(inside, [tuple(m.split(" ")) for m in vocab.merges], ignore_merges=vocab.pre == "llama-bpe"))
        made.pre_tokenizer = PRE[vocab.pre]()
        made.decoder = decoders.ByteLevel()
    else:
        made = Tokenizer(models.BPE(inside, score_merges(vocab), byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
        spaces = normalizers.Replace(" ", "▁")
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), spaces]) if vocab.adds_space else spaces
        made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    made.add_tokens([AddedToken(vocab.tokens[i], normalized=False, special=vocab.types[i] != USER_DEFINED) for i in outside])
    return made


def token_bytes(vocab):
    """What each token stands for in running text; special ones as they are spelled."""
    chars = pre_tokenizers.ByteLevel.alphabet()
    table = {}
    rank = 0
    for byte in range(256):  # GPT-2's printable characters
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255:
            table[chr(byte)] = byte
        else:
            table[chr(256 + rank)] = byte
            rank += 1
    assert set(table) == set(chars)

    def stands_for(token, kind):
        if kind in (UNKNOWN, CONTROL) or (kind == USER_DEFINED and vocab.is_bpe):
            return token.encode()
        if not vocab.is_bpe:
            return bytes([int(token[3:5], 16)]) if kind == BYTE else token.replace("▁", " ").encode()
        return bytes(table[c] for c in token) if all(c in table for c in token) else token.encode()

    return [stands_for(token, kind) for token, kind in zip(vocab.tokens, vocab.types)]
