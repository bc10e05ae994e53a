/* Any bytes as a text: refused as not UTF-8, or a bag of rising buckets whose vector over itself has norm 1 (or sqrt(1/2) without
 * words). */
#include <math.h>
#include <stdlib.h>

#include "decide/ngram.h"
#include "fuzz/fuzz.h"

static void check(int holds)
{
    if (!holds) abort();
}

static void check_vector(const struct ngram_settings *settings, const struct ngram_bag *bag)
{
    struct ngram_model model;
    struct ngram_vector vector = {.indexes = calloc(bag->count + 1, sizeof(uint32_t)),
                                  .values = calloc(bag->count + 1, sizeof(float))};
    check(vector.indexes && vector.values && !ngram_model_learn(settings, bag, NULL, 1, &model, NULL));
    ngram_vector_fill(&model, bag, &vector);
    double square = 0;
    for (size_t i = 0; i < vector.count; i++) square += (double)vector.values[i] * (double)vector.values[i];
    check(vector.count == bag->count);
    check(bag->count == 0 || fabs(square - 1) < 1e-3 || fabs(square - 0.5) < 1e-3);
    ngram_model_free(&model);
    free(vector.indexes);
    free(vector.values);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct ngram_settings settings = ngram_settings_default();
    struct ngram_bag bag = {0};
    struct weir_string text = {(const char *)bytes, size};
    if (!ngram_bag_fill(&settings, text, &bag, NULL)) {
        for (size_t i = 1; i < bag.count; i++) check(bag.buckets[i] > bag.buckets[i - 1]);
        for (size_t i = 0; i < bag.count; i++) check(bag.tallies[i] >= 1 && bag.buckets[i] >> settings.bits == 0);
        check_vector(&settings, &bag);
    }
    ngram_bag_free(&bag);
    return 0;
}
