/* What a fuzz target defines: libFuzzer and replay.c call it. */
#ifndef WEIR_TESTS_FUZZ_H
#define WEIR_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Must return 0, free what it allocates, and behave alike for the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
