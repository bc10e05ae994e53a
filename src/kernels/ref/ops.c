/* Puts the reference of the kernels around the matrix products into the table. */
#include "kernels/ops.h"

void kernels_init_ops_ref(struct kernels *k)
{
    k->rmsnorm = rmsnorm_ref;
    k->add = add_ref;
    k->silu_mul = silu_mul_ref;
    k->gelu_tanh_mul = gelu_tanh_mul_ref;
    k->softcap = softcap_ref;
    k->rope_adjacent = rope_adjacent_ref;
    k->rope_halves = rope_halves_ref;
    k->kv_store = kv_store_ref;
    k->attn_scores = attn_scores_ref;
    k->softmax = softmax_ref;
    k->attn_values = attn_values_ref;
}
