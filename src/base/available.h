/* How much more memory this process can have: what the system calls available, cut by the limits of its control groups. */
#ifndef WEIR_BASE_AVAILABLE_H
#define WEIR_BASE_AVAILABLE_H

#include <stdbool.h>
#include <stddef.h>

struct memory_available {
    size_t bytes;
    bool is_cgroup; /* a control group's limit is the lower one, not MemAvailable of the whole machine */
};

/* `root` is put before /proc and the mount points: "" but in tests. Versions 1 and 2 of control groups; every level from the
 * process's own group up counts with limit - usage + file pages that can be dropped. false: the system does not say. */
bool memory_available(const char *root, struct memory_available *out);

#endif
