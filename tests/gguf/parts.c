/* A model in several files is the model in one; parts that do not belong together are refused by name. */
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "check.h"
#include "e2e/tiny_model.h"
#include "gguf/residency.h"
#include "gguf/split_file.h"
#include "weir/engine.h"

enum { NAME_BYTES = 128, IDS = 20, VOCABULARY_MAX = 512 };

static char whole[NAME_BYTES], stem[NAME_BYTES];

static int make_model(void **state)
{
    (void)state;
    struct weir_error error = {0};
    (void)snprintf(whole, sizeof whole, "whole-%ld.gguf", (long)getpid());
    (void)snprintf(stem, sizeof stem, "parts-%ld", (long)getpid());
    struct tiny_model model = {.architecture = "qwen2", .seed = 1};
    check_status(tiny_model_save(&model, whole, &error), WEIR_OK, &error);
    return 0;
}

static int remove_model(void **state)
{
    (void)state;
    return unlink(whole);
}

static const char *first_name(const struct split_plan *plan)
{
    static char name[NAME_BYTES];
    split_file_name(name, sizeof name, stem, 0, plan->parts);
    return name;
}

static void parts_are_the_whole(void **state)
{
    static const struct split_plan plans[] = {
        {.parts = 2}, {.parts = 3}, {.parts = 3, .empty_first = true}, {.parts = 12}};
    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        struct weir_error error = {0};
        struct weir_gguf *one = NULL, *many = NULL;
        split_file(whole, stem, &plans[i]);
        check_status(weir_gguf_open(whole, &one, &error), WEIR_OK, &error);
        check_status(weir_gguf_open(first_name(&plans[i]), &many, &error), WEIR_OK, &error);
        assert_int_equal(weir_gguf_file_count(one), 1);
        assert_int_equal(weir_gguf_file_count(many), plans[i].parts);
        assert_true(weir_gguf_file_bytes(many) > weir_gguf_file_bytes(one));
        assert_int_equal(weir_gguf_value_count(many), weir_gguf_value_count(one) + 3);
        assert_int_equal(weir_gguf_tensor_count(many), weir_gguf_tensor_count(one));
        for (size_t t = 0; t < weir_gguf_tensor_count(one); t++) {
            const struct weir_gguf_tensor *a = weir_gguf_tensor_at(one, t);
            char name[NAME_BYTES];
            (void)snprintf(name, sizeof name, "%.*s", (int)a->name.size, a->name.data);
            const struct weir_gguf_tensor *b = weir_gguf_find_tensor(many, name);
            assert_ptr_equal(b, weir_gguf_tensor_at(many, t));
            assert_int_equal(a->type, b->type);
            assert_memory_equal(a->dims, b->dims, sizeof a->dims);
            assert_int_equal(a->size, b->size);
            gguf_release(many, b->data, b->size);
            gguf_expect(many, b->data, b->size);
            assert_memory_equal(a->data, b->data, a->size);
        }
        weir_gguf_close(&one);
        weir_gguf_close(&many);
        split_file_remove(stem, plans[i].parts);
    }
}

static void logits_of(const char *path, float logits[VOCABULARY_MAX])
{
    struct weir_error error = {0};
    struct weir_engine_options options = weir_engine_options_default();
    struct weir_engine *engine = NULL;
    struct weir_session *session = NULL;
    struct weir_model_info info;
    int32_t ids[IDS];
    for (int32_t i = 0; i < IDS; i++) ids[i] = i * 11;
    options.threads = 1;
    check_status(weir_engine_open(path, &options, &engine, &error), WEIR_OK, &error);
    weir_engine_info(engine, &info);
    assert_in_range(info.n_vocab, 1, VOCABULARY_MAX);
    check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
    check_status(weir_session_eval(session, ids, IDS, false, logits, &error), WEIR_OK, &error);
    weir_session_close(&session);
    weir_engine_close(&engine);
}

static void engine_runs_parts(void **state)
{
    static float expected[VOCABULARY_MAX], found[VOCABULARY_MAX];
    static const struct split_plan plan = {.parts = 4};
    (void)state;
    split_file(whole, stem, &plan);
    logits_of(whole, expected);
    logits_of(first_name(&plan), found);
    assert_memory_equal(found, expected, sizeof found);
    split_file_remove(stem, plan.parts);
}

static void check_refused(const char *path, enum weir_status expected, const char *part)
{
    struct weir_error error = {0};
    struct weir_gguf *gguf = NULL;
    check_status(weir_gguf_open(path, &gguf, &error), expected, &error);
    assert_null(gguf);
    check_contains(error.text, part);
    check_contains(error.text, stem);
    check_status(weir_gguf_open(path, &gguf, NULL), expected, NULL);
}

static void damaged_parts_are_refused(void **state)
{
    static const struct {
        unsigned damaged;
        enum split_damage damage;
        enum weir_status status;
        const char *text;
    } cases[] = {
        {0, SPLIT_WRONG_NO, WEIR_ERR_INVALID,
         "part 2 of 3 of a model: expected a name that ends in -00002-of-00003.gguf"},
        {1, SPLIT_WRONG_NO, WEIR_ERR_FORMAT, "expected part 2 of 3"},
        {2, SPLIT_WRONG_NO, WEIR_ERR_FORMAT, "found part 1 of 3"},
        {0, SPLIT_WRONG_COUNT, WEIR_ERR_INVALID, "expected a name that ends in -00001-of-00004.gguf"},
        {1, SPLIT_WRONG_COUNT, WEIR_ERR_FORMAT, "found part 2 of 4"},
        {0, SPLIT_WRONG_TOTAL, WEIR_ERR_FORMAT, "00002-of-00003.gguf: expected part 2 of 3"},
        {2, SPLIT_WRONG_TOTAL, WEIR_ERR_FORMAT, "00003-of-00003.gguf: expected part 3 of 3"},
        {0, SPLIT_NO_TOTAL, WEIR_ERR_FORMAT, "split.tensors.count"},
        {1, SPLIT_NO_TOTAL, WEIR_ERR_FORMAT, "00002-of-00003.gguf: metadata key split.tensors.count"},
        {0, SPLIT_TOO_MANY, WEIR_ERR_FORMAT, "split.count: expected an integer of 0..1024"},
        {1, SPLIT_TOO_MANY, WEIR_ERR_FORMAT, "split.count: expected an integer of 0..1024"},
        {1, SPLIT_TENSOR_TWICE, WEIR_ERR_FORMAT, "tensor token_embd.weight: expected in one part, found in two"},
        {1, SPLIT_TENSOR_MISSING, WEIR_ERR_FORMAT, "tensors in 3 parts, found"},
        {2, SPLIT_FOREIGN_KEY, WEIR_ERR_FORMAT, "metadata key llama.block_count: expected in the first part"},
        {1, SPLIT_CUT, WEIR_ERR_FORMAT, "part 2 of 3: "},
        {2, SPLIT_ABSENT, WEIR_ERR_NOT_FOUND, "part 3 of 3: "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct split_plan plan = {.parts = 3, .damaged = cases[i].damaged, .damage = cases[i].damage};
        split_file(whole, stem, &plan);
        check_refused(first_name(&plan), cases[i].status, cases[i].text);
        split_file_remove(stem, plan.parts);
    }
}

/* The model is opened by its first part, under its own name, from files. */
static void other_ways_in_are_refused(void **state)
{
    static const struct split_plan plan = {.parts = 2};
    char name[NAME_BYTES], other[NAME_BYTES + 8];
    struct weir_error error = {0};
    struct weir_gguf *gguf = NULL;
    (void)state;
    split_file(whole, stem, &plan);
    split_file_name(name, sizeof name, stem, 1, 2);
    check_refused(name, WEIR_ERR_INVALID, "part 2 of 2 of a model: open the first, ");
    struct strbuf bytes = STRBUF_MAX(1 << 24);
    check_status(file_read(first_name(&plan), &bytes, &error), WEIR_OK, &error);
    check_status(weir_gguf_open_memory(bytes.data, bytes.size, "bytes", &gguf, &error), WEIR_ERR_UNSUPPORTED, &error);
    check_contains(error.text, "part 1 of 2 of a model: parts are opened from files");
    assert_null(gguf);
    strbuf_free(&bytes);
    (void)snprintf(other, sizeof other, "%s.gguf", stem);
    assert_int_equal(rename(first_name(&plan), other), 0);
    check_refused(other, WEIR_ERR_INVALID, "expected a name that ends in -00001-of-00002.gguf");
    assert_int_equal(unlink(other), 0);
    split_file_remove(stem, plan.parts);
}

static void every_allocation_may_fail(void **state)
{
    static const struct split_plan plan = {.parts = 3};
    enum weir_status status = WEIR_ERR_NOMEM;
    size_t n = 0;
    (void)state;
    split_file(whole, stem, &plan);
    while (status == WEIR_ERR_NOMEM) {
        struct weir_gguf *gguf = NULL;
        struct weir_error error = {0};
        assert_true(++n < 200);
        mem_fail_after(n);
        status = weir_gguf_open(first_name(&plan), &gguf, &error);
        mem_fail_after(0);
        if (status) {
            assert_null(gguf);
            check_contains(error.text, "out of memory");
        }
        weir_gguf_close(&gguf);
    }
    assert_int_equal(status, WEIR_OK);
    assert_true(n > 15);
    split_file_remove(stem, plan.parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_the_whole),       cmocka_unit_test(engine_runs_parts),
        cmocka_unit_test(damaged_parts_are_refused), cmocka_unit_test(other_ways_in_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, make_model, remove_model);
}
