/* Which addresses may be asked: https anywhere, http on this host only; and, with loopback only, nothing but this host. */
#ifndef WEIR_CASCADE_ADDRESS_H
#define WEIR_CASCADE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "weir/status.h"

enum { ADDRESS_BYTES_MAX = 2048 };

struct address {
    char url[ADDRESS_BYTES_MAX];   /* with the path of the endpoint */
    char shown[ADDRESS_BYTES_MAX]; /* "https://host:port/path", printable, without anything secret */
    bool is_loopback;              /* its host is written as one of this host */
    bool is_plain;                 /* http */
};

/* 127.0.0.0/8, ::1, and the former inside the latter's notation (::ffff:127.0.0.1). */
bool address_is_loopback(const struct sockaddr *address, socklen_t size);

/* "localhost", "127.1.2.3", "[::1]": names that libcurl does not look up outside this host. */
bool address_host_is_loopback(const char *host);

/* `base` as the task writes it, `path` after it. WEIR_ERR_REFUSED names the rule. */
enum weir_status address_make(const char *tier, const char *base, const char *path, bool loopback_only,
                              struct address *out, struct weir_error *error) WEIR_MUST_USE;

#endif
