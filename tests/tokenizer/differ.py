"""Random texts and code points through weir's tokenizer and through PyPI tokenizers: the ids must be equal. Random ids back to text: likewise.

    python3 tests/tokenizer/differ.py --ids PROGRAM [--seconds N] [--seed N] [--all-codes] MODEL.gguf...      (needs PyPI gguf and tokenizers)

PROGRAM is tokenizer_ids (tests/tokenizer/ids_tool.c). A text is a case of its own; some spell special tokens, which are looked for. Texts with a byte that
the vocabulary lacks are left out: tokenizers drops such bytes. What tokenizers decodes differently by design (incomplete UTF-8 of byte tokens, the space
that SentencePiece adds) is compared with Python's own decoding of the tokens' bytes. Prints the seed. --seconds: for each model, beside reading it.
"""
import argparse
import random
import subprocess
import sys
import time

import hf

SEPARATOR = "\n__ggml_vocab_test__\n"
ALPHABET = "ab XY'stmdrevlSTMDREVL019 \n\r\t.,/-<>|éßſ\u0301Жя中ｱ🦙\u00a0\u2028\u3000ǅʰ²\u0e01\u0e34\u093f"
WORDS = ["the", " and", "Hello", "ing", "  ", "\n\n", "    ", "1234", "...", "don't", "I'LL", " über", "北京", "हिन्दी", "ไทย", "👩‍👩‍👧", "A\u030a"]
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and not 0x11DE0 <= c <= 0x11DF0]  # but numbers of Unicode 17
SPACE_MARK = "▁"  # SentencePiece reads it as a space, weir too; tokenizers keeps it apart


def code_point_text(codes):
    """Each code point between letters, after a space and before one."""
    return "".join(f"a{chr(c)}b {chr(c)} 1{chr(c)}{chr(c)}" for c in codes if chr(c) != SPACE_MARK)


def random_text(rng, specials):
    kind = rng.random()
    if kind < 0.25:
        return code_point_text(rng.choices(CODES, k=16))
    if kind < 0.35:
        return rng.choice(ALPHABET) * rng.randint(1, 300)
    text = "".join(rng.choice(WORDS) if rng.random() < 0.2 else rng.choice(ALPHABET) for _ in range(rng.randint(1, 40)))
    if kind < 0.5 and specials:
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice(specials) + text[at:]
    return text


def run(program, model, mode, text):
    done = subprocess.run([program, model, mode, "--special"], input=text.encode(), capture_output=True, check=True)
    return done.stdout.decode().split("\n")[:-1]


class Model:
    def __init__(self, program, path, rng):
        self.program, self.path, self.rng = program, path, rng
        self.vocab = hf.read_vocabulary(path)
        self.made = hf.tokenizer(self.vocab)
        self.bytes = hf.token_bytes(self.vocab)
        self.alphabet = {t for t in self.vocab.tokens if len(t) == 1}
        self.specials = [t for t, kind in zip(self.vocab.tokens, self.vocab.types) if kind in (hf.CONTROL, hf.USER_DEFINED)]
        self.spelled = hf.byte_level(False)
        self.texts = self.decoded = self.wrong = 0

    def has_bytes(self, text):
        return not self.vocab.is_bpe or set(self.spelled.pre_tokenize_str(text)[0][0]) <= self.alphabet

    def report(self, what, given, expected, found):
        self.wrong += 1
        if self.wrong <= 3:
            print(f"{self.path}: {what} {given!r}\n  expected {expected!r}\n  found    {found!r}")

    def encode(self, texts):
        texts = [t for t in texts if t and SEPARATOR not in t and self.has_bytes(t)]
        expected = [e.ids for e in self.made.encode_batch(texts, add_special_tokens=False)]
        found = [[int(i) for i in row.split()] for row in run(self.program, self.path, "--cases", "".join(t + SEPARATOR for t in texts))]
        for i, text in enumerate(texts):
            if expected[i] != (found[i] if i < len(found) else None):
                self.report("ids of", text, expected[i], found[i] if i < len(found) else None)
        self.texts += len(texts)
        return found

    def joined(self, ids):
        """The text of ids, by Python: bytes, one space less where encoding adds one. The unknown token shows its spelling."""
        out, drops = b"", self.vocab.adds_space
        for i in ids:
            kind, piece = self.vocab.types[i], self.bytes[i]
            out += piece[1:] if drops and piece[:1] == b" " and kind not in (hf.CONTROL, hf.USER_DEFINED) else piece
            drops = self.vocab.adds_space and kind in (hf.CONTROL, hf.USER_DEFINED)
        return out.decode(errors="replace")

    def decode(self, rows):
        rows = [ids for ids in rows if ids]
        lines = run(self.program, self.path, "--decode", "".join(" ".join(map(str, ids)) + "\n" for ids in rows))
        for ids, line in zip(rows, lines):
            text = "".join(bytes.fromhex(piece).decode() for piece in line.split(","))  # every piece is UTF-8 by itself
            expected = self.joined(ids)
            if text != expected:
                self.report("text of", ids, expected, text)
            theirs = self.made.decode(ids, skip_special_tokens=False)
            if self.vocab.is_bpe and theirs != text:
                self.report("text of", ids, theirs, text)
        self.decoded += len(rows)
        if len(rows) != len(lines):
            self.report("lines of", len(rows), len(rows), len(lines))

    def random_ids(self):
        ids = [i for i in range(len(self.vocab.tokens)) if self.vocab.types[i] != hf.UNKNOWN]
        byte_like = [i for i in ids if len(self.bytes[i]) < 3 and max(self.bytes[i], default=0) >= 0x80] or ids
        return [self.rng.choice(byte_like if self.rng.random() < 0.4 else ids) for _ in range(self.rng.randint(1, 12))]

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.encode([random_text(self.rng, self.specials) for _ in range(1000)])
            self.decode(found[:300] + [self.random_ids() for _ in range(300)])

    def all_codes(self):
        for at in range(0, len(CODES), 64000):
            self.encode([code_point_text(CODES[k:k + 64]) for k in range(at, min(at + 64000, len(CODES)), 64)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ids", required=True, help="the program tokenizer_ids")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--all-codes", action="store_true", help="every code point, too")
    parser.add_argument("models", nargs="+")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    failed = 0
    for path in options.models:
        model = Model(options.ids, path, random.Random(options.seed))
        model.run(options.seconds)
        if options.all_codes:
            model.all_codes()
        print(f"{path.rsplit('/', 1)[-1]} ({model.vocab.pre}): {model.texts} texts, {model.decoded} decoded, {model.wrong} wrong", flush=True)
        failed += bool(model.wrong or not model.texts or not model.decoded)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
