/* LD_PRELOADed into the program (test_starved.py): the WEIR_FAIL_NTH-th allocation fails, whoever asks: weir, its libraries, the
 * C library. With WEIR_FAIL_COUNT=FILE it writes the number of allocations there at exit. glibc only.
 * libcrypto's allocations are left out: OpenSSL 3.0 reads through null pointers when its own initialisation runs short of memory. */
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_size_t asked;
static size_t nth;                         /* 0: none; set before main, as is the next line */
static uintptr_t spared_begin, spared_end; /* libcrypto's code */

static int find_spared(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    if (!strstr(info->dlpi_name, "libcrypto")) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        spared_begin = info->dlpi_addr + part->p_vaddr;
        spared_end = spared_begin + part->p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void read_nth(void)
{
    const char *text = getenv("WEIR_FAIL_NTH");
    if (text) nth = strtoul(text, NULL, 10);
    (void)dl_iterate_phdr(find_spared, NULL);
    atomic_store(&asked, 0);
}

__attribute__((destructor)) static void write_count(void)
{
    const char *path = getenv("WEIR_FAIL_COUNT");
    size_t count = atomic_load(&asked);
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    (void)fprintf(file, "%zu\n", count);
    (void)fclose(file);
}

static int must_fail(void *caller)
{
    if ((uintptr_t)caller >= spared_begin && (uintptr_t)caller < spared_end) return 0;
    if (atomic_fetch_add(&asked, 1) + 1 != nth) return 0;
    errno = ENOMEM;
    return 1;
}

#pragma GCC visibility push(default)

void *malloc(size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

#pragma GCC visibility pop
