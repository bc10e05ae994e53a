"""Byte-level BPE of a GGUF file as PyPI tokenizers does it: the second opinion on ids. Needs gguf and tokenizers."""
import gguf
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

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


def read_vocabulary(path):
    """(tokens, types, merges, pre) of a GGUF file; tokens and merges as text."""
    fields = gguf.GGUFReader(path).fields

    def strings(key):
        field = fields["tokenizer.ggml." + key]
        return [bytes(field.parts[i]).decode() for i in field.data]

    types = fields["tokenizer.ggml.token_type"]
    return (strings("tokens"), [int(types.parts[i][0]) for i in types.data], strings("merges"), strings("pre")[0])


def tokenizer(tokens, types, merges, pre):
    """Special tokens are left out: they are never spelled by text."""
    vocab = {token: i for i, token in enumerate(tokens) if types[i] == 1}
    model = models.BPE(vocab, [tuple(m.split(" ")) for m in merges], ignore_merges=pre == "llama-bpe")
    made = Tokenizer(model)
    made.pre_tokenizer = PRE[pre]()
    return made
