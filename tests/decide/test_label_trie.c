/* The label trie by hand: which nodes are computed, and what the probabilities are. */
#include <math.h>

#include "check.h"
#include "decide/label_trie.h"

enum { END = 99, ANSWERS_MAX = 4, NODES_MAX = 32 };

/* A list over ids that the caller keeps. */
#define TOKENS(...) \
    ((struct weir_tokens){.ids = (int32_t[]){__VA_ARGS__}, .count = sizeof((int32_t[]){__VA_ARGS__}) / 4})

static struct label_trie build(const struct weir_tokens *answers, size_t count, int32_t end)
{
    struct weir_error error = {0};
    struct label_trie trie = {0};
    check_status(label_trie_build(answers, count, end, &trie, &error), WEIR_OK, &error);
    assert_int_equal(trie.n_answers, count);
    return trie;
}

/* Scores and checks that the answers' probabilities are `expected` and sum to 1. */
static void check_score(const struct label_trie *trie, const float *logits, const double *expected)
{
    double scratch[NODES_MAX], log_probability[ANSWERS_MAX], sum = 0;
    assert_in_range(trie->n_nodes, 1, NODES_MAX);
    label_trie_score(trie, logits, scratch, log_probability);
    for (size_t i = 0; i < trie->n_answers; i++) {
        double found = exp(log_probability[i]);
        if (!(fabs(found - expected[i]) < 1e-6))
            fail_msg("answer %zu: expected %.9g, found %.9g", i, expected[i], found);
        sum += found;
    }
    if (!(fabs(sum - 1) < 1e-12)) fail_msg("probabilities sum to %.17g, expected 1", sum);
}

/* The logit whose share of a branch is `share`, up to the constant that all of the branch have in common. */
static float share(double probability)
{
    return (float)log(probability);
}

static void codes_need_no_nodes(void **state)
{
    (void)state;
    struct label_trie trie = build((struct weir_tokens[]){TOKENS(5), TOKENS(3), TOKENS(8)}, 3, END);
    assert_int_equal(trie.n_tree, 0);
    assert_int_equal(trie.n_branches, 1);
    assert_int_equal(trie.branches[0].tree_index, -1);
    assert_int_equal(trie.n_choices, 3);
    assert_int_equal(trie.choice_tokens[1], 3);
    check_score(&trie, (float[]){share(0.5), share(0.2), share(0.3)}, (double[]){0.5, 0.2, 0.3});
    check_score(&trie, (float[]){1000, 1000, 1000}, (double[]){1.0 / 3, 1.0 / 3, 1.0 / 3}); /* only shares count */
    label_trie_free(&trie);
    assert_null(trie.choice_tokens);
}

/* 1 2 7, 1 3, 4 5: only the node of token 1 is computed; what follows 4, and 2, is certain. */
static void shared_first_token(void **state)
{
    (void)state;
    struct label_trie trie = build((struct weir_tokens[]){TOKENS(1, 2, 7), TOKENS(1, 3), TOKENS(4, 5)}, 3, -1);
    assert_int_equal(trie.n_tree, 1);
    assert_int_equal(trie.tree_ids[0], 1);
    assert_int_equal(trie.tree_parents[0], -1);
    assert_int_equal(trie.n_branches, 2);
    assert_int_equal(trie.branches[0].n_choices, 2);
    assert_int_equal(trie.branches[1].tree_index, 0);
    assert_int_equal(trie.branches[1].n_choices, 2);
    const int32_t choices[] = {1, 4, 2, 3};
    assert_int_equal(trie.n_choices, 4);
    assert_memory_equal(trie.choice_tokens, choices, sizeof choices);
    check_score(&trie, (float[]){share(0.6), share(0.4), share(0.25), share(0.75)}, (double[]){0.15, 0.45, 0.4});
    label_trie_free(&trie);
}

/* 1 and 1 2: after 1 the model chooses between the end token and 2. */
static void one_begins_another(void **state)
{
    (void)state;
    struct label_trie trie = build((struct weir_tokens[]){TOKENS(1), TOKENS(1, 2), TOKENS(3)}, 3, END);
    assert_int_equal(trie.n_tree, 1);
    assert_int_equal(trie.tree_ids[0], 1);
    assert_int_equal(trie.n_branches, 2);
    const int32_t choices[] = {1, 3, END, 2};
    assert_int_equal(trie.n_choices, 4);
    assert_memory_equal(trie.choice_tokens, choices, sizeof choices);
    check_score(&trie, (float[]){share(0.5), share(0.5), share(0.9), share(0.1)}, (double[]){0.45, 0.05, 0.5});
    label_trie_free(&trie);
}

/* All begin with 1 2: the root has one child, the choice comes two tokens later. */
static void single_branch(void **state)
{
    (void)state;
    struct label_trie trie = build((struct weir_tokens[]){TOKENS(1, 2, 3), TOKENS(1, 2, 4)}, 2, -1);
    const int32_t ids[] = {1, 2}, parents[] = {-1, 0};
    assert_int_equal(trie.n_tree, 2);
    assert_memory_equal(trie.tree_ids, ids, sizeof ids);
    assert_memory_equal(trie.tree_parents, parents, sizeof parents);
    assert_int_equal(trie.n_branches, 1);
    assert_int_equal(trie.branches[0].tree_index, 1);
    check_score(&trie, (float[]){share(0.7), share(0.3)}, (double[]){0.7, 0.3});
    label_trie_free(&trie);
}

static void sure_answer(void **state)
{
    (void)state;
    struct label_trie trie = build((struct weir_tokens[]){TOKENS(1, 2)}, 1, -1);
    assert_int_equal(trie.n_tree, 0);
    assert_int_equal(trie.n_branches, 0);
    check_score(&trie, NULL, (double[]){1});
    label_trie_free(&trie);
}

static void check_refused(const struct weir_tokens *answers, int32_t end, enum weir_status expected, const char *part)
{
    struct weir_error error = {0};
    struct label_trie trie = {0};
    check_status(label_trie_build(answers, 2, end, &trie, &error), expected, &error);
    check_contains(error.text, part);
    assert_int_equal(trie.n_nodes, 0);
    assert_null(trie.node_tokens);
}

static void refused(void **state)
{
    (void)state;
    check_refused((struct weir_tokens[]){TOKENS(1, 2), TOKENS(1, 2)}, END, WEIR_ERR_INVALID, "same tokens");
    check_refused((struct weir_tokens[]){TOKENS(1), {0}}, END, WEIR_ERR_INVALID, "answer 2 has no tokens");
    check_refused((struct weir_tokens[]){TOKENS(1), TOKENS(1, 2)}, -1, WEIR_ERR_UNSUPPORTED, "end token");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_need_no_nodes), cmocka_unit_test(shared_first_token),
        cmocka_unit_test(one_begins_another),  cmocka_unit_test(single_branch),
        cmocka_unit_test(sure_answer),         cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
