/* Schemas and instances: what is accepted, what is not, what is refused. Every case goes through bytes, as output does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "weir/constrain.h"

/* Whether the bytes are a whole output; `compact` as in the options. */
static bool accepts(const char *schema, const char *text, size_t size, bool compact)
{
    struct weir_constrain_options options = weir_constrain_options_defaults();
    struct weir_constraint *constraint = NULL;
    struct weir_matcher *matcher = NULL;
    struct weir_error error = {0};
    size_t done = 0;
    options.compact = compact;
    if (weir_constraint_open(schema, strlen(schema), NULL, &options, &constraint, &error))
        fail_msg("%s: %s", schema, error.text);
    assert_int_equal(weir_matcher_open(constraint, &matcher, &error), WEIR_OK);
    enum weir_status status = weir_matcher_accept_bytes(matcher, text, size, &done, &error);
    bool good = !status && done == size && weir_matcher_is_complete(matcher);
    weir_matcher_close(&matcher);
    weir_constraint_close(&constraint);
    return good;
}

struct verdict {
    const char *schema, *instance;
    bool valid;
};

static void check(const struct verdict *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool got = accepts(cases[i].schema, cases[i].instance, strlen(cases[i].instance), true);
        if (got != cases[i].valid)
            fail_msg("%s with %s: got %d, expected %d", cases[i].schema, cases[i].instance, got, cases[i].valid);
    }
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof(cases)[0])

static void types(void **state)
{
    (void)state;
    static const struct verdict cases[] = {
        {"true", "{\"a\":[1,null,\"x\",true,{}]}", true},
        {"false", "1", false},
        {"{\"type\":\"integer\"}", "12345678901234567890123456789012345678901234567890", true},
        {"{\"type\":\"integer\"}", "1.0", true},
        {"{\"type\":\"integer\"}", "1.5", false},
        {"{\"type\":\"integer\"}", "01", false},
        {"{\"type\":[\"null\",\"boolean\"]}", "true", true},
        {"{\"type\":[\"null\",\"boolean\"]}", "\"true\"", false},
        {"{\"not\":{\"type\":\"integer\"}}", "1.25", true},
        {"{\"not\":{\"type\":\"integer\"}}", "3", false},
        {"{\"type\":\"number\"}", "-1.5E+300", true},
    };
    CHECK(cases);
}

static void numbers(void **state)
{
    (void)state;
    static const struct verdict cases[] = {
        {"{\"type\":\"number\",\"minimum\":-2.5,\"exclusiveMaximum\":10}", "-2.5", true},
        {"{\"type\":\"number\",\"minimum\":-2.5,\"exclusiveMaximum\":10}", "-2.51", false},
        {"{\"type\":\"number\",\"minimum\":-2.5,\"exclusiveMaximum\":10}", "9.999", true},
        {"{\"type\":\"number\",\"minimum\":-2.5,\"exclusiveMaximum\":10}", "10.000", false},
        {"{\"type\":\"number\",\"minimum\":0.001}", "1e-3", true},
        {"{\"type\":\"number\",\"minimum\":0.001}", "9.9e-4", false},
        {"{\"type\":\"number\",\"maximum\":18446744073709551615}", "18446744073709551615", true},
        {"{\"type\":\"number\",\"maximum\":18446744073709551615}", "18446744073709551616", false},
        {"{\"multipleOf\":0.01}", "19.99", true},
        {"{\"multipleOf\":0.01}", "19.995", false},
        {"{\"type\":\"integer\",\"multipleOf\":7}", "700000000000000000000", true},
        {"{\"type\":\"integer\",\"multipleOf\":7}", "700000000000000000001", false},
        {"{\"const\":1}", "1.00", true},
        {"{\"const\":0}", "-0", true},
        {"{\"enum\":[1e2,3]}", "100", true},
        {"{\"enum\":[1e2,3]}", "10", false},
        {"{\"not\":{\"enum\":[3]},\"type\":\"integer\"}", "3", false},
        {"{\"not\":{\"enum\":[3]},\"type\":\"integer\"}", "33", true},
    };
    CHECK(cases);
}

static void strings(void **state)
{
    (void)state;
    static const struct verdict cases[] = {
        {"{\"type\":\"string\",\"maxLength\":2}", "\"\\ud83d\\ude00\\u00e9\"", true},
        {"{\"type\":\"string\",\"maxLength\":1}", "\"\\ud83d\\ude00\\u00e9\"", false},
        {"{\"type\":\"string\"}", "\"\\ud83d\"", false},
        {"{\"type\":\"string\"}", "\"\xed\xa0\x80\"", false},
        {"{\"type\":\"string\"}", "\"\xc3\"", false},
        {"{\"const\":\"\\u0000\"}", "\"\\u0000\"", true},
        {"{\"pattern\":\"^a+$\",\"minLength\":3}", "\"aaa\"", true},
        {"{\"pattern\":\"^a+$\",\"minLength\":3}", "\"aa\"", false},
        {"{\"pattern\":\"^a+$\",\"maxLength\":3}", "\"aaaa\"", false},
        {"{\"pattern\":\"b\"}", "\"abc\"", true},
        {"{\"pattern\":\"b\"}", "\"\\u0061\\u0062\"", true},
        {"{\"pattern\":\"b\"}", "\"ac\"", false},
        {"{\"pattern\":\"^(ab|c)*$|^$\"}", "\"abcab\"", true},
        {"{\"pattern\":\"^\\\\d{4}-\\\\d\\\\d$\"}", "\"2024-13\"", true},
        {"{\"format\":\"date\"}", "\"2023-02-29\"", false},
        {"{\"format\":\"date\"}", "\"2024-02-29\"", true},
        {"{\"format\":\"ipv6\"}", "\"::ffff:1.2.3.4\"", true},
        {"{\"format\":\"uri\"}", "\"https://a.b/c?d=%20#e\"", true},
        {"{\"format\":\"uri\"}", "\"a b\"", false},
        {"{\"format\":\"email\"}", "\"a.b@example.com\"", true},
        {"{\"format\":\"uuid\"}", "\"2eb8aa08-aa98-11ea-b4aa-73b441d16380\"", true},
        {"{\"format\":\"duration\"}", "\"P1Y2M3DT4H\"", true},
        {"{\"format\":\"a name of our own\"}", "\"x\"", true},
        {"{\"not\":{\"pattern\":\"^a\"}}", "\"ba\"", true},
        {"{\"not\":{\"pattern\":\"^a\"}}", "\"ab\"", false},
    };
    CHECK(cases);
}

static void objects(void **state)
{
    (void)state;
    static const char ab[] = "{\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{}},\"required\":[\"b\"],"
                             "\"additionalProperties\":false,\"type\":\"object\"}";
    static const struct verdict cases[] = {
        {ab, "{\"a\":1,\"b\":2}", true},
        {ab, "{\"b\":2}", true},
        {ab, "{\"a\":1}", false},
        {ab, "{\"b\":2,\"a\":1}", false}, /* not the schema's order */
        {ab, "{\"b\":2,\"c\":1}", false},
        {ab, "{\"\\u0062\":2}", true},
        {"{\"minProperties\":2,\"type\":\"object\"}", "{\"x\":1}", false},
        {"{\"minProperties\":2,\"type\":\"object\"}", "{\"x\":1,\"y\":2}", true},
        {"{\"maxProperties\":1,\"required\":[\"q\"]}", "{\"q\":1}", true},
        {"{\"maxProperties\":1,\"required\":[\"q\"]}", "{\"p\":1}", false},
        {"{\"patternProperties\":{\"^x\":{\"type\":\"null\"}},\"additionalProperties\":{\"type\":\"string\"}}",
         "{\"xy\":null,\"z\":\"s\"}", true},
        {"{\"patternProperties\":{\"^x\":{\"type\":\"null\"}},\"additionalProperties\":{\"type\":\"string\"}}",
         "{\"xy\":\"s\"}", false},
        {"{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}", false},
        {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", false},
        {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1,\"b\":1}", true},
        {"{\"not\":{\"additionalProperties\":{\"type\":\"integer\"}}}", "{\"q\":1,\"r\":\"x\"}", true},
        {"{\"not\":{\"additionalProperties\":{\"type\":\"integer\"}}}", "{\"q\":1}", false},
        {"{\"const\":{\"a\":[1,{}]}}", "{\"a\":[1.0,{}]}", true},
        {"{\"const\":{\"a\":[1,{}]}}", "{\"a\":[1]}", false},
    };
    CHECK(cases);
}

static void arrays(void **state)
{
    (void)state;
    static const struct verdict cases[] = {
        {"{\"prefixItems\":[{\"type\":\"integer\"}],\"items\":{\"type\":\"string\"}}", "[1,\"a\"]", true},
        {"{\"prefixItems\":[{\"type\":\"integer\"}],\"items\":{\"type\":\"string\"}}", "[1,2]", false},
        {"{\"minItems\":2,\"maxItems\":3,\"type\":\"array\"}", "[1]", false},
        {"{\"minItems\":2,\"maxItems\":3,\"type\":\"array\"}", "[1,2,3]", true},
        {"{\"minItems\":2,\"maxItems\":3,\"type\":\"array\"}", "[1,2,3,4]", false},
        {"{\"type\":\"array\",\"contains\":{\"const\":5},\"maxContains\":1}", "[1,5,2]", true},
        {"{\"type\":\"array\",\"contains\":{\"const\":5},\"maxContains\":1}", "[5,5]", false},
        {"{\"type\":\"array\",\"contains\":{\"const\":5}}", "[]", false},
        {"{\"not\":{\"items\":{\"type\":\"integer\"}}}", "[1,\"a\"]", true},
        {"{\"not\":{\"items\":{\"type\":\"integer\"}}}", "[1]", false},
    };
    CHECK(cases);
}

static void combinations(void **state)
{
    (void)state;
    static const char tree[] =
        "{\"$ref\":\"#/$defs/t\",\"$defs\":{\"t\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":"
        "\"integer\"},\"c\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/t\"}}},\"required\":"
        "[\"v\"],\"additionalProperties\":false}}}";
    static const char either[] = "{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}],\"type\":\"object\"}";
    static const char fork[] =
        "{\"if\":{\"properties\":{\"k\":{\"const\":1}},\"required\":[\"k\"]},\"then\":{\"required\":"
        "[\"x\"]},\"else\":{\"required\":[\"y\"]},\"type\":\"object\",\"properties\":{\"k\":{}}}";
    static const struct verdict cases[] = {
        {tree, "{\"v\":1,\"c\":[{\"v\":2,\"c\":[]},{\"v\":3}]}", true},
        {tree, "{\"v\":1,\"c\":[{\"c\":[]}]}", false},
        {either, "{\"a\":1}", true},
        {either, "{\"a\":1,\"b\":1}", false},
        {either, "{}", false},
        {fork, "{\"k\":1,\"x\":0}", true},
        {fork, "{\"k\":1,\"y\":0}", false},
        {fork, "{\"k\":2,\"y\":0}", true},
        {"{\"allOf\":[{\"minimum\":3},{\"maximum\":5}],\"type\":\"integer\"}", "6", false},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":2}]}", "3", false},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":2}]}", "2.5", true},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}", "[\"a\",\"b\"]",
         true},
        {"{\"$ref\":\"#/definitions/x~1y\",\"definitions\":{\"x/y\":{\"type\":\"null\"}}}", "null", true},
    };
    CHECK(cases);
}

static void white_space(void **state)
{
    (void)state;
    static const char text[] = " { \"a\" :\n[ 1 ,\t2 ] } ";
    assert_true(accepts("true", text, strlen(text), false));
    assert_false(accepts("true", text, strlen(text), true));
}

/* What is refused, and what the text must name. */
static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        enum weir_status status;
        const char *words;
    } cases[] = {
        {"{\"properties\":{\"a/b\":{\"uniqueItems\":true}}}", WEIR_ERR_UNSUPPORTED,
         "uniqueItems at \"/properties/a~1b/uniqueItems\""},
        {"{\"$dynamicRef\":\"#x\"}", WEIR_ERR_UNSUPPORTED, "$dynamicRef at \"/$dynamicRef\""},
        {"{\"$ref\":\"http://example.com/s.json\"}", WEIR_ERR_UNSUPPORTED, "$ref at \"/$ref\""},
        {"{\"pattern\":\"(?=a)b\"}", WEIR_ERR_UNSUPPORTED, "pattern at \"/pattern\": look-ahead"},
        {"{\"format\":\"regex\"}", WEIR_ERR_UNSUPPORTED, "format at \"/format\""},
        {"{\"type\":\"text\"}", WEIR_ERR_FORMAT, "type at \"/type\""},
        {"{\"$schema\":\"http://example.com/own\"}", WEIR_ERR_UNSUPPORTED, "$schema"},
        {"{\"pattern\":\"(a{1,1000}){1,1000}\"}", WEIR_ERR_LIMIT, "pattern"},
        {"{\"a\":1,\"a\":2}", WEIR_ERR_FORMAT, "twice"},
        {"[", WEIR_ERR_FORMAT, "byte 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir_constraint *constraint = NULL;
        struct weir_error error = {0};
        enum weir_status status =
            weir_constraint_open(cases[i].schema, strlen(cases[i].schema), NULL, NULL, &constraint, &error);
        if (status != cases[i].status || constraint || !strstr(error.text, cases[i].words))
            fail_msg("%s: got %d \"%s\", expected %d \"%s\"", cases[i].schema, (int)status, error.text,
                     (int)cases[i].status, cases[i].words);
    }
}

static void lenient_lists_what_is_not_enforced(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"type\":\"array\",\"contentEncoding\":\"x\",\"items\":{\"format\":\"regex\",\"type\":\"string\"}}";
    struct weir_constrain_options options = weir_constrain_options_defaults();
    struct weir_constraint *constraint = NULL;
    struct weir_error error = {0};
    options.lenient = true;
    assert_int_equal(weir_constraint_open(schema, strlen(schema), NULL, &options, &constraint, &error), WEIR_OK);
    assert_int_equal(weir_constraint_note_count(constraint), 1);
    assert_non_null(strstr(weir_constraint_note(constraint, 0), "/items/format"));
    weir_constraint_close(&constraint);
}

static void forced_bytes(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"type\":\"object\",\"properties\":{\"name\":{\"enum\":[\"left\",\"less\"]}},\"required\":"
        "[\"name\"],\"additionalProperties\":false}";
    struct weir_constraint *constraint = NULL;
    struct weir_matcher *matcher = NULL, *copy = NULL;
    struct weir_error error = {0};
    struct weir_string bytes;
    size_t done;
    assert_int_equal(weir_constraint_open(schema, strlen(schema), NULL, NULL, &constraint, &error), WEIR_OK);
    assert_int_equal(weir_matcher_open(constraint, &matcher, &error), WEIR_OK);
    assert_int_equal(weir_matcher_forced(matcher, &bytes, &error), WEIR_OK);
    assert_int_equal(bytes.size, 11);
    assert_memory_equal(bytes.data, "{\"name\":\"le", 11);
    assert_int_equal(weir_matcher_accept_bytes(matcher, "{\"name\":\"l", 10, &done, &error), WEIR_OK);
    assert_int_equal(done, 10);
    assert_int_equal(weir_matcher_forced(matcher, &bytes, &error), WEIR_OK);
    assert_int_equal(bytes.size, 1); /* other spellings of e are no choice; then f or s */
    assert_memory_equal(bytes.data, "e", 1);
    assert_int_equal(weir_matcher_copy(matcher, &copy, &error), WEIR_OK);
    assert_int_equal(weir_matcher_accept_bytes(copy, "eft\"}", 5, &done, &error), WEIR_OK);
    assert_true(weir_matcher_is_complete(copy));
    assert_false(weir_matcher_is_complete(matcher));
    assert_int_equal(weir_matcher_accept_bytes(matcher, "eft\"]", 5, &done, &error), WEIR_OK);
    assert_int_equal(done, 4);
    weir_matcher_close(&copy);
    weir_matcher_close(&matcher);
    weir_constraint_close(&constraint);
}

static void arranging_keeps_lexemes(void **state)
{
    (void)state;
    static const char schema[] = "{\"properties\":{\"a\":{},\"b\":{}}}";
    static const char json[] = "{ \"z\\u0041\" : 1.50, \"b\":[ 1e2 ],\"a\" : \"\\u0000\" }";
    struct weir_constraint *constraint = NULL;
    struct weir_error error = {0};
    char *out = NULL;
    size_t size;
    bool found;
    assert_int_equal(weir_constraint_open(schema, strlen(schema), NULL, NULL, &constraint, &error), WEIR_OK);
    assert_int_equal(weir_constraint_arrange(constraint, json, strlen(json), &out, &size, &found, &error), WEIR_OK);
    assert_true(found);
    assert_string_equal(out, "{\"a\":\"\\u0000\",\"b\":[1e2],\"z\\u0041\":1.50}");
    free(out);
    weir_constraint_close(&constraint);
}

/* "ab" must come first, and nothing says so before the last member: orders within the others' values once took all of the search. */
static void arranging_takes_back_an_early_choice(void **state)
{
    (void)state;
    static const char schema[] = "{\"not\":{\"required\":[\"ab\"],\"additionalProperties\":{\"type\":\"integer\"},"
                                 "\"propertyNames\":{\"maxLength\":1}}}";
    static const char value[] = "{\"a\":{},\"b\":{},\"c\":{},\"d\":{},\"e\":{},\"f\":{}}";
    char json[512];
    struct weir_constraint *constraint = NULL;
    struct weir_error error = {0};
    char *out = NULL;
    size_t size;
    bool found;
    (void)snprintf(json, sizeof json, "{\"c d\":%s,\"e\":%s,\"f\":%s,\"ab\":{}}", value, value, value);
    assert_int_equal(weir_constraint_open(schema, strlen(schema), NULL, NULL, &constraint, &error), WEIR_OK);
    assert_int_equal(weir_constraint_arrange(constraint, json, strlen(json), &out, &size, &found, &error), WEIR_OK);
    assert_true(found);
    assert_memory_equal(out, "{\"ab\":{},", 9);
    assert_int_equal(size, strlen(json));
    free(out);
    weir_constraint_close(&constraint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(numbers),
        cmocka_unit_test(strings),
        cmocka_unit_test(objects),
        cmocka_unit_test(arrays),
        cmocka_unit_test(combinations),
        cmocka_unit_test(white_space),
        cmocka_unit_test(refusals),
        cmocka_unit_test(forced_bytes),
        cmocka_unit_test(lenient_lists_what_is_not_enforced),
        cmocka_unit_test(arranging_keeps_lexemes),
        cmocka_unit_test(arranging_takes_back_an_early_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
