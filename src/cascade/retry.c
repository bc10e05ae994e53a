#include "cascade/retry.h"

#include <string.h>
#include <time.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

bool retry_is_status(long status)
{
    return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504 || status == 529;
}

/* SplitMix64 (S. Vigna, prng.di.unimi.it/splitmix64.c). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

int64_t retry_backoff_ms(uint64_t *state, unsigned n, uint32_t first_ms, uint32_t widest_ms)
{
    uint64_t range = n < 32 ? (uint64_t)first_ms << n : widest_ms;
    if (range > widest_ms) range = widest_ms;
    return (int64_t)(next_random(state) % (range + 1));
}

/* ---- HTTP dates ---------------------------------------------------------------------------------------------------- */

/* A cursor over the header's value; `failed` is sticky. */
struct scan {
    const char *at, *end;
    bool failed;
};

static void skip(struct scan *s, const char *text)
{
    size_t size = strlen(text);
    if (s->failed || (size_t)(s->end - s->at) < size || memcmp(s->at, text, size) != 0)
        s->failed = true;
    else
        s->at += size;
}

static void skip_word(struct scan *s)
{
    while (s->at < s->end && ((*s->at >= 'a' && *s->at <= 'z') || (*s->at >= 'A' && *s->at <= 'Z'))) s->at++;
}

static int number(struct scan *s, unsigned digits)
{
    int value = 0;
    for (unsigned i = 0; i < digits; i++) {
        bool is_pad = i == 0 && digits == 2 && s->at < s->end && *s->at == ' '; /* asctime's day: " 6" */
        if (s->at == s->end || (!is_pad && (*s->at < '0' || *s->at > '9'))) s->failed = true;
        if (s->failed) return 0;
        value = is_pad ? 0 : value * 10 + (*s->at - '0');
        s->at++;
    }
    return value;
}

static int month(struct scan *s)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12 && s->end - s->at >= 3; i++) {
        if (memcmp(s->at, names + (ptrdiff_t)3 * i, 3) != 0) continue;
        s->at += 3;
        return i;
    }
    s->failed = true;
    return 0;
}

static void clock_of(struct scan *s, struct tm *out)
{
    out->tm_hour = number(s, 2);
    skip(s, ":");
    out->tm_min = number(s, 2);
    skip(s, ":");
    out->tm_sec = number(s, 2);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" and "Sunday, 06-Nov-94 08:49:37 GMT" */
static void date_with_zone(struct scan *s, struct tm *out)
{
    skip(s, ", ");
    out->tm_mday = number(s, 2);
    bool is_old = s->at < s->end && *s->at == '-';
    const char *mark = is_old ? "-" : " ";
    skip(s, mark);
    out->tm_mon = month(s);
    skip(s, mark);
    int year = number(s, is_old ? 2 : 4);
    out->tm_year = is_old ? (year < 70 ? year + 100 : year) : year - 1900;
    skip(s, " ");
    clock_of(s, out);
    skip(s, " GMT");
}

/* "Sun Nov  6 08:49:37 1994" */
static void date_of_asctime(struct scan *s, struct tm *out)
{
    skip(s, " ");
    out->tm_mon = month(s);
    skip(s, " ");
    out->tm_mday = number(s, 2);
    skip(s, " ");
    clock_of(s, out);
    skip(s, " ");
    out->tm_year = number(s, 4) - 1900;
}

static bool http_date(const char *value, size_t size, int64_t *unix_s)
{
    struct scan s = {.at = value, .end = value + size};
    struct tm time = {.tm_isdst = 0};
    skip_word(&s);
    if (s.at == value || s.at == s.end) return false;
    if (*s.at == ',')
        date_with_zone(&s, &time);
    else
        date_of_asctime(&s, &time);
    bool in_range =
        time.tm_mday >= 1 && time.tm_mday <= 31 && time.tm_hour <= 23 && time.tm_min <= 59 && time.tm_sec <= 60;
    if (s.failed || s.at != s.end || !in_range) return false;
    *unix_s = timegm(&time);
    return true;
}

int64_t retry_after_ms(const char *value, size_t size, int64_t unix_now_s)
{
    while (size && (*value == ' ' || *value == '\t')) value++, size--;
    while (size &&
           (value[size - 1] == ' ' || value[size - 1] == '\t' || value[size - 1] == '\r' || value[size - 1] == '\n'))
        size--;
    if (!size) return -1;
    int64_t seconds = 0;
    size_t at = 0;
    for (; at < size && value[at] >= '0' && value[at] <= '9'; at++)
        if (seconds < DAY_MS) seconds = seconds * 10 + (value[at] - '0');
    if (at < size) {
        int64_t date = 0;
        if (!http_date(value, size, &date)) return -1;
        seconds = date > unix_now_s ? date - unix_now_s : 0;
    }
    return seconds > DAY_MS / 1000 ? DAY_MS : seconds * 1000;
}
