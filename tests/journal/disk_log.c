/* Loaded before libc (LD_PRELOAD): writes down, in $DISK_LOG, what a program does to files whose path contains
   $DISK_FOLDER, and what it prints, in order. A record is a line of words, then the bytes of a write:
   W path offset size / T path size / S path / R old new / D path / A size (printed). One record is one write. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define NEXT(name, type, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

static int disk_log(void) {
    static int file = -1;
    if (file < 0) file = open(getenv("DISK_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    return file;
}

static void record(const char *words, const void *data, size_t size) {
    char *whole = malloc(strlen(words) + size);
    memcpy(whole, words, strlen(words));
    if (size) memcpy(whole + strlen(words), data, size);
    NEXT(write, ssize_t, int, const void *, size_t)(disk_log(), whole, strlen(words) + size);
    free(whole);
}

static int ours(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, 4095);
    if (size < 0) return 0;
    path[size] = 0;
    return strstr(path, getenv("DISK_FOLDER")) != NULL;
}

static void wrote(int file, const void *data, ssize_t size, off_t offset) {
    char path[4096], words[4200];
    if (size <= 0 || !ours(file, path)) return;
    snprintf(words, sizeof words, "W %s %lld %zd\n", path, (long long)offset, size);
    record(words, data, size);
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t offset) {
    ssize_t done = NEXT(pwrite64, ssize_t, int, const void *, size_t, off_t)(file, data, size, offset);
    wrote(file, data, done, offset);
    return done;
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset) { return pwrite64(file, data, size, offset); }

ssize_t write(int file, const void *data, size_t size) {
    off_t offset = lseek(file, 0, SEEK_CUR);
    ssize_t done = NEXT(write, ssize_t, int, const void *, size_t)(file, data, size);
    char words[64];
    snprintf(words, sizeof words, "A %zd\n", done);
    if (file == 1) record(words, data, done);
    else wrote(file, data, done, offset);
    return done;
}

static void about(char what, int file, long long size) {
    char path[4096], words[4200];
    if (!ours(file, path)) return;
    if (what == 'T') snprintf(words, sizeof words, "T %s %lld\n", path, size);
    else snprintf(words, sizeof words, "S %s\n", path);
    record(words, NULL, 0);
}

int ftruncate64(int file, off_t size) {
    int done = NEXT(ftruncate64, int, int, off_t)(file, size);
    if (!done) about('T', file, size);
    return done;
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int fsync(int file) {
    int done = NEXT(fsync, int, int)(file);
    if (!done) about('S', file, 0);
    return done;
}

int fdatasync(int file) {
    int done = NEXT(fdatasync, int, int)(file);
    if (!done) about('S', file, 0);
    return done;
}

int rename(const char *old, const char *new) {
    char words[8400];
    int done = NEXT(rename, int, const char *, const char *)(old, new);
    snprintf(words, sizeof words, "R %s %s\n", old, new);
    if (!done && strstr(new, getenv("DISK_FOLDER"))) record(words, NULL, 0);
    return done;
}

int unlink(const char *path) {
    char words[4200];
    int done = NEXT(unlink, int, const char *)(path);
    snprintf(words, sizeof words, "D %s\n", path);
    if (!done && strstr(path, getenv("DISK_FOLDER"))) record(words, NULL, 0);
    return done;
}
