/* POST /v1/systemone (TypeSafe System One; also llama.cpp, SGLang and Ollama): typed questions by name about one state. The official
 * client's _schemas/models.py is the source. A question with `multi` becomes a yes/no question for each label. */
#include <string.h>

#include <jansson.h>

#include "cascade/wire.h"

static json_t *description_of(const struct weir_label *label)
{
    return *label->description ? json_string(label->description) : json_null();
}

/* {"true": what counts as yes, "false": what counts as no}; empty when the task says neither. */
static json_t *yesno_criteria(const struct weir_question *question)
{
    json_t *criteria = json_object();
    const char *keys[] = {"true", "false"};
    for (size_t i = 0; criteria && i < 2; i++) {
        if (!*question->labels[i].description || wire_set(criteria, keys[i], description_of(&question->labels[i])))
            continue;
        json_decref(criteria);
        criteria = NULL;
    }
    return criteria;
}

static json_t *choice_criteria(const struct weir_question *question)
{
    json_t *criteria = json_object();
    for (size_t i = 0; criteria && i < question->n_labels; i++) {
        if (wire_set(criteria, question->labels[i].name, description_of(&question->labels[i]))) continue;
        json_decref(criteria);
        criteria = NULL;
    }
    return criteria;
}

static json_t *score_criteria(const struct weir_question *question)
{
    json_t *criteria = json_array();
    for (size_t i = 0; criteria && i < question->n_labels; i++) {
        const struct weir_label *label = &question->labels[i];
        json_t *text = json_sprintf("%s%s%s", label->name, *label->description ? ": " : "", label->description);
        if (!json_array_append_new(criteria, text)) continue;
        json_decref(criteria);
        criteria = NULL;
    }
    return criteria;
}

static json_t *one_question(const struct weir_question *question)
{
    bool is_yesno = question->type == WEIR_QUESTION_YESNO, is_score = question->type == WEIR_QUESTION_SCORE;
    json_t *criteria = is_yesno   ? yesno_criteria(question)
                       : is_score ? score_criteria(question)
                                  : choice_criteria(question);
    if (!criteria) return NULL;
    bool has_criteria = !is_yesno || json_object_size(criteria);
    json_t *made = json_pack("{s:s, s:s}", "type",
                             is_yesno   ? "noul"
                             : is_score ? "score"
                                        : "choice",
                             "instructions", question->instructions);
    if (made && has_criteria && !wire_set(made, "criteria", json_incref(criteria))) {
        json_decref(made);
        made = NULL;
    }
    json_decref(criteria);
    return made;
}

static bool add_question(json_t *questions, const struct form *form, size_t index)
{
    char name[WIRE_NAME_BYTES_MAX];
    const struct weir_question *question = form_question(form, index);
    if (!question->multi) return wire_set(questions, wire_name(form, index, 0, name), one_question(question));
    for (size_t i = 0; i < question->n_labels; i++)
        if (!wire_set(questions, wire_name(form, index, i, name),
                      json_pack("{s:s, s:o}", "type", "noul", "instructions",
                                wire_label_question(question, &question->labels[i]))))
            return false;
    return true;
}

static json_t *body(const struct form *form, const char *system, const struct strbuf *user,
                    const struct wire_repeat *repeat)
{
    (void)system, (void)repeat; /* typed questions: asking again is asking the same */
    json_t *questions = json_object();
    bool good = questions;
    for (size_t i = 0; good && i < form->n_questions; i++) good = add_question(questions, form, i);
    json_t *made = good ? json_pack("{s:s, s:s%, s:O}", "model", form->tier->model, "state", user->data, user->size,
                                    "questions", questions)
                        : NULL;
    json_decref(questions);
    return made;
}

const struct wire WIRE_SYSTEMONE = {.base_url = "https://api.typesafe.ai",
                                    .path = "/v1/systemone",
                                    .key_env = "TYPESAFE_API_KEY",
                                    .auth = WIRE_AUTH_BEARER,
                                    .is_labels_only = true,
                                    .body = body,
                                    .read = read_systemone};
