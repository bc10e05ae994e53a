/* The catalogue: every entry is complete, and the sizes computed from shapes are those of real files. */
#include <ctype.h>
#include <stdio.h>

#include "check.h"
#include "hub/record.h"
#include "weir/hub.h"

static void test_entries_are_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < weir_catalogue_count(); i++) {
        const struct weir_catalogue_model *m = weir_catalogue_at(i);
        const char *const texts[] = {m->title,   m->architecture, m->licence,    m->languages, m->languages_brief,
                                     m->best_at, m->card,         m->repository, m->quant,     m->verified};
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
            if (!texts[k] || !texts[k][0]) fail_msg("%s: text %zu is missing", m->name, k);
        }
        if (!model_name_is_safe(m->name)) fail_msg("%s: expected a safe name", m->name);
        for (const char *at = m->name; *at; at++) {
            if (isupper((unsigned char)*at)) fail_msg("%s: expected lower case", m->name);
        }
        assert_ptr_equal(weir_catalogue_find(m->name), m); /* names occur once */
        if (!strchr(m->repository, '/') || !strchr(m->card, '/')) fail_msg("%s: expected owner/repo", m->name);
        if (!m->n_layers || !m->n_embd || !m->n_heads || !m->n_kv_heads || !m->head_dim || !m->n_ff || !m->n_vocab ||
            !m->ctx_train || m->n_heads % m->n_kv_heads)
            fail_msg("%s: incomplete shape", m->name);
    }
    assert_null(weir_catalogue_at(weir_catalogue_count()));
    assert_null(weir_catalogue_find("nonsense"));
    assert_null(weir_catalogue_find(NULL));
    assert_string_equal(weir_quant_name(WEIR_QUANTS), "");
}

/* Millions, from the model cards. */
static void test_parameters_are_those_of_the_cards(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double low, high;
    } cases[] = {{"phi-4-mini", 3800, 3850},   {"phi-4", 14650, 14670},    {"gemma-2-9b", 9240, 9245},
                 {"gemma-3-270m", 268, 269},   {"qwen2.5-7b", 7610, 7620}, {"qwen3-8b", 8190, 8195},
                 {"llama-3.1-8b", 8030, 8031}, {"smollm2-135m", 134, 135}, {"smollm2-1.7b", 1711, 1712}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double millions = (double)weir_catalogue_parameters(weir_catalogue_find(cases[i].name)) / 1e6;
        if (millions < cases[i].low || millions > cases[i].high)
            fail_msg("%s: expected %.0f to %.0f million, found %.1f", cases[i].name, cases[i].low, cases[i].high,
                     millions);
    }
}

/* Sizes of published files: the metadata (vocabulary) comes on top of the tensors, and listings round to 10 MB. */
static void test_bytes_are_those_of_files(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum weir_quant quant;
        double
            file_bytes; /* hub listings of bartowski/phi-4-GGUF, bartowski/google_gemma-3-4b-it-GGUF, Qwen/Qwen3-1.7B-GGUF */
    } cases[] = {{"phi-4", WEIR_QUANT_Q4_K_M, 9.05e9},      {"phi-4", WEIR_QUANT_Q5_K_M, 10.60e9},
                 {"phi-4", WEIR_QUANT_Q6_K, 12.03e9},       {"phi-4", WEIR_QUANT_Q8_0, 15.58e9},
                 {"phi-4", WEIR_QUANT_F16, 29.32e9},        {"gemma-3-4b", WEIR_QUANT_Q4_K_M, 2.49e9},
                 {"gemma-3-4b", WEIR_QUANT_Q5_K_M, 2.83e9}, {"gemma-3-4b", WEIR_QUANT_Q6_K, 3.19e9},
                 {"gemma-3-4b", WEIR_QUANT_Q8_0, 4.13e9},   {"qwen3-1.7b", WEIR_QUANT_Q8_0, 1834426016}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double bytes = (double)weir_catalogue_weights_bytes(weir_catalogue_find(cases[i].name), cases[i].quant);
        double ratio = bytes / cases[i].file_bytes;
        if (ratio < 0.994 || ratio > 1.003)
            fail_msg("%s %s: expected about %.4g bytes, found %.4g", cases[i].name, weir_quant_name(cases[i].quant),
                     cases[i].file_bytes, bytes);
    }
}

/* The tensors of the real Gemma 3 270M Q4_K_M file, whose columns are no multiple of 256. */
static void test_bytes_with_odd_columns(void **state)
{
    (void)state;
    assert_int_equal(weir_catalogue_weights_bytes(weir_catalogue_find("gemma-3-270m"), WEIR_QUANT_Q4_K_M), 246587904);
    assert_int_equal(weir_catalogue_kv_bytes(weir_catalogue_find("phi-4-mini"), 4096), 4096 * 131072);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_are_complete),
        cmocka_unit_test(test_parameters_are_those_of_the_cards),
        cmocka_unit_test(test_bytes_are_those_of_files),
        cmocka_unit_test(test_bytes_with_odd_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
