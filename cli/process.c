#include "process.h"

#include <stdio.h>
#include <string.h>

/* "LABEL:   123 kB" of /proc/self/status (proc_pid_status(5)). */
static size_t status_bytes(const char *label)
{
    FILE *file = fopen("/proc/self/status", "re");
    if (!file) return 0;
    char line[256];
    size_t size = strlen(label);
    unsigned long long kib = 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, label, size) == 0 && sscanf(line + size, ": %llu kB", &kib) == 1) break;
    (void)fclose(file);
    return (size_t)kib * 1024;
}

size_t process_resident_bytes(void)
{
    return status_bytes("VmRSS");
}

size_t process_peak_bytes(void)
{
    return status_bytes("VmHWM");
}
