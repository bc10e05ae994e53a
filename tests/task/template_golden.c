/* Renders every NAME.jinja of a folder with the message lists of its cases.json and compares with NAME.json, which holds what
 * jinja2 gave (bos_token "<s>", eos_token "</s>", strftime_now at 2026-07-26 12:00): the same bytes, or the same error.
 * ctest runs it over a few templates, CI over many more: `template_golden FOLDER`. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "task/template.h"

static struct {
    size_t templates, cases, failures, unsupported;
} tally;

static json_t *load_json(const char *path)
{
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    if (!json) {
        fprintf(stderr, "%s: %s\n", path, error.text);
        exit(1);
    }
    return json;
}

/* The text after "TemplateError: ": what the template itself raised. */
static bool same_error(const char *expected, const char *found)
{
    const char *text = strstr(expected, ": ");
    size_t size = text ? strlen(text + 2) : 0, found_size = strlen(found);
    return text && found_size >= size && strcmp(found + found_size - size, text + 2) == 0;
}

static void check_case(const char *name, const struct template *template, json_t *variables, const json_t *expected)
{
    struct tm now = {.tm_year = 126, .tm_mon = 6, .tm_mday = 26, .tm_hour = 12, .tm_wday = 0, .tm_yday = 206};
    struct template_input input = {.variables = variables, .bos = "<s>", .eos = "</s>", .now = &now};
    struct template_output out = {0};
    struct weir_error error = {0};
    const char *text = json_string_value(json_object_get(expected, "text"));
    const char *raised = json_string_value(json_object_get(expected, "error"));
    /* The tag is an extension of jinja2 that the environment of the goldens does not load. */
    bool is_generation = raised && strstr(raised, "unknown tag 'generation'");
    enum weir_status status = template_render(template, &input, &out, &error);
    bool ok =
        is_generation || (status ? raised && same_error(raised, error.text) : text && strcmp(text, out.text) == 0);
    tally.cases++;
    tally.failures += !ok;
    tally.unsupported += !ok && status == WEIR_ERR_UNSUPPORTED;
    if (!ok)
        printf("%s, case %s:\n  expected: %s\n  found:    %s\n", name,
               json_string_value(json_object_get(expected, "case")), text ? text : raised,
               status ? error.text : out.text);
    template_output_free(&out);
}

static json_t *case_named(const json_t *cases, const char *name)
{
    for (size_t i = 0; i < json_array_size(cases); i++) {
        json_t *one = json_array_get(cases, i);
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) return one;
    }
    fprintf(stderr, "cases.json has no case %s\n", name);
    exit(1);
}

static void check_template(const char *folder, const char *file, const json_t *cases)
{
    char path[1024];
    size_t stem = strlen(file) - strlen(".jinja");
    struct strbuf source = STRBUF_MAX(TEMPLATE_SOURCE_BYTES_MAX);
    struct weir_error error = {0};
    struct template *template = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", folder, file);
    enum weir_status status = file_read(path, &source, &error);
    if (!status) status = template_open(source.data ? source.data : "", source.size, &template, &error);
    tally.templates++;
    if (status) {
        printf("%s: %s\n", file, error.text);
        tally.failures++;
        tally.unsupported += status == WEIR_ERR_UNSUPPORTED;
    }
    (void)snprintf(path, sizeof path, "%s/%.*s.json", folder, (int)stem, file);
    json_t *expected = load_json(path);
    for (size_t i = 0; !status && i < json_array_size(expected); i++) {
        const json_t *one = json_array_get(expected, i);
        check_case(file, template, case_named(cases, json_string_value(json_object_get(one, "case"))), one);
    }
    json_decref(expected);
    template_close(&template);
    strbuf_free(&source);
}

static int is_template(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return size > 6 && strcmp(entry->d_name + size - 6, ".jinja") == 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: template_golden FOLDER\n");
        return 2;
    }
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/cases.json", argv[1]);
    json_t *cases = load_json(path);
    struct dirent **entries;
    int count = scandir(argv[1], &entries, is_template, alphasort);
    for (int i = 0; i < count; i++) {
        check_template(argv[1], entries[i]->d_name, cases);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    json_decref(cases);
    printf("%zu templates, %zu cases, %zu differ (%zu of them unsupported)\n", tally.templates, tally.cases,
           tally.failures, tally.unsupported);
    return count > 0 && tally.failures == 0 ? 0 : 1;
}
