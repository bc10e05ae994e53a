/* The answers of a question as a trie of tokens, and the probability of each answer read from one forward pass.
 *
 * An answer is a token sequence: a short code (one token as a rule) or a label's name. At a node with several children the model's
 * logits are normalised over those children alone; an answer's probability is the product along its path, so the answers'
 * probabilities sum to 1 and only the children's rows of the output matrix are multiplied. Where one answer's tokens begin
 * another's, both end in the end token. Nodes below the last choice are never computed.
 *
 * Immutable after label_trie_build. */
#ifndef WEIR_DECIDE_LABEL_TRIE_H
#define WEIR_DECIDE_LABEL_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"
#include "weir/tokenizer.h"

/* A node where answers part. */
struct label_branch {
    int32_t tree_index;      /* its place in tree_ids; -1: the root (the token before the answer) */
    size_t first, n_choices; /* its children: choices[first .. first + n_choices) */
};

struct label_trie {
    size_t n_answers;
    size_t n_nodes;        /* node 0 is the root; a parent comes before its children */
    int32_t *node_tokens;  /* [n_nodes] */
    uint32_t *node_parent; /* [n_nodes] */
    uint32_t *answer_node; /* [n_answers]: where each answer ends */

    size_t n_tree;         /* nodes that must be computed besides the root */
    int32_t *tree_ids;     /* [n_tree] their tokens */
    int32_t *tree_parents; /* [n_tree] index into the tree, or -1 for the root; below the own index */

    size_t n_branches; /* branch 0 is the root's, then by tree_index */
    struct label_branch *branches;
    size_t n_choices;
    int32_t *choice_tokens; /* [n_choices] */
    uint32_t *choice_nodes; /* [n_choices] */
};

/* answers: [n_answers] token lists, none empty, no two equal. `end` is put behind the answers where one begins another (-1: that is
 * WEIR_ERR_UNSUPPORTED). On failure *trie is empty. */
enum weir_status label_trie_build(const struct weir_tokens *answers, size_t n_answers, int32_t end,
                                  struct label_trie *trie, struct weir_error *error) WEIR_MUST_USE;
void label_trie_free(struct label_trie *trie);

/* logits: [n_choices], in the order of `choices`. log_probability: [n_answers], natural logarithms. scratch: [n_nodes]. */
void label_trie_score(const struct label_trie *trie, const float *logits, double *scratch, double *log_probability);

#endif
