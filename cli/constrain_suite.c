/* weir constrain --suite: schemas with valid and invalid instances, one row a line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "cli.h"
#include "constrain.h"
#include "weir/json.h"

struct suite {
    const struct constrain_input *input;
    FILE *verbose; /* NULL: none */
    bool tests;
    struct constrain_times masks, first; /* of masks; of compiling and the first mask */
    size_t schemas, served, valid, valid_rejected, invalid, invalid_accepted;
    const char *id; /* of the current row */
    int id_size;
};

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

static int add_time(struct constrain_times *times, double us)
{
    if (times->count == times->capacity) {
        size_t capacity = times->capacity ? times->capacity * 2 : 1024;
        double *more = realloc(times->mask_us, capacity * sizeof *more);
        if (!more) return cli_nomem();
        times->mask_us = more;
        times->capacity = capacity;
    }
    times->mask_us[times->count++] = us;
    return CLI_DONE;
}

static void note(struct suite *s, const char *what, struct weir_string text)
{
    if (!s->verbose) return;
    (void)fprintf(s->verbose, "%.*s\t%s\t%.*s\n", s->id_size, s->id, what, (int)text.size, text.data);
}

/* One instance: its members in the constraint's order, then its tokens. A limit met on the way is a rejection. */
static int check_instance(struct suite *s, struct weir_constraint *constraint, const struct weir_json_value *data,
                          bool valid)
{
    struct weir_string source = weir_json_source(data);
    struct weir_error error = {0};
    char *text = NULL;
    size_t size = 0, offset = 0;
    bool found, allowed = false;
    if (weir_constraint_arrange(constraint, source.data, source.size, &text, &size, &found, &error))
        return cli_fail(&error);
    int status = constrain_feed(s->input, constraint, text, size, &s->masks, &allowed, &offset);
    free(text);
    if (status) return status;
    *(valid ? &s->valid : &s->invalid) += 1;
    if (valid && !allowed) {
        s->valid_rejected++;
        note(s, "valid rejected", source);
    }
    if (!valid && allowed) {
        s->invalid_accepted++;
        note(s, "invalid accepted", source);
    }
    return CLI_DONE;
}

static int check_list(struct suite *s, struct weir_constraint *constraint, const struct weir_json_value *list,
                      bool valid)
{
    int status = CLI_DONE;
    for (const struct weir_json_value *item = weir_json_first(list); item && !status; item = weir_json_next(item)) {
        const struct weir_json_value *data = valid ? item : weir_json_member(item, "data");
        if (data) status = check_instance(s, constraint, data, valid);
    }
    return status;
}

static int check_tests(struct suite *s, struct weir_constraint *constraint, const struct weir_json_value *tests)
{
    int status = CLI_DONE;
    for (const struct weir_json_value *t = weir_json_first(tests); t && !status; t = weir_json_next(t)) {
        const struct weir_json_value *data = weir_json_member(t, "data"), *valid = weir_json_member(t, "valid");
        if (data && valid) status = check_instance(s, constraint, data, weir_json_kind(valid) == WEIR_JSON_TRUE);
    }
    return status;
}

static bool contains(struct weir_string text, const char *word)
{
    return text.size && memmem(text.data, text.size, word, strlen(word)) != NULL;
}

/* The row's draft, and in the test suite what it says about formats: only its folder optional/format takes them for
 * assertions; elsewhere it tests that they are annotations. */
static struct weir_constrain_options row_options(const struct suite *s, const struct weir_json_value *row)
{
    static const struct {
        const char *name;
        enum weir_schema_draft draft;
    } drafts[] = {{"draft4", WEIR_DRAFT_4},
                  {"draft6", WEIR_DRAFT_6},
                  {"draft7", WEIR_DRAFT_7},
                  {"draft2019-09", WEIR_DRAFT_2019_09},
                  {"draft2020-12", WEIR_DRAFT_2020_12}};
    struct weir_constrain_options options = s->input->options;
    const struct weir_json_value *draft = weir_json_member(row, "draft");
    struct weir_string name = draft ? weir_json_string(draft) : (struct weir_string){0};
    options.compact = true;
    for (size_t i = 0; i < sizeof drafts / sizeof drafts[0]; i++)
        if (name.size == strlen(drafts[i].name) && memcmp(name.data, drafts[i].name, name.size) == 0)
            options.draft = drafts[i].draft;
    const struct weir_json_value *id = weir_json_member(row, "id");
    if (s->tests && id) options.formats_are_notes = !contains(weir_json_string(id), "/optional/format/");
    return options;
}

/* Compiles and takes the first mask, both timed. *constraint NULL: refused. */
static int open_schema(struct suite *s, const struct weir_json_value *row, struct weir_constraint **constraint)
{
    struct weir_string schema = weir_json_source(weir_json_member(row, "schema"));
    struct weir_constrain_options options = row_options(s, row);
    struct weir_matcher *matcher = NULL;
    struct weir_error error = {0};
    const uint32_t *mask;
    double start = now_us();
    if (weir_constraint_open(schema.data, schema.size, s->input->vocabulary, &options, constraint, &error)) {
        *constraint = NULL;
        note(s, "refused", (struct weir_string){error.text, strlen(error.text)});
        return error.status == WEIR_ERR_NOMEM ? cli_fail(&error) : CLI_DONE;
    }
    if (weir_matcher_open(*constraint, &matcher, &error) || weir_matcher_mask(matcher, &mask, &error))
        return cli_fail(&error);
    double us = now_us() - start;
    char text[32];
    int n = snprintf(text, sizeof text, "%.0f us", us);
    note(s, "served", (struct weir_string){text, (size_t)n});
    int status = add_time(&s->first, us);
    weir_matcher_close(&matcher);
    s->served++;
    return status;
}

static int check_row(struct suite *s, const struct weir_json_value *row)
{
    struct weir_constraint *constraint = NULL;
    const struct weir_json_value *id = weir_json_member(row, "id");
    struct weir_string name = id ? weir_json_string(id) : (struct weir_string){0};
    s->id = name.data;
    s->id_size = (int)name.size;
    s->schemas++;
    int status = open_schema(s, row, &constraint);
    if (constraint && !status) {
        if (s->tests) {
            status = check_tests(s, constraint, weir_json_member(row, "tests"));
        } else {
            status = check_list(s, constraint, weir_json_member(row, "valid"), true);
            if (!status) status = check_list(s, constraint, weir_json_member(row, "invalid"), false);
        }
    }
    weir_constraint_close(&constraint);
    return status;
}

static int check_line(struct suite *s, const char *path, size_t number, const char *line, size_t size)
{
    struct weir_json *document = NULL;
    struct weir_error error = {0};
    if (weir_json_read(line, size, &document, &error))
        return cli_say(CLI_FAILED, "%s: line %zu: %s", path, number, error.text);
    const struct weir_json_value *row = weir_json_root(document);
    int status = weir_json_member(row, "schema")
                     ? check_row(s, row)
                     : cli_say(CLI_FAILED, "%s: line %zu: expected an object with a schema", path, number);
    weir_json_close(&document);
    return status;
}

static int check_lines(struct suite *s, const char *path, FILE *file)
{
    char *line = NULL;
    size_t capacity = 0, number = 0;
    ssize_t size;
    int status = CLI_DONE;
    while (!status && (size = getline(&line, &capacity, file)) > 0) {
        number++;
        if (size > 1 || line[0] != '\n') status = check_line(s, path, number, line, (size_t)size);
    }
    free(line);
    if (!status && ferror(file)) return cli_say(CLI_FAILED, "%s: cannot read: %s", path, strerror(errno));
    return status;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double mean(const struct constrain_times *times)
{
    double sum = 0;
    for (size_t i = 0; i < times->count; i++) sum += times->mask_us[i];
    return times->count ? sum / (double)times->count : 0;
}

/* Nearest rank; sorts. */
static double quantile(struct constrain_times *times, double share)
{
    if (times->count == 0) return 0;
    qsort(times->mask_us, times->count, sizeof *times->mask_us, compare_doubles);
    size_t rank = (size_t)(share * (double)times->count);
    return times->mask_us[rank < times->count ? rank : times->count - 1];
}

static void print_counts(struct suite *s, bool json)
{
    double mask_mean = mean(&s->masks), first_mean = mean(&s->first);
    double p50 = quantile(&s->masks, 0.5), p99 = quantile(&s->masks, 0.99);
    if (json)
        (void)printf("{\"schemas\":%zu,\"served\":%zu,\"refused\":%zu,\"valid_total\":%zu,\"valid_rejected\":%zu,"
                     "\"invalid_total\":%zu,\"invalid_accepted\":%zu,\"mask_us_mean\":%.3f,\"mask_us_p50\":%.3f,"
                     "\"mask_us_p99\":%.3f,\"masks\":%zu,\"first_mask_us_mean\":%.3f}\n",
                     s->schemas, s->served, s->schemas - s->served, s->valid, s->valid_rejected, s->invalid,
                     s->invalid_accepted, mask_mean, p50, p99, s->masks.count, first_mean);
    else
        (void)printf("schemas %zu, served %zu, refused %zu\nvalid instances %zu, rejected %zu\n"
                     "invalid instances %zu, accepted %zu\nmask mean %.3f us, p50 %.3f us, p99 %.3f us, %zu masks\n"
                     "compiling and first mask, mean %.3f us\n",
                     s->schemas, s->served, s->schemas - s->served, s->valid, s->valid_rejected, s->invalid,
                     s->invalid_accepted, mask_mean, p50, p99, s->masks.count, first_mean);
}

int constrain_suite(const struct constrain_input *input, const char *path, bool tests, bool json, const char *verbose)
{
    struct suite s = {.input = input, .tests = tests};
    FILE *file = fopen(path, "rb");
    if (!file) return cli_say(CLI_FAILED, "%s: %s", path, strerror(errno));
    s.verbose = verbose ? fopen(verbose, "w") : NULL;
    int status = verbose && !s.verbose ? cli_say(CLI_FAILED, "%s: %s", verbose, strerror(errno)) : CLI_DONE;
    if (s.verbose) (void)setvbuf(s.verbose, NULL, _IOLBF, 0);
    if (!status) status = check_lines(&s, path, file);
    if (!status) print_counts(&s, json);
    if (s.verbose && fclose(s.verbose) && !status) status = cli_say(CLI_FAILED, "%s: %s", verbose, strerror(errno));
    free(s.masks.mask_us);
    free(s.first.mask_us);
    (void)fclose(file);
    return status ? status : cli_flush();
}
