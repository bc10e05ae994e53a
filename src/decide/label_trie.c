#include "decide/label_trie.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static bool begins(const struct weir_tokens *a, const struct weir_tokens *b)
{
    return a->count <= b->count && memcmp(a->ids, b->ids, a->count * sizeof *a->ids) == 0;
}

static enum weir_status check_answers(const struct weir_tokens *answers, size_t n, bool *needs_end,
                                      struct weir_error *error)
{
    *needs_end = false;
    for (size_t i = 0; i < n; i++) {
        if (!answers[i].count) return error_set(error, WEIR_ERR_INVALID, "answer %zu has no tokens", i + 1);
        for (size_t j = 0; j < n; j++) {
            if (i == j || !begins(&answers[i], &answers[j])) continue;
            if (answers[i].count == answers[j].count)
                return error_set(error, WEIR_ERR_INVALID, "answers %zu and %zu are the same tokens", i + 1, j + 1);
            *needs_end = true;
        }
    }
    return WEIR_OK;
}

static uint32_t child_of(const struct label_trie *trie, uint32_t parent, int32_t token)
{
    for (uint32_t i = parent + 1; i < trie->n_nodes; i++)
        if (trie->node_parent[i] == parent && trie->node_tokens[i] == token) return i;
    return 0;
}

static uint32_t add_child(struct label_trie *trie, uint32_t parent, int32_t token)
{
    uint32_t found = child_of(trie, parent, token);
    if (found) return found;
    trie->node_tokens[trie->n_nodes] = token;
    trie->node_parent[trie->n_nodes] = parent;
    return (uint32_t)trie->n_nodes++;
}

static void add_answers(struct label_trie *trie, const struct weir_tokens *answers, int32_t end)
{
    trie->n_nodes = 1;
    for (size_t i = 0; i < trie->n_answers; i++) {
        uint32_t node = 0;
        for (size_t t = 0; t < answers[i].count; t++) node = add_child(trie, node, answers[i].ids[t]);
        if (end >= 0) node = add_child(trie, node, end);
        trie->answer_node[i] = node;
    }
}

/* children[i]: how many; wanted[i]: it or a node below it has several. */
static void count_children(const struct label_trie *trie, uint32_t *children, bool *wanted)
{
    for (size_t i = trie->n_nodes; i-- > 1;) {
        uint32_t parent = trie->node_parent[i];
        children[parent]++;
        if (children[i] > 1 || wanted[i]) wanted[parent] = wanted[i] = true;
    }
    for (size_t i = 0; i < trie->n_nodes; i++)
        if (children[i] > 1) wanted[i] = true;
}

static void add_branch(struct label_trie *trie, uint32_t node, int32_t tree_index)
{
    struct label_branch *branch = &trie->branches[trie->n_branches++];
    *branch = (struct label_branch){.tree_index = tree_index, .first = trie->n_choices};
    for (uint32_t i = node + 1; i < trie->n_nodes; i++) {
        if (trie->node_parent[i] != node) continue;
        trie->choice_tokens[trie->n_choices] = trie->node_tokens[i];
        trie->choice_nodes[trie->n_choices++] = i;
    }
    branch->n_choices = trie->n_choices - branch->first;
}

static void lay_out(struct label_trie *trie, const uint32_t *children, const bool *wanted, int32_t *place)
{
    place[0] = -1;
    if (children[0] > 1) add_branch(trie, 0, -1);
    for (uint32_t i = 1; i < trie->n_nodes; i++) {
        if (!wanted[i]) continue;
        place[i] = (int32_t)trie->n_tree;
        trie->tree_ids[trie->n_tree] = trie->node_tokens[i];
        trie->tree_parents[trie->n_tree++] = place[trie->node_parent[i]];
        if (children[i] > 1) add_branch(trie, i, place[i]);
    }
}

static bool allocate(struct label_trie *trie, size_t nodes)
{
    trie->node_tokens = mem_zero(nodes, sizeof *trie->node_tokens);
    trie->node_parent = mem_zero(nodes, sizeof *trie->node_parent);
    trie->answer_node = mem_zero(trie->n_answers, sizeof *trie->answer_node);
    trie->tree_ids = mem_zero(nodes, sizeof *trie->tree_ids);
    trie->tree_parents = mem_zero(nodes, sizeof *trie->tree_parents);
    trie->branches = mem_zero(nodes, sizeof *trie->branches);
    trie->choice_tokens = mem_zero(nodes, sizeof *trie->choice_tokens);
    trie->choice_nodes = mem_zero(nodes, sizeof *trie->choice_nodes);
    return trie->node_tokens && trie->node_parent && trie->answer_node && trie->tree_ids && trie->tree_parents &&
           trie->branches && trie->choice_tokens && trie->choice_nodes;
}

enum weir_status label_trie_build(const struct weir_tokens *answers, size_t n_answers, int32_t end,
                                  struct label_trie *out, struct weir_error *error)
{
    bool needs_end;
    enum weir_status status = check_answers(answers, n_answers, &needs_end, error);
    if (status) return status;
    if (needs_end && end < 0)
        return error_set(error, WEIR_ERR_UNSUPPORTED,
                         "one label's name begins another's and the vocabulary has no end token");
    size_t nodes = 1;
    for (size_t i = 0; i < n_answers; i++) nodes += answers[i].count + 1;
    struct label_trie trie = {.n_answers = n_answers};
    uint32_t *children = mem_zero(nodes, sizeof *children);
    bool *wanted = mem_zero(nodes, sizeof *wanted);
    int32_t *place = mem_zero(nodes, sizeof *place);
    bool ok = allocate(&trie, nodes) && children && wanted && place;
    if (ok) {
        add_answers(&trie, answers, needs_end ? end : -1);
        count_children(&trie, children, wanted);
        lay_out(&trie, children, wanted, place);
        *out = trie;
    } else {
        label_trie_free(&trie);
        status = error_nomem(error, "label trie");
    }
    free(children);
    free(wanted);
    free(place);
    return status;
}

void label_trie_free(struct label_trie *trie)
{
    free(trie->node_tokens);
    free(trie->node_parent);
    free(trie->answer_node);
    free(trie->tree_ids);
    free(trie->tree_parents);
    free(trie->branches);
    free(trie->choice_tokens);
    free(trie->choice_nodes);
    *trie = (struct label_trie){0};
}

static double log_sum_exp(const float *values, size_t count)
{
    double highest = (double)values[0], sum = 0;
    for (size_t i = 1; i < count; i++)
        if ((double)values[i] > highest) highest = (double)values[i];
    for (size_t i = 0; i < count; i++) sum += exp((double)values[i] - highest);
    return highest + log(sum);
}

void label_trie_score(const struct label_trie *trie, const float *logits, double *scratch, double *log_probability)
{
    for (size_t i = 0; i < trie->n_nodes; i++) scratch[i] = 0; /* an only child is certain */
    for (size_t b = 0; b < trie->n_branches; b++) {
        const struct label_branch *branch = &trie->branches[b];
        double total = log_sum_exp(logits + branch->first, branch->n_choices);
        for (size_t i = branch->first; i < branch->first + branch->n_choices; i++)
            scratch[trie->choice_nodes[i]] = (double)logits[i] - total;
    }
    for (size_t i = 1; i < trie->n_nodes; i++) scratch[i] += scratch[trie->node_parent[i]];
    for (size_t i = 0; i < trie->n_answers; i++) log_probability[i] = scratch[trie->answer_node[i]];
}
