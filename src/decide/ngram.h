/* Hashed word and character n-grams of a text, weighted by TF-IDF: the features that need no language model.
 *
 * text -> code points: each UTF-8 code point is decomposed and case-folded by itself (utf8proc: NFKD with casefold,
 *     default ignorables dropped, without canonical reordering, which would not be linear on hostile input)
 * words: maximal runs of letters, marks, digits and '_'; n-grams of 1..2 neighbouring words
 * characters: n-grams of 2..5 code points inside ' ' + w + ' ' for every run w between white space; a run shorter than n
 *     counts once, whole (much as "char_wb" of scikit-learn does)
 * bucket: FNV-1a steps over 32-bit code points, splitmix64's finaliser, low bits; the top bit of the bucket says word or character
 * weight: (1 + ln count) * idf, idf = ln((1 + rows) / (1 + rows with the bucket)) + 1 over the training rows; buckets that
 *     training did not see are dropped; then the words and the characters are each scaled to L2 norm sqrt(1/2)
 *
 * Time and memory are linear in the text, but for sorting the n-grams that occur. */
#ifndef WEIR_DECIDE_NGRAM_H
#define WEIR_DECIDE_NGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "weir/gguf.h"
#include "weir/status.h"

enum {
    NGRAM_BITS_MIN = 8,
    NGRAM_BITS_MAX = 30,
    NGRAM_WORDS_MAX = 4,           /* longest word n-gram */
    NGRAM_CHARS_MAX = 8,           /* longest character n-gram */
    NGRAM_TEXT_BYTES_MAX = 1 << 22 /* folding and n-grams take up to 120 bytes for a byte of text */
};

/* Word n-grams of word_min..word_max words, character n-grams of char_min..char_max code points; each pair is 0,0 (none) or
 * 1 <= min <= max. Buckets are below 2^bits. */
struct ngram_settings {
    uint32_t bits;
    uint32_t word_min, word_max;
    uint32_t char_min, char_max;
};

struct ngram_settings ngram_settings_default(void);
enum weir_status ngram_settings_check(const struct ngram_settings *settings, struct weir_error *error) WEIR_MUST_USE;

/* What occurs in one text. Zero it first; reused by further calls; freed by ngram_bag_free. */
struct ngram_bag {
    uint32_t *buckets; /* [count], rising, no bucket twice */
    uint32_t *tallies; /* [count], how often; at least 1 */
    size_t count;
    size_t capacity;
};

/* Replaces what the bag held. WEIR_ERR_FORMAT when the text is not UTF-8, WEIR_ERR_LIMIT beyond NGRAM_TEXT_BYTES_MAX; the bag is
 * empty then. */
enum weir_status ngram_bag_fill(const struct ngram_settings *settings, struct weir_string text, struct ngram_bag *bag,
                                struct weir_error *error) WEIR_MUST_USE;
void ngram_bag_free(struct ngram_bag *bag);

/* The buckets of the training rows and their idf. */
struct ngram_model {
    struct ngram_settings settings;
    size_t count;      /* buckets in use: the length of vectors */
    uint32_t *buckets; /* [count], rising, below 2^bits; owned */
    float *idf;        /* [count], owned */
};

/* From bags[rows[i]], i < n_rows; rows NULL: bags[i]. On success the caller owns the arrays of *out (ngram_model_free). */
enum weir_status ngram_model_learn(const struct ngram_settings *settings, const struct ngram_bag *bags,
                                   const uint32_t *rows, size_t n_rows, struct ngram_model *out,
                                   struct weir_error *error) WEIR_MUST_USE;
void ngram_model_free(struct ngram_model *model);

/* A sparse vector: values at rising indexes below ngram_model.count. Room for bag->count entries always suffices. */
struct ngram_vector {
    uint32_t *indexes;
    float *values;
    size_t count;
};

/* Fills vector->indexes and values, which the caller provides with room for bag->count entries, and count. */
void ngram_vector_fill(const struct ngram_model *model, const struct ngram_bag *bag, struct ngram_vector *vector);

#endif
