/* Chat templates: a subset of Jinja 2 of our own, rendered with the origin of every byte.
 *
 * Order: template_open (parses the source), template_render as often as needed, template_close. A template is immutable and
 * shared by threads. The environment is the one that published chat templates are written for: trim_blocks, lstrip_blocks,
 * loop controls, `tojson` as json.dumps(ensure_ascii=False), raise_exception, strftime_now. docs/templates.md lists the subset.
 *
 * What the subset lacks is WEIR_ERR_UNSUPPORTED naming the construct and its line, never a different prompt.
 * raise_exception("TEXT") is WEIR_ERR_REFUSED with TEXT, another error while rendering WEIR_ERR_INVALID, a syntax error
 * WEIR_ERR_FORMAT.
 *
 * Origin: text that stands in the template, bos_token, eos_token and a message's role (when it is one of the usual names)
 * come "from the template"; every other string of the variables is data and stays data through all string operations.
 * A tokenizer that looks for special tokens in template pieces only can therefore never be made to see one by a user. */
#ifndef WEIR_TASK_TEMPLATE_H
#define WEIR_TASK_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <jansson.h>

#include "weir/status.h"

enum {
    TEMPLATE_SOURCE_BYTES_MAX = 1 << 20,
    TEMPLATE_MEMORY_BYTES_MAX = 64 << 20, /* of one parse, and of one rendering with all its intermediate values */
    TEMPLATE_OUTPUT_BYTES_MAX = 16 << 20,
    TEMPLATE_STEPS_MAX = 4000000, /* expressions and statements evaluated in one rendering */
    TEMPLATE_DEPTH_MAX = 128,     /* nesting of the source */
    TEMPLATE_RUN_DEPTH_MAX = 512, /* nesting while rendering: expressions, calls, values that are printed or compared */
    TEMPLATE_RANGE_MAX = 100000
};

struct template;

struct template_piece {
    const char *text; /* not ended by NUL */
    size_t size;
    bool from_template; /* may spell special tokens */
};

/* Neighbouring pieces differ in from_template. Zero it first; free it with template_output_free. */
struct template_output {
    struct template_piece *pieces; /* owned */
    size_t n_pieces;
    char *text; /* owned: the pieces one after the other, and a NUL */
    size_t size;
};

struct template_input {
    json_t *variables;     /* object: messages, tools, add_generation_prompt ... */
    const char *bos, *eos; /* bos_token, eos_token; NULL: not defined */
    const struct tm *now;  /* what strftime_now formats; NULL: it is not defined */
};

enum weir_status template_open(const char *source, size_t size, struct template **out,
                               struct weir_error *error) WEIR_MUST_USE;
void template_close(struct template **template);

/* On success the old content of *out is replaced; the pieces do not refer to the template or to the input. */
enum weir_status template_render(const struct template *template, const struct template_input *input,
                                 struct template_output *out, struct weir_error *error) WEIR_MUST_USE;
void template_output_free(struct template_output *out);

#endif
