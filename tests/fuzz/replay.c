/* Feeds saved inputs to a fuzz target without libFuzzer: replay FILE_OR_FOLDER... An empty corpus is a failure. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

enum { INPUT_BYTES_MAX = 1 << 24 };

/* The input lies in an allocation of its exact size, so that a sanitizer sees one byte too far. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) return 0;
    long size = ftell(file);
    if (size < 0 || size > INPUT_BYTES_MAX || fseek(file, 0, SEEK_SET) != 0) {
        fclose(file);
        return 0;
    }
    uint8_t *bytes = malloc(size ? (size_t)size : 1);
    int ok = bytes && fread(bytes, 1, (size_t)size, file) == (size_t)size;
    fclose(file);
    if (ok) (void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
    return ok;
}

static int fail(const char *path)
{
    (void)fprintf(stderr, "replay: cannot read %s\n", path);
    exit(1);
}

/* Files directly inside the folder; a path that is no folder counts as one file. */
static unsigned replay_path(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) return errno == ENOTDIR && replay_file(path) ? 1 : (unsigned)fail(path);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inside[4096];
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (!replay_file(inside)) fail(inside);
        count++;
    }
    closedir(folder);
    return count;
}

int main(int count, char **paths)
{
    unsigned inputs = 0;
    for (int i = 1; i < count; i++) inputs += replay_path(paths[i]);
    printf("%u inputs\n", inputs);
    return inputs ? 0 : 1;
}
