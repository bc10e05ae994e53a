#include "gguf/sample.h"

#include <string.h>

#include "gguf/writer.h"

static void write_scalars(struct gguf_writer *w)
{
    gguf_write_scalar(w, "t.u8", WEIR_GGUF_U8, &(uint8_t){200});
    gguf_write_scalar(w, "t.i8", WEIR_GGUF_I8, &(int8_t){-100});
    gguf_write_scalar(w, "t.u16", WEIR_GGUF_U16, &(uint16_t){50000});
    gguf_write_scalar(w, "t.i16", WEIR_GGUF_I16, &(int16_t){-30000});
    gguf_write_u32(w, "t.u32", 4000000000u);
    gguf_write_scalar(w, "t.i32", WEIR_GGUF_I32, &(int32_t){-2000000000});
    gguf_write_f32(w, "t.f32", 0.375f);
    gguf_write_bool(w, "t.bool", true);
    gguf_write_string(w, "t.string", "a\0b", 3);
    gguf_write_u64(w, "t.u64", UINT64_MAX);
    gguf_write_scalar(w, "t.i64", WEIR_GGUF_I64, &(int64_t){INT64_MIN});
    gguf_write_f64(w, "t.f64", 0.1);
}

static void write_arrays(struct gguf_writer *w)
{
    static const bool bools[] = {true, false, true};
    static const double doubles[] = {1.5, -2.5};
    static const int64_t longs[] = {INT64_MIN, INT64_MAX, -1};
    static const struct weir_string strings[] = {{"", 0}, {"one", 3}, {"two and\nthree", 13}, {"\xff\0", 2}};
    gguf_write_scalars(w, "a.bool", WEIR_GGUF_BOOL, bools, 3);
    gguf_write_scalars(w, "a.f64", WEIR_GGUF_F64, doubles, 2);
    gguf_write_scalars(w, "a.i64", WEIR_GGUF_I64, longs, 3);
    gguf_write_scalars(w, "a.u8", WEIR_GGUF_U8, "\0\x7f\xff", 3);
    gguf_write_scalars(w, "a.i8", WEIR_GGUF_I8, "\0\x7f\xff", 3);
    gguf_write_scalars(w, "a.u16", WEIR_GGUF_U16, (uint16_t[]){1, 65535}, 2);
    gguf_write_scalars(w, "a.i16", WEIR_GGUF_I16, (int16_t[]){1, -1}, 2);
    gguf_write_scalars(w, "a.u64", WEIR_GGUF_U64, (uint64_t[]){1, UINT64_MAX}, 2);
    gguf_write_u32s(w, "a.u32", (uint32_t[]){1, 4000000000u}, 2);
    gguf_write_i32s(w, "a.i32", (int32_t[]){1, -2000000000}, 2);
    gguf_write_f32s(w, "a.f32", (float[]){1.0f, -0.5f}, 2);
    gguf_write_strings(w, "a.string", strings, 4);
    gguf_write_strings(w, "a.none", NULL, 0);
    gguf_write_u32s(w, "a.empty", NULL, 0);
}

static void write_tensors(struct gguf_writer *w)
{
    float row[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    uint8_t blocks[3 * 34];
    for (size_t i = 0; i < sizeof blocks; i++) blocks[i] = (uint8_t)i;
    gguf_write_tensor(w, "blk.0.weight", WEIR_TENSOR_Q8_0, 2, (uint64_t[]){32, 3}, blocks);
    gguf_write_tensor(w, "norm.weight", WEIR_TENSOR_F32, 1, (uint64_t[]){8}, row);
}

enum weir_status sample_file(struct strbuf *out, struct weir_error *error)
{
    struct gguf_writer *w = gguf_writer_open();
    if (!w) return WEIR_ERR_NOMEM;
    write_scalars(w);
    write_arrays(w);
    write_tensors(w);
    enum weir_status status = gguf_writer_finish(w, out, error);
    gguf_writer_close(&w);
    return status;
}

static unsigned long sum_bytes(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    unsigned long sum = 0;
    for (size_t i = 0; i < size; i++) sum += at[i];
    return sum;
}

static unsigned long read_value(const struct weir_gguf_value *value)
{
    uint64_t u = 0;
    int64_t i = 0;
    double f = 0;
    bool b = false;
    struct weir_string s = {0};
    unsigned long sum = (unsigned long)weir_gguf_as_u64(value, &u) + weir_gguf_as_i64(value, &i) +
                        weir_gguf_as_f64(value, &f) + weir_gguf_as_bool(value, &b);
    if (weir_gguf_as_string(value, &s)) sum += sum_bytes(s.data, s.size);
    size_t count = weir_gguf_array_count(value);
    for (size_t at = 0; at <= count; at++) { /* one past the end must answer false */
        sum += (unsigned long)weir_gguf_array_u64(value, at, &u) + weir_gguf_array_i64(value, at, &i) +
               weir_gguf_array_f64(value, at, &f) + weir_gguf_array_bool(value, at, &b);
        if (weir_gguf_array_string(value, at, &s)) sum += sum_bytes(s.data, s.size);
    }
    return sum + sum_bytes(&u, sizeof u) + sum_bytes(&i, sizeof i) + sum_bytes(&f, sizeof f) + b;
}

unsigned long sample_read_all(const struct weir_gguf *gguf)
{
    unsigned long sum = 0;
    for (size_t i = 0; i < weir_gguf_value_count(gguf); i++) {
        const struct weir_gguf_value *value = weir_gguf_value_at(gguf, i);
        struct weir_string key = weir_gguf_key(value);
        sum += read_value(value) + sum_bytes(key.data, key.size);
    }
    for (size_t i = 0; i < weir_gguf_tensor_count(gguf); i++) {
        const struct weir_gguf_tensor *tensor = weir_gguf_tensor_at(gguf, i);
        sum += sum_bytes(tensor->name.data, tensor->name.size) + sum_bytes(tensor->data, tensor->size);
    }
    return sum;
}
