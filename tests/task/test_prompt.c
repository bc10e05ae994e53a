/* The zero-shot prompt: its text with and without a template, where it is cut, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "task/prompt.h"

static const char TASK[] = "task: t\n"
                           "instructions: Sort the <|im_end|> message.\n"
                           "type: choice\n"
                           "labels: {card: About a card, pin: }\n";
static const char *const CODES[] = {"A", "B"};

static struct weir_string text_of(const char *text)
{
    return (struct weir_string){.data = text, .size = strlen(text)};
}

static struct weir_task *open_task(const char *text)
{
    struct weir_task *task = NULL;
    assert_int_equal(weir_task_open_memory(text, strlen(text), "t.yaml", &task, NULL), WEIR_OK);
    return task;
}

static enum weir_status build(const char *task_text, const char *const *codes, const char *source, struct prompt *out,
                              struct weir_error *error)
{
    struct weir_task *task = open_task(task_text);
    enum weir_status status =
        prompt_build(weir_task_question(task, 0), codes, text_of(source), text_of("<s>"), text_of("</s>"), out, error);
    weir_task_close(&task);
    return status;
}

static void spell(const struct template_piece *pieces, size_t count, char *text, size_t size)
{
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, size - at, "%c<%.*s>", pieces[i].from_template ? 'T' : 'D',
                               (int)pieces[i].size, pieces[i].text);
}

static void expect(const char *task, const char *const *codes, const char *source, const char *prefix,
                   const char *suffix, const char *lead)
{
    struct prompt prompt = {0};
    struct weir_error error = {0};
    char text[2048];
    enum weir_status status = build(task, codes, source, &prompt, &error);
    if (status) print_error("%s\n", error.text);
    assert_int_equal(status, WEIR_OK);
    spell(prompt.prefix, prompt.n_prefix, text, sizeof text);
    assert_string_equal(text, prefix);
    spell(prompt.suffix, prompt.n_suffix, text, sizeof text);
    assert_string_equal(text, suffix);
    assert_string_equal(prompt.answer_lead, lead);
    assert_int_equal(prompt.has_template, *source != 0);
    prompt_free(&prompt);
    prompt_free(&prompt);
}

static const char CHATML[] =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}\n";

static void codes_with_a_template(void **state)
{
    (void)state;
    expect(TASK, CODES, CHATML,
           "T<<|im_start|>user\n>D<Sort the <|im_end|> message.\n\nAnswer with one of these:\nA. card: About a "
           "card\nB. pin\n\n"
           "Reply with the code before the category, such as A, and nothing else.\n\nMessage:\n>",
           "T<<|im_end|>\n<|im_start|>assistant\n>", "");
}

static void names_with_a_template(void **state)
{
    (void)state;
    expect(TASK, NULL, "{{ bos_token }}[INST] {{ messages[0].content }} [/INST]",
           "T<<s>[INST] >D<Sort the <|im_end|> message.\n\nAnswer with one of these:\ncard: About a card\npin\n\n"
           "Reply with the name of the category and nothing else.\n\nMessage:\n>",
           "T< [/INST]>", "");
}

static void plain_format_without_a_template(void **state)
{
    (void)state;
    expect(TASK, CODES, "",
           "D<Sort the <|im_end|> message.\n\nCategories:\nA. card: About a card\nB. pin\n\nMessage:\n>",
           "D<\nCategory:>", " ");
    expect("task: t\ninstructions: Is it urgent?\ntype: yesno\n", NULL, "",
           "D<Is it urgent?\n\nAnswers:\nyes\nno\n\nMessage:\n>", "D<\nAnswer:>", " ");
}

struct bad {
    const char *source, *message;
    enum weir_status status;
};

static void templates_that_spoil_the_text_are_refused(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {"hello", "chat template: it drops or changes the user's text", WEIR_ERR_UNSUPPORTED},
        {"{{ messages[0].content }}{{ messages[0].content }}", "chat template: it repeats the user's text",
         WEIR_ERR_UNSUPPORTED},
        {"{{ messages[0].content | tojson(ensure_ascii=true) }}", "chat template: it drops or changes the user's text",
         WEIR_ERR_UNSUPPORTED},
        {"{{ raise_exception('only in German') }}", "chat template, line 1, column 4: only in German",
         WEIR_ERR_REFUSED},
        {"{{", "chat template, line 1, column 1: a tag is not closed", WEIR_ERR_FORMAT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct prompt prompt = {0};
        struct weir_error error = {0};
        assert_int_equal(build(TASK, CODES, cases[i].source, &prompt, &error), cases[i].status);
        assert_string_equal(error.text, cases[i].message);
        assert_null(prompt.prefix);
    }
}

/* A task whose instructions hold the mark itself cannot move the cut. */
static void mark_in_the_task_is_refused(void **state)
{
    (void)state;
    struct prompt prompt = {0};
    struct weir_error error = {0};
    const char task[] = "task: t\ninstructions: a \xee\x80\x80weir\xee\x80\x81text\xee\x80\x82\ntype: yesno\n";
    assert_int_equal(build(task, NULL, CHATML, &prompt, &error), WEIR_ERR_UNSUPPORTED);
    assert_int_equal(build(task, NULL, "", &prompt, &error), WEIR_ERR_UNSUPPORTED);
}

static void extraction_has_no_prompt_here(void **state)
{
    (void)state;
    struct prompt prompt = {0};
    struct weir_error error = {0};
    assert_int_equal(build("task: t\ninstructions: a\ntype: extract\nschema: s\n", NULL, "", &prompt, &error),
                     WEIR_ERR_INVALID);
    assert_string_equal(error.text, "question t: it has no labels to choose from");
}

/* The texts that this file expects are those of this version: who changes them gives the version another number. */
static void wording_has_a_version(void **state)
{
    (void)state;
    assert_string_equal(PROMPT_VERSION, "1");
}

static void questions_in_words(void **state)
{
    (void)state;
    const char summarize[] = "task: t\ninstructions: Be <|im_end|> short.\ntype: summarize\n";
    expect(summarize, NULL, CHATML, "T<<|im_start|>user\n>D<Be <|im_end|> short.\n\nText:\n>",
           "T<<|im_end|>\n<|im_start|>assistant\n>", "");
    expect(summarize, NULL, "", "D<Be <|im_end|> short.\n\nText:\n>", "D<\n\nSummary:>", " ");
    const char own[] = "task: t\ninstructions: Reply.\ntype: generate\n"
                       "template: \"<q>{{ text }}</q>{% if true %} <|im_end|>{{ instructions | upper }}{% endif %}\"\n";
    expect(own, NULL, CHATML, "T<<|im_start|>user\n>D<<q>>",
           "D<</q> <|im_end|>REPLY.>T<<|im_end|>\n<|im_start|>assistant\n>", "");
    expect("task: t\ninstructions: Reply.\ntype: generate\n", NULL, "", "D<Reply.\n\nText:\n>", "D<\n\nAnswer:>", " ");
}

static void templates_that_cannot_be(void **state)
{
    (void)state;
    const struct {
        const char *template_text, *part;
        enum weir_status status;
    } cases[] = {{"no text", "drops or changes", WEIR_ERR_UNSUPPORTED},
                 {"{{ text }}{{ text }}", "repeats", WEIR_ERR_UNSUPPORTED},
                 {"{{ text[2:] }}", "drops or changes", WEIR_ERR_UNSUPPORTED},
                 {"{{ text", "question t: ", WEIR_ERR_FORMAT},
                 {"{{ text | wordwrap }}", "wordwrap", WEIR_ERR_UNSUPPORTED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char task[256];
        struct prompt prompt = {0};
        struct weir_error error = {0};
        (void)snprintf(task, sizeof task, "task: t\ninstructions: a\ntype: generate\ntemplate: '%s'\n",
                       cases[i].template_text);
        enum weir_status status = build(task, NULL, CHATML, &prompt, &error);
        if (status != cases[i].status || !strstr(error.text, cases[i].part))
            fail_msg("%s: %s: %s", cases[i].template_text, weir_status_name(status), error.text);
    }
}

/* prefix + text + suffix is what the template gives for the whole turn. */
static void cut_prompt_is_the_rendering_of_the_whole(void **state)
{
    (void)state;
    static const char *const names[] = {"SmolLM2-135M-Instruct", "Qwen-Qwen3-0.6B", "microsoft-Phi-4-mini-instruct",
                                        "ibm-granite-granite-4.0"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        struct strbuf source = STRBUF_MAX(1 << 20), turn = STRBUF_MAX(1 << 20), whole = STRBUF_MAX(1 << 20);
        struct prompt prompt = {0};
        struct template *template = NULL;
        struct template_output out = {0};
        struct weir_error error = {0};
        (void)snprintf(path, sizeof path, "%s/task/templates/%s.jinja", WEIR_TEST_DATA, names[i]);
        assert_int_equal(file_read(path, &source, &error), WEIR_OK);
        assert_int_equal(build(TASK, CODES, source.data, &prompt, &error), WEIR_OK);
        for (size_t k = 0; k < prompt.n_prefix; k++) {
            assert_int_equal(strbuf_add(&whole, prompt.prefix[k].text, prompt.prefix[k].size), WEIR_OK);
            if (!prompt.prefix[k].from_template)
                assert_int_equal(strbuf_add(&turn, prompt.prefix[k].text, prompt.prefix[k].size), WEIR_OK);
        }
        assert_int_equal(strbuf_text(&turn, "Where is it?"), WEIR_OK);
        assert_int_equal(strbuf_text(&whole, "Where is it?"), WEIR_OK);
        for (size_t k = 0; k < prompt.n_suffix; k++)
            assert_int_equal(strbuf_add(&whole, prompt.suffix[k].text, prompt.suffix[k].size), WEIR_OK);
        json_t *variables = json_pack("{s:[{s:s, s:s}], s:b, s:b}", "messages", "role", "user", "content", turn.data,
                                      "add_generation_prompt", 1, "enable_thinking", 0);
        struct template_input input = {.variables = variables, .bos = "<s>", .eos = "</s>"};
        assert_int_equal(template_open(source.data, source.size, &template, &error), WEIR_OK);
        assert_int_equal(template_render(template, &input, &out, &error), WEIR_OK);
        assert_string_equal(out.text, whole.data);
        json_decref(variables);
        template_close(&template);
        template_output_free(&out);
        prompt_free(&prompt);
        strbuf_free(&source);
        strbuf_free(&turn);
        strbuf_free(&whole);
    }
}

static void texts_are_trimmed(void **state)
{
    (void)state;
    struct weir_string text = prompt_trim(text_of(" \t\xc2\xa0 a b\xe3\x80\x80\n"));
    assert_int_equal(text.size, 3);
    assert_memory_equal(text.data, "a b", 3);
    assert_int_equal(prompt_trim(text_of(" \n")).size, 0);
    assert_int_equal(prompt_trim(text_of("\xa0")).size, 1); /* a stray byte is not white space */
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    struct weir_task *task = open_task(TASK);
    enum weir_status status = WEIR_ERR_NOMEM;
    for (size_t n = 1; status && n < 1000; n++) {
        struct prompt prompt = {0};
        struct weir_error error = {0};
        mem_fail_after(n);
        status = prompt_build(weir_task_question(task, 0), CODES, text_of(CHATML), text_of("<s>"), text_of("</s>"),
                              &prompt, &error);
        mem_fail_after(0);
        assert_true(status == WEIR_ERR_NOMEM || status == WEIR_OK);
        prompt_free(&prompt);
    }
    assert_int_equal(status, WEIR_OK);
    weir_task_close(&task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_with_a_template),
        cmocka_unit_test(names_with_a_template),
        cmocka_unit_test(plain_format_without_a_template),
        cmocka_unit_test(templates_that_spoil_the_text_are_refused),
        cmocka_unit_test(mark_in_the_task_is_refused),
        cmocka_unit_test(extraction_has_no_prompt_here),
        cmocka_unit_test(wording_has_a_version),
        cmocka_unit_test(questions_in_words),
        cmocka_unit_test(templates_that_cannot_be),
        cmocka_unit_test(cut_prompt_is_the_rendering_of_the_whole),
        cmocka_unit_test(texts_are_trimmed),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
