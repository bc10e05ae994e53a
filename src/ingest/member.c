#include "ingest/member.h"

#include "base/json.h"

enum weir_status member_source(struct weir_string object, const char *key, struct weir_string *out,
                               struct weir_error *error)
{
    struct arena arena = {0};
    struct json_value *root = NULL;
    enum weir_status status = json_read(&arena, "the row", object.data, object.size, &root, error);
    const struct json_value *member = status ? NULL : json_member(root, key);
    if (!status)
        *out = member ? (struct weir_string){member->source.data, member->source.size} : (struct weir_string){NULL, 0};
    arena_free(&arena);
    return status;
}
