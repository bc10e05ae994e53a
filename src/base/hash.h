/* SHA-256 (FIPS 180-4, through libcrypto): fingerprints of models and tasks, never secrets. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stddef.h>

#include "weir/status.h"

enum { HASH_HEX_SIZE = 65 }; /* 64 lower-case hexadecimal digits and a NUL */

struct hash;                  /* an incremental SHA-256 */
struct hash *hash_open(void); /* NULL without memory */
void hash_add(struct hash *hash, const void *bytes, size_t size);
enum weir_status hash_finish(struct hash **hash,
                             char hex[HASH_HEX_SIZE]); /* frees it; WEIR_ERR_IO if libcrypto failed */

enum weir_status hash_bytes(const void *bytes, size_t size, char hex[HASH_HEX_SIZE]);

#endif
