#include "gguf/split_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "gguf/writer.h"

enum { ITEMS_MAX = 1024, NAME_BYTES = 256 };

static void copy_array(struct gguf_writer *w, const char *key, const struct weir_gguf_value *value)
{
    struct weir_string strings[ITEMS_MAX];
    int32_t numbers[ITEMS_MAX];
    int64_t number;
    size_t count = weir_gguf_array_count(value);
    assert_in_range(count, 0, ITEMS_MAX);
    bool is_text = weir_gguf_array_type(value) == WEIR_GGUF_STRING;
    for (size_t i = 0; i < count; i++) {
        if (is_text)
            assert_true(weir_gguf_array_string(value, i, &strings[i]));
        else {
            assert_true(weir_gguf_array_i64(value, i, &number));
            numbers[i] = (int32_t)number;
        }
    }
    if (is_text)
        gguf_write_strings(w, key, strings, count);
    else
        gguf_write_i32s(w, key, numbers, count);
}

static void copy_value(struct gguf_writer *w, const struct weir_gguf_value *value)
{
    char key[NAME_BYTES];
    struct weir_string name = weir_gguf_key(value), text;
    uint64_t number;
    double real;
    bool truth;
    (void)snprintf(key, sizeof key, "%.*s", (int)name.size, name.data);
    if (weir_gguf_type(value) == WEIR_GGUF_ARRAY)
        copy_array(w, key, value);
    else if (weir_gguf_as_string(value, &text))
        gguf_write_string(w, key, text.data, text.size);
    else if (weir_gguf_as_bool(value, &truth))
        gguf_write_bool(w, key, truth);
    else if (weir_gguf_as_u64(value, &number))
        gguf_write_u32(w, key, (uint32_t)number);
    else if (weir_gguf_as_f64(value, &real))
        gguf_write_f32(w, key, (float)real);
    else
        fail_msg("key %s: a type that this test does not copy", key);
}

static void copy_tensor(struct gguf_writer *w, const struct weir_gguf *gguf, size_t index)
{
    char name[NAME_BYTES];
    const struct weir_gguf_tensor *tensor = weir_gguf_tensor_at(gguf, index);
    assert_non_null(tensor);
    (void)snprintf(name, sizeof name, "%.*s", (int)tensor->name.size, tensor->name.data);
    gguf_write_tensor(w, name, tensor->type, tensor->n_dims, tensor->dims, tensor->data);
}

/* gguf-split writes u16, u16 and i32. */
static void write_split_keys(struct gguf_writer *w, const struct split_plan *plan, unsigned part, size_t tensors)
{
    enum split_damage damage = part == plan->damaged ? plan->damage : SPLIT_INTACT;
    uint16_t no = (uint16_t)(damage == SPLIT_WRONG_NO ? (part + 1) % plan->parts : part);
    uint16_t count = (uint16_t)(damage == SPLIT_WRONG_COUNT ? plan->parts + 1 : plan->parts);
    int32_t total = (int32_t)tensors + (damage == SPLIT_WRONG_TOTAL || plan->damage == SPLIT_TENSOR_TWICE);
    if (damage == SPLIT_TOO_MANY) count = WEIR_GGUF_PARTS_MAX + 1;
    gguf_write_scalar(w, "split.no", WEIR_GGUF_U16, &no);
    gguf_write_scalar(w, "split.count", WEIR_GGUF_U16, &count);
    if (damage != SPLIT_NO_TOTAL) gguf_write_scalar(w, "split.tensors.count", WEIR_GGUF_I32, &total);
    if (damage == SPLIT_FOREIGN_KEY) gguf_write_u32(w, "llama.block_count", 7);
}

static void write_part(const struct weir_gguf *gguf, const char *path, const struct split_plan *plan, unsigned part)
{
    struct weir_error error = {0};
    struct strbuf bytes = STRBUF_MAX(1 << 24);
    size_t tensors = weir_gguf_tensor_count(gguf), groups = plan->parts - plan->empty_first;
    enum split_damage damage = part == plan->damaged ? plan->damage : SPLIT_INTACT;
    struct gguf_writer *w = gguf_writer_open();
    assert_non_null(w);
    for (size_t i = 0; part == 0 && i < weir_gguf_value_count(gguf); i++) copy_value(w, weir_gguf_value_at(gguf, i));
    write_split_keys(w, plan, part, tensors);
    size_t group = part - (size_t)plan->empty_first, first = 0, end = 0;
    if (part || !plan->empty_first) {
        first = tensors * group / groups;
        end = tensors * (group + 1) / groups - (damage == SPLIT_TENSOR_MISSING);
    }
    for (size_t i = first; i < end; i++) copy_tensor(w, gguf, i);
    if (damage == SPLIT_TENSOR_TWICE) copy_tensor(w, gguf, 0);
    check_status(gguf_writer_finish(w, &bytes, &error), WEIR_OK, &error);
    if (damage == SPLIT_CUT) bytes.size--;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    assert_int_equal(fclose(file), 0);
    strbuf_free(&bytes);
    gguf_writer_close(&w);
}

void split_file_name(char *out, size_t size, const char *stem, unsigned part, unsigned parts)
{
    (void)snprintf(out, size, "%s-%05u-of-%05u.gguf", stem, part + 1, parts);
}

void split_file(const char *path, const char *stem, const struct split_plan *plan)
{
    struct weir_error error = {0};
    struct weir_gguf *gguf = NULL;
    char name[NAME_BYTES];
    check_status(weir_gguf_open(path, &gguf, &error), WEIR_OK, &error);
    for (unsigned part = 0; part < plan->parts; part++) {
        split_file_name(name, sizeof name, stem, part, plan->parts);
        if (plan->damage != SPLIT_ABSENT || part != plan->damaged) write_part(gguf, name, plan, part);
    }
    weir_gguf_close(&gguf);
}

void split_file_remove(const char *stem, unsigned parts)
{
    char name[NAME_BYTES];
    for (unsigned part = 0; part < parts; part++) {
        split_file_name(name, sizeof name, stem, part, parts);
        (void)unlink(name);
    }
}
