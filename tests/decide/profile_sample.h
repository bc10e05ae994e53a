/* A small profile made by hand, and the task it belongs to. */
#ifndef WEIR_TESTS_PROFILE_SAMPLE_H
#define WEIR_TESTS_PROFILE_SAMPLE_H

#include "decide/profile.h"

/* Two questions (kind: spam, ham, other; urgent: yes, no) of a task; the profile tunes the first. */
extern const char sample_task_text[];
struct weir_task *sample_task(const char *text);

enum { SAMPLE_EMBD = 2, SAMPLE_BUCKETS = 2, SAMPLE_LABELS = 3 };

/* Fingerprint of the model it says it was learned with: 64 times 'a'. Depths 2 and 5 of at least 5 layers. Closed by
 * weir_profile_close. */
extern const char sample_model[65];
struct weir_profile *sample_profile(const struct weir_task *task);

#endif
