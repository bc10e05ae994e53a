/* The smallest program around the library: embed MODEL.gguf TASK.yaml prints label and probability of three texts.
 *
 *   cc embed.c -lweir ... (examples/CMakeLists.txt), then: ./weir_embed model.gguf task.yaml */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/classify.h"

static const char *const texts[] = {"my card has not arrived yet", "i forgot my PIN", "why was i charged for this?"};
enum { TEXTS = sizeof texts / sizeof *texts };

static enum weir_status decide(struct weir_classifier *classifier, const struct weir_task *task,
                               struct weir_error *error)
{
    struct weir_string batch[TEXTS];
    size_t questions = weir_classifier_questions(classifier);
    struct weir_decision *decisions = calloc(TEXTS * questions, sizeof *decisions);
    double *probabilities = calloc(TEXTS * weir_classifier_probabilities(classifier), sizeof *probabilities);
    enum weir_status status = decisions && probabilities ? WEIR_OK : WEIR_ERR_NOMEM;
    for (size_t i = 0; i < TEXTS; i++) batch[i] = (struct weir_string){texts[i], strlen(texts[i])};
    if (!status) status = weir_classify(classifier, batch, TEXTS, decisions, probabilities, error);
    for (size_t i = 0; !status && i < TEXTS * questions; i++) {
        const struct weir_question *question = weir_task_question(task, i % questions);
        const struct weir_decision *d = &decisions[i];
        if (d->status)
            printf("%s\t%s\t%s\n", texts[i / questions], question->name, d->error);
        else
            printf("%s\t%s\t%s\t%.6f\n", texts[i / questions], question->name, question->labels[d->label].name,
                   d->probability);
    }
    free(probabilities);
    free(decisions);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: weir_embed MODEL.gguf TASK.yaml\n");
        return 2;
    }
    struct weir_error error = {0};
    struct weir_engine *engine = NULL;
    struct weir_task *task = NULL;
    struct weir_classifier *classifier = NULL;
    enum weir_status status = weir_engine_open(argv[1], NULL, &engine, &error);
    if (!status) status = weir_task_open(argv[2], &task, &error);
    if (!status) status = weir_classifier_open(engine, task, NULL, &classifier, &error);
    if (!status) status = decide(classifier, task, &error);
    if (status) (void)fprintf(stderr, "weir_embed: %s: %s\n", weir_status_text(status), error.text);
    weir_classifier_close(&classifier);
    weir_task_close(&task);
    weir_engine_close(&engine);
    return status ? 1 : 0;
}
