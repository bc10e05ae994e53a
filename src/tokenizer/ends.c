#include "tokenizer/ends.h"

#include <string.h>

/* Names whose meaning their publisher documents (generation_config.json, eos_token_id, or the model card's prompt format). Few files
 * name all of them by id: Llama 3.1 stops at three tokens, and tokenizer.ggml.eos_token_id holds one. */
static const char *const end_names[] = {
    "</s>",            /* Llama 2, Mistral */
    "<|endoftext|>",   /* GPT-2, Phi-3, Phi-4, Qwen, SmolLM2 */
    "<|end|>",         /* Phi-3, Phi-4 mini */
    "<|im_end|>",      /* ChatML: Qwen, Phi-4, SmolLM2 */
    "<|end_of_text|>", /* Llama 3 */
    "<|eot_id|>",      /* Llama 3: end of turn */
    "<|eom_id|>",      /* Llama 3.1: end of a message that calls a tool */
    "<eos>",           /* Gemma */
    "<end_of_turn>",   /* Gemma */
};

/* Tokens that some files call user-defined, though templates frame turns, thoughts and tool calls with them. */
static const char *const markup_names[] = {
    "<s>",         "<bos>",        "<pad>",         "<unk>",           "<start_of_turn>",  "<think>",
    "</think>",    "<tool_call>",  "</tool_call>",  "<tool_response>", "</tool_response>", "[INST]",
    "[/INST]",     "[TOOL_CALLS]", "[/TOOL_CALLS]", "[TOOL_RESULTS]",  "[/TOOL_RESULTS]",  "[AVAILABLE_TOOLS]",
    "[multimodal]"};

static bool is_one_of(struct weir_string text, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == text.size && memcmp(names[i], text.data, text.size) == 0) return true;
    return false;
}

static bool is_end_name(struct weir_string text)
{
    return is_one_of(text, end_names, sizeof end_names / sizeof *end_names);
}

bool is_turn_markup(struct weir_string spelling)
{
    size_t size = spelling.size;
    bool is_barred = size >= 4 && memcmp(spelling.data, "<|", 2) == 0 && memcmp(spelling.data + size - 2, "|>", 2) == 0;
    return is_barred || is_end_name(spelling) ||
           is_one_of(spelling, markup_names, sizeof markup_names / sizeof *markup_names);
}

bool ends_have(const struct ends *ends, int32_t id)
{
    for (size_t i = 0; i < ends->count; i++)
        if (ends->ids[i] == id) return true;
    return false;
}

static void ends_add(struct ends *ends, int32_t id)
{
    if (id == TOKEN_NONE || ends_have(ends, id) || ends->count == ENDS_MAX) return;
    size_t at = ends->count++;
    for (; at && ends->ids[at - 1] > id; at--) ends->ids[at] = ends->ids[at - 1];
    ends->ids[at] = id;
}

void ends_find(struct ends *ends, const struct vocab *vocab, const struct end_keys *keys)
{
    _Static_assert(sizeof end_names / sizeof *end_names + 3 <= ENDS_MAX, "one token a name, and three keys");
    ends->count = 0;
    ends_add(ends, keys->eos);
    ends_add(ends, keys->eot);
    ends_add(ends, keys->eom);
    for (size_t i = 0; i < vocab->count; i++) {
        bool is_special = vocab->kinds[i] == WEIR_TOKEN_CONTROL || vocab->kinds[i] == WEIR_TOKEN_USER_DEFINED;
        if (is_special && is_end_name(vocab->texts[i])) ends_add(ends, (int32_t)i);
    }
}
