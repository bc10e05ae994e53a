/* POST /v1/decisions (OpenAI Decisions): typed questions about one input, probabilities instead of text. The official client's
 * types/decision*.py is the source. A question with `multi` becomes a predicate for each label, all others one question. */
#include <string.h>

#include <jansson.h>

#include "cascade/wire.h"

enum { QUESTIONS_MAX = 400 };

/* [{"NAME": label, "description": ...}, ...] */
static json_t *options_of(const struct weir_question *question, const char *name)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < question->n_labels; i++) {
        const struct weir_label *label = &question->labels[i];
        json_t *option = json_pack("{s:s}", name, label->name);
        bool good =
            option && (!*label->description || wire_set(option, "description", json_string(label->description)));
        if (good && !json_array_append_new(list, json_incref(option))) {
            json_decref(option);
            continue;
        }
        json_decref(option);
        json_decref(list);
        list = NULL;
    }
    return list;
}

/* yes and no may be described; then the statement says what counts. */
static json_t *predicate_text(const struct weir_question *question)
{
    const char *yes = question->labels[0].description, *no = question->labels[1].description;
    return json_sprintf("%s%s%s%s%s", question->instructions, *yes ? "\nYes: " : "", yes, *no ? "\nNo: " : "", no);
}

static json_t *one_question(const struct weir_question *question)
{
    if (question->type == WEIR_QUESTION_YESNO)
        return json_pack("{s:s, s:o}", "type", "predicate", "instructions", predicate_text(question));
    bool is_score = question->type == WEIR_QUESTION_SCORE;
    json_t *options = options_of(question, is_score ? "label" : "value");
    if (!options) return NULL;
    return json_pack("{s:s, s:s, s:o}", "type", is_score ? "score" : "choice", "instructions", question->instructions,
                     is_score ? "levels" : "choices", options);
}

static bool add_question(json_t *list, const struct weir_question *question)
{
    if (!question->multi) return !json_array_append_new(list, one_question(question));
    for (size_t i = 0; i < question->n_labels; i++)
        if (json_array_append_new(list, json_pack("{s:s, s:o}", "type", "predicate", "instructions",
                                                  wire_label_question(question, &question->labels[i]))))
            return false;
    return true;
}

static json_t *body(const struct form *form, const char *system, const struct strbuf *user,
                    const struct wire_repeat *repeat)
{
    (void)system, (void)repeat; /* typed questions: asking again is asking the same */
    json_t *questions = json_array();
    bool good = questions;
    for (size_t i = 0; good && i < form->n_questions; i++) good = add_question(questions, form_question(form, i));
    json_t *made = good ? json_pack("{s:s, s:s%, s:O}", "model", form->tier->model, "input", user->data, user->size,
                                    "questions", questions)
                        : NULL;
    json_decref(questions);
    return made;
}

const struct wire WIRE_DECISIONS = {.base_url = "https://api.openai.com/v1",
                                    .path = "/decisions",
                                    .key_env = "OPENAI_API_KEY",
                                    .auth = WIRE_AUTH_BEARER,
                                    .is_labels_only = true,
                                    .questions_max = QUESTIONS_MAX,
                                    .body = body,
                                    .read = read_decisions};
