/* Pieces of text of different origin, joined into one text that remembers which of its bytes are trusted. */
#ifndef WEIR_TOKENIZER_PIECES_H
#define WEIR_TOKENIZER_PIECES_H

#include "tokenizer/special.h"

struct joined_text {
    char *text; /* owned; a NUL follows */
    size_t size;
    struct trusted_run *runs; /* owned; neighbours do not touch */
    size_t n_runs;
};

/* `first` (NULL: nothing), then the pieces. On failure *out is as it was. */
enum weir_status joined_text_make(const struct joined_text *first, const struct weir_text_piece *pieces, size_t count,
                                  struct joined_text *out, struct weir_error *error) WEIR_MUST_USE;
void joined_text_free(struct joined_text *joined); /* accepts a zeroed one */

static inline struct weir_string joined_text_string(const struct joined_text *joined)
{
    return (struct weir_string){.data = joined->text, .size = joined->size};
}

static inline struct trusted joined_text_trusted(const struct joined_text *joined)
{
    return (struct trusted){joined->runs, joined->n_runs};
}

#endif
