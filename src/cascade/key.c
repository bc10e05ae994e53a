#include "cascade/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

/* Printable, without blanks: what may stand in a header. The white space at the end of a file is not part of the key. */
static enum weir_status copy_key(const struct weir_tier_spec *tier, const char *text, size_t size, char **out,
                                 struct weir_error *error)
{
    while (size &&
           (text[size - 1] == '\n' || text[size - 1] == '\r' || text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    bool is_good = size >= 1 && size <= KEY_BYTES_MAX;
    for (size_t i = 0; i < size; i++) is_good = is_good && text[i] > ' ' && text[i] < 0x7f;
    if (!is_good)
        return error_set(
            error, WEIR_ERR_INVALID,
            "tier %s: the key: expected 1 to %d printable characters without blanks, found others (not shown)",
            tier->name, KEY_BYTES_MAX);
    *out = mem_text(text, size);
    return *out ? WEIR_OK : error_nomem(error, "key");
}

static enum weir_status read_descriptor(int file, char *bytes, size_t *size)
{
    while (*size < KEY_BYTES_MAX + 64) {
        ssize_t got = read(file, bytes + *size, KEY_BYTES_MAX + 64 - *size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return WEIR_ERR_IO;
        if (got == 0) break;
        *size += (size_t)got;
    }
    return WEIR_OK;
}

/* Others may not read it; systemd sees to that for its credentials, whose owner may be root. */
static enum weir_status check_mode(const struct weir_tier_spec *tier, const char *path, int file, bool is_credential,
                                   struct weir_error *error)
{
    struct stat about;
    if (fstat(file, &about) != 0)
        return error_set(error, WEIR_ERR_IO, "tier %s: %s: %s", tier->name, path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return error_set(error, WEIR_ERR_REFUSED, "tier %s: %s: expected a file with the key", tier->name, path);
    if (about.st_mode & (is_credential ? S_IWGRP | S_IRWXO : S_IRWXG | S_IRWXO))
        return error_set(error, WEIR_ERR_REFUSED, "tier %s: %s: others may read the key (mode %03o): chmod 600 it",
                         tier->name, path, (unsigned)(about.st_mode & 0777));
    return WEIR_OK;
}

static enum weir_status read_file(const struct weir_tier_spec *tier, const char *path, char **out,
                                  struct weir_error *error)
{
    char bytes[KEY_BYTES_MAX + 64];
    size_t size = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return error_set(error, errno == ENOENT ? WEIR_ERR_NOT_FOUND : WEIR_ERR_IO, "tier %s: the key: %s: %s",
                         tier->name, path, strerror(errno));
    enum weir_status status = check_mode(tier, path, file, tier->key_source == WEIR_KEY_CREDENTIAL, error);
    if (!status && read_descriptor(file, bytes, &size))
        status = error_set(error, WEIR_ERR_IO, "tier %s: the key: %s: %s", tier->name, path, strerror(errno));
    (void)close(file);
    if (!status) status = copy_key(tier, bytes, size, out, error);
    explicit_bzero(bytes, sizeof bytes);
    return status;
}

static enum weir_status read_path(const struct weir_tier_spec *tier, const char *folder, char **out,
                                  struct weir_error *error)
{
    struct strbuf path = STRBUF_MAX(1 << 16);
    const char *name = tier->key_name;
    enum weir_status status = strbuf_printf(&path, "%s%s", *name == '/' ? "" : folder, name);
    status = status ? error_nomem(error, "key") : read_file(tier, path.data, out, error);
    strbuf_free(&path);
    return status;
}

static enum weir_status read_credential(const struct weir_tier_spec *tier, char **out, struct weir_error *error)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    struct strbuf with_slash = STRBUF_MAX(1 << 16);
    if (!folder || !*folder)
        return error_set(
            error, WEIR_ERR_NOT_FOUND,
            "tier %s: the key is the credential %s, but CREDENTIALS_DIRECTORY is not set (LoadCredential= in the unit)",
            tier->name, tier->key_name);
    enum weir_status status = strbuf_printf(&with_slash, "%s/", folder);
    status = status ? error_nomem(error, "key") : read_path(tier, with_slash.data, out, error);
    strbuf_free(&with_slash);
    return status;
}

static enum weir_status read_variable(const struct weir_tier_spec *tier, const char *name, char **out,
                                      struct weir_error *error)
{
    const char *value = getenv(name);
    if (value && *value) return copy_key(tier, value, strlen(value), out, error);
    return error_set(
        error, WEIR_ERR_NOT_FOUND,
        "tier %s: no key: set %s, or say where the key is, `key: {env: NAME}`, {file: PATH} or {credential: NAME}",
        tier->name, name);
}

enum weir_status key_open(const struct weir_tier_spec *tier, const struct wire *wire, const char *folder,
                          bool is_loopback, char **out, struct weir_error *error)
{
    switch (tier->key_source) {
    case WEIR_KEY_ENV:
        return read_variable(tier, tier->key_name, out, error);
    case WEIR_KEY_FILE:
        return read_path(tier, folder, out, error);
    case WEIR_KEY_CREDENTIAL:
        return read_credential(tier, out, error);
    case WEIR_KEY_DEFAULT:
        break;
    }
    if (!is_loopback) return read_variable(tier, wire->key_env, out, error);
    *out = NULL;
    return WEIR_OK;
}

void key_close(char **key)
{
    if (*key) explicit_bzero(*key, strlen(*key));
    free(*key);
    *key = NULL;
}
