/* The writer of answers. jansson prints numbers in its own way; what an extraction found is printed as the model wrote it. */
#include <stdlib.h>
#include <string.h>

#include "answer.h"

/* An object of this one key, with a string, stands for the JSON that the string spells. No other object of an answer has a string under a key
 * that is not a name of ours: fields and labels have objects and numbers. */
static const char RAW_KEY[] = "\x01raw";

json_t *answer_raw(struct weir_string json)
{
    return json_pack("{s:s%}", RAW_KEY, json.data, json.size);
}

static json_t *raw_text(json_t *value)
{
    json_t *text = json_object_size(value) == 1 ? json_object_get(value, RAW_KEY) : NULL;
    return json_is_string(text) ? text : NULL;
}

static bool write_value(json_t *value, FILE *out);

static bool write_members(json_t *object, FILE *out)
{
    const char *separator = "{";
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        json_t *name = json_stringn(json_object_iter_key(at), json_object_iter_key_len(at));
        bool good = name && fputs(separator, out) >= 0 && write_value(name, out) && fputc(':', out) >= 0 &&
                    write_value(json_object_iter_value(at), out);
        json_decref(name);
        if (!good) return false;
        separator = ",";
    }
    return fputs(json_object_size(object) ? "}" : "{}", out) >= 0;
}

static bool write_value(json_t *value, FILE *out)
{
    json_t *raw = raw_text(value);
    if (raw) return fwrite(json_string_value(raw), 1, json_string_length(raw), out) == json_string_length(raw);
    if (json_is_object(value)) return write_members(value, out);
    return json_dumpf(value, out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) == 0;
}

char *answer_text(json_t *answer)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    bool good = write_value(answer, out);
    if (fclose(out) == 0 && good) return text;
    free(text);
    return NULL;
}
