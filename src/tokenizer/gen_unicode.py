#!/usr/bin/env python3
"""Writes unicode_table.c: the class of every code point, for the pre-tokenizers.

    pip install unicodedata2==16.0.0 && src/tokenizer/gen_unicode.py > src/tokenizer/unicode_table.c

The version is fixed: 16.0.0 is what the regex engine of PyPI tokenizers 0.23 uses (all code points agree in L, N, M and the five
kinds of letter; tests/tokenizer/differ.py checks it). Python's own unicodedata serves from 3.14 on.
"""
import sys

try:
    import unicodedata2 as unicodedata
except ImportError:
    import unicodedata

VERSION = "16.0.0"
BLOCK = 128  # code points
TABLE_END = 0x34000  # above it only the variation selectors E0100..E01EF (Mn) have a class; unicode.c knows them
CLASSES = {"Lu": 1, "Ll": 2, "Lt": 3, "Lm": 4, "Lo": 5, "Mn": 6, "Mc": 6, "Me": 6, "Nd": 7, "Nl": 7, "No": 7}
SPACES = {0x9, 0xA, 0xB, 0xC, 0xD, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}


def class_of(code):
    if code in SPACES:  # property White_Space (PropList.txt)
        return 8
    return CLASSES.get(unicodedata.category(chr(code)), 0)


def rows(values, form, per_line):
    for at in range(0, len(values), per_line):
        yield "    " + " ".join(form % v for v in values[at : at + per_line])


def main():
    if unicodedata.unidata_version != VERSION:
        sys.exit(f"gen_unicode.py: needs Unicode {VERSION}, this Python has {unicodedata.unidata_version}")
    for code in range(TABLE_END, 0x110000):
        assert class_of(code) == (6 if 0xE0100 <= code <= 0xE01EF else 0), hex(code)
    blocks, index = {}, []
    for start in range(0, TABLE_END, BLOCK):
        codes = [class_of(c) for c in range(start, start + BLOCK)]
        packed = tuple(codes[i] | codes[i + 1] << 4 for i in range(0, BLOCK, 2))
        index.append(blocks.setdefault(packed, len(blocks)))
    assert len(blocks) <= 256
    flat = [byte for block in blocks for byte in block]
    print(f"/* Made by gen_unicode.py from Unicode {VERSION} (UnicodeData.txt, PropList.txt; Unicode License v3). Do not edit. */")
    print('#include "tokenizer/unicode.h"\n\n/* clang-format off */')
    print(f"const uint8_t unicode_block_index[{len(index)}] = {{")
    print("\n".join(rows(index, "%d,", 32)) + "\n};\n")
    print(f"const uint8_t unicode_blocks[{len(flat)}] = {{")
    print("\n".join(rows(flat, "%d,", 32)) + "\n};\n/* clang-format on */")


main()
