"""Random texts and every code point through weir's byte-level BPE and through PyPI tokenizers: the ids must be equal.

    python3 tests/tokenizer/differ.py --ids PROGRAM MODEL.gguf...      (needs PyPI gguf and tokenizers)

PROGRAM is tokenizer_ids (tests/tokenizer/ids_tool.c). A text is a line without LF, or, for newlines, a case of its own. Texts with a byte that
the vocabulary lacks are left out: tokenizers drops such bytes. Prints the seed.
"""
import argparse
import random
import subprocess
import sys

import hf

SEPARATOR = "\n__ggml_vocab_test__\n"
ALPHABET = "ab XY'stmdrevlSTMDREVL019 \n\r\t.,/-<>|éßſ\u0301Жя中ｱ🦙\u00a0\u2028\u3000ǅʰ²\u0e01\u0e34\u093f"


def code_point_texts():
    """Each code point between letters, after a space and before one, 64 code points a text."""
    codes = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and not 0x11DE0 <= c <= 0x11DF0]  # Unicode 17 numbers
    for at in range(0, len(codes), 64):
        yield "".join(f"a{chr(c)}b {chr(c)} 1{chr(c)}{chr(c)}" for c in codes[at:at + 64])


def random_texts(source, count):
    for _ in range(count):
        yield "".join(source.choice(ALPHABET) for _ in range(source.randint(1, 40)))


def found_ids(program, model, texts):
    text = "".join(t + SEPARATOR for t in texts).encode()
    done = subprocess.run([program, model, "--cases"], input=text, capture_output=True, check=True)
    return [[int(i) for i in row.split()] for row in done.stdout.decode().split("\n")[:-1]]


def differ(program, path, texts):
    tokens, types, merges, pre = hf.read_vocabulary(path)
    made = hf.tokenizer(tokens, types, merges, pre)
    alphabet = {t for t in tokens if len(t) == 1}
    spelled = hf.byte_level(False)
    texts = [t for t in texts if set(spelled.pre_tokenize_str(t)[0][0]) <= alphabet]
    expected = [e.ids for e in made.encode_batch(texts, add_special_tokens=False)]
    found = found_ids(program, path, texts)
    wrong = [i for i in range(len(texts)) if expected[i:i + 1] != found[i:i + 1]]
    for i in wrong[:3]:
        print(f"{path}: {texts[i]!r}\n  expected {expected[i]}\n  found    {found[i] if i < len(found) else None}")
    return [path.rsplit("/", 1)[-1], pre, len(texts), len(wrong)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ids", required=True, help="the program tokenizer_ids")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--count", type=int, default=20000, help="random texts")
    parser.add_argument("models", nargs="+")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    texts = list(code_point_texts()) + list(random_texts(random.Random(options.seed), options.count))
    rows = [differ(options.ids, model, texts) for model in options.models]
    for row in rows:
        print("%s (%s): %d texts, %d wrong" % tuple(row))
    return 1 if any(row[3] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
