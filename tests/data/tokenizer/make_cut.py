#!/usr/bin/env python3
"""Makes cut.gguf and cut.ids from SmolLM2's vocabulary:

    tests/data/tokenizer/make_cut.py SmolLM2-135M-Instruct.gguf     (needs PyPI gguf, tokenizers)

cut.gguf: the control tokens, the byte tokens, and the first MERGES merges with their results. cut.ids: what PyPI tokenizers says, a case a line:
pre-tokenizer, text in hexadecimal, ids.
"""
import random
import sys
from pathlib import Path

import gguf

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "tokenizer"))
import hf  # noqa: E402

MERGES = 2500
TEXTS = [
    "Hello world", " Hello World!", "I'm sure they'll say you've won; he'd re-do it, we're NOT. 'S 'T I'M YOU'LL DON'T'", "it's'snow 'tis ''s",
    "don\u2019t 'ſo 'ſ", "  two  spaces   three \n\n\nlines\r\n\r\nmore\t\ttabs \t mixed \u00a0nbsp\u3000ideographic", "trailing   ", "\n", "\n \n  ", " \r\n ", "   x",
    "1 12 123 1234 12345 x1y22z333 3.14 1,000 ٣٤٥ ²³ Ⅷ ½", "   5  55\n7", " 9", "Äpfel ÄÖÜ ß naïve CAFÉ Ünïcödé", "привет Мир нещо", "你好，世界 日本語テキスト 한국어 텍스트",
    "🦙 🚀👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️", "e\u0301 a\u0308o\u0308 \u0301x क्षत्रिय ภาษาไทย កាន់តែពិសេស", "𝒜𝓑 𐐷𐐀 \U000e0101x", "camelCase HTTPServer XMLHttpRequest iPhone ABCdef",
    "path/to/file.c --flag=value // comment\n/// doc/\n", "!!!??? ... \"quoted\" (a) [b] {c} <d> <|im_end|> <|endoftext|>\n", "a\u200bb\u2028c\u0085d\u00ade", "Ａｆｕｌｌ ｗｉｄｔｈ １２３",
    "if (x == 1) {\n\treturn \"y\";\n}\n", "user@example.com https://example.com/a?b=c&d=%20e", "x" * 40, " " * 33, "\n" * 17, "ab" * 30, "the the the The THE tHe",
]


def random_text(random_source):
    alphabet = "ab XY'stmdrevl019 \n\r\t.,/-<>|é\u0301Жя中ｱ🦙\u00a0\u2028ǅʰ²"
    return "".join(random_source.choice(alphabet) for _ in range(random_source.randint(1, 24)))


def cut(path):
    tokens, types, merges, _ = hf.read_vocabulary(path)
    merges = merges[:MERGES]
    results = {m.replace(" ", "") for m in merges}
    keep = [i for i, t in enumerate(tokens) if types[i] != 1 or len(t) == 1 or t in results]
    return [tokens[i] for i in keep], [types[i] for i in keep], merges


def write_gguf(tokens, types, merges):
    writer = gguf.GGUFWriter(HERE / "cut.gguf", "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index("<|im_start|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def main():
    tokens, types, merges = cut(sys.argv[1])
    write_gguf(tokens, types, merges)
    source = random.Random(3)
    with open(HERE / "cut.ids", "w") as out:
        for pre in hf.PRE:
            made = hf.tokenizer(tokens, types, merges, pre)
            for text in TEXTS + [random_text(source) for _ in range(100)]:
                ids = made.encode(text, add_special_tokens=False).ids
                print(pre, text.encode().hex(), *ids, file=out)


main()
