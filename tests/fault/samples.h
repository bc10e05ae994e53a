/* A task for the tiny model, and texts with labels that n-grams can tell apart. */
#ifndef WEIR_TESTS_FAULT_SAMPLES_H
#define WEIR_TESTS_FAULT_SAMPLES_H

#include "fault/fault.h"
#include "weir/task.h"
#include "weir/tune.h"

enum { SAMPLES = 12, SAMPLE_LABELS = 3 };

static const char *const sample_texts[SAMPLES] = {
    "the car is here", "a fast car",  "the car and the art", "an old car",  "it rains again", "rain in the train",
    "more rain",       "it may rain", "tea at three",        "the hot tea", "tea for her",    "a cup of tea"};

static inline struct weir_task *sample_task(const char *scoring)
{
    char yaml[512];
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    int size =
        snprintf(yaml, sizeof yaml,
                 "task: topic\ninstructions: What is it about?\ntype: choice\nscoring: %s\nnone_of_these: false\n"
                 "labels: {car: Cars, rain: The weather, tea: Drinks}\n",
                 scoring);
    check_status(weir_task_open_memory(yaml, (size_t)size, "sample", &task, &error), WEIR_OK, &error);
    return task;
}

static inline void sample_rows(struct weir_string texts[SAMPLES], int32_t labels[SAMPLES])
{
    for (size_t i = 0; i < SAMPLES; i++) {
        texts[i] = (struct weir_string){sample_texts[i], strlen(sample_texts[i])};
        labels[i] = (int32_t)(i / (SAMPLES / SAMPLE_LABELS));
    }
}

#endif
