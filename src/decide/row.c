#include "decide/row.h"

#include <string.h>
#include <utf8proc.h>

bool text_is_utf8(struct weir_string text)
{
    for (size_t at = 0; at < text.size;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text.data + at, (utf8proc_ssize_t)(text.size - at), &point);
        if (n <= 0) return false;
        at += (size_t)n;
    }
    return true;
}

enum weir_status decision_fail(struct weir_decision *decision, enum weir_status status, const char *text)
{
    *decision = (struct weir_decision){.status = status};
    memcpy(decision->error, text, strnlen(text, sizeof decision->error - 1));
    return WEIR_OK;
}
