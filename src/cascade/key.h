/* A provider's key: from the environment, a file that only its owner may read, or a systemd credential. Its bytes stand in no error. */
#ifndef WEIR_CASCADE_KEY_H
#define WEIR_CASCADE_KEY_H

#include "cascade/wire.h"
#include "weir/task.h"

enum { KEY_BYTES_MAX = 4096 };

/* *out is owned by the caller, who frees it with key_close; NULL: a server on this host that was given none. WEIR_ERR_NOT_FOUND: there is none where
 * the tier says; WEIR_ERR_REFUSED: a file that others may read; WEIR_ERR_INVALID: characters that no key has. */
enum weir_status key_open(const struct weir_tier_spec *tier, const struct wire *wire, const char *folder,
                          bool is_loopback, char **out, struct weir_error *error) WEIR_MUST_USE;
void key_close(char **key); /* wipes it; accepts NULL inside */

#endif
