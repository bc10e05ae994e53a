/* What the hub's API says, and which files are taken from it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"
#include "hub/choose.h"
#include "hub/tree.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void add(struct hub_tree *tree, const char *json, enum weir_status expected)
{
    struct weir_error error = {0};
    check_status(tree_add_page(tree, json, strlen(json), &error), expected, &error);
}

static void test_a_page(void **state)
{
    (void)state;
    struct hub_tree tree = {0};
    add(&tree,
        "[{\"type\":\"directory\",\"path\":\"d\",\"size\":0},"
        "{\"type\":\"file\",\"path\":\"d/a.gguf\",\"size\":1,\"lfs\":{\"oid\":\"" SHA
        "\",\"size\":7,\"pointerSize\":1}},"
        "{\"type\":\"file\",\"path\":\"README.md\",\"size\":12,\"oid\":\"x\"}]",
        WEIR_OK);
    add(&tree, "[]", WEIR_OK);
    assert_int_equal(tree.count, 2);
    assert_int_equal(tree_find(&tree, "d/a.gguf")->size, 7);
    assert_string_equal(tree_find(&tree, "d/a.gguf")->sha256, SHA);
    assert_string_equal(tree_find(&tree, "README.md")->sha256, "");
    assert_null(tree_find(&tree, "d"));
    tree_free(&tree);
}

/* Every cut of a page is refused, or is a page of its own. */
static void test_cut_everywhere(void **state)
{
    (void)state;
    static const char page[] =
        "[{\"type\":\"file\",\"path\":\"a.gguf\",\"size\":1,\"lfs\":{\"oid\":\"" SHA "\",\"size\":7}}]";
    for (size_t size = 0; size < sizeof page - 1; size++) {
        struct hub_tree tree = {0};
        struct weir_error error = {0};
        check_status(tree_add_page(&tree, page, size, &error), WEIR_ERR_FORMAT, &error);
        tree_free(&tree);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const char page[] =
        "[{\"type\":\"file\",\"path\":\"a.gguf\",\"size\":1},{\"type\":\"file\",\"path\":\"b\",\"size\":1}]";
    for (size_t n = 1;; n++) {
        struct hub_tree tree = {0};
        mem_fail_after(n);
        enum weir_status status = tree_add_page(&tree, page, sizeof page - 1, NULL);
        mem_fail_after(0);
        tree_free(&tree);
        if (!status) break;
        assert_int_equal(status, WEIR_ERR_NOMEM);
        assert_true(n < 100);
    }
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a/b.gguf", "a.b/..c", "Q4_K_M/x y.gguf", "\xc3\xa4.gguf"};
    static const char *const bad[] = {"",     "/",    "/a",    "a/",   "a//b", ".",   "..",
                                      "a/..", "../a", "a/./b", "a\\b", "a\nb", "\x7f"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!hub_path_is_safe(good[i], strlen(good[i]))) fail_msg("'%s': expected it to be taken", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (hub_path_is_safe(bad[i], strlen(bad[i]))) fail_msg("'%s': expected it to be refused", bad[i]);
    }
    char longest[TREE_PATH_BYTES_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_true(hub_path_is_safe(longest, TREE_PATH_BYTES_MAX));
    assert_false(hub_path_is_safe(longest, TREE_PATH_BYTES_MAX + 1));
    assert_false(hub_path_is_safe("a\0b", 3));
}

static void test_link(void **state)
{
    (void)state;
    static const struct {
        const char *header, *next; /* NULL: none */
    } cases[] = {{"", NULL},
                 {"<https://h/x?cursor=1>; rel=\"next\"", "https://h/x?cursor=1"},
                 {"<https://h/x>; rel=next", "https://h/x"},
                 {"<a>; rel=\"prev\", <b>; rel=\"next\"", "b"},
                 {"<a>; rel=\"next\", <b>; rel=\"last\"", "a"},
                 {"<a>; rel=\"last\"", NULL},
                 {"<>; rel=\"next\"", NULL},
                 {"<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>; rel=\"next\"", NULL},
                 {"<a; rel=\"next\"", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[32] = "";
        bool found = link_next(cases[i].header, out, sizeof out);
        if (found != (cases[i].next != NULL) || strcmp(out, found ? cases[i].next : "") != 0)
            fail_msg("'%s': expected '%s', found '%s'", cases[i].header, cases[i].next ? cases[i].next : "none", out);
    }
}

static void test_parts(void **state)
{
    (void)state;
    unsigned part = 0, parts = 0;
    size_t end = 0;
    assert_true(split_read("d/m-00002-of-00003.gguf", &part, &parts, &end));
    assert_int_equal(part, 2);
    assert_int_equal(parts, 3);
    assert_int_equal(end, 3);
    static const char *const bad[] = {"m.gguf",
                                      "-00001-of-00001.gguf",
                                      "m-00000-of-00001.gguf",
                                      "m-00002-of-00001.gguf",
                                      "m-0001-of-00001.gguf",
                                      "m-00001-of-00999.gguf",
                                      "m-00001-of-00001.bin",
                                      "m-0000x-of-00001.gguf"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (split_read(bad[i], &part, &parts, &end)) fail_msg("%s: expected no part", bad[i]);
    }
}

/* Files "a,b,c" and what is chosen of them. */
static void test_choice(void **state)
{
    (void)state;
    static const struct {
        const char *files, *quant, *chosen; /* chosen NULL: an error that has `text` */
        const char *text;
    } cases[] = {
        {"m-Q8_0.gguf,m-Q4_K_M.gguf,m-F16.gguf", NULL, "m-Q4_K_M.gguf", ""},
        {"m.q8_0.gguf,m.f16.gguf", NULL, "m.q8_0.gguf", ""},
        {"m-q4_k_m.gguf,m-Q4_K_S.gguf", "Q4_K_S", "m-Q4_K_S.gguf", ""},
        {"m-Q4_K_L.gguf,m-Q4_K_M.gguf", "q4_k_m", "m-Q4_K_M.gguf", ""},
        {"Q8_0/m-Q8_0.gguf,Q6_K/m-Q6_K.gguf", "Q8_0", "Q8_0/m-Q8_0.gguf", ""},
        {"m-UD-Q4_K_XL.gguf,m-Q4_K_M.gguf", NULL, "m-Q4_K_M.gguf", ""},
        {"strange.gguf,README.md", NULL, "strange.gguf", ""},
        {"m-Q4_0-00001-of-00002.gguf,m-Q4_0-00002-of-00002.gguf", NULL, "m-Q4_0-00001-of-00002.gguf", ""},
        {"m-Q4_0-00001-of-00002.gguf,m-Q4_0-00002-of-00002.gguf,m-Q4_0.gguf", NULL, "m-Q4_0.gguf", ""},
        {"m-Q4_0-00002-of-00002.gguf", NULL, NULL, "no GGUF model"},
        {"a-Q4_0.gguf,b-Q4_0.gguf", NULL, NULL, "a-Q4_0.gguf, b-Q4_0.gguf"},
        {"m-Q4_0.gguf", "Q8_0", NULL, "the repository has: m-Q4_0.gguf"},
        {"mmproj-Q8_0.gguf,m.bin", NULL, NULL, "no GGUF model"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hub_tree tree = {.files = calloc(8, sizeof *tree.files), .capacity = 8};
        char *names = strdup(cases[i].files), *rest = names;
        for (char *name = strsep(&rest, ","); name; name = strsep(&rest, ","))
            tree.files[tree.count++].path = strdup(name);
        struct hub_choice choice = {0};
        struct weir_error error = {0};
        enum weir_status status = choose_quant(&tree, cases[i].quant, &choice, &error);
        const char *found = status ? error.text : choice.files[0]->path;
        if ((status == WEIR_OK) != (cases[i].chosen != NULL) ||
            !strstr(found, status ? cases[i].text : cases[i].chosen))
            fail_msg("%s: expected %s, found %s", cases[i].files, cases[i].chosen ? cases[i].chosen : cases[i].text,
                     found);
        free(names);
        tree_free(&tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page), cmocka_unit_test(test_cut_everywhere), cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_paths),  cmocka_unit_test(test_link),           cmocka_unit_test(test_parts),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
