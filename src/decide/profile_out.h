/* Inside profile_write.c and profile_extract.c: pieces of a profile file being written. */
#ifndef WEIR_DECIDE_PROFILE_OUT_H
#define WEIR_DECIDE_PROFILE_OUT_H

#include "decide/profile_in.h"
#include "gguf/writer.h"

/* A writer and the prefix of the question being written: "q0". */
struct out {
    struct gguf_writer *w;
    char question[32];
};

/* "weir.q0.rest" in `name`, which is returned. */
const char *out_key(char name[NAME_MAX_BYTES], const struct out *out, const char *rest);

/* What profile_read_calibration reads, but for the temperature. */
void profile_write_calibration(const struct out *out, const char *head, const struct calibration *c, size_t classes);

/* What profile_read_extracts reads. WEIR_ERR_NOMEM. */
enum weir_status profile_write_extracts(struct gguf_writer *w, const struct weir_profile *profile);

#endif
