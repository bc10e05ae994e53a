#include "tokenizer/pretok.h"

#include <stdint.h>
#include <string.h>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

/* ---- characters and runs ---- */

/* Sets of classes, as the expressions name them. */
enum {
    SET_SPACE = 1U << UNICODE_SPACE,   /* \s */
    SET_NUMBER = 1U << UNICODE_NUMBER, /* \p{N} */
    SET_MARK = 1U << UNICODE_MARK,     /* \p{M} */
    SET_LETTER = 1U << UNICODE_UPPER | 1U << UNICODE_LOWER | 1U << UNICODE_TITLE | 1U << UNICODE_MODIFIER |
                 1U << UNICODE_OTHER_LETTER,            /* \p{L} */
    SET_OTHER = 1U << UNICODE_OTHER | SET_MARK,         /* [^\s\p{L}\p{N}] */
    SET_FOREIGN = 1U << 15,                             /* letters outside ASCII */
    SET_NOT_SMALL = 1U << UNICODE_UPPER | SET_FOREIGN,  /* letters but a-z */
    SET_NOT_CAPITAL = 1U << UNICODE_LOWER | SET_FOREIGN /* letters but A-Z */
};

struct glyph {
    uint32_t code;
    size_t size;  /* bytes; 0 at the end of the text */
    unsigned set; /* 1 << class, perhaps SET_FOREIGN; 0 at the end, so that it is in no set */
};

static struct glyph glyph_at(struct weir_string text, size_t at)
{
    struct glyph g = {0};
    if (at >= text.size) return g;
    g.size = utf8_step(text.data + at, text.size - at, &g.code);
    g.set = 1U << unicode_class_of(g.code);
    if (g.code >= 0x80 && (g.set & SET_LETTER)) g.set |= SET_FOREIGN;
    return g;
}

/* The end of the run of characters of `set` that begins at `at`. */
static size_t run_end(struct weir_string text, size_t at, unsigned set)
{
    for (;;) {
        struct glyph g = glyph_at(text, at);
        if (!(g.set & set)) return at;
        at += g.size;
    }
}

static bool is_newline(uint32_t code)
{
    return code == '\r' || code == '\n';
}

static size_t newlines_end(struct weir_string text, size_t at, bool slashes)
{
    while (at < text.size && (text.data[at] == '\r' || text.data[at] == '\n' || (slashes && text.data[at] == '/')))
        at++;
    return at;
}

static size_t numbers_end(struct weir_string text, size_t at, unsigned count_max)
{
    for (unsigned i = 0; i < count_max; i++) {
        struct glyph g = glyph_at(text, at);
        if (!(g.set & SET_NUMBER)) break;
        at += g.size;
    }
    return at;
}

/* ---- parts that the expressions share ---- */

/* The letter that a character is in a contraction. With `folds` upper case counts, and the long s, which case folding makes an s. */
static uint32_t contraction_letter(struct glyph g, bool folds)
{
    if (!folds) return g.code;
    if (g.code >= 'A' && g.code <= 'Z') return g.code + ('a' - 'A');
    return g.code == 0x17F ? 's' : g.code;
}

/* 's|'t|'re|'ve|'m|'ll|'d: its end, or `at`. */
static size_t contraction_end(struct weir_string text, size_t at, bool folds)
{
    if (at >= text.size || text.data[at] != '\'') return at;
    struct glyph first = glyph_at(text, at + 1);
    struct glyph second = glyph_at(text, at + 1 + first.size);
    uint32_t a = contraction_letter(first, folds);
    uint32_t b = contraction_letter(second, folds);
    size_t one = at + 1 + first.size;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return one;
    bool is_pair = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
    return is_pair ? one + second.size : at;
}

/* \s+(?!\S)|\s+: the run of white space but its last character, which goes with the word after it. `boundary`: classes
 * that count as the end of the text. */
static size_t spaces_end(struct weir_string text, size_t at, unsigned boundary)
{
    size_t last = at;
    size_t end = at;
    struct glyph g;
    for (g = glyph_at(text, end); g.set & SET_SPACE; g = glyph_at(text, end)) {
        last = end;
        end += g.size;
    }
    bool is_last = g.size == 0 || (g.set & boundary);
    return is_last || last == at ? end : last;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+: up to the last newline of the run, where it has one. */
static size_t lines_end(struct weir_string text, size_t at)
{
    size_t newline_end = at;
    size_t end = at;
    for (struct glyph g = glyph_at(text, end); g.set & SET_SPACE; g = glyph_at(text, end)) {
        end += g.size;
        if (is_newline(g.code)) newline_end = end;
    }
    return newline_end > at ? newline_end : spaces_end(text, at, 0);
}

/* Where the characters after an optional space (` ?`) begin. */
static size_t after_space(struct weir_string text, size_t at)
{
    return text.data[at] == ' ' ? at + 1 : at;
}

/* [^\r\n\p{L}\p{N}]: its end, or `at`. */
static size_t lead_end(struct weir_string text, size_t at)
{
    struct glyph g = glyph_at(text, at);
    return (g.set & (SET_LETTER | SET_NUMBER)) || is_newline(g.code) ? at : at + g.size;
}

/* ---- GPT-2 and SmolLM ---- */

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ (openai/gpt-2, encoder.py). With `digits_apart` every number
 * character is cut out before, so that it is a piece, and the text beside it ends there. */
static size_t gpt2_piece(struct weir_string text, size_t at, bool digits_apart)
{
    size_t end = contraction_end(text, at, false);
    if (end > at) return end;
    if (digits_apart && (glyph_at(text, at).set & SET_NUMBER)) return numbers_end(text, at, 1);
    size_t start = after_space(text, at);
    unsigned set = glyph_at(text, start).set;
    if (set & SET_LETTER) return run_end(text, start, SET_LETTER);
    if ((set & SET_NUMBER) && !digits_apart) return run_end(text, start, SET_NUMBER);
    if (set & SET_OTHER) return run_end(text, start, SET_OTHER);
    return spaces_end(text, at, digits_apart ? SET_NUMBER : 0);
}

static size_t gpt2_next(struct weir_string text, size_t at)
{
    return gpt2_piece(text, at, false);
}

/* \p{N} alone, the rest as GPT-2 (HuggingFaceTB/SmolLM2, tokenizer.json: Digits, then ByteLevel). */
static size_t smollm_next(struct weir_string text, size_t at)
{
    return gpt2_piece(text, at, true);
}

/* ---- Llama 3, cl100k, Qwen 2 ---- */

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * (meta-llama/Meta-Llama-3-8B, tokenizer.json). */
static size_t llama3_piece(struct weir_string text, size_t at, unsigned digits)
{
    size_t end = contraction_end(text, at, true);
    if (end > at) return end;
    size_t start = lead_end(text, at);
    end = run_end(text, start, SET_LETTER);
    if (end > start) return end;
    end = numbers_end(text, at, digits);
    if (end > at) return end;
    start = after_space(text, at);
    end = run_end(text, start, SET_OTHER);
    if (end > start) return newlines_end(text, end, false);
    return lines_end(text, at);
}

static size_t llama3_next(struct weir_string text, size_t at)
{
    return llama3_piece(text, at, 3);
}

static size_t qwen2_next(struct weir_string text, size_t at)
{
    return llama3_piece(text, at, 1);
}

/* ---- o200k ---- */

/* L-not-a-z*, L-not-A-Z+ from `at`: its end, or `at`. Greedy: when no small letter follows the first run, that run gives back its end up
 * to the last letter that is in both sets. */
static size_t capitals_then_lower_end(struct weir_string text, size_t at)
{
    size_t shared_end = at;
    size_t end = at;
    struct glyph g;
    for (g = glyph_at(text, end); g.set & SET_NOT_SMALL; g = glyph_at(text, end)) {
        end += g.size;
        if (g.set & SET_NOT_CAPITAL) shared_end = end;
    }
    return g.set & SET_NOT_CAPITAL ? run_end(text, end, SET_NOT_CAPITAL) : shared_end;
}

/* The four ways to match a word, in the order in which the expression tries them: lower-case end with and without the leading
 * character, then capitals alone with and without it. */
static size_t o200k_word_end(struct weir_string text, size_t at)
{
    size_t lead = lead_end(text, at);
    size_t end = capitals_then_lower_end(text, lead);
    if (end > lead) return end;
    end = capitals_then_lower_end(text, at);
    if (end > at) return end;
    end = run_end(text, lead, SET_NOT_SMALL);
    if (end > lead) return end;
    return run_end(text, at, SET_NOT_SMALL);
}

/* openai/tiktoken, o200k_base, writes a word as [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ or
 * [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*, either with (?i:'s|'t|'re|'ve|'m|'ll|'d)? after it; then
 * \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * The reading here is llama.cpp's, on which the reference ids rest: marks are no part of words, and only a-z and A-Z have case. */
static size_t o200k_next(struct weir_string text, size_t at)
{
    size_t end = o200k_word_end(text, at);
    if (end > at) return contraction_end(text, end, true);
    end = numbers_end(text, at, 3);
    if (end > at) return end;
    size_t start = after_space(text, at);
    end = run_end(text, start, SET_OTHER);
    if (end > start) return newlines_end(text, end, true);
    return lines_end(text, at);
}

/* ---- the table ---- */

static const struct pretok pretoks[] = {
    {"gpt-2", gpt2_next, false, false},
    {"phi-2", gpt2_next, false, false},
    {"smollm", smollm_next, false, false},
    {"starcoder", smollm_next, false, false},
    {"refact", smollm_next, false, false},
    {"llama-bpe", llama3_next, true, true},
    {"llama3", llama3_next, true, true},
    {"llama-v3", llama3_next, true, true},
    {"falcon3", llama3_next, true, true},
    {"pixtral", llama3_next, true, true},
    {"lfm2", llama3_next, true, true},
    {"dbrx", llama3_next, false, false},
    {"smaug-bpe", llama3_next, false, false},
    {"qwen2", qwen2_next, false, false},
    {"deepseek-r1-qwen", qwen2_next, false, false},
    {"gpt-4o", o200k_next, false, false},
    {"llama4", o200k_next, false, false},
};

const struct pretok *pretok_find(struct weir_string name)
{
    for (size_t i = 0; i < sizeof pretoks / sizeof *pretoks; i++) {
        const struct pretok *row = &pretoks[i];
        if (strlen(row->name) == name.size && memcmp(row->name, name.data, name.size) == 0) return row;
    }
    return NULL;
}
