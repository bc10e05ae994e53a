/* What `safe` makes of a text: Python's Markup, which stays itself when it is printed and escapes the plain texts that `+` joins to it, also in an
 * environment that escapes nothing by itself (markupsafe, Markup.__add__ and __radd__). What else Markup does is not supported: tpl_check_plain
 * stands before operations whose result it would change. */
#include "task/template_internal.h"

/* markupsafe.escape. The five characters become others; each of those comes from where the character came from. */
static bool add_escaped(struct tpl_builder *b, struct tpl_text text)
{
    static const struct {
        char from;
        const char *to;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}};
    size_t begin = 0;
    for (size_t i = 0; i < text.size; i++) {
        for (size_t k = 0; k < sizeof escapes / sizeof *escapes; k++) {
            if (text.data[i] != escapes[k].from) continue;
            struct tpl_text to = tpl_text_c(escapes[k].to);
            to.origin = text.origins ? text.origins[i] : text.origin;
            if (!tpl_add(b, tpl_text_part(text, begin, i)) || !tpl_add(b, to)) return false;
            begin = i + 1;
        }
    }
    return tpl_add(b, tpl_text_part(text, begin, text.size));
}

static bool add_side(struct tpl_builder *b, struct tpl_text text)
{
    return text.is_markup ? tpl_add(b, text) : add_escaped(b, text);
}

enum weir_status tpl_add_markup(struct tpl_run *r, struct tpl_text a, struct tpl_text b, struct tpl_value *out)
{
    struct tpl_builder builder = {.arena = &r->arena};
    enum weir_status status = tpl_step(r, (a.size + b.size) / 64);
    if (status) return status;
    if (!add_side(&builder, a) || !add_side(&builder, b)) return tpl_nomem(r);
    struct tpl_text text = tpl_built(&builder);
    text.is_markup = true;
    *out = tpl_string(text);
    return WEIR_OK;
}

enum weir_status tpl_check_plain(struct tpl_run *r, const struct tpl_value *value, const char *what)
{
    if (value->type != TPL_STRING || !value->as.text.is_markup) return WEIR_OK;
    return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "%s of a text that went through `safe` is not supported", what);
}
