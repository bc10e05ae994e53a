/* Checked pieces of a profile file: typed values and tensors, or an error that names them. */
#include "decide/profile_in.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

enum weir_status in_bad(const struct in *in, const char *what, const char *why)
{
    return error_set(in->error, WEIR_ERR_FORMAT, "%s: profile: %s: %s", weir_gguf_name(in->gguf), what, why);
}

enum weir_status in_no_memory(const struct in *in)
{
    return error_nomem(in->error, "profile");
}

const char *in_key(char name[NAME_MAX_BYTES], const struct in *in, const char *rest)
{
    (void)snprintf(name, NAME_MAX_BYTES, "weir.%s.%s", in->question, rest);
    return name;
}

enum weir_status in_u64(const struct in *in, const char *key, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value;
    if (!weir_gguf_as_u64(weir_gguf_find(in->gguf, key), &value)) return in_bad(in, key, "missing or no integer");
    if (value < min || value > max) return in_bad(in, key, "out of range");
    *out = value;
    return WEIR_OK;
}

enum weir_status in_f64(const struct in *in, const char *key, double min, double max, double *out)
{
    double value;
    if (!weir_gguf_as_f64(weir_gguf_find(in->gguf, key), &value)) return in_bad(in, key, "missing or no number");
    if (!(value >= min && value <= max)) return in_bad(in, key, "out of range");
    *out = value;
    return WEIR_OK;
}

enum weir_status in_copy_text(const struct in *in, const char *key, struct weir_string text, size_t max, char **out)
{
    if (text.size < 1 || text.size > max || memchr(text.data, 0, text.size)) return in_bad(in, key, "not a valid text");
    *out = mem_text(text.data, text.size);
    return *out ? WEIR_OK : in_no_memory(in);
}

enum weir_status in_text(const struct in *in, const char *key, size_t max, char **out)
{
    struct weir_string text;
    if (!weir_gguf_as_string(weir_gguf_find(in->gguf, key), &text)) return in_bad(in, key, "missing or no text");
    return in_copy_text(in, key, text, max, out);
}

enum weir_status in_fingerprint(const struct in *in, const char *key, char hex[65])
{
    struct weir_string text;
    if (!weir_gguf_as_string(weir_gguf_find(in->gguf, key), &text)) return in_bad(in, key, "missing or no text");
    bool valid = text.size == 64;
    for (size_t i = 0; valid && i < 64; i++)
        valid = (text.data[i] >= '0' && text.data[i] <= '9') || (text.data[i] >= 'a' && text.data[i] <= 'f');
    if (!valid) return in_bad(in, key, "not 64 hexadecimal digits");
    memcpy(hex, text.data, 64);
    hex[64] = 0;
    return WEIR_OK;
}

enum weir_status in_u32s(const struct in *in, const char *key, size_t max, uint32_t *out, size_t *count)
{
    const struct weir_gguf_value *value = weir_gguf_find(in->gguf, key);
    size_t items = weir_gguf_array_count(value);
    if (!value || weir_gguf_type(value) != WEIR_GGUF_ARRAY) return in_bad(in, key, "missing or no array");
    if (items > max) return in_bad(in, key, "too long");
    for (size_t i = 0; i < items; i++) {
        uint64_t item;
        if (!weir_gguf_array_u64(value, i, &item) || item > UINT32_MAX)
            return in_bad(in, key, "not an array of integers");
        out[i] = (uint32_t)item;
    }
    *count = items;
    return WEIR_OK;
}

enum weir_status in_tensor(const struct in *in, const char *rest, enum weir_tensor_type type, size_t cols, size_t rows,
                           const struct weir_gguf_tensor **out)
{
    char name[NAME_MAX_BYTES];
    (void)snprintf(name, sizeof name, "%s.%s", in->question, rest);
    const struct weir_gguf_tensor *t = weir_gguf_find_tensor(in->gguf, name);
    if (!t) return in_bad(in, name, "missing");
    if (t->type != type) return in_bad(in, name, "wrong type");
    if (t->n_dims > 2 || t->dims[0] != cols || t->dims[1] != rows) return in_bad(in, name, "wrong shape");
    *out = t;
    return WEIR_OK;
}

enum weir_status in_floats(const struct in *in, const char *rest, size_t cols, size_t rows, float **out)
{
    const struct weir_gguf_tensor *t = NULL;
    enum weir_status status = in_tensor(in, rest, WEIR_TENSOR_F32, cols, rows, &t);
    if (status) return status;
    size_t count = t->size / sizeof(float);
    float *values = mem_zero(count, sizeof *values);
    if (!values) return in_no_memory(in);
    bool finite = true;
    for (size_t i = 0; i < count; i++) {
        values[i] = float_from_bits((uint32_t)load_le(t->data + i * sizeof(float), sizeof(float)));
        finite = finite && isfinite(values[i]);
    }
    *out = values;
    return finite ? WEIR_OK : in_bad(in, rest, "a value is not finite");
}
