/* A disk that fails, or forgets what was not synced, below one folder: preloaded into a server by tests.
 *
 * DISK_FOLDER   only files below it are touched
 * DISK_MODE     a file whose text says what happens now: "", "eio-write", "short", "torn", "enospc", "eio-sync",
 *               "hang"
 * DISK_LEDGER   a file that gets a line "INODE SIZE" for each sync that succeeded: what a power cut leaves at least,
 *               spaces at its end aside
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void find_real(void) {
    real_write = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    real_pwrite = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
}

/* Whether a descriptor is a file of a meet below the folder. */
static int is_ours(int fd) {
    const char *folder = getenv("DISK_FOLDER");
    char link[64], path[4096];
    struct stat facts;
    if (!folder || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

static int mode_is(const char *wanted) {
    const char *file = getenv("DISK_MODE");
    char text[32] = "";
    int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length < 0)
        return 0;
    text[strcspn(text, "\n")] = 0;
    return strcmp(text, wanted) == 0;
}

static void wait_while_it_hangs(void) {
    while (mode_is("hang"))
        usleep(10000);
}

static int fail(int error) {
    errno = error;
    return -1;
}

/* Writes at the place of the descriptor where `at` is negative. */
static ssize_t put(int fd, const void *bytes, size_t count, off64_t at) {
    return at < 0 ? real_write(fd, bytes, count) : real_pwrite(fd, bytes, count, at);
}

static ssize_t write_at(int fd, const void *bytes, size_t count, off64_t at) {
    if (!is_ours(fd))
        return put(fd, bytes, count, at);
    wait_while_it_hangs();
    if (mode_is("eio-write"))
        return fail(EIO);
    if (mode_is("enospc"))
        return fail(ENOSPC);
    if (mode_is("short") && count > 1)
        return put(fd, bytes, count / 2, at);
    if (mode_is("torn") && count > 1) {
        if (put(fd, bytes, count / 2, at) < 0)
            return -1;
        return fail(EIO);
    }
    return put(fd, bytes, count, at);
}

ssize_t write(int fd, const void *bytes, size_t count) { return write_at(fd, bytes, count, -1); }

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return write_at(fd, bytes, count, at); }

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return write_at(fd, bytes, count, at); }

/* The size of a file without the spaces at its end. */
static long long size_of(int fd, long long size) {
    char path[64], block[4096];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int in = open(path, O_RDONLY | O_CLOEXEC);
    while (in >= 0 && size > 0) {
        size_t part = (size_t)(size < (long long)sizeof block ? size : (long long)sizeof block);
        if (pread(in, block, part, size - (long long)part) != (ssize_t)part)
            break;
        while (part > 0 && block[part - 1] == ' ')
            part--, size--;
        if (part > 0)
            break;
    }
    if (in >= 0)
        close(in);
    return size;
}

static int sync_with(int fd, int (*real)(int)) {
    if (!is_ours(fd))
        return real(fd);
    wait_while_it_hangs();
    if (mode_is("eio-sync"))
        return fail(EIO);
    struct stat facts;
    /* The size before the sync: what is written meanwhile is not promised. */
    int known = fstat(fd, &facts) == 0;
    long long size = known ? size_of(fd, (long long)facts.st_size) : 0;
    int result = real(fd);
    const char *ledger = getenv("DISK_LEDGER");
    if (result == 0 && known && ledger) {
        char line[64];
        int length = snprintf(line, sizeof line, "%llu %lld\n", (unsigned long long)facts.st_ino, size);
        int out = open(ledger, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (out >= 0) {
            if (real_write(out, line, (size_t)length) != length)
                abort();
            close(out);
        }
    }
    return result;
}

int fsync(int fd) { return sync_with(fd, real_fsync); }

int fdatasync(int fd) { return sync_with(fd, real_fdatasync); }
