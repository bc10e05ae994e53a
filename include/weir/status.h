/* Status codes and error texts: how every call of the library says that it failed.
 *
 * A function that can fail returns `enum weir_status` (0 is success) and, through an optional `struct weir_error *`
 * owned by the caller, says what failed, where, what was expected and what was found. Outputs are untouched on failure.
 * All functions here are thread-safe; an error object belongs to one call at a time. */
#ifndef WEIR_STATUS_H
#define WEIR_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_API __attribute__((visibility("default")))
#define WEIR_MUST_USE __attribute__((warn_unused_result))

/* code, number, text. The numbers are stable. */
#define WEIR_STATUS_MAP(X)                                                                 \
    X(OK, 0, "success")                                                                    \
    X(ERR_NOMEM, 1, "out of memory")                                                       \
    X(ERR_IO, 2, "a file or stream could not be read or written")                          \
    X(ERR_INVALID, 3, "a call was given an argument it does not accept")                   \
    X(ERR_FORMAT, 4, "a file is damaged or not of the expected format")                    \
    X(ERR_LIMIT, 5, "a named limit was exceeded")                                          \
    X(ERR_UNSUPPORTED, 6, "valid, but not supported by this build or version")             \
    X(ERR_REFUSED, 7, "refused: the parts do not belong together, or a policy forbids it") \
    X(ERR_TOO_LONG, 8, "the input does not fit the model's context")                       \
    X(ERR_NOT_FOUND, 9, "not found")                                                       \
    X(ERR_CANCELLED, 10, "cancelled by the caller")                                        \
    X(ERR_NO_ROOM, 11, "does not fit into the memory there is")

enum weir_status {
#define WEIR_STATUS_ENUM(name, number, text) WEIR_##name = number,
    WEIR_STATUS_MAP(WEIR_STATUS_ENUM)
#undef WEIR_STATUS_ENUM
};

enum { WEIR_ERROR_TEXT_MAX = 512 };

/* What failed, in words. `status` repeats the code the call returned. */
struct weir_error {
    enum weir_status status;
    char text[WEIR_ERROR_TEXT_MAX];
};

/* "ERR_FORMAT" and "a file is damaged ..."; never NULL, also for unknown numbers. */
WEIR_API const char *weir_status_name(enum weir_status status);
WEIR_API const char *weir_status_text(enum weir_status status);

#ifdef __cplusplus
}
#endif
#endif
