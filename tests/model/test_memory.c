/* Prediction of memory: the sizes that opening allocates, and the refusal of a model that will not fit. */
#include "model/tiny_engine.h"

#include "base/memory.h"

enum { CTX = 100 };

static struct weir_memory predict(const char *path, const struct weir_engine_options *options)
{
    struct weir_error error = {0};
    struct weir_gguf *gguf = NULL;
    struct weir_memory memory = {0};
    check_status(weir_gguf_open(path, &gguf, &error), WEIR_OK, &error);
    check_status(weir_memory_predict(gguf, options, &memory, &error), WEIR_OK, &error);
    weir_gguf_close(&gguf);
    return memory;
}

static const char *save(const struct tiny_model *model)
{
    static char path[64];
    struct weir_error error = {0};
    (void)snprintf(path, sizeof path, "memory-%ld.gguf", (long)getpid());
    check_status(tiny_model_save(model, path, &error), WEIR_OK, &error);
    return path;
}

static enum weir_status try_open(const char *path, const struct weir_engine_options *options, struct weir_error *error)
{
    struct weir_engine *engine = NULL;
    enum weir_status status = weir_engine_open(path, options, &engine, error);
    weir_engine_close(&engine);
    return status;
}

static void parts_are_what_opening_allocates(void **state)
{
    (void)state;
    for (size_t m = 0; m < TINY_MODELS; m++)
        for (int kv_type = 0; kv_type < WEIR_KV_TYPES; kv_type++) {
            const char *path = save(&tiny_models[m]);
            struct weir_engine_options options = weir_engine_options_default();
            options.ctx_tokens = CTX;
            options.threads = 2;
            options.kv_type = (enum weir_kv_type)kv_type;
            struct weir_memory memory = predict(path, &options);
            struct weir_error error = {0};
            struct weir_engine *engine = NULL;
            check_status(weir_engine_open(path, &options, &engine, &error), WEIR_OK, &error);
            struct weir_model_info info;
            weir_engine_info(engine, &info);
            assert_int_equal(memory.tiles_bytes, info.tiles_bytes);
            assert_int_equal(memory.kv_bytes, info.kv_bytes_per_token * ((CTX + 15) / 16 * 16));
            assert_int_equal(memory.ctx_tokens, CTX);
            assert_int_equal(memory.threads, 2);
            assert_string_equal(memory.cpu_level, info.cpu_level);
            assert_int_equal(memory.total_bytes, memory.weights_bytes + memory.tiles_bytes + memory.kv_bytes +
                                                     memory.scratch_bytes + memory.tokenizer_bytes);
            if (!info.tiles_bytes) assert_true(memory.weights_bytes > info.weights_bytes / 2); /* level ref */
            weir_engine_close(&engine);
            (void)unlink(path);
        }
}

static void more_of_anything_takes_more(void **state)
{
    (void)state;
    const char *path = save(&tiny_models[0]);
    struct weir_engine_options options = weir_engine_options_default();
    options.threads = 1;
    struct weir_memory all = predict(path, &options), less;
    assert_int_equal(all.ctx_tokens, TINY_CTX); /* below WEIR_MEMORY_CTX_TOKENS */
    options.ctx_tokens = 16;
    less = predict(path, &options);
    assert_true(less.kv_bytes < all.kv_bytes);
    options.kv_type = WEIR_KV_Q8_0;
    assert_true(predict(path, &options).kv_bytes < less.kv_bytes);
    options.threads = 3;
    assert_true(predict(path, &options).scratch_bytes > less.scratch_bytes);
    options.no_tokenizer = true;
    assert_true(predict(path, &options).tokenizer_bytes < less.tokenizer_bytes);
    (void)unlink(path);
}

static void what_will_not_fit_is_refused(void **state)
{
    (void)state;
    const char *path = save(&tiny_models[0]);
    struct weir_engine_options options = weir_engine_options_default();
    struct weir_error error = {0};
    options.memory_limit_bytes = predict(path, &options).total_bytes;
    check_status(try_open(path, &options, &error), WEIR_OK, &error);
    options.memory_limit_bytes -= 1500;
    check_status(try_open(path, &options, &error), WEIR_ERR_NO_ROOM, &error);
    check_contains(error.text, path);
    check_contains(error.text, "1.5 kB are missing");
    options.ignore_memory = true;
    check_status(try_open(path, &options, &error), WEIR_OK, &error);
    (void)unlink(path);
}

static void a_wrong_kv_type_is_an_error(void **state)
{
    (void)state;
    const char *path = save(&tiny_models[0]);
    struct weir_engine_options options = weir_engine_options_default();
    struct weir_error error = {0};
    struct weir_gguf *gguf = NULL;
    struct weir_memory memory;
    options.kv_type = (enum weir_kv_type)WEIR_KV_TYPES;
    check_status(try_open(path, &options, &error), WEIR_ERR_INVALID, &error);
    check_status(weir_gguf_open(path, &gguf, &error), WEIR_OK, &error);
    check_status(weir_memory_predict(gguf, &options, &memory, &error), WEIR_ERR_INVALID, &error);
    weir_gguf_close(&gguf);
    (void)unlink(path);
}

static void available_memory_is_known_here(void **state)
{
    (void)state;
    size_t bytes = 0;
    bool is_cgroup = false;
    assert_true(weir_memory_available(&bytes, &is_cgroup));
    assert_true(bytes > (size_t)1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_what_opening_allocates), cmocka_unit_test(more_of_anything_takes_more),
        cmocka_unit_test(what_will_not_fit_is_refused),     cmocka_unit_test(a_wrong_kv_type_is_an_error),
        cmocka_unit_test(available_memory_is_known_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
