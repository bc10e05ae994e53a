/* References between documents: RFC 3986, section 5.2, for the identifiers of schemas. */
#include <string.h>

#include "constrain/schema.h"

/* Bytes before the first of `stops`. */
static size_t before(struct json_text text, const char *stops)
{
    size_t i = 0;
    while (i < text.size && (text.data[i] == '\0' || !strchr(stops, text.data[i]))) i++;
    return i;
}

static struct json_text cut(struct json_text text, size_t from, size_t to)
{
    return (struct json_text){from ? text.data + from : text.data,
                              to - from}; /* no arithmetic on the NULL of an empty text */
}

struct parts {
    struct json_text scheme, authority, path, query; /* scheme with its ":", authority with "//", query with "?" */
};

static struct parts split(struct json_text uri)
{
    struct parts parts = {0};
    uri.size = before(uri, "#");
    size_t colon = before(uri, ":/?");
    if (colon < uri.size && uri.data[colon] == ':' && colon) {
        parts.scheme = cut(uri, 0, colon + 1);
        uri = cut(uri, colon + 1, uri.size);
    }
    if (uri.size >= 2 && memcmp(uri.data, "//", 2) == 0) {
        struct json_text rest = cut(uri, 2, uri.size);
        size_t end = 2 + before(rest, "/?");
        parts.authority = cut(uri, 0, end);
        uri = cut(uri, end, uri.size);
    }
    size_t path = before(uri, "?");
    parts.path = cut(uri, 0, path);
    parts.query = cut(uri, path, uri.size);
    return parts;
}

static size_t add(char *out, size_t used, struct json_text text)
{
    if (text.size) memcpy(out + used, text.data, text.size);
    return used + text.size;
}

/* 5.2.4, in place from out[start]. */
static size_t remove_dots(char *out, size_t start, size_t end)
{
    size_t read = start, write = start;
    while (read < end) {
        size_t stop = read + 1;
        while (stop < end && out[stop] != '/') stop++;
        size_t n = stop - read;
        bool slash = out[read] == '/';
        const char *name = out + read + slash;
        size_t length = n - slash;
        bool dot = length == 1 && name[0] == '.', dots = length == 2 && name[0] == '.' && name[1] == '.';
        if (dots) {
            while (write > start && out[write - 1] != '/') write--;
            if (write > start) write--;
        }
        if (!dot && !dots) {
            memmove(out + write, out + read, n);
            write += n;
        } else if (stop == end) {
            out[write++] = '/';
        }
        read = stop;
    }
    return write;
}

struct json_text uri_resolve(struct arena *arena, struct json_text base, struct json_text reference)
{
    struct json_text none = {0};
    if (base.size > SCHEMA_URI_BYTES_MAX || reference.size > SCHEMA_URI_BYTES_MAX) return none;
    char *out = arena_zero(arena, base.size + reference.size + 2, 1);
    if (!out) return none;
    struct parts b = split(base), r = split(reference);
    bool own_path = r.scheme.size || r.authority.size || r.path.size;
    size_t used = add(out, 0, r.scheme.size ? r.scheme : b.scheme);
    used = add(out, used, r.scheme.size || r.authority.size ? r.authority : b.authority);
    size_t path = used;
    if (!own_path) {
        used = add(out, used, b.path);
        used = add(out, used, r.query.size ? r.query : b.query);
        return (struct json_text){out, used};
    }
    bool absolute = r.scheme.size || r.authority.size || r.path.data[0] == '/';
    if (!absolute) {
        size_t keep = b.path.size;
        while (keep && b.path.data[keep - 1] != '/') keep--;
        used = add(out, used, cut(b.path, 0, keep));
        if (!keep && b.authority.size) out[used++] = '/';
    }
    used = add(out, used, r.path);
    if (memchr(out + path, '/', used - path)) used = remove_dots(out, path, used);
    used = add(out, used, r.query);
    return (struct json_text){out, used};
}
