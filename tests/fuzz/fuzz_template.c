/* Any bytes, opened and rendered as a chat template: an error with a text, or pieces that make up the output and in which
 * nothing of the user's text counts as the template's. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "fuzz/fuzz.h"
#include "task/template.h"

static void check(int holds)
{
    if (!holds) abort();
}

/* U+2603, which stands in every text of the input and, in the sources that `cannot_spell` accepts, nowhere else. */
#define SNOWMAN "\xe2\x98\x83"

static const char VARIABLES[] = "{\"messages\":[{\"role\":\"system\",\"content\":\"be " SNOWMAN
                                "\"},{\"role\":\"user\",\"content\":\" a " SNOWMAN " b\\n\"},"
                                "{\"role\":\"assistant\",\"content\":\"" SNOWMAN
                                "\",\"tool_calls\":[]}],\"x\":\"" SNOWMAN "\",\"n\":3,\"add_generation_prompt\":true,"
                                "\"d\":{\"" SNOWMAN "\":[1,2.5,null,true]}}";

static int cannot_spell(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] >= 0x80 || bytes[i] == '\\') return 0;
    return 1;
}

static void check_output(const struct template_output *out, int pure)
{
    size_t total = 0;
    for (size_t i = 0; i < out->n_pieces; i++) {
        const struct template_piece *piece = &out->pieces[i];
        check(piece->size > 0 && piece->text == out->text + total);
        check(i == 0 || piece->from_template != out->pieces[i - 1].from_template);
        if (pure && piece->from_template) check(memmem(piece->text, piece->size, "\xe2", 1) == NULL);
        total += piece->size;
    }
    check(total == out->size && out->text[out->size] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct template *template = NULL;
    struct weir_error error = {0};
    enum weir_status status = template_open((const char *)bytes, size, &template, &error);
    if (status) {
        check(template == NULL && error.status == status && error.text[0]);
        return 0;
    }
    struct template_output out = {0};
    struct tm now = {.tm_year = 126, .tm_mon = 6, .tm_mday = 26};
    json_t *variables = json_loads(VARIABLES, 0, NULL);
    check(variables != NULL);
    struct template_input input = {.variables = variables, .bos = "<s>", .eos = "</s>", .now = &now};
    status = template_render(template, &input, &out, &error);
    if (status)
        check(error.status == status && error.text[0] && out.pieces == NULL);
    else
        check_output(&out, cannot_spell(bytes, size));
    template_output_free(&out);
    json_decref(variables);
    template_close(&template);
    return 0;
}
