/* Memory left for a process, read from made-up /proc and control group trees. */
#include "base/available.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "check.h"

enum { MIB = 1 << 20 };

static char root[64];

static const char *const written[] = {"proc/meminfo",
                                      "proc/self/cgroup",
                                      "proc/self/mountinfo",
                                      "cg/memory.max",
                                      "cg/memory.current",
                                      "cg/memory.stat",
                                      "cg/a/memory.max",
                                      "cg/a/memory.current",
                                      "cg/a/memory.stat",
                                      "cg/a/b/memory.max",
                                      "cg/a/b/memory.current",
                                      "cg/a/b/memory.stat",
                                      "cg/a/memory.limit_in_bytes",
                                      "cg/a/memory.usage_in_bytes"};
static const char *const folders[] = {"cg/a/b", "cg/a", "cg", "proc/self", "proc"};

static const char *inside(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *text)
{
    struct weir_error error = {0};
    check_status(file_write_atomic(inside(name), text, strlen(text), &error), WEIR_OK, &error);
}

static int make_root(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "weir_available_XXXXXX");
    if (!mkdtemp(root)) return -1;
    struct weir_error error = {0};
    check_status(file_make_folder(inside("proc/self"), &error), WEIR_OK, &error);
    check_status(file_make_folder(inside("cg/a/b"), &error), WEIR_OK, &error);
    put("proc/meminfo", "MemTotal:       16000 kB\nMemFree:  1 kB\nMemAvailable:   10240 kB\nBuffers: 2 kB\n");
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) (void)unlink(inside(written[i]));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) (void)rmdir(inside(folders[i]));
    return rmdir(root);
}

static void check_available(size_t bytes, bool is_cgroup)
{
    struct memory_available found = {0};
    assert_true(memory_available(root, &found));
    assert_int_equal(found.bytes, bytes);
    assert_int_equal(found.is_cgroup, is_cgroup);
}

static void version2(const char *mountinfo)
{
    put("proc/self/cgroup", "0::/a/b\n");
    put("proc/self/mountinfo", mountinfo);
}

static void without_groups_the_machine_decides(void **state)
{
    (void)state;
    check_available((size_t)10 * MIB, false);
    version2("1 2 3:4 / /cg rw - cgroup2 none rw\n"); /* no files: no limits */
    check_available((size_t)10 * MIB, false);
    struct memory_available found;
    assert_int_equal(unlink(inside("proc/meminfo")), 0);
    assert_false(memory_available(root, &found));
}

static void every_group_above_counts(void **state)
{
    (void)state;
    version2("7 1 0:1 / / rw - ext4 /dev/x rw\n1 2 3:4 / /cg rw,nosuid shared:9 - cgroup2 cgroup2 rw\n");
    put("cg/a/b/memory.max", "max\n");
    put("cg/a/b/memory.current", "1000\n");
    check_available((size_t)10 * MIB, false);
    put("cg/a/memory.max", "8388608\n"); /* 8 MiB, 5 used, of which 2 are pages of files */
    put("cg/a/memory.current", "5242880\n");
    put("cg/a/memory.stat", "anon 3145728\nfile 2097152\ninactive_file 1048576\nactive_file 1048576\n");
    check_available((size_t)5 * MIB, true);
    put("cg/a/b/memory.max", "4194304\n");
    put("cg/a/b/memory.current", "1048576\n");
    check_available((size_t)3 * MIB, true);
    put("cg/a/b/memory.current", "9000000\n"); /* over its limit */
    check_available(0, true);
}

/* In a container the mount shows the group itself, or a group of a path that the mount does not begin with. */
static void the_mount_may_be_a_group(void **state)
{
    (void)state;
    put("cg/memory.max", "2097152\n");
    put("cg/memory.current", "1048576\n");
    version2("1 2 3:4 /a/b /cg rw - cgroup2 none rw\n");
    check_available(MIB, true);
    version2("1 2 3:4 /../other /cg rw - cgroup2 none rw\n");
    check_available(MIB, true);
}

static void version1_is_read_too(void **state)
{
    (void)state;
    put("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:hugetlb,memory:/a\n0::/\n");
    put("proc/self/mountinfo", "1 2 3:4 / /nowhere rw - cgroup2 none rw\n2 2 3:5 / /cg rw - cgroup cgroup rw,memory\n");
    put("cg/a/memory.limit_in_bytes", "9223372036854771712\n");
    put("cg/a/memory.usage_in_bytes", "1048576\n");
    check_available((size_t)10 * MIB, false);
    put("cg/a/memory.limit_in_bytes", "6291456\n");
    put("cg/a/memory.stat", "inactive_file 9\ntotal_inactive_file 524288\ntotal_active_file 0\n");
    check_available((size_t)5 * MIB + MIB / 2, true);
}

int main(void)
{
#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        IN_ROOT(without_groups_the_machine_decides),
        IN_ROOT(every_group_above_counts),
        IN_ROOT(the_mount_may_be_a_group),
        IN_ROOT(version1_is_read_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
