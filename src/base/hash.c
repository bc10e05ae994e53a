#include "base/hash.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

struct hash {
    EVP_MD_CTX *context;
    bool failed;
};

struct hash *hash_open(void)
{
    struct hash *hash = mem_zero(1, sizeof *hash);
    if (!hash) return NULL;
    hash->context = EVP_MD_CTX_new();
    if (!hash->context) {
        free(hash);
        return NULL;
    }
    hash->failed = EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1;
    return hash;
}

void hash_add(struct hash *hash, const void *bytes, size_t size)
{
    if (!hash->failed && EVP_DigestUpdate(hash->context, bytes, size) != 1) hash->failed = true;
}

enum weir_status hash_finish(struct hash **handle, char hex[HASH_HEX_SIZE])
{
    struct hash *hash = *handle;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    bool ok = !hash->failed && EVP_DigestFinal_ex(hash->context, digest, &size) == 1 && size == 32;
    EVP_MD_CTX_free(hash->context);
    free(hash);
    *handle = NULL;
    if (!ok) return WEIR_ERR_IO;
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < size; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = 0;
    return WEIR_OK;
}

enum weir_status hash_bytes(const void *bytes, size_t size, char hex[HASH_HEX_SIZE])
{
    struct hash *hash = hash_open();
    if (!hash) return WEIR_ERR_NOMEM;
    hash_add(hash, bytes, size);
    return hash_finish(&hash, hex);
}
