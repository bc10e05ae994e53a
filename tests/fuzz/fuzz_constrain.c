/* A schema and an instance, apart by the first NUL: refused with a text, or a constraint that keeps its promises: an instance that
 * the machine takes byte by byte is taken again by a copy, and what is forced can be taken. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "weir/constrain.h"

static void check(int holds)
{
    if (!holds) abort();
}

static void check_forced(struct weir_matcher *matcher)
{
    struct weir_error error = {0};
    struct weir_string bytes = {0};
    struct weir_matcher *copy = NULL;
    size_t done = 0;
    if (weir_matcher_forced(matcher, &bytes, &error)) return;
    if (weir_matcher_copy(matcher, &copy, &error)) return;
    if (!weir_matcher_accept_bytes(copy, bytes.data, bytes.size, &done, &error)) check(done == bytes.size);
    weir_matcher_close(&copy);
}

static void check_instance(struct weir_constraint *constraint, const char *text, size_t size)
{
    struct weir_matcher *matcher = NULL;
    struct weir_error error = {0};
    check(weir_matcher_open(constraint, &matcher, &error) == WEIR_OK);
    check_forced(matcher);
    for (size_t i = 0; i < size; i++) {
        size_t done = 0;
        if (weir_matcher_accept_bytes(matcher, text + i, 1, &done, &error)) break;
        if (done == 0) break;
        if (i == size / 2) check_forced(matcher);
    }
    weir_matcher_close(&matcher);
}

static void check_arranged(struct weir_constraint *constraint, const char *text, size_t size)
{
    struct weir_error error = {0};
    struct weir_matcher *matcher = NULL;
    char *out = NULL;
    size_t out_size = 0, done = 0;
    bool found = false;
    if (weir_constraint_arrange(constraint, text, size, &out, &out_size, &found, &error)) return;
    check(weir_matcher_open(constraint, &matcher, &error) == WEIR_OK);
    if (found) {
        check(weir_matcher_accept_bytes(matcher, out, out_size, &done, &error) == WEIR_OK);
        check(done == out_size && weir_matcher_is_complete(matcher));
    }
    weir_matcher_close(&matcher);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = size ? memchr(bytes, 0, size) : NULL;
    size_t schema_size = end ? (size_t)(end - bytes) : size;
    const char *instance = end ? (const char *)end + 1 : "";
    size_t instance_size = end ? size - schema_size - 1 : 0;
    struct weir_constraint *constraint = NULL;
    struct weir_error error = {0};
    enum weir_status status = weir_constraint_open((const char *)bytes, schema_size, NULL, NULL, &constraint, &error);
    if (status) {
        check(!constraint && error.status == status && error.text[0]);
        return 0;
    }
    check_instance(constraint, instance, instance_size);
    check_arranged(constraint, instance, instance_size);
    weir_constraint_close(&constraint);
    return 0;
}
