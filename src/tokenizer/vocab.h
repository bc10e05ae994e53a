/* The tokens of a vocabulary: their bytes, kinds and scores, and the way from bytes to id.
 *
 * A token's text is what it stands for in running text: byte-level spelling and U+2581 are undone when the vocabulary is built, so that
 * encoding and decoding both work on plain bytes. Only tokens that merging may produce are found by text: normal and unused ones. Control and
 * unknown tokens are never among them, so no text can spell one by accident; user-defined ones are matched before merging (special.h). */
#ifndef WEIR_TOKENIZER_VOCAB_H
#define WEIR_TOKENIZER_VOCAB_H

#include "weir/status.h"
#include "weir/tokenizer.h"

enum { TOKEN_NONE = -1 };

/* How the file spells the text of normal tokens. */
enum vocab_spelling {
    SPELLING_BYTE_LEVEL, /* GPT-2: every byte is one printable character */
    SPELLING_SPACES      /* SentencePiece: U+2581 is a space, <0xXX> a byte */
};

struct vocab {
    size_t count;
    size_t text_bytes_max;     /* longest text that vocab_find can find */
    size_t token_bytes_max;    /* longest text of all */
    struct weir_string *texts; /* [count], into arena */
    uint8_t *kinds;            /* [count], enum weir_token_kind */
    float *scores;             /* [count], finite; NULL where the file has none */
    int32_t bytes[256];        /* the token of one byte, or TOKEN_NONE */
    char *arena;
    int32_t *slots; /* [slot_mask + 1], open addressing, at most half full, TOKEN_NONE is free */
    size_t slot_mask;
};

/* Reads tokenizer.ggml.tokens, .token_type and, when `has_scores`, .scores. Error texts do not name the file. */
enum weir_status vocab_load(struct vocab *vocab, const struct weir_gguf *gguf, enum vocab_spelling spelling,
                            bool has_scores, struct weir_error *error) WEIR_MUST_USE;
void vocab_free(struct vocab *vocab); /* accepts a zeroed or half-loaded one */

/* The normal or unused token with this text, or TOKEN_NONE. */
int32_t vocab_find(const struct vocab *vocab, const char *text, size_t size);

/* Undoes the spelling of one token: writes at most `size` bytes to `out`, returns how many. */
size_t vocab_unspell(enum vocab_spelling spelling, const char *text, size_t size, char *out);

/* Of 64 bits, well mixed: for tables whose size is a power of two. */
static inline uint64_t hash_mix(uint64_t h)
{
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdULL; /* the finaliser of MurmurHash3 */
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ULL;
    return h ^ h >> 33;
}

/* The slots for `items` entries: a power of two, at least twice as many. 0 on overflow. */
size_t hash_slot_count(size_t items);

/* A file made to collide is refused rather than searched: with honest data the longest run is far shorter. */
enum { HASH_PROBES_MAX = 1024 };

#endif
