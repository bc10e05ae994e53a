#include "decide/json_scan.h"

#include <stdbool.h>

static bool is_of_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static void begin(struct json_scan *s, char c)
{
    switch (c) {
    case '"':
        s->state = JSON_SCAN_STRING;
        break;
    case '{':
    case '[':
        s->state = JSON_SCAN_INSIDE;
        s->depth = 1;
        break;
    case 'n':
    case 't':
    case 'f':
        s->state = JSON_SCAN_LITERAL;
        s->left = c == 'f' ? 4 : 3;
        break;
    default:
        s->state = JSON_SCAN_NUMBER;
    }
}

static void inside(struct json_scan *s, char c)
{
    if (c == '"') s->state = JSON_SCAN_STRING;
    if (c == '{' || c == '[') s->depth++;
    if ((c == '}' || c == ']') && --s->depth == 0) s->state = JSON_SCAN_DONE;
}

static void string(struct json_scan *s, char c)
{
    if (c == '\\') s->state = JSON_SCAN_ESCAPE;
    if (c == '"') s->state = s->depth ? JSON_SCAN_INSIDE : JSON_SCAN_DONE;
}

static void step(struct json_scan *s, char c)
{
    switch (s->state) {
    case JSON_SCAN_START:
        begin(s, c);
        break;
    case JSON_SCAN_LITERAL:
        if (--s->left == 0) s->state = JSON_SCAN_DONE;
        break;
    case JSON_SCAN_STRING:
        string(s, c);
        break;
    case JSON_SCAN_ESCAPE:
        s->state = JSON_SCAN_STRING;
        break;
    case JSON_SCAN_INSIDE:
        inside(s, c);
        break;
    case JSON_SCAN_NUMBER:
    case JSON_SCAN_DONE:
        break;
    }
}

size_t json_scan(struct json_scan *s, const char *text, size_t size)
{
    size_t at = 0;
    while (at < size && s->state != JSON_SCAN_DONE) {
        if (s->state == JSON_SCAN_NUMBER && !is_of_number(text[at]))
            s->state = JSON_SCAN_DONE;
        else
            step(s, text[at++]);
    }
    return at;
}
