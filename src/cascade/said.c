#include "cascade/said.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void said_init(struct said *said)
{
    *said = (struct said){.outcome = WEIR_OUTCOME_ANSWERED,
                          .content = STRBUF_MAX(WEIR_PROVIDER_REPLY_BYTES_MAX),
                          .tokens = STRBUF_MAX((size_t)WEIR_PROVIDER_REPLY_BYTES_MAX * 4),
                          .refusal = STRBUF_MAX(1 << 16),
                          .arena = ARENA_MAX(SAID_MEMORY_MAX)};
}

void said_free(struct said *said)
{
    strbuf_free(&said->content);
    strbuf_free(&said->tokens);
    strbuf_free(&said->refusal);
    arena_free(&said->arena);
}

void said_fail(struct said *said, enum weir_outcome outcome, const char *format, ...)
{
    va_list args;
    if (said->outcome != WEIR_OUTCOME_ANSWERED) return;
    said->outcome = outcome;
    va_start(args, format);
    (void)vsnprintf(said->text, sizeof said->text, format, args);
    va_end(args);
    for (char *at = said->text; *at; at++)
        if ((unsigned char)*at < ' ' || (unsigned char)*at >= 0x7f) *at = '?';
}

bool said_count(const struct json_value *object, const char *key, bool is_optional, int64_t *out)
{
    const struct json_value *value = json_member(object, key);
    int64_t count = 0;
    if (!value || value->kind == JSON_NULL) {
        *out = 0;
        return is_optional;
    }
    if (value->kind != JSON_NUMBER || value->source.size > 15) return false;
    for (size_t i = 0; i < value->source.size; i++) {
        if (value->source.data[i] < '0' || value->source.data[i] > '9') return false;
        count = count * 10 + (value->source.data[i] - '0');
    }
    *out = count;
    return true;
}

bool said_number(const struct json_value *value, double *out)
{
    char text[64];
    if (!value || value->kind != JSON_NUMBER || value->source.size >= sizeof text) return false;
    memcpy(text, value->source.data, value->source.size);
    text[value->source.size] = 0;
    *out = strtod(text, NULL);
    return isfinite(*out);
}

static struct json_text text_of(const struct json_value *value)
{
    return value && value->kind == JSON_STRING ? value->string : (struct json_text){.data = "", .size = 0};
}

struct said_error said_error_of(const struct json_value *root)
{
    const struct json_value *error = json_member(root, "error"), *detail = json_member(root, "detail");
    struct said_error found = {.kind = text_of(json_member(error, "code")),
                               .message = text_of(json_member(error, "message"))};
    if (!found.kind.size) found.kind = text_of(json_member(error, "type"));
    if (error && error->kind == JSON_STRING) found.message = error->string;
    if (detail && detail->kind == JSON_ARRAY) detail = json_member(detail->first, "msg");
    if (detail) found.message = text_of(detail);
    return found;
}

/* ---- answers ------------------------------------------------------------------------------------------------------- */

struct weir_provider_answer *said_begin_answers(struct said *said, const struct form *form)
{
    said->answers = arena_zero(&said->arena, form->n_questions, sizeof *said->answers);
    if (!said->answers) said_fail(said, WEIR_OUTCOME_NO_MEMORY, "no memory for the answers");
    for (size_t i = 0; said->answers && i < form->n_questions; i++)
        said->answers[i] = (struct weir_provider_answer){
            .question = form->questions[i], .value = "", .label = SIZE_MAX, .probability = -1};
    return said->answers;
}

double *said_probabilities(struct said *said, const struct weir_question *question)
{
    double *p = arena_zero(&said->arena, question->n_labels, sizeof *p);
    if (!p) said_fail(said, WEIR_OUTCOME_NO_MEMORY, "no memory for the probabilities");
    return p;
}

static void set_label(struct weir_provider_answer *answer, const struct weir_question *question, size_t label)
{
    answer->label = label;
    answer->value = question->labels[label].name;
    answer->value_size = strlen(answer->value);
    answer->expectation = question->labels[label].value;
}

void said_set_distribution(struct weir_provider_answer *answer, const struct weir_question *question, const double *p)
{
    size_t best = 0;
    double mean = 0;
    for (size_t i = 0; i < question->n_labels; i++) {
        if (p[i] > p[best]) best = i;
        mean += p[i] * question->labels[i].value;
    }
    set_label(answer, question, best);
    answer->expectation = mean;
    answer->probability = p[best];
    answer->probabilities = p;
}

/* SIZE_MAX: none of the labels. */
static size_t label_of(const struct weir_question *question, struct json_text name)
{
    for (size_t i = 0; i < question->n_labels; i++)
        if (json_text_is(name, question->labels[i].name)) return i;
    return SIZE_MAX;
}

/* Without the value: it is the model's, and may repeat the text. */
static void fail_label(struct said *said, const char *member)
{
    said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "\"%s\" is none of the names to choose from", member);
}

/* The product of the probabilities of the pieces that spell `value`, its closing quote included (it tells "card" from "card_delivery").
 * -1: not known. */
static double probability_of(const struct said *said, const struct json_value *value)
{
    size_t begin = (size_t)(value->source.data - said->content.data) + 1, end = begin + value->source.size - 1, at = 0;
    size_t count = said->tokens.size / sizeof(struct said_token);
    double sum = 0;
    if (!count || said->has_token_gap) return -1;
    for (size_t i = 0; i < count; i++) {
        struct said_token token;
        memcpy(&token, said->tokens.data + i * sizeof token, sizeof token);
        if (token.end > begin && at < end) sum += token.logprob;
        at = token.end;
    }
    return at == said->content.size ? fmin(exp(sum), 1) : -1;
}

static void take_one(struct said *said, const struct weir_question *question, const char *member,
                     const struct json_value *value, struct weir_provider_answer *answer)
{
    size_t label = value->kind == JSON_STRING ? label_of(question, value->string) : SIZE_MAX;
    if (label == SIZE_MAX) {
        fail_label(said, member);
        return;
    }
    set_label(answer, question, label);
    answer->probability = probability_of(said, value);
}

static void take_several(struct said *said, const struct weir_question *question, const char *member,
                         const struct json_value *value, struct weir_provider_answer *answer)
{
    bool *is_chosen = arena_zero(&said->arena, question->n_labels, sizeof *is_chosen);
    if (!is_chosen) {
        said_fail(said, WEIR_OUTCOME_NO_MEMORY, "no memory for the answers");
        return;
    }
    if (value->kind != JSON_ARRAY) {
        said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "\"%s\" is not a list of names", member);
        return;
    }
    for (const struct json_value *item = value->first; item; item = item->next) {
        size_t label = item->kind == JSON_STRING ? label_of(question, item->string) : SIZE_MAX;
        if (label == SIZE_MAX) {
            fail_label(said, member);
            return;
        }
        if (is_chosen[label]) {
            said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "\"%s\" names \"%s\" twice", member,
                      question->labels[label].name);
            return;
        }
        is_chosen[label] = true;
    }
    answer->is_chosen = is_chosen;
}

static void finish_labels(struct said *said, const struct form *form, const struct json_value *root)
{
    if (root->kind != JSON_OBJECT) {
        said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "the answer is not a JSON object");
        return;
    }
    for (size_t i = 0; i < form->n_questions; i++) {
        char member[FORM_MEMBER_BYTES_MAX + 1];
        const struct weir_question *question = form_question(form, i);
        const struct json_value *value = json_member(root, form_member(form, i, member));
        if (!value)
            said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "the member \"%s\" is missing", member);
        else if (question->multi)
            take_several(said, question, member, value, &said->answers[i]);
        else
            take_one(said, question, member, value, &said->answers[i]);
    }
    if (root->count != form->n_questions)
        said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "the answer has members that were not asked for");
}

static void finish_extract(struct said *said, const struct form *form, const struct json_value *root)
{
    char *arranged = NULL;
    size_t size = 0;
    bool found = false;
    struct weir_error error = {0};
    enum weir_status status = weir_constraint_arrange(form->schema->constraint, root->source.data, root->source.size,
                                                      &arranged, &size, &found, &error);
    struct weir_provider_answer *answer = said->answers;
    if (status == WEIR_ERR_NOMEM) said_fail(said, WEIR_OUTCOME_NO_MEMORY, "no memory for the answer");
    if (status) said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "%s", error.text);
    if (!found) said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "the answer does not fit the schema");
    if (!status) {
        answer->value = arena_copy(&said->arena, arranged, size);
        answer->value_size = size;
        if (!answer->value) said_fail(said, WEIR_OUTCOME_NO_MEMORY, "no memory for the answer");
    }
    free(arranged);
}

void said_finish(struct said *said, const struct form *form)
{
    struct json_value *root = NULL;
    struct weir_error error = {0};
    const char *content = said->content.data ? said->content.data : "";
    if (said->outcome != WEIR_OUTCOME_ANSWERED || !said_begin_answers(said, form)) return;
    if (form->kind == FORM_WORDS) {
        said->answers->value = content;
        said->answers->value_size = said->content.size;
        if (!said->content.size) said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "the answer is empty");
        return;
    }
    enum weir_status status = json_read(&said->arena, "the answer", content, said->content.size, &root, &error);
    if (status == WEIR_ERR_NOMEM) said_fail(said, WEIR_OUTCOME_NO_MEMORY, "no memory for the answer");
    if (status) said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "%s", error.text);
    if (status) return;
    if (form->kind == FORM_LABELS) finish_labels(said, form, root);
    if (form->kind == FORM_EXTRACT) finish_extract(said, form, root);
}
