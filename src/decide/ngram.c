/* Hashed n-grams with TF-IDF weights; the definition is in ngram.h. */
#include "decide/ngram.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/error.h"
#include "base/memory.h"

enum { FOLD_MAX = 32 }; /* code points one code point can become; NFKD of U+FDFA has 18 */

struct ngram_settings ngram_settings_default(void)
{
    return (struct ngram_settings){.bits = 22, .word_min = 1, .word_max = 2, .char_min = 2, .char_max = 5};
}

static bool range_is_valid(uint32_t min, uint32_t max, uint32_t limit)
{
    return (min == 0 && max == 0) || (min >= 1 && min <= max && max <= limit);
}

enum weir_status ngram_settings_check(const struct ngram_settings *s, struct weir_error *error)
{
    if (s->bits < NGRAM_BITS_MIN || s->bits > NGRAM_BITS_MAX)
        return error_set(error, WEIR_ERR_INVALID, "n-grams: %u bits, expected %d..%d", s->bits, NGRAM_BITS_MIN,
                         NGRAM_BITS_MAX);
    if (!range_is_valid(s->word_min, s->word_max, NGRAM_WORDS_MAX))
        return error_set(error, WEIR_ERR_INVALID, "n-grams: words %u..%u, expected within 1..%d", s->word_min,
                         s->word_max, NGRAM_WORDS_MAX);
    if (!range_is_valid(s->char_min, s->char_max, NGRAM_CHARS_MAX))
        return error_set(error, WEIR_ERR_INVALID, "n-grams: characters %u..%u, expected within 1..%d", s->char_min,
                         s->char_max, NGRAM_CHARS_MAX);
    return WEIR_OK;
}

/* Text to folded code points. */

struct code_points {
    uint32_t *items; /* owned */
    size_t count;
    size_t capacity;
};

static enum weir_status code_points_add(struct code_points *list, const int32_t *items, size_t count)
{
    if (count > list->capacity - list->count) {
        size_t capacity = list->capacity * 2 + 256;
        uint32_t *grown = mem_resize(list->items, capacity, sizeof *grown);
        if (!grown) return WEIR_ERR_NOMEM;
        list->items = grown;
        list->capacity = capacity;
    }
    for (size_t i = 0; i < count; i++) list->items[list->count + i] = (uint32_t)items[i];
    list->count += count;
    return WEIR_OK;
}

static enum weir_status fold(struct weir_string text, struct code_points *out, struct weir_error *error)
{
    const utf8proc_option_t options = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    size_t at = 0;
    while (at < text.size) {
        utf8proc_int32_t point, folded[FOLD_MAX];
        utf8proc_ssize_t used =
            utf8proc_iterate((const utf8proc_uint8_t *)text.data + at, (utf8proc_ssize_t)(text.size - at), &point);
        if (used <= 0) return error_set(error, WEIR_ERR_FORMAT, "text is not UTF-8 at byte %zu", at);
        int boundary = 0;
        utf8proc_ssize_t count = utf8proc_decompose_char(point, folded, FOLD_MAX, options, &boundary);
        if (count < 0 || count > FOLD_MAX) return error_set(error, WEIR_ERR_FORMAT, "text: code point U+%04X", point);
        if (code_points_add(out, folded, (size_t)count)) return error_nomem(error, "n-grams");
        at += (size_t)used;
    }
    return WEIR_OK;
}

static bool is_word(uint32_t point)
{
    if (point < 128) return (point >= 'a' && point <= 'z') || (point >= '0' && point <= '9') || point == '_';
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)point);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO) ||
           (c >= UTF8PROC_CATEGORY_MN && c <= UTF8PROC_CATEGORY_ME) ||
           (c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO);
}

static bool is_space(uint32_t point)
{
    if (point < 128) return point == ' ' || (point >= 9 && point <= 13);
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)point);
    return point == 0x85 || (c >= UTF8PROC_CATEGORY_ZS && c <= UTF8PROC_CATEGORY_ZP);
}

/* Hashes. */

static const uint64_t fnv_offset = 0xcbf29ce484222325u, fnv_prime = 0x100000001b3u;

static uint64_t hash_step(uint64_t hash, uint32_t unit)
{
    return (hash ^ unit) * fnv_prime;
}

/* splitmix64's finaliser (Steele, Lea, Flood 2014): FNV's low bits alone are weak for short keys. */
static uint64_t hash_finish_bits(uint64_t h)
{
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

/* The sink of n-grams: raw buckets, with repetitions, in order of occurrence. */
struct sink {
    uint32_t bits;
    uint32_t *items; /* owned */
    size_t count;
    size_t capacity;
    bool failed; /* no memory; sticky */
};

static void sink_add(struct sink *sink, uint64_t hash, bool is_char)
{
    if (sink->failed) return;
    if (sink->count == sink->capacity) {
        size_t capacity = sink->capacity * 2 + 1024;
        uint32_t *grown = mem_resize(sink->items, capacity, sizeof *grown);
        if (!grown) {
            sink->failed = true;
            return;
        }
        sink->items = grown;
        sink->capacity = capacity;
    }
    uint32_t top = (uint32_t)1 << (sink->bits - 1);
    uint32_t low = (uint32_t)hash_finish_bits(hash) & (top - 1);
    sink->items[sink->count++] = is_char ? low | top : low;
}

/* Word n-grams: a ring of the hashes of the last NGRAM_WORDS_MAX words; the n-gram's hash goes over its words' hashes. */
static void add_words(const struct ngram_settings *s, const struct code_points *text, struct sink *sink)
{
    uint64_t recent[NGRAM_WORDS_MAX] = {0};
    size_t words = 0, at = 0;
    while (s->word_max && at < text->count) {
        uint64_t hash = fnv_offset;
        size_t begin = at;
        for (; at < text->count && is_word(text->items[at]); at++) hash = hash_step(hash, text->items[at]);
        if (at == begin) {
            at++;
            continue;
        }
        recent[words++ % NGRAM_WORDS_MAX] = hash_finish_bits(hash);
        for (size_t n = s->word_min; n <= s->word_max && n <= words; n++) {
            uint64_t gram = fnv_offset;
            for (size_t i = words - n; i < words; i++) gram = (gram ^ recent[i % NGRAM_WORDS_MAX]) * fnv_prime;
            sink_add(sink, gram, false);
        }
    }
}

/* Character n-grams of ' ' + run + ' ', where run is text[begin, end). */
static void add_run(const struct ngram_settings *s, const uint32_t *run, size_t size, struct sink *sink)
{
    size_t padded = size + 2;
    for (size_t start = 0; start < padded; start++) {
        uint64_t hash = fnv_offset;
        for (size_t n = 1; n <= s->char_max && start + n <= padded; n++) {
            size_t i = start + n - 1;
            hash = hash_step(hash, i == 0 || i == padded - 1 ? ' ' : run[i - 1]);
            if (n >= s->char_min) sink_add(sink, hash, true);
        }
        /* A run shorter than char_min occurs once, whole. */
        if (start == 0 && padded < s->char_min) sink_add(sink, hash, true);
    }
}

static void add_chars(const struct ngram_settings *s, const struct code_points *text, struct sink *sink)
{
    size_t at = 0;
    while (s->char_max && at < text->count) {
        size_t begin = at;
        while (at < text->count && !is_space(text->items[at])) at++;
        if (at > begin) add_run(s, text->items + begin, at - begin, sink);
        at++;
    }
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static enum weir_status bag_reserve(struct ngram_bag *bag, size_t count)
{
    if (count <= bag->capacity) return WEIR_OK;
    uint32_t *buckets = mem_resize(bag->buckets, count, sizeof *buckets);
    if (!buckets) return WEIR_ERR_NOMEM;
    bag->buckets = buckets;
    uint32_t *tallies = mem_resize(bag->tallies, count, sizeof *tallies);
    if (!tallies) return WEIR_ERR_NOMEM;
    bag->tallies = tallies;
    bag->capacity = count;
    return WEIR_OK;
}

/* Sorts the sink's buckets and counts equal ones into the bag. */
static enum weir_status bag_collect(struct ngram_bag *bag, struct sink *sink)
{
    if (sink->failed) return WEIR_ERR_NOMEM;
    if (!sink->count) return WEIR_OK;
    qsort(sink->items, sink->count, sizeof *sink->items, compare_u32);
    size_t distinct = 1;
    for (size_t i = 1; i < sink->count; i++) distinct += sink->items[i] != sink->items[i - 1];
    if (bag_reserve(bag, distinct)) return WEIR_ERR_NOMEM;
    for (size_t i = 0; i < sink->count; i++) {
        bool fresh = i == 0 || sink->items[i] != sink->items[i - 1];
        if (fresh) {
            bag->buckets[bag->count] = sink->items[i];
            bag->tallies[bag->count++] = 0;
        }
        bag->tallies[bag->count - 1]++;
    }
    return WEIR_OK;
}

enum weir_status ngram_bag_fill(const struct ngram_settings *settings, struct weir_string text, struct ngram_bag *bag,
                                struct weir_error *error)
{
    bag->count = 0;
    if (text.size > NGRAM_TEXT_BYTES_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "text of %zu bytes, at most %d", text.size, NGRAM_TEXT_BYTES_MAX);
    struct code_points points = {0};
    struct sink sink = {.bits = settings->bits};
    enum weir_status status = fold(text, &points, error);
    if (!status) {
        add_words(settings, &points, &sink);
        add_chars(settings, &points, &sink);
        if (bag_collect(bag, &sink)) status = error_nomem(error, "n-grams");
    }
    free(points.items);
    free(sink.items);
    return status;
}

void ngram_bag_free(struct ngram_bag *bag)
{
    free(bag->buckets);
    free(bag->tallies);
    *bag = (struct ngram_bag){0};
}

/* Learning: sort all occurrences (a bucket occurs once in a bag), then count runs. */

static uint32_t *gather_buckets(const struct ngram_bag *bags, const uint32_t *rows, size_t n_rows, size_t *count)
{
    size_t total = 0;
    for (size_t i = 0; i < n_rows; i++)
        if (!size_add(total, bags[rows ? rows[i] : i].count, &total)) return NULL;
    uint32_t *all = mem_zero(total, sizeof *all);
    if (!all) return NULL;
    size_t at = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const struct ngram_bag *bag = &bags[rows ? rows[i] : i];
        if (bag->count) memcpy(all + at, bag->buckets, bag->count * sizeof *all);
        at += bag->count;
    }
    qsort(all, total, sizeof *all, compare_u32);
    *count = total;
    return all;
}

enum weir_status ngram_model_learn(const struct ngram_settings *settings, const struct ngram_bag *bags,
                                   const uint32_t *rows, size_t n_rows, struct ngram_model *out,
                                   struct weir_error *error)
{
    size_t total = 0;
    uint32_t *all = gather_buckets(bags, rows, n_rows, &total);
    struct ngram_model model = {.settings = *settings};
    model.buckets = all;
    model.idf = mem_zero(total, sizeof *model.idf);
    if (!all || !model.idf) {
        ngram_model_free(&model);
        return error_nomem(error, "n-gram model");
    }
    for (size_t i = 0, next; i < total; i = next) { /* the distinct ones move to the front of the same array */
        for (next = i; next < total && all[next] == all[i]; next++) {
        }
        double idf = log((1.0 + (double)n_rows) / (1.0 + (double)(next - i))) + 1.0;
        all[model.count] = all[i];
        model.idf[model.count++] = (float)idf;
    }
    *out = model;
    return WEIR_OK;
}

void ngram_model_free(struct ngram_model *model)
{
    free(model->buckets);
    free(model->idf);
    *model = (struct ngram_model){0};
}

/* Index of `bucket` in model->buckets, or model->count. */
static size_t model_find(const struct ngram_model *model, uint32_t bucket)
{
    size_t low = 0, high = model->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (model->buckets[middle] < bucket)
            low = middle + 1;
        else
            high = middle;
    }
    return low < model->count && model->buckets[low] == bucket ? low : model->count;
}

static void scale_to_norm(float *values, size_t count)
{
    double square = 0;
    for (size_t i = 0; i < count; i++) square += (double)values[i] * (double)values[i];
    if (square <= 0) return;
    float scale = (float)(1 / sqrt(2 * square));
    for (size_t i = 0; i < count; i++) values[i] *= scale;
}

void ngram_vector_fill(const struct ngram_model *model, const struct ngram_bag *bag, struct ngram_vector *vector)
{
    uint32_t top = (uint32_t)1 << (model->settings.bits - 1);
    size_t count = 0, words = 0;
    vector->count = 0;
    if (!bag->count) return; /* the arrays may be NULL then */
    for (size_t i = 0; i < bag->count; i++) {
        size_t index = model_find(model, bag->buckets[i]);
        if (index == model->count) continue;
        vector->indexes[count] = (uint32_t)index;
        vector->values[count++] = (float)(1 + log((double)bag->tallies[i])) * model->idf[index];
        if (bag->buckets[i] < top) words = count;
    }
    scale_to_norm(vector->values, words);
    scale_to_norm(vector->values + words, count - words);
    vector->count = count;
}
