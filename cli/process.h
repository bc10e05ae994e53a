/* The memory of this process, as the system counts it. */
#ifndef WEIR_CLI_PROCESS_H
#define WEIR_CLI_PROCESS_H

#include <stddef.h>

/* Resident bytes now, and at most so far; 0 where /proc does not say. */
size_t process_resident_bytes(void);
size_t process_peak_bytes(void);

#endif
