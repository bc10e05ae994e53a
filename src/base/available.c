/* Formats: proc(5) for meminfo, self/cgroup and self/mountinfo; the kernel's Documentation/admin-guide/cgroup-v2.rst and
 * cgroup-v1/memory.rst for the groups' files. Anything unexpected in them reads as "no limit": the caller refuses on what is
 * known, never on a guess. */
#include "base/available.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES_MAX = 4096, LINE_BYTES_MAX = 2 * PATH_BYTES_MAX };

static FILE *open_under(const char *root, const char *folder, const char *name)
{
    char path[2 * PATH_BYTES_MAX];
    int size = snprintf(path, sizeof path, "%s%s/%s", root, folder, name);
    return size > 0 && (size_t)size < sizeof path ? fopen(path, "re") : NULL;
}

/* The number after `label` at the start of a line. */
static bool find_number(FILE *file, const char *label, unsigned long long *out)
{
    char line[256];
    size_t size = strlen(label);
    bool found = false;
    while (!found && fgets(line, sizeof line, file))
        found = strncmp(line, label, size) == 0 && sscanf(line + size, " %llu", out) == 1;
    return found;
}

static bool mem_available(const char *root, size_t *bytes)
{
    FILE *file = open_under(root, "/proc", "meminfo");
    if (!file) return false;
    unsigned long long kib = 0;
    bool found = find_number(file, "MemAvailable:", &kib) && kib <= SIZE_MAX / 1024;
    (void)fclose(file);
    if (found) *bytes = (size_t)kib * 1024;
    return found;
}

/* The only number of a one-line file; "max" is none. */
static bool read_number(const char *root, const char *folder, const char *name, unsigned long long *out)
{
    FILE *file = open_under(root, folder, name);
    if (!file) return false;
    bool found = fscanf(file, "%llu", out) == 1;
    (void)fclose(file);
    return found;
}

static unsigned long long read_stat(const char *root, const char *folder, const char *label)
{
    FILE *file = open_under(root, folder, "memory.stat");
    if (!file) return 0;
    unsigned long long number = 0;
    bool found = find_number(file, label, &number);
    (void)fclose(file);
    return found ? number : 0;
}

/* Names of the files of one version of control groups. */
struct cgroup_files {
    const char *limit, *usage, *inactive, *active;
};

static const struct cgroup_files version1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ",
                                             "total_active_file "};
static const struct cgroup_files version2 = {"memory.max", "memory.current", "inactive_file ", "active_file "};

static void apply_group(const char *root, const char *folder, const struct cgroup_files *files,
                        struct memory_available *out)
{
    unsigned long long limit, usage;
    if (!read_number(root, folder, files->limit, &limit) || !read_number(root, folder, files->usage, &usage)) return;
    unsigned long long cached = read_stat(root, folder, files->inactive) + read_stat(root, folder, files->active);
    unsigned long long used = usage > cached ? usage - cached : 0, left = limit > used ? limit - used : 0;
    if (left < out->bytes) *out = (struct memory_available){(size_t)left, true};
}

/* Group `path` of the hierarchy whose group `mount_root` is mounted at `mount`, and every group above it up to the mount. */
static void apply_groups(const char *root, const char *mount, const char *mount_root, const char *path,
                         const struct cgroup_files *files, struct memory_available *out)
{
    size_t skip = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
    if (strncmp(path, mount_root, skip) != 0)
        skip = strlen(path); /* seen from another namespace: the mount is our group */
    char folder[2 * PATH_BYTES_MAX];
    int size = snprintf(folder, sizeof folder, "%s%s", mount, path + skip);
    if (size < 0 || (size_t)size >= sizeof folder) return;
    size_t stop = strlen(mount);
    for (;;) {
        apply_group(root, folder, files, out);
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < stop) return;
        *slash = 0;
    }
}

static bool has_word(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += size)
        if ((at == list || at[-1] == ',') && (at[size] == ',' || at[size] == 0 || at[size] == '\n')) return true;
    return false;
}

/* The process's group in the hierarchy of `controllers` ("" is version 2's single one): lines "number:controllers:path". */
static bool own_group(const char *root, bool is_version2, char path[PATH_BYTES_MAX])
{
    FILE *file = open_under(root, "/proc/self", "cgroup");
    char line[LINE_BYTES_MAX];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'), *at = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!at) continue;
        *at++ = 0;
        at[strcspn(at, "\n")] = 0;
        found =
            (is_version2 ? controllers[1] == 0 : has_word(controllers + 1, "memory")) && strlen(at) < PATH_BYTES_MAX;
        if (found) memcpy(path, at, strlen(at) + 1);
    }
    if (file) (void)fclose(file);
    return found;
}

/* A line of mountinfo: "36 35 98:0 ROOT MOUNT options ... - TYPE source superoptions". */
static void apply_mount(const char *root, char *line, struct memory_available *out)
{
    char mount_root[PATH_BYTES_MAX], mount[PATH_BYTES_MAX], type[32], options[512], path[PATH_BYTES_MAX];
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", mount_root, mount) != 2) return;
    if (sscanf(rest, " - %31s %*s %511s", type, options) != 2) return;
    bool is_version2 = strcmp(type, "cgroup2") == 0;
    if (!is_version2 && (strcmp(type, "cgroup") != 0 || !has_word(options, "memory"))) return;
    if (own_group(root, is_version2, path))
        apply_groups(root, mount, mount_root, path, is_version2 ? &version2 : &version1, out);
}

bool memory_available(const char *root, struct memory_available *out)
{
    struct memory_available found = {0};
    if (!mem_available(root, &found.bytes)) return false;
    FILE *mounts = open_under(root, "/proc/self", "mountinfo");
    char line[LINE_BYTES_MAX];
    while (mounts && fgets(line, sizeof line, mounts)) apply_mount(root, line, &found);
    if (mounts) (void)fclose(mounts);
    *out = found;
    return true;
}
