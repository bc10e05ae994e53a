/* What a privacy policy allows, and that a process in the sandbox gets no socket. */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weir/cascade.h"

#define HEAD \
    "task: t\ninstructions: Sort.\ntype: choice\nlabels: [a, b]\ntiers:\n  - {name: local, kind: gguf, model: m}\n"

static const struct {
    const char *tier, *egress;
    const char *refusal; /* NULL: allowed */
} CASES[] = {
    {"", "never", NULL},
    {"", "redacted", NULL},
    {"  - {name: far, kind: openai, model: m}\n", "allow", NULL},
    {"  - {name: far, kind: openai, model: m}\n", "never", "tier far leaves this host, and privacy.egress is never"},
    {"  - {name: far, kind: openai, model: m}\n", "redacted",
     "tier far leaves this host, and privacy.egress is redacted"},
    {"  - {name: n, kind: openai, model: m, url: 'http://127.0.0.1:8080/v1'}\n", "never", NULL},
    {"  - {name: n, kind: openai, model: m, url: 'http://127.9.0.1/v1'}\n", "redacted", NULL},
    {"  - {name: n, kind: openai, model: m, url: 'http://localhost:8080'}\n", "never", NULL},
    {"  - {name: n, kind: openai, model: m, url: 'http://[::1]:8080/v1'}\n", "never", NULL},
    {"  - {name: n, kind: openai, model: m, url: 'https://127.0.0.1.example.org/v1'}\n", "never", "tier n leaves"},
    {"  - {name: n, kind: openai, model: m, url: 'https://localhost.example.org/v1'}\n", "never", "tier n leaves"},
    {"  - {name: n, kind: openai, model: m, url: 'https://10.0.0.1/v1'}\n", "never", "tier n leaves"},
    {"  - {name: n, kind: openai, model: m, url: 'https://example.org/127.0.0.1'}\n", "redacted", "tier n leaves"},
};

static void policies_decide_about_tiers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[1024];
        struct weir_task *task = NULL;
        struct weir_error error = {0};
        (void)snprintf(text, sizeof text, HEAD "%sprivacy: {egress: %s}\n", CASES[i].tier, CASES[i].egress);
        check_status(weir_task_open_memory(text, strlen(text), "t.yaml", &task, &error), WEIR_OK, &error);
        enum weir_status status = weir_cascade_check_privacy(task, &error);
        if (status != (CASES[i].refusal ? WEIR_ERR_REFUSED : WEIR_OK))
            fail_msg("case %zu: %s with egress %s: found %s: %s", i, CASES[i].tier, CASES[i].egress,
                     weir_status_name(status), error.text);
        if (CASES[i].refusal) check_contains(error.text, CASES[i].refusal);
        weir_task_close(&task);
    }
}

/* In a process of its own, for it cannot be undone: 0 good, else what was wrong. */
static int use_sandbox(void)
{
    struct weir_error error = {0};
    enum weir_status status = weir_sandbox_deny_sockets(&error);
#ifdef WEIR_HAVE_SECCOMP
    int pair[2];
    if (status) return 1;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM) return 2;
    if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EPERM) return 3;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) >= 0 || errno != EPERM) return 4;
    return 0;
#else
    return status == WEIR_ERR_UNSUPPORTED && strstr(error.text, "built without libseccomp") ? 0 : 5;
#endif
}

static void sandbox_denies_every_socket(void **state)
{
    (void)state;
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(use_sandbox());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(policies_decide_about_tiers),
                                       cmocka_unit_test(sandbox_denies_every_socket)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
