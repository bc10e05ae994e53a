#include "cascade/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/error.h"

static bool is_loopback_4(uint32_t network_order)
{
    return ntohl(network_order) >> 24 == 127;
}

bool address_is_loopback(const struct sockaddr *address, socklen_t size)
{
    if (address->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return is_loopback_4(v4.sin_addr.s_addr);
    }
    if (address->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        uint32_t last;
        memcpy(&last, v6.sin6_addr.s6_addr + 12, sizeof last);
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) || (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && is_loopback_4(last));
    }
    return false;
}

bool address_host_is_loopback(const char *host)
{
    struct in_addr v4;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) return true;
    return inet_pton(AF_INET, host, &v4) == 1 && is_loopback_4(v4.s_addr);
}

/* false: there is no such part, or it is longer than `size`. */
static bool part(CURLU *url, CURLUPart which, unsigned flags, char *out, size_t size)
{
    char *text = NULL;
    bool good = curl_url_get(url, which, &text, flags) == CURLUE_OK && strlen(text) < size;
    if (good) (void)snprintf(out, size, "%s", text);
    curl_free(text);
    return good;
}

static bool has_part(CURLU *url, CURLUPart which)
{
    char *text = NULL;
    bool found = curl_url_get(url, which, &text, 0) == CURLUE_OK;
    curl_free(text);
    return found;
}

static enum weir_status check(const char *tier, CURLU *url, bool loopback_only, struct address *out,
                              struct weir_error *error)
{
    char scheme[16], host[256], port[8], path[ADDRESS_BYTES_MAX / 2];
    if (!part(url, CURLUPART_SCHEME, 0, scheme, sizeof scheme) || !part(url, CURLUPART_HOST, 0, host, sizeof host) ||
        !part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port) ||
        !part(url, CURLUPART_PATH, 0, path, sizeof path) || !part(url, CURLUPART_URL, 0, out->url, sizeof out->url))
        return error_set(error, WEIR_ERR_REFUSED, "tier %s: `url` is not an http address", tier);
    (void)snprintf(out->shown, sizeof out->shown, "%s://%s:%s%s", scheme, host, port, path);
    out->is_loopback = address_host_is_loopback(host);
    out->is_plain = strcasecmp(scheme, "http") == 0;
    if (!out->is_plain && strcasecmp(scheme, "https") != 0)
        return error_set(error, WEIR_ERR_REFUSED, "tier %s: %s: expected https, found %s", tier, out->shown, scheme);
    if (out->is_plain && !out->is_loopback)
        return error_set(error, WEIR_ERR_REFUSED, "tier %s: %s: http is spoken only to this host; expected https", tier,
                         out->shown);
    if (loopback_only && !out->is_loopback)
        return error_set(error, WEIR_ERR_REFUSED, "tier %s: %s: only this host may be asked (privacy.egress: never)",
                         tier, out->shown);
    return WEIR_OK;
}

enum weir_status address_make(const char *tier, const char *base, const char *path, bool loopback_only,
                              struct address *out, struct weir_error *error)
{
    char text[ADDRESS_BYTES_MAX];
    size_t size = strlen(base);
    while (size && base[size - 1] == '/') size--;
    int used = snprintf(text, sizeof text, "%.*s%s", (int)(size < sizeof text ? size : sizeof text), base, path);
    if (used < 0 || (size_t)used >= sizeof text)
        return error_set(error, WEIR_ERR_LIMIT, "tier %s: `url` is longer than %d bytes", tier, ADDRESS_BYTES_MAX);
    CURLU *url = curl_url();
    if (!url) return error_nomem(error, "address");
    enum weir_status status = WEIR_OK;
    struct address made = {.is_plain = false};
    if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
        status = error_set(error, WEIR_ERR_REFUSED, "tier %s: `url` is not an http address", tier);
    else if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD) || has_part(url, CURLUPART_QUERY) ||
             has_part(url, CURLUPART_FRAGMENT))
        status = error_set(error, WEIR_ERR_REFUSED, "tier %s: `url` may hold no user name, password, query or fragment",
                           tier);
    if (!status) status = check(tier, url, loopback_only, &made, error);
    curl_url_cleanup(url);
    if (!status) *out = made;
    return status;
}
