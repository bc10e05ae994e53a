/* Inside profile_read.c and profile_certificate.c: checked pieces of a profile file. Each is WEIR_ERR_FORMAT naming the file, the key or
 * tensor and what is wrong with it, WEIR_ERR_NOMEM, or WEIR_OK. */
#ifndef WEIR_DECIDE_PROFILE_IN_H
#define WEIR_DECIDE_PROFILE_IN_H

#include <stddef.h>
#include <stdint.h>

#include "decide/profile.h"
#include "weir/gguf.h"

enum { NAME_MAX_BYTES = 128 };

struct in {
    const struct weir_gguf *gguf;
    struct weir_error *error;
    char question[32]; /* "q0" while a question is read */
};

enum weir_status in_bad(const struct in *in, const char *what, const char *why);
enum weir_status in_no_memory(const struct in *in);

/* "weir.q0.rest" in `name`, which is returned. */
const char *in_key(char name[NAME_MAX_BYTES], const struct in *in, const char *rest);

enum weir_status in_u64(const struct in *in, const char *key, uint64_t min, uint64_t max, uint64_t *out);
enum weir_status in_f64(const struct in *in, const char *key, double min, double max, double *out);
enum weir_status in_fingerprint(const struct in *in, const char *key, char hex[65]);

/* A text of 1..max bytes without NUL; *out is owned by the caller. */
enum weir_status in_copy_text(const struct in *in, const char *key, struct weir_string text, size_t max, char **out);
enum weir_status in_text(const struct in *in, const char *key, size_t max, char **out);

/* An array of at most `max` integers below 2^32. */
enum weir_status in_u32s(const struct in *in, const char *key, size_t max, uint32_t *out, size_t *count);

/* The question's tensor "q0.rest", of the type and with cols x rows elements (rows 1: one dimension suffices). */
enum weir_status in_tensor(const struct in *in, const char *rest, enum weir_tensor_type type, size_t cols, size_t rows,
                           const struct weir_gguf_tensor **out);

/* The same as finite floats, owned by the caller, also when one is not finite and the profile is refused. */
enum weir_status in_floats(const struct in *in, const char *rest, size_t cols, size_t rows, float **out);

/* profile_certificate.c: what tuning kept for certificates, and the certificate; both may be absent. */
enum weir_status profile_read_certificate(const struct in *in, struct profile_question *question);

/* profile_calibration.c: the calibration called `head` in keys and tensors; the temperature alone where the file says nothing else. */
enum weir_status profile_read_calibration(const struct in *in, const char *head, size_t classes, double temperature,
                                          struct calibration *out);

/* profile_extract.c: what was learned about extractions; none where the file does not name them. */
enum weir_status profile_read_extracts(struct in *in, struct weir_profile *profile);

#endif
