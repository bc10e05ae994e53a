/* What the writer writes, the reader reads: every value type, strings with any bytes, tensors, look-ups, alignment. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "gguf/sample.h"
#include "gguf/writer.h"

struct fixture {
    struct strbuf file;
    struct weir_gguf *gguf;
};

static int open_sample(void **state)
{
    static struct fixture fixture;
    struct weir_error error = {0};
    fixture = (struct fixture){.file = STRBUF_MAX(1 << 20)};
    check_status(sample_file(&fixture.file, &error), WEIR_OK, &error);
    check_status(weir_gguf_open_memory(fixture.file.data, fixture.file.size, "sample", &fixture.gguf, &error), WEIR_OK,
                 &error);
    *state = &fixture;
    return 0;
}

static int close_sample(void **state)
{
    struct fixture *fixture = *state;
    weir_gguf_close(&fixture->gguf);
    assert_null(fixture->gguf);
    strbuf_free(&fixture->file);
    return 0;
}

static const struct weir_gguf_value *find(void **state, const char *key)
{
    const struct weir_gguf_value *value = weir_gguf_find(((struct fixture *)*state)->gguf, key);
    if (!value) fail_msg("expected the key %s", key);
    return value;
}

static void integers_keep_their_value_and_range(void **state)
{
    static const struct {
        const char *key;
        bool is_u64, is_i64;
        uint64_t u64;
        int64_t i64;
    } cases[] = {
        {"t.u8", true, true, 200, 200},
        {"t.i8", false, true, 0, -100},
        {"t.u16", true, true, 50000, 50000},
        {"t.i16", false, true, 0, -30000},
        {"t.u32", true, true, 4000000000u, 4000000000},
        {"t.i32", false, true, 0, -2000000000},
        {"t.u64", true, false, UINT64_MAX, 0},
        {"t.i64", false, true, 0, INT64_MIN},
        {"t.bool", false, false, 0, 0},
        {"t.f32", false, false, 0, 0},
        {"t.string", false, false, 0, 0},
        {"a.u32", false, false, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t u64 = 0;
        int64_t i64 = 0;
        assert_int_equal(weir_gguf_as_u64(find(state, cases[i].key), &u64), cases[i].is_u64);
        assert_int_equal(weir_gguf_as_i64(find(state, cases[i].key), &i64), cases[i].is_i64);
        assert_true(u64 == cases[i].u64);
        assert_true(i64 == cases[i].i64);
    }
}

static void other_scalars_keep_their_value(void **state)
{
    double number = 0;
    bool flag = false;
    struct weir_string text;
    assert_true(weir_gguf_as_f64(find(state, "t.f32"), &number));
    assert_true(number == 0.375);
    assert_true(weir_gguf_as_f64(find(state, "t.f64"), &number));
    assert_true(number == 0.1);
    assert_false(weir_gguf_as_f64(find(state, "t.u8"), &number));
    assert_true(weir_gguf_as_bool(find(state, "t.bool"), &flag));
    assert_true(flag);
    assert_false(weir_gguf_as_bool(find(state, "t.u8"), &flag));
    assert_true(weir_gguf_as_string(find(state, "t.string"), &text));
    assert_int_equal(text.size, 3);
    assert_memory_equal(text.data, "a\0b", 3);
    assert_false(weir_gguf_as_string(find(state, "a.string"), &text));
}

static void getters_accept_a_missing_value(void **state)
{
    (void)state;
    uint64_t u64 = 7;
    int64_t i64 = 7;
    double number = 7;
    bool flag = true;
    struct weir_string text = {.size = 7};
    assert_false(weir_gguf_as_u64(NULL, &u64) || weir_gguf_as_i64(NULL, &i64) || weir_gguf_as_f64(NULL, &number) ||
                 weir_gguf_as_bool(NULL, &flag) || weir_gguf_as_string(NULL, &text));
    assert_false(weir_gguf_array_u64(NULL, 0, &u64) || weir_gguf_array_i64(NULL, 0, &i64) ||
                 weir_gguf_array_f64(NULL, 0, &number) || weir_gguf_array_bool(NULL, 0, &flag) ||
                 weir_gguf_array_string(NULL, 0, &text));
    assert_true(u64 == 7 && i64 == 7 && number == 7 && flag && text.size == 7);
    assert_int_equal(weir_gguf_array_count(NULL), 0);
    assert_int_equal(weir_gguf_array_type(NULL), WEIR_GGUF_U8);
}

static void arrays_keep_their_items(void **state)
{
    uint64_t u64 = 0;
    int64_t i64 = 0;
    double number = 0;
    bool flag = false;
    static const struct {
        const char *key;
        enum weir_gguf_value_type type;
        size_t count;
        int64_t last;
    } integers[] = {
        {"a.u8", WEIR_GGUF_U8, 3, 255},          {"a.i8", WEIR_GGUF_I8, 3, -1},
        {"a.u16", WEIR_GGUF_U16, 2, 65535},      {"a.i16", WEIR_GGUF_I16, 2, -1},
        {"a.u32", WEIR_GGUF_U32, 2, 4000000000}, {"a.i32", WEIR_GGUF_I32, 2, -2000000000},
        {"a.i64", WEIR_GGUF_I64, 3, -1},
    };
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        const struct weir_gguf_value *value = find(state, integers[i].key);
        assert_int_equal(weir_gguf_type(value), WEIR_GGUF_ARRAY);
        assert_int_equal(weir_gguf_array_type(value), integers[i].type);
        assert_int_equal(weir_gguf_array_count(value), integers[i].count);
        assert_true(weir_gguf_array_i64(value, integers[i].count - 1, &i64));
        assert_true(i64 == integers[i].last);
        assert_false(weir_gguf_array_i64(value, integers[i].count, &i64));
    }
    assert_true(weir_gguf_array_u64(find(state, "a.u64"), 1, &u64));
    assert_true(u64 == UINT64_MAX);
    assert_false(weir_gguf_array_i64(find(state, "a.u64"), 1, &i64));
    assert_true(weir_gguf_array_f64(find(state, "a.f64"), 1, &number));
    assert_true(number == -2.5);
    assert_true(weir_gguf_array_f64(find(state, "a.f32"), 1, &number));
    assert_true(number == -0.5);
    assert_true(weir_gguf_array_bool(find(state, "a.bool"), 1, &flag));
    assert_false(flag);
    assert_true(weir_gguf_array_bool(find(state, "a.bool"), 2, &flag));
    assert_true(flag);
}

static void string_arrays_keep_any_bytes(void **state)
{
    static const struct weir_string expected[] = {{"", 0}, {"one", 3}, {"two and\nthree", 13}, {"\xff\0", 2}};
    const struct weir_gguf_value *value = find(state, "a.string");
    struct weir_string item;
    assert_int_equal(weir_gguf_array_count(value), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(weir_gguf_array_string(value, i, &item));
        assert_int_equal(item.size, expected[i].size);
        assert_memory_equal(item.data, expected[i].data, item.size);
    }
    assert_false(weir_gguf_array_string(value, 4, &item));
    assert_false(weir_gguf_array_string(find(state, "a.u8"), 0, &item));
    assert_int_equal(weir_gguf_array_count(find(state, "a.none")), 0);
    assert_int_equal(weir_gguf_array_type(find(state, "a.none")), WEIR_GGUF_STRING);
    assert_false(weir_gguf_array_string(find(state, "a.none"), 0, &item));
    assert_int_equal(weir_gguf_array_count(find(state, "t.u8")), 0);
}

static void tensors_keep_shape_and_data(void **state)
{
    const struct fixture *fixture = *state;
    assert_int_equal(weir_gguf_tensor_count(fixture->gguf), 2);
    const struct weir_gguf_tensor *blocks = weir_gguf_find_tensor(fixture->gguf, "blk.0.weight");
    const struct weir_gguf_tensor *norm = weir_gguf_find_tensor(fixture->gguf, "norm.weight");
    assert_ptr_equal(blocks, weir_gguf_tensor_at(fixture->gguf, 0));
    assert_ptr_equal(norm, weir_gguf_tensor_at(fixture->gguf, 1));
    assert_int_equal(blocks->type, WEIR_TENSOR_Q8_0);
    assert_int_equal(blocks->n_dims, 2);
    assert_true(blocks->dims[0] == 32 && blocks->dims[1] == 3 && blocks->dims[2] == 1 && blocks->dims[3] == 1);
    assert_int_equal(blocks->size, 3 * 34);
    for (size_t i = 0; i < blocks->size; i++) assert_int_equal(blocks->data[i], i);
    assert_int_equal(norm->size, 32);
    assert_int_equal((norm->data - (const uint8_t *)fixture->file.data) % 32, 0);
    float row[8];
    memcpy(row, norm->data, sizeof row);
    for (int i = 0; i < 8; i++) assert_true(row[i] == (float)i);
    assert_null(weir_gguf_find_tensor(fixture->gguf, "norm"));
    assert_null(weir_gguf_tensor_at(fixture->gguf, 2));
}

static void values_come_in_file_order(void **state)
{
    const struct weir_gguf *gguf = ((struct fixture *)*state)->gguf;
    assert_int_equal(weir_gguf_value_count(gguf), 26);
    for (size_t i = 0; i < weir_gguf_value_count(gguf); i++) {
        char key[32] = {0};
        const struct weir_gguf_value *value = weir_gguf_value_at(gguf, i);
        memcpy(key, weir_gguf_key(value).data, weir_gguf_key(value).size);
        assert_ptr_equal(weir_gguf_find(gguf, key), value);
    }
    struct weir_string first = weir_gguf_key(weir_gguf_value_at(gguf, 0));
    assert_memory_equal(first.data, "t.u8", 4);
    assert_null(weir_gguf_value_at(gguf, 26));
    assert_null(weir_gguf_find(gguf, "t.u"));
    assert_null(weir_gguf_find(gguf, ""));
    assert_int_equal(weir_gguf_version(gguf), 3);
    assert_string_equal(weir_gguf_name(gguf), "sample");
    assert_int_equal(weir_gguf_file_bytes(gguf), ((struct fixture *)*state)->file.size);
}

static void version_2_is_read_alike(void **state)
{
    struct fixture *fixture = *state;
    struct weir_gguf *old = NULL;
    struct weir_error error = {0};
    unsigned long sum = sample_read_all(fixture->gguf);
    fixture->file.data[4] = 2;
    check_status(weir_gguf_open_memory(fixture->file.data, fixture->file.size, "v2", &old, &error), WEIR_OK, &error);
    assert_int_equal(weir_gguf_version(old), 2);
    assert_true(sample_read_all(old) == sum);
    weir_gguf_close(&old);
}

static void saved_file_opens_by_path(void **state)
{
    (void)state;
    char folder[] = "weir_gguf_XXXXXX";
    struct weir_error error = {0};
    struct weir_gguf *gguf = NULL;
    assert_non_null(mkdtemp(folder));
    char path[64];
    (void)snprintf(path, sizeof path, "%s/m.gguf", folder);
    struct gguf_writer *w = gguf_writer_open();
    gguf_write_alignment(w, 64);
    gguf_write_string(w, "general.architecture", "none", 4);
    for (unsigned i = 0; i < 300; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "w%u", i);
        gguf_write_tensor(w, name, WEIR_TENSOR_I8, 1, (uint64_t[]){i + 1}, memset((char[301]){0}, (int)i, 301));
    }
    check_status(gguf_writer_save(w, path, &error), WEIR_OK, &error);
    gguf_writer_close(&w);
    check_status(weir_gguf_open(path, &gguf, &error), WEIR_OK, &error);
    for (unsigned i = 0; i < 300; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "w%u", i);
        const struct weir_gguf_tensor *tensor = weir_gguf_find_tensor(gguf, name);
        assert_non_null(tensor);
        assert_int_equal(tensor->size, i + 1);
        assert_int_equal((uintptr_t)tensor->data % 64, 0);
        assert_int_equal(tensor->data[i], (uint8_t)i);
    }
    weir_gguf_close(&gguf);
    unlink(path);
    check_status(weir_gguf_open(path, &gguf, &error), WEIR_ERR_NOT_FOUND, &error);
    check_contains(error.text, path);
    rmdir(folder);
}

static void fingerprint_sees_data_and_metadata_but_not_padding(void **state)
{
    struct fixture *fixture = *state;
    char before[65], after[65];
    assert_int_equal(weir_gguf_fingerprint(fixture->gguf, before), WEIR_OK);
    const struct weir_gguf_tensor *blocks = weir_gguf_tensor_at(fixture->gguf, 0);
    char *data = fixture->file.data + (blocks->data - (const uint8_t *)fixture->file.data);
    data[blocks->size] ^= 1; /* padding between the tensors */
    assert_int_equal(weir_gguf_fingerprint(fixture->gguf, after), WEIR_OK);
    assert_string_equal(before, after);
    data[blocks->size] ^= 1;
    data[5] ^= 1;
    assert_int_equal(weir_gguf_fingerprint(fixture->gguf, after), WEIR_OK);
    assert_string_not_equal(before, after);
    data[5] ^= 1;
    struct weir_string text;
    assert_true(weir_gguf_as_string(find(state, "t.string"), &text));
    char *first = fixture->file.data + (text.data - fixture->file.data);
    *first ^= 1;
    assert_int_equal(weir_gguf_fingerprint(fixture->gguf, after), WEIR_OK);
    assert_string_not_equal(before, after);
}

static void writer_refuses_what_the_reader_would(void **state)
{
    (void)state;
    static const struct {
        int fault;
        enum weir_status status;
        const char *text;
    } cases[] = {
        {0, WEIR_ERR_FORMAT, "key twice: expected once"},
        {1, WEIR_ERR_INVALID, "tensor w: not a shape"},
        {2, WEIR_ERR_INVALID, "key k: expected a scalar type, found string"},
        {3, WEIR_ERR_INVALID, "alignment 48"},
        {4, WEIR_ERR_FORMAT, "printable ASCII"},
        {5, WEIR_ERR_LIMIT, "at most 127 bytes"},
    };
    char long_name[200];
    memset(long_name, 'n', sizeof long_name);
    long_name[199] = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_error error = {0};
        struct strbuf out = STRBUF_MAX(1 << 20);
        struct gguf_writer *w = gguf_writer_open();
        gguf_write_u32(w, "twice", 1);
        if (cases[i].fault == 0) gguf_write_u32(w, "twice", 1);
        if (cases[i].fault == 1) gguf_write_tensor(w, "w", WEIR_TENSOR_Q8_0, 1, (uint64_t[]){33}, "");
        if (cases[i].fault == 2) gguf_write_scalar(w, "k", WEIR_GGUF_STRING, "");
        if (cases[i].fault == 3) gguf_write_alignment(w, 48);
        if (cases[i].fault == 4) gguf_write_u32(w, "new\nline", 1);
        if (cases[i].fault == 5) gguf_write_tensor(w, long_name, WEIR_TENSOR_F32, 1, (uint64_t[]){1}, &(float){1});
        check_status(gguf_writer_finish(w, &out, &error), cases[i].status, &error);
        check_contains(error.text, cases[i].text);
        assert_int_equal(out.size, 0);
        gguf_writer_close(&w);
        strbuf_free(&out);
    }
}

static void type_tables_answer_for_any_number(void **state)
{
    (void)state;
    assert_string_equal(weir_tensor_type_name(WEIR_TENSOR_Q4_1), "Q4_1");
    assert_int_equal(weir_tensor_type_block_weights(WEIR_TENSOR_Q6_K), 256);
    assert_int_equal(weir_tensor_type_block_bytes(WEIR_TENSOR_Q6_K), 210);
    assert_null(weir_tensor_type_name((enum weir_tensor_type)4));
    assert_int_equal(weir_tensor_type_block_weights((enum weir_tensor_type)1000), 0);
    assert_string_equal(weir_gguf_value_type_name(WEIR_GGUF_F64), "f64");
    assert_string_equal(weir_gguf_value_type_name((enum weir_gguf_value_type)13), "unknown");
}

#define WITH_SAMPLE(test) cmocka_unit_test_setup_teardown(test, open_sample, close_sample)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAMPLE(integers_keep_their_value_and_range),
        WITH_SAMPLE(other_scalars_keep_their_value),
        cmocka_unit_test(getters_accept_a_missing_value),
        WITH_SAMPLE(arrays_keep_their_items),
        WITH_SAMPLE(string_arrays_keep_any_bytes),
        WITH_SAMPLE(tensors_keep_shape_and_data),
        WITH_SAMPLE(values_come_in_file_order),
        WITH_SAMPLE(version_2_is_read_alike),
        cmocka_unit_test(saved_file_opens_by_path),
        WITH_SAMPLE(fingerprint_sees_data_and_metadata_but_not_padding),
        cmocka_unit_test(writer_refuses_what_the_reader_would),
        cmocka_unit_test(type_tables_answer_for_any_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
