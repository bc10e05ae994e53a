/* What a task's privacy policy allows, before anything is opened; and the sandbox of tasks that never leave. */
#include <stdbool.h>
#include <string.h>

#ifdef WEIR_HAVE_SECCOMP
#include <errno.h>
#include <seccomp.h>
#endif

#include "base/error.h"
#include "weir/cascade.h"

/* The host part of a base URL names this host: 127/8, ::1 or localhost. What names resolve to is checked when connecting. */
static bool is_loopback_url(const char *url)
{
    const char *host = strstr(url, "://");
    if (!host) return false;
    host += 3;
    size_t size = strcspn(host, "/?#");
    if (memchr(host, '@', size)) return false;
    if (size >= 5 && strncmp(host, "[::1]", 5) == 0) return size == 5 || host[5] == ':';
    size = strcspn(host, ":/?#");
    if (size == 9 && strncmp(host, "localhost", 9) == 0) return true;
    bool is_ipv4 = strspn(host, "0123456789.") == size && size >= 7;
    return is_ipv4 && strncmp(host, "127.", 4) == 0;
}

enum weir_status weir_cascade_check_privacy(const struct weir_task *task, struct weir_error *error)
{
    enum weir_egress egress = weir_task_privacy(task)->egress;
    for (size_t i = 0; egress != WEIR_EGRESS_ALLOW && i < weir_task_tier_count(task); i++) {
        const struct weir_tier_spec *tier = weir_task_tier(task, i);
        if (tier->kind == WEIR_TIER_GGUF || is_loopback_url(tier->url)) continue;
        if (egress == WEIR_EGRESS_NEVER)
            return error_set(error, WEIR_ERR_REFUSED, "tier %s leaves this host, and privacy.egress is never",
                             tier->name);
        return error_set(error, WEIR_ERR_REFUSED,
                         "tier %s leaves this host, and privacy.egress is redacted, which this version cannot do yet; "
                         "write `privacy: {egress: allow}` if the texts may leave as they are",
                         tier->name);
    }
    return WEIR_OK;
}

#ifdef WEIR_HAVE_SECCOMP
enum weir_status weir_sandbox_deny_sockets(struct weir_error *error)
{
    static const int calls[] = {SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(io_uring_setup)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter) return error_nomem(error, "sandbox");
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; !failed && i < sizeof calls / sizeof *calls; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
    if (!failed) failed = seccomp_load(filter);
    seccomp_release(filter);
    if (failed)
        return error_set(error, WEIR_ERR_UNSUPPORTED,
                         "privacy.egress is never, but this system takes no seccomp filter: %s", strerror(-failed));
    return WEIR_OK;
}
#else
enum weir_status weir_sandbox_deny_sockets(struct weir_error *error)
{
    return error_set(error, WEIR_ERR_UNSUPPORTED,
                     "privacy.egress is never, but weir was built without libseccomp, which denies sockets");
}
#endif
