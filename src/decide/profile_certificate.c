/* What a profile holds for certificates: predictions for unseen rows, which texts were learned from, and the certificate itself. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "decide/profile_in.h"

enum weir_status profile_text_key(struct weir_string text, uint64_t *key)
{
    char hex[HASH_HEX_SIZE];
    enum weir_status status = hash_bytes(text.data, text.size, hex);
    if (status) return status;
    *key = 0;
    for (size_t i = 0; i < 16; i++) *key = *key << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return WEIR_OK;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void profile_unseen_sort(struct profile_unseen *unseen)
{
    size_t kept = 0;
    if (unseen->n_seen) qsort(unseen->seen, unseen->n_seen, sizeof *unseen->seen, by_key);
    for (size_t i = 0; i < unseen->n_seen; i++)
        if (!kept || unseen->seen[i] != unseen->seen[kept - 1]) unseen->seen[kept++] = unseen->seen[i];
    unseen->n_seen = kept;
}

void weir_profile_unseen(const struct weir_profile *profile, size_t question, struct weir_eval_rows *out)
{
    const struct profile_question *q = &profile->questions[question];
    *out = (struct weir_eval_rows){.count = q->unseen.count,
                                   .n_classes = q->n_labels,
                                   .gold = q->unseen.gold,
                                   .predicted = q->unseen.predicted,
                                   .probability = q->unseen.probability};
}

bool weir_profile_has_seen(const struct weir_profile *profile, size_t question, struct weir_string text)
{
    const struct profile_unseen *unseen = &profile->questions[question].unseen;
    uint64_t key;
    if (!unseen->n_seen || profile_text_key(text, &key)) return false;
    return bsearch(&key, unseen->seen, unseen->n_seen, sizeof key, by_key) != NULL;
}

bool weir_profile_certificate(const struct weir_profile *profile, size_t question, struct weir_certificate *out)
{
    *out = profile->questions[question].certificate;
    return out->count > 0;
}

/* NULL, or what is wrong with it. */
static const char *item_problem(const struct weir_certified *item)
{
    if (item->accepted > item->rows || item->wrong > item->accepted) return "more accepted or wrong rows than rows";
    if (!(item->bound >= 0 && item->bound <= 1)) return "a bound that is no share";
    if (!(item->threshold >= 0 && item->threshold <= 2)) return "a threshold out of range";
    if (item->is_certified != (item->threshold <= 1)) return "a threshold without a certificate, or the reverse";
    return NULL;
}

static const char *certificate_problem(const struct weir_certificate *certificate, size_t n_labels)
{
    const struct weir_certify_options *options = &certificate->options;
    if (!(options->max_error > 0 && options->max_error < 1)) return "max_error is not between 0 and 1";
    if (!(options->confidence > 0 && options->confidence < 1)) return "confidence is not between 0 and 1";
    if (certificate->count != (options->per_class ? n_labels : 1)) return "not one threshold, or one a label";
    if (strlen(certificate->rows_hash) != 64) return "no hash of its rows";
    for (size_t i = 0; i < certificate->count; i++) {
        const char *problem = item_problem(&certificate->items[i]);
        if (problem) return problem;
        if (certificate->items[i].rows > certificate->rows) return "more rows than it was tested on";
    }
    return NULL;
}

enum weir_status weir_profile_set_certificate(struct weir_profile *profile, size_t question,
                                              const struct weir_certificate *certificate, struct weir_error *error)
{
    if (question >= profile->n_questions)
        return error_set(error, WEIR_ERR_INVALID, "question %zu of %zu", question, profile->n_questions);
    struct profile_question *q = &profile->questions[question];
    const char *problem = q->is_multi ? "its labels are independent (`multi`): no single answer to certify"
                                      : certificate_problem(certificate, q->n_labels);
    if (problem) return error_set(error, WEIR_ERR_INVALID, "certificate of %s: %s", q->name, problem);
    struct weir_certified *items = mem_zero(certificate->count, sizeof *items);
    if (!items) return error_nomem(error, "certificate");
    memcpy(items, certificate->items, certificate->count * sizeof *items);
    free(q->certified);
    q->certified = items;
    q->certificate = *certificate;
    q->certificate.items = items;
    return WEIR_OK;
}

static void add_number(struct hash *hash, uint64_t number)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++) bytes[i] = (uint8_t)(number >> (8 * i));
    hash_add(hash, bytes, sizeof bytes);
}

enum weir_status weir_certificate_hash(const struct weir_string *texts, const int32_t *labels, size_t count,
                                       char hex[65], struct weir_error *error)
{
    struct hash *hash = hash_open();
    if (!hash) return error_nomem(error, "hash");
    for (size_t i = 0; i < count; i++) {
        add_number(hash, texts[i].size);
        hash_add(hash, texts[i].data, texts[i].size);
        add_number(hash, (uint64_t)labels[i]);
    }
    enum weir_status status = hash_finish(&hash, hex);
    return status ? error_set(error, status, "SHA-256 of the rows failed") : WEIR_OK;
}

/* ---- reading ---- */

static bool has_tensor(const struct in *in, const char *rest)
{
    char name[NAME_MAX_BYTES];
    (void)snprintf(name, sizeof name, "%s.%s", in->question, rest);
    return weir_gguf_find_tensor(in->gguf, name) != NULL;
}

static size_t tensor_length(const struct in *in, const char *rest)
{
    char name[NAME_MAX_BYTES];
    (void)snprintf(name, sizeof name, "%s.%s", in->question, rest);
    const struct weir_gguf_tensor *t = weir_gguf_find_tensor(in->gguf, name);
    return t && t->n_dims == 1 ? (size_t)t->dims[0] : 0;
}

static enum weir_status read_labels(const struct in *in, const char *rest, size_t count, size_t n_labels, int32_t **out)
{
    const struct weir_gguf_tensor *t = NULL;
    enum weir_status status = in_tensor(in, rest, WEIR_TENSOR_I32, count, 1, &t);
    if (status) return status;
    int32_t *labels = *out = mem_zero(count, sizeof *labels);
    if (!labels) return in_no_memory(in);
    for (size_t i = 0; i < count; i++) {
        uint64_t label = load_le(t->data + 4 * i, 4);
        if (label >= n_labels) return in_bad(in, rest, "a label out of range");
        labels[i] = (int32_t)label;
    }
    return WEIR_OK;
}

static enum weir_status read_probabilities(const struct in *in, size_t count, double **out)
{
    const struct weir_gguf_tensor *t = NULL;
    enum weir_status status = in_tensor(in, "unseen.probability", WEIR_TENSOR_F64, count, 1, &t);
    if (status) return status;
    double *values = *out = mem_zero(count, sizeof *values);
    if (!values) return in_no_memory(in);
    for (size_t i = 0; i < count; i++) {
        values[i] = double_from_bits(load_le(t->data + 8 * i, 8));
        if (!(values[i] >= 0 && values[i] <= 1))
            return in_bad(in, "unseen.probability", "a value that is no probability");
    }
    return WEIR_OK;
}

static enum weir_status read_unseen(const struct in *in, size_t n_labels, struct profile_unseen *unseen)
{
    size_t count = tensor_length(in, "unseen.gold");
    enum weir_status status = read_labels(in, "unseen.gold", count, n_labels, &unseen->gold);
    if (!status) status = read_labels(in, "unseen.predicted", count, n_labels, &unseen->predicted);
    if (!status) status = read_probabilities(in, count, &unseen->probability);
    unseen->count = count;
    return status;
}

static enum weir_status read_seen(const struct in *in, struct profile_unseen *unseen)
{
    const struct weir_gguf_tensor *t = NULL;
    size_t count = tensor_length(in, "seen");
    enum weir_status status = in_tensor(in, "seen", WEIR_TENSOR_I64, count, 1, &t);
    if (status) return status;
    unseen->seen = mem_zero(count, sizeof *unseen->seen);
    if (!unseen->seen) return in_no_memory(in);
    for (size_t i = 0; i < count; i++) {
        unseen->seen[i] = load_le(t->data + 8 * i, 8);
        if (i && unseen->seen[i] <= unseen->seen[i - 1]) return in_bad(in, "seen", "not rising");
    }
    unseen->n_seen = count;
    return WEIR_OK;
}

static enum weir_status certificate_number(const struct in *in, size_t index, const char *name, double max, double *out)
{
    char rest[64], key[NAME_MAX_BYTES];
    (void)snprintf(rest, sizeof rest, "certificate.%s", name);
    in_key(key, in, rest);
    const struct weir_gguf_value *value = weir_gguf_find(in->gguf, key);
    if (!value || weir_gguf_type(value) != WEIR_GGUF_ARRAY || !weir_gguf_array_f64(value, index, out))
        return in_bad(in, key, "missing, too short or no array of numbers");
    return *out >= 0 && *out <= max ? WEIR_OK : in_bad(in, key, "out of range");
}

/* Counts are kept as f64, exact up to 2^53. */
static enum weir_status read_certified(const struct in *in, size_t index, struct weir_certified *item)
{
    const double most = 9007199254740992.0; /* 2^53 */
    double rows = 0, accepted = 0, wrong = 0, more = 0;
    enum weir_status status = certificate_number(in, index, "threshold", 2, &item->threshold);
    if (!status) status = certificate_number(in, index, "bound", 1, &item->bound);
    if (!status) status = certificate_number(in, index, "rows_answered", most, &rows);
    if (!status) status = certificate_number(in, index, "accepted", most, &accepted);
    if (!status) status = certificate_number(in, index, "wrong", most, &wrong);
    if (!status) status = certificate_number(in, index, "rows_more", most, &more);
    item->is_certified = item->threshold <= 1;
    item->rows = (size_t)rows;
    item->accepted = (size_t)accepted;
    item->wrong = (size_t)wrong;
    item->rows_more = (size_t)more;
    return status;
}

static enum weir_status read_head_of(const struct in *in, struct profile_question *question)
{
    struct weir_certificate *certificate = &question->certificate;
    char name[NAME_MAX_BYTES];
    uint64_t rows = 0, per_class = 0, simultaneous = 0;
    enum weir_status status = in_u64(in, in_key(name, in, "certificate.rows"), 0, SIZE_MAX, &rows);
    if (!status) status = in_u64(in, in_key(name, in, "certificate.per_class"), 0, 1, &per_class);
    if (!status) status = in_u64(in, in_key(name, in, "certificate.simultaneous"), 0, 1, &simultaneous);
    if (!status) status = in_f64(in, in_key(name, in, "certificate.max_error"), 0, 1, &certificate->options.max_error);
    if (!status)
        status = in_f64(in, in_key(name, in, "certificate.confidence"), 0, 1, &certificate->options.confidence);
    if (!status) status = in_fingerprint(in, in_key(name, in, "certificate.rows_hash"), certificate->rows_hash);
    certificate->rows = (size_t)rows;
    certificate->options.per_class = per_class;
    certificate->options.simultaneous = simultaneous;
    return status;
}

static enum weir_status read_certificate(const struct in *in, struct profile_question *question)
{
    enum weir_status status = read_head_of(in, question);
    if (status) return status;
    size_t count = question->certificate.options.per_class ? question->n_labels : 1;
    question->certified = mem_zero(count, sizeof *question->certified);
    if (!question->certified) return in_no_memory(in);
    for (size_t i = 0; i < count && !status; i++) status = read_certified(in, i, &question->certified[i]);
    question->certificate.items = question->certified;
    question->certificate.count = count;
    if (status) return status;
    const char *problem = certificate_problem(&question->certificate, question->n_labels);
    return problem ? in_bad(in, "certificate", problem) : WEIR_OK;
}

enum weir_status profile_read_certificate(const struct in *in, struct profile_question *question)
{
    char name[NAME_MAX_BYTES];
    enum weir_status status = WEIR_OK;
    if (has_tensor(in, "unseen.gold")) status = read_unseen(in, question->n_labels, &question->unseen);
    if (!status && has_tensor(in, "seen")) status = read_seen(in, &question->unseen);
    if (!status && weir_gguf_find(in->gguf, in_key(name, in, "certificate.rows")))
        status = read_certificate(in, question);
    return status;
}
