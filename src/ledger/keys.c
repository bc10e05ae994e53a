/* Keys: hashes that tell one row, or one request, from another. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "weir/ledger.h"

enum { SEEN_DIGITS = 32, SEEN_SLOTS_MIN = 1024 };

/* How often rows of this id and text came so far: 128 bits of their key tell them apart. */
struct seen {
    char digits[SEEN_DIGITS]; /* not ended by NUL; zero: free */
    uint32_t count;
};

struct weir_row_keys {
    char *task_hash, *source;
    struct seen *slots; /* open addressing, at most half full */
    size_t n_slots;     /* a power of two */
    size_t n_seen;
};

/* Parts are told apart by their lengths. */
static void add_part(struct hash *hash, const void *bytes, size_t size)
{
    uint8_t length[8];
    for (unsigned i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)size >> (8 * i));
    hash_add(hash, length, sizeof length);
    hash_add(hash, bytes, size);
}

static enum weir_status hash_parts(const struct weir_string *parts, size_t count, char hex[HASH_HEX_SIZE],
                                   struct weir_error *error)
{
    struct hash *hash = hash_open();
    if (!hash) return error_nomem(error, "SHA-256");
    for (size_t i = 0; i < count; i++) add_part(hash, parts[i].data ? parts[i].data : "", parts[i].size);
    return hash_finish(&hash, hex) ? error_set(error, WEIR_ERR_IO, "libcrypto could not compute SHA-256") : WEIR_OK;
}

static struct weir_string string_of(const char *text)
{
    return (struct weir_string){text, strlen(text)};
}

enum weir_status weir_ledger_reply_key(const char *task_hash, const char *tier, const char *model,
                                       const char *prompt_version, const char *question, const char *input_hash,
                                       char key[WEIR_LEDGER_HASH_SIZE], struct weir_error *error)
{
    const struct weir_string parts[] = {string_of("reply"),   string_of(task_hash),      string_of(tier),
                                        string_of(model),     string_of(prompt_version), string_of(question),
                                        string_of(input_hash)};
    char hex[HASH_HEX_SIZE];
    enum weir_status status = hash_parts(parts, sizeof parts / sizeof parts[0], hex, error);
    if (!status) memcpy(key, hex, sizeof hex);
    return status;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------- */

enum weir_status weir_row_keys_open(const char *task_hash, const char *source, struct weir_row_keys **out,
                                    struct weir_error *error)
{
    struct weir_row_keys *keys = mem_zero(1, sizeof *keys);
    if (!keys) return error_nomem(error, "keys of rows");
    keys->task_hash = mem_text(task_hash, strlen(task_hash));
    keys->source = mem_text(source, strlen(source));
    keys->slots = mem_zero(SEEN_SLOTS_MIN, sizeof *keys->slots);
    keys->n_slots = SEEN_SLOTS_MIN;
    if (!keys->task_hash || !keys->source || !keys->slots) {
        weir_row_keys_close(&keys);
        return error_nomem(error, "keys of rows");
    }
    *out = keys;
    return WEIR_OK;
}

void weir_row_keys_close(struct weir_row_keys **keys)
{
    if (!keys || !*keys) return;
    free((*keys)->task_hash);
    free((*keys)->source);
    free((*keys)->slots);
    free(*keys);
    *keys = NULL;
}

/* Where the digits are, or could be. */
static struct seen *slot_of(struct seen *slots, size_t n_slots, const char *digits)
{
    uint64_t start = 0;
    memcpy(&start, digits, sizeof start);
    start *= UINT64_C(0x9e3779b97f4a7c15); /* digits differ in few bits of a byte; Fibonacci hashing, Knuth 6.4 */
    size_t at = (size_t)(start >> 32) & (n_slots - 1);
    while (slots[at].digits[0] && memcmp(slots[at].digits, digits, SEEN_DIGITS) != 0) at = (at + 1) & (n_slots - 1);
    return &slots[at];
}

static enum weir_status grow(struct weir_row_keys *keys, struct weir_error *error)
{
    if (2 * (keys->n_seen + 1) <= keys->n_slots) return WEIR_OK;
    size_t n_slots = 2 * keys->n_slots;
    struct seen *slots = mem_zero(n_slots, sizeof *slots);
    if (!slots) return error_nomem(error, "keys of rows");
    for (size_t i = 0; i < keys->n_slots; i++)
        if (keys->slots[i].digits[0]) *slot_of(slots, n_slots, keys->slots[i].digits) = keys->slots[i];
    free(keys->slots);
    keys->slots = slots;
    keys->n_slots = n_slots;
    return WEIR_OK;
}

/* How many rows of this key came before; counts this one. */
static enum weir_status count_seen(struct weir_row_keys *keys, const char *hex, uint32_t *before,
                                   struct weir_error *error)
{
    enum weir_status status = grow(keys, error);
    if (status) return status;
    struct seen *seen = slot_of(keys->slots, keys->n_slots, hex);
    if (!seen->count) {
        memcpy(seen->digits, hex, SEEN_DIGITS);
        keys->n_seen++;
    }
    *before = seen->count++;
    return WEIR_OK;
}

enum weir_status weir_row_keys_next(struct weir_row_keys *keys, struct weir_string id, struct weir_string text,
                                    char key[WEIR_LEDGER_HASH_SIZE], char input_hash[WEIR_LEDGER_HASH_SIZE],
                                    struct weir_error *error)
{
    char input[HASH_HEX_SIZE], row[HASH_HEX_SIZE];
    enum weir_status status = hash_bytes(text.data ? text.data : "", text.size, input);
    if (status) return error_set(error, status, "SHA-256 of a row: %s", weir_status_text(status));
    uint32_t before = 0;
    char count[16];
    struct weir_string parts[] = {
        string_of("row"), string_of(keys->task_hash), string_of(keys->source), id, string_of(input), {NULL, 0}};
    status = hash_parts(parts, 5, row, error);
    if (!status) status = count_seen(keys, row, &before, error);
    if (!status && before) {
        (void)snprintf(count, sizeof count, "%" PRIu32, before);
        parts[5] = string_of(count);
        status = hash_parts(parts, 6, row, error);
    }
    if (status) return status;
    memcpy(key, row, sizeof row);
    memcpy(input_hash, input, sizeof input);
    return WEIR_OK;
}
