/* A member of a JSON object as it was written. jansson, which reads the rows, keeps numbers as doubles and 64-bit integers. */
#ifndef WEIR_INGEST_MEMBER_H
#define WEIR_INGEST_MEMBER_H

#include "weir/gguf.h" /* struct weir_string */
#include "weir/status.h"

/* *out: the bytes of the member's value, inside `object`; {NULL, 0} when there is none. WEIR_ERR_FORMAT, WEIR_ERR_LIMIT, WEIR_ERR_NOMEM. */
enum weir_status member_source(struct weir_string object, const char *key, struct weir_string *out,
                               struct weir_error *error) WEIR_MUST_USE;

#endif
