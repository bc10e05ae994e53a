#include "tokenizer/ends.h"

#include <string.h>

/* Names whose meaning their publisher documents (generation_config.json, eos_token_id, or the model card's prompt format). Few files
 * name all of them by id: Llama 3.1 stops at three tokens, and tokenizer.ggml.eos_token_id holds one. Files that call them user-defined
 * mean the same, but for the two that are ordinary markup elsewhere: in Gemma's vocabulary </s> is HTML. */
static const struct {
    const char *name;
    bool is_also_markup;
} end_names[] = {
    {"</s>", true},             /* Llama 2, Mistral */
    {"<eos>", true},            /* Gemma */
    {"<|endoftext|>", false},   /* GPT-2, Phi-3, Phi-4, Qwen, SmolLM2 */
    {"<|end|>", false},         /* Phi-3, Phi-4 mini */
    {"<|im_end|>", false},      /* ChatML: Qwen, Phi-4, SmolLM2 */
    {"<|end_of_text|>", false}, /* Llama 3 */
    {"<|eot_id|>", false},      /* Llama 3: end of turn */
    {"<|eom_id|>", false},      /* Llama 3.1: end of a message that calls a tool */
    {"<end_of_turn>", false},   /* Gemma */
};
enum { END_NAMES = sizeof end_names / sizeof *end_names };

/* Tokens that some files call user-defined, though templates frame turns, thoughts and tool calls with them. */
static const char *const markup_names[] = {
    "<start_of_turn>", "<think>",          "</think>",        "<tool_call>",       "</tool_call>",
    "<tool_response>", "</tool_response>", "[INST]",          "[/INST]",           "[TOOL_CALLS]",
    "[/TOOL_CALLS]",   "[TOOL_RESULTS]",   "[/TOOL_RESULTS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"};
enum { MARKUP_NAMES = sizeof markup_names / sizeof *markup_names };

static bool is_text(struct weir_string text, const char *name)
{
    return strlen(name) == text.size && memcmp(name, text.data, text.size) == 0;
}

static bool is_end_name(struct weir_string text, bool is_control)
{
    for (size_t i = 0; i < END_NAMES; i++)
        if (is_text(text, end_names[i].name)) return is_control || !end_names[i].is_also_markup;
    return false;
}

bool is_turn_markup(struct weir_string spelling, struct weir_string bos)
{
    size_t size = spelling.size;
    bool is_barred = size >= 4 && memcmp(spelling.data, "<|", 2) == 0 && memcmp(spelling.data + size - 2, "|>", 2) == 0;
    if (is_barred || is_end_name(spelling, false)) return true;
    if (is_text(spelling, "</s>") && is_text(bos, "<s>")) return true; /* Phi-3 */
    for (size_t i = 0; i < MARKUP_NAMES; i++)
        if (is_text(spelling, markup_names[i])) return true;
    return false;
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
    _Static_assert(END_NAMES + 3 <= ENDS_MAX, "one token a name, and three keys");
    ends->count = 0;
    ends_add(ends, keys->eos);
    ends_add(ends, keys->eot);
    ends_add(ends, keys->eom);
    for (size_t i = 0; i < vocab->count; i++) {
        bool is_control = vocab->kinds[i] == WEIR_TOKEN_CONTROL;
        bool is_special = is_control || vocab->kinds[i] == WEIR_TOKEN_USER_DEFINED;
        if (is_special && is_end_name(vocab->texts[i], is_control)) ends_add(ends, (int32_t)i);
    }
}
