/* Builds the prompt by rendering a conversation whose user turn ends in a mark, and cutting the result at the mark. */
#include "task/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "task/template_internal.h"

/* Stands for the row's text. Private-use code points, which no task may hold (checked): a template that looks at the
 * text sees one ordinary word. */
static const char MARK[] = "\xee\x80\x80weir\xee\x80\x81text\xee\x80\x82";

enum { PROMPT_BYTES_MAX = 8 << 20 };

/* Prompts must not depend on the day they are built on: strftime_now gives the date that Llama 3.1's template names when it
 * is given none. */
static const struct tm PROMPT_DATE = {
    .tm_year = 124, .tm_mon = 6, .tm_mday = 26, .tm_wday = 5, .tm_yday = 207, .tm_isdst = 0};

struct weir_string prompt_trim(struct weir_string text)
{
    struct tpl_text trimmed = tpl_strip((struct tpl_text){.data = text.data, .size = text.size}, true, true);
    return (struct weir_string){.data = trimmed.data, .size = trimmed.size};
}

static const char *noun_of(const struct weir_question *question)
{
    switch (question->type) {
    case WEIR_QUESTION_SCORE:
        return "level";
    case WEIR_QUESTION_YESNO:
        return "answer";
    default:
        return "category";
    }
}

/* "A. card_delivery: description" or "card_delivery: description", a line each. */
static enum weir_status add_labels(const struct weir_question *question, const char *const *codes, struct strbuf *out)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < question->n_labels; i++) {
        const struct weir_label *label = &question->labels[i];
        status = strbuf_printf(out, "%s%s%s%s%s\n", codes ? codes[i] : "", codes ? ". " : "", label->name,
                               *label->description ? ": " : "", label->description);
    }
    return status;
}

/* The user's turn, with the mark for the text. */
static enum weir_status user_turn(const struct weir_question *question, const char *const *codes, struct strbuf *out)
{
    const char *noun = noun_of(question);
    enum weir_status status = strbuf_printf(out, "%s\n\nAnswer with one of these:\n", question->instructions);
    if (!status) status = add_labels(question, codes, out);
    if (!status && codes)
        status =
            strbuf_printf(out, "\nReply with the code before the %s, such as %s, and nothing else.", noun, codes[0]);
    if (!status && !codes) status = strbuf_printf(out, "\nReply with the name of the %s and nothing else.", noun);
    return status ? status : strbuf_printf(out, "\n\nMessage:\n%s", MARK);
}

static enum weir_status plain_prompt(const struct weir_question *question, const char *const *codes, struct strbuf *out)
{
    bool is_answer = question->type == WEIR_QUESTION_YESNO, is_level = question->type == WEIR_QUESTION_SCORE;
    enum weir_status status = strbuf_printf(out, "%s\n\n%s:\n", question->instructions,
                                            is_answer  ? "Answers"
                                            : is_level ? "Levels"
                                                       : "Categories");
    if (!status) status = add_labels(question, codes, out);
    return status ? status
                  : strbuf_printf(out, "\nMessage:\n%s\n%s:", MARK,
                                  is_answer  ? "Answer"
                                  : is_level ? "Level"
                                             : "Category");
}

/* ---- questions that are answered in words ---- */

/* The task's own template, rendered with the mark for the text: its bytes are data, whatever they spell. */
static enum weir_status own_turn(const struct weir_question *question, struct strbuf *out, struct weir_error *error)
{
    struct template *template = NULL;
    struct template_output made = {0};
    enum weir_status status = template_open(question->template_text, strlen(question->template_text), &template, error);
    if (status) return status;
    struct template_input input = {.variables =
                                       json_pack("{s:s, s:s}", "text", MARK, "instructions", question->instructions),
                                   .now = &PROMPT_DATE};
    status = input.variables ? template_render(template, &input, &made, error) : error_nomem(error, "prompt");
    if (!status && strbuf_add(out, made.text, made.size)) status = error_nomem(error, "prompt");
    json_decref(input.variables);
    template_output_free(&made);
    template_close(&template);
    return status;
}

/* The user's turn, or the whole of a plain prompt, which says where the answer begins. */
static enum weir_status words_turn(const struct weir_question *question, bool has_template, struct strbuf *out,
                                   struct weir_error *error)
{
    if (*question->template_text) return own_turn(question, out, error);
    const char *lead = question->type == WEIR_QUESTION_SUMMARIZE ? "\n\nSummary:" : "\n\nAnswer:";
    enum weir_status status =
        strbuf_printf(out, "%s\n\nText:\n%s%s", question->instructions, MARK, has_template ? "" : lead);
    return status ? error_set(error, status, "the prompt: %s", weir_status_text(status)) : WEIR_OK;
}

/* enable_thinking: false closes the thinking part at once in the templates that know it (Qwen 3). */
static json_t *conversation(const struct strbuf *turn)
{
    return json_pack("{s:[{s:s, s:s%}], s:b, s:b}", "messages", "role", "user", "content", turn->data, turn->size,
                     "add_generation_prompt", 1, "enable_thinking", 0);
}

static enum weir_status render(struct weir_string source, struct weir_string bos, struct weir_string eos,
                               const struct strbuf *turn, struct template_output *out, struct weir_error *error)
{
    struct template *template = NULL;
    enum weir_status status = template_open(source.data, source.size, &template, error);
    if (status) return status;
    char *bos_text = mem_text(bos.data ? bos.data : "", bos.size),
         *eos_text = mem_text(eos.data ? eos.data : "", eos.size);
    json_t *variables = conversation(turn);
    struct template_input input = {.variables = variables, .bos = bos_text, .eos = eos_text, .now = &PROMPT_DATE};
    if (!bos_text || !eos_text || !variables) /* the turn is UTF-8: a task holds nothing else */
        status = error_nomem(error, "prompt");
    else
        status = template_render(template, &input, out, error);
    json_decref(variables);
    free(bos_text);
    free(eos_text);
    template_close(&template);
    return status;
}

/* The plain format is data from end to end: it spells no special token. */
static enum weir_status plain_output(const struct strbuf *text, struct template_output *out, struct weir_error *error)
{
    struct template_output made = {.text = mem_text(text->data, text->size),
                                   .size = text->size,
                                   .n_pieces = 1,
                                   .pieces = mem_zero(1, sizeof *made.pieces)};
    if (!made.text || !made.pieces) {
        template_output_free(&made);
        return error_nomem(error, "prompt");
    }
    made.pieces[0] = (struct template_piece){.text = made.text, .size = made.size};
    *out = made;
    return WEIR_OK;
}

/* Where the mark is: exactly once, whole, and data. */
static enum weir_status find_mark(const struct template_output *out, size_t *at, struct weir_error *error)
{
    const size_t size = sizeof MARK - 1;
    const char *found = out->text ? memmem(out->text, out->size, MARK, size) : NULL;
    if (!found) return error_set(error, WEIR_ERR_UNSUPPORTED, "chat template: it drops or changes the user's text");
    *at = (size_t)(found - out->text);
    size_t after = *at + size;
    if (memmem(out->text + after, out->size - after, MARK, size))
        return error_set(error, WEIR_ERR_UNSUPPORTED, "chat template: it repeats the user's text");
    return WEIR_OK;
}

/* The pieces of out within [begin, end), appended to an array with room for all of them. */
static size_t cut(const struct template_output *out, size_t begin, size_t end, struct template_piece *pieces)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < out->n_pieces; at += out->pieces[i++].size) {
        size_t from = at > begin ? at : begin, to = at + out->pieces[i].size < end ? at + out->pieces[i].size : end;
        if (from >= to) continue;
        pieces[n++] = (struct template_piece){
            .text = out->text + from, .size = to - from, .from_template = out->pieces[i].from_template};
    }
    return n;
}

/* Moves the output's text into the prompt and splits its pieces at the mark. */
static enum weir_status split(struct template_output *out, struct prompt *prompt, struct weir_error *error)
{
    size_t at = 0;
    enum weir_status status = find_mark(out, &at, error);
    if (status) return status;
    struct prompt made = {.prefix = mem_zero(out->n_pieces, sizeof *made.prefix),
                          .suffix = mem_zero(out->n_pieces, sizeof *made.suffix)};
    if (!made.prefix || !made.suffix) {
        prompt_free(&made);
        return error_nomem(error, "prompt");
    }
    made.n_prefix = cut(out, 0, at, made.prefix);
    made.n_suffix = cut(out, at + sizeof MARK - 1, out->size, made.suffix);
    made.text = out->text;
    out->text = NULL;
    *prompt = made;
    return WEIR_OK;
}

/* The user's turn of an extraction, or the whole of a plain prompt. */
static enum weir_status extract_turn(const struct weir_question *question, struct weir_string schema, bool has_template,
                                     struct strbuf *out)
{
    enum weir_status status = strbuf_printf(out,
                                            "%s\n\nAnswer with one JSON value of this schema. Copy values from the "
                                            "text; null is for what it does not say.\n",
                                            question->instructions);
    if (!status) status = strbuf_add(out, schema.data, schema.size);
    return status ? status : strbuf_printf(out, "\n\nText:\n%s%s", MARK, has_template ? "" : "\n\nJSON:");
}

static enum weir_status fill_turn(const struct weir_question *question, const char *const *codes, bool has_template,
                                  struct strbuf *turn, struct weir_error *error)
{
    if (question->n_labels == 0) {
        enum weir_status status = words_turn(question, has_template, turn, error);
        return status ? error_prefix(error, status, "question %s", question->name) : WEIR_OK;
    }
    enum weir_status status = has_template ? user_turn(question, codes, turn) : plain_prompt(question, codes, turn);
    if (!status) return WEIR_OK;
    return error_set(error, status, "question %s: the prompt: %s", question->name, weir_status_text(status));
}

/* The whole prompt around a turn. */
static enum weir_status surround(const struct strbuf *turn, struct weir_string source, struct weir_string bos,
                                 struct weir_string eos, struct prompt *out, struct weir_error *error)
{
    bool has_template = source.size > 0;
    struct template_output output = {0};
    enum weir_status status =
        has_template ? render(source, bos, eos, turn, &output, error) : plain_output(turn, &output, error);
    if (!status) status = split(&output, out, error);
    if (!status) {
        out->has_template = has_template;
        out->answer_lead = has_template ? "" : " ";
    }
    template_output_free(&output);
    return status;
}

enum weir_status prompt_build(const struct weir_question *question, const char *const *codes, struct weir_string source,
                              struct weir_string bos, struct weir_string eos, struct prompt *out,
                              struct weir_error *error)
{
    if (question->type == WEIR_QUESTION_EXTRACT)
        return error_set(error, WEIR_ERR_INVALID, "question %s: it has no labels to choose from", question->name);
    struct strbuf turn = STRBUF_MAX(PROMPT_BYTES_MAX);
    enum weir_status status = fill_turn(question, codes, source.size > 0, &turn, error);
    if (!status) status = surround(&turn, source, bos, eos, out, error);
    strbuf_free(&turn);
    return status;
}

enum weir_status prompt_build_extract(const struct weir_question *question, struct weir_string schema,
                                      struct weir_string source, struct weir_string bos, struct weir_string eos,
                                      struct prompt *out, struct weir_error *error)
{
    struct strbuf turn = STRBUF_MAX(PROMPT_BYTES_MAX);
    enum weir_status status = extract_turn(question, schema, source.size > 0, &turn);
    status = status ? error_set(error, status, "the prompt: %s", weir_status_text(status))
                    : surround(&turn, source, bos, eos, out, error);
    strbuf_free(&turn);
    return status ? error_prefix(error, status, "question %s", question->name) : WEIR_OK;
}

void prompt_free(struct prompt *prompt)
{
    free(prompt->prefix);
    free(prompt->suffix);
    free(prompt->text);
    *prompt = (struct prompt){0};
}
