/* Any bytes as a provider's reply, in each wire format, whole or as a stream (the first byte says which): answers of the shape that was asked
 * for, or a failure with a text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cascade/said.h"
#include "cascade/sse.h"
#include "cascade/wire.h"
#include "fuzz/fuzz.h"

static const char TASK[] = "task: t\ninstructions: x\nquestions:\n"
                           "  a: {type: choice, labels: [card, card_delivery, money]}\n  b: {type: yesno}\n"
                           "  c: {type: score, levels: [1, 2.5, 7]}\n  d: {type: choice, multi: true, labels: [x, y]}\n"
                           "tiers: [{name: f, kind: openai, model: m}]\n";

static void check(int holds)
{
    if (!holds) abort();
}

static void check_probability(double p)
{
    check(p == -1 || (p >= 0 && p <= 1));
}

static void check_answer(const struct weir_provider_answer *answer, const struct weir_question *question)
{
    check_probability(answer->probability);
    for (size_t i = 0; answer->probabilities && i < question->n_labels; i++)
        check_probability(answer->probabilities[i]);
    check(question->multi == (answer->is_chosen != NULL));
    if (question->multi) return;
    check(answer->label < question->n_labels && strcmp(answer->value, question->labels[answer->label].name) == 0);
    check(isfinite(answer->expectation));
}

static void check_said(const struct said *said, const struct form *form)
{
    const struct weir_usage *u = &said->usage;
    check(u->input >= 0 && u->cached >= 0 && u->cache_write >= 0 && u->output >= 0);
    if (said->outcome != WEIR_OUTCOME_ANSWERED) {
        check(said->text[0] != 0);
        return;
    }
    for (size_t i = 0; i < form->n_questions; i++) check_answer(&said->answers[i], form_question(form, i));
}

struct stream {
    struct said *said;
    const struct wire *wire;
};

static enum weir_status on_event(void *context, const char *name, const char *data, size_t size)
{
    struct stream *stream = context;
    struct arena arena = ARENA_MAX(SAID_MEMORY_MAX);
    struct json_value *root = NULL;
    if (json_read(&arena, "event", data, size, &root, NULL)) root = NULL;
    stream->wire->event(stream->said, name, data, size, root);
    arena_free(&arena);
    return WEIR_OK;
}

static void read_stream(struct said *said, const struct wire *wire, const char *bytes, size_t size)
{
    struct sse sse;
    struct stream stream = {.said = said, .wire = wire};
    sse_init(&sse);
    check(sse_feed(&sse, bytes, size, on_event, &stream) == WEIR_OK);
    sse_free(&sse);
    if (!said->is_whole) said_fail(said, WEIR_OUTCOME_CUT, "the stream ended before the answer did");
}

static void read_whole(struct said *said, const struct wire *wire, const struct form *form, const char *bytes,
                       size_t size)
{
    struct json_value *root = NULL;
    if (json_read(&said->arena, "the reply", bytes, size, &root, NULL))
        said_fail(said, WEIR_OUTCOME_BAD_REPLY, "no JSON");
    else
        wire->read(said, form, root);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const enum weir_tier_kind kinds[] = {WEIR_TIER_OPENAI, WEIR_TIER_ANTHROPIC, WEIR_TIER_DECISIONS,
                                                WEIR_TIER_SYSTEMONE};
    struct weir_task *task = NULL;
    struct form form;
    struct said said;
    if (!size) return 0;
    const struct wire *wire = wire_of(kinds[(bytes[0] - '0') & 3]);
    check(weir_task_open_memory(TASK, sizeof TASK - 1, "fuzz", &task, NULL) == WEIR_OK);
    check(form_make(task, weir_task_tier(task, 0), NULL, 0, &form, NULL) == WEIR_OK);
    said_init(&said);
    if (((bytes[0] - '0') & 4) && wire->event)
        read_stream(&said, wire, (const char *)bytes + 1, size - 1);
    else
        read_whole(&said, wire, &form, (const char *)bytes + 1, size - 1);
    if (!wire->is_labels_only) said_finish(&said, &form);
    check_said(&said, &form);
    said_free(&said);
    weir_task_close(&task);
    return 0;
}
