/* Chat templates: a conversation in the form that a model was trained on, rendered by a Jinja subset of our own (docs/templates.md).
 *
 * Order: weir_template_open or weir_template_open_model, then weir_template_render as often as needed, then weir_template_close.
 * A template is immutable and shared by threads.
 *
 * What is rendered equals jinja2 3.1 byte for byte, or it is an error that names line and column: WEIR_ERR_UNSUPPORTED for what the
 * subset lacks, WEIR_ERR_REFUSED for what the template itself refuses (raise_exception), WEIR_ERR_FORMAT for a template that is none,
 * WEIR_ERR_INVALID for a conversation that it cannot use (an undefined value, a wrong type), WEIR_ERR_LIMIT beyond a bound.
 *
 * Every byte keeps its origin. Text of the template itself, bos_token, eos_token and the usual names of roles may spell special
 * tokens; every other string of the request is data, whatever the template does with it. weir_tokenize_pieces turns the pieces into ids
 * and looks for special tokens in the template's alone. */
#ifndef WEIR_TEMPLATE_H
#define WEIR_TEMPLATE_H

#include <stddef.h>
#include <time.h>

#include "weir/gguf.h"
#include "weir/status.h"
#include "weir/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_template;

/* A template from its source, UTF-8 of at most 1 MiB. The source is not kept. */
WEIR_API enum weir_status weir_template_open(const char *source, size_t size, struct weir_template **out,
                                             struct weir_error *error) WEIR_MUST_USE;

/* The template inside a model file (tokenizer.chat_template), with the file's BOS and EOS for bos_token and eos_token.
 * WEIR_ERR_NOT_FOUND when the model has none. The file may be closed afterwards. */
WEIR_API enum weir_status weir_template_open_model(const struct weir_gguf *gguf, struct weir_template **out,
                                                   struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_template_close(struct weir_template **chat_template); /* accepts NULL behind the pointer */

struct weir_template_request {
    struct weir_string
        json; /* an object: messages, add_generation_prompt, tools, and any other variable of the template */
    const char *bos, *eos; /* bos_token, eos_token; NULL: the model's own, undefined without a model */
    const struct tm *now;  /* what strftime_now formats (tm_wday and tm_yday count); NULL: it is not defined */
};

/* Zero it first, free it with weir_rendering_free; refers to nothing else. */
struct weir_rendering {
    char *text; /* owned: the pieces one after the other, and a NUL */
    size_t size;
    struct weir_text_piece
        *pieces; /* owned, into text: for weir_tokenize_pieces; the template's own are trusted. Neighbours differ */
    size_t piece_count;
};

/* On success the old content of *out is freed and replaced. */
WEIR_API enum weir_status weir_template_render(const struct weir_template *chat_template,
                                               const struct weir_template_request *request, struct weir_rendering *out,
                                               struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_rendering_free(struct weir_rendering *rendering);

#ifdef __cplusplus
}
#endif
#endif
