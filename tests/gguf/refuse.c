/* Every hostile file is refused with the status and the text its row names. */
#include <stdlib.h>

#include "check.h"
#include "gguf/hostile.h"
#include "weir/gguf.h"

static void hostile_files_are_refused_by_name(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < hostile_count; i++) {
        const struct hostile *file = &hostile_files[i];
        struct strbuf bytes = STRBUF_MAX(1 << 20);
        struct weir_error error = {0};
        struct weir_gguf *gguf = NULL;
        file->make(&bytes, file);
        char *exact = malloc(bytes.size); /* no byte to spare: ASan sees one too far */
        assert_non_null(exact);
        memcpy(exact, bytes.data, bytes.size);
        enum weir_status status = weir_gguf_open_memory(exact, bytes.size, file->name, &gguf, &error);
        if (status != file->status || !strstr(error.text, file->text) ||
            strncmp(error.text, file->name, strlen(file->name))) {
            print_error("%s: expected %s with \"%s\", found %s: \"%s\"\n", file->name, weir_status_name(file->status),
                        file->text, weir_status_name(status), status ? error.text : "");
            wrong++;
        }
        assert_null(gguf);
        free(exact);
        strbuf_free(&bytes);
    }
    assert_int_equal(wrong, 0);
}

/* The same files with no place for the error text. */
static void errors_are_optional(void **state)
{
    (void)state;
    for (size_t i = 0; i < hostile_count; i++) {
        struct strbuf bytes = STRBUF_MAX(1 << 20);
        struct weir_gguf *gguf = NULL;
        hostile_files[i].make(&bytes, &hostile_files[i]);
        enum weir_status status = weir_gguf_open_memory(bytes.data, bytes.size, "x", &gguf, NULL);
        check_status(status, hostile_files[i].status, NULL);
        strbuf_free(&bytes);
    }
}

static void misuse_is_invalid(void **state)
{
    (void)state;
    struct weir_gguf *gguf = NULL;
    struct weir_error error = {0};
    assert_int_equal(weir_gguf_open(NULL, &gguf, &error), WEIR_ERR_INVALID);
    assert_int_equal(weir_gguf_open_memory(NULL, 1, "x", &gguf, &error), WEIR_ERR_INVALID);
    assert_int_equal(weir_gguf_open_memory("", 0, NULL, &gguf, &error), WEIR_ERR_INVALID);
    assert_int_equal(weir_gguf_open("/", &gguf, &error), WEIR_ERR_IO);
    check_contains(error.text, "not a regular file");
    weir_gguf_close(&gguf);
    weir_gguf_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_files_are_refused_by_name),
        cmocka_unit_test(errors_are_optional),
        cmocka_unit_test(misuse_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
