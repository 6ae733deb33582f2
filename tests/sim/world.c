/* The world as a thread of the simulation finds it. Preloaded; other threads see the real one.
 *
 * A thread whose name begins with "sim " or "disk " gets random bytes that follow from its name, and a clock that
 * stands. What such a thread does to files below SIM_FOLDER/.../data is written down in the file "ops" beside "data":
 * a line for each change, and behind a line "write" the bytes. Syncs are written down and do nothing else. While there is
 * a file "fault" beside "data", its text says what fails: "write", "torn" (half of it is written), "full" or "sync".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static __thread int simulated;
static __thread uint64_t dice;

/* The name is set after the thread has begun, so only a yes is remembered. */
static int is_simulated(void) {
    char name[16] = "";
    if (simulated)
        return 1;
    if (prctl(PR_GET_NAME, name) != 0 || (strncmp(name, "sim ", 4) != 0 && strncmp(name, "disk ", 5) != 0))
        return 0;
    dice = 0xcbf29ce484222325u;
    for (const char *at = name; *at; at++)
        dice = (dice ^ (unsigned char)*at) * 0x100000001b3u;
    return simulated = 1;
}

/* SplitMix64 */
static uint64_t next_random(void) {
    uint64_t z = dice += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

ssize_t getrandom(void *buffer, size_t count, unsigned flags) {
    if (!is_simulated())
        return REAL(getrandom)(buffer, count, flags);
    for (size_t at = 0; at < count; at++)
        ((unsigned char *)buffer)[at] = (unsigned char)next_random();
    return (ssize_t)count;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (is_simulated()) {
        time->tv_sec = clock == CLOCK_REALTIME ? 1777627800 : 1000000;
        time->tv_nsec = 0;
        return 0;
    }
    if (!real)
        real = REAL(clock_gettime);
    return real(clock, time);
}

/* What stands behind ".../data" in a path below SIM_FOLDER; NULL for any other path. */
static char *below_data(char *path) {
    const char *folder = getenv("SIM_FOLDER");
    if (!folder || !is_simulated() || strncmp(path, folder, strlen(folder)) != 0)
        return NULL;
    char *data = strstr(path + strlen(folder), "/data");
    return data && (data[5] == '/' || data[5] == 0) ? data + 5 : NULL;
}

/* Writes down one change; `path` may be any path below the same "data". */
static void note(const char *path, const void *bytes, size_t count, const char *format, ...) {
    char ops[4096], line[8192];
    int folder = (int)(strstr(path + strlen(getenv("SIM_FOLDER")), "/data") - path);
    snprintf(ops, sizeof ops, "%.*s/ops", folder, path);
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    int out = REAL(open)(ops, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0 || REAL(write)(out, line, (size_t)length) != length || REAL(write)(out, bytes, count) != (ssize_t)count)
        abort();
    close(out);
}

/* Whether this fails now; `path` may be any path below the same "data". */
static int has_fault(const char *path, const char *what) {
    char fault[4096], text[16] = "";
    int folder = (int)(strstr(path + strlen(getenv("SIM_FOLDER")), "/data") - path);
    snprintf(fault, sizeof fault, "%.*s/fault", folder, path);
    int in = REAL(open)(fault, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return 0;
    ssize_t length = read(in, text, sizeof text - 1);
    close(in);
    return length > 0 && strcmp(text, what) == 0;
}

static int fail(int error) {
    errno = error;
    return -1;
}

/* The path of a descriptor, or of `name` in the folder that it stands for. */
static int path_of(int fd, const char *name, char *path, size_t room) {
    char link[64];
    if (name && (name[0] == '/' || fd == AT_FDCWD))
        return snprintf(path, room, "%s", name) < (int)room;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, room - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return !name || snprintf(path + length, room - (size_t)length, "/%s", name) < (int)(room - (size_t)length);
}

static int is_below(int fd, const char *name, char *path, char **below) {
    return is_simulated() && path_of(fd, name, path, 4096) && (*below = below_data(path));
}

/* Writes at the place of the descriptor where `at` is negative. */
static ssize_t put(int fd, const void *bytes, size_t count, off64_t at) {
    return at < 0 ? REAL(write)(fd, bytes, count) : REAL(pwrite64)(fd, bytes, count, at);
}

static ssize_t write_at(int fd, const void *bytes, size_t count, off64_t at) {
    char path[4096], *below;
    struct stat facts;
    if (!is_below(fd, NULL, path, &below) || fstat(fd, &facts) != 0)
        return put(fd, bytes, count, at);
    long long place = at;
    if (at < 0)
        place = fcntl(fd, F_GETFL) & O_APPEND ? (long long)facts.st_size : (long long)lseek(fd, 0, SEEK_CUR);
    if (has_fault(path, "write"))
        return fail(EIO);
    if (has_fault(path, "full"))
        return fail(ENOSPC);
    int is_torn = count > 1 && has_fault(path, "torn");
    ssize_t written = put(fd, bytes, is_torn ? count / 2 : count, at);
    if (written > 0)
        note(path, bytes, (size_t)written, "write %llu %lld %zd\n", (unsigned long long)facts.st_ino, place, written);
    return is_torn ? fail(EIO) : written;
}

ssize_t write(int fd, const void *bytes, size_t count) { return write_at(fd, bytes, count, -1); }

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return write_at(fd, bytes, count, at); }

static int sync_with(int fd, int (*real)(int)) {
    char path[4096], *below;
    struct stat facts;
    if (!is_below(fd, NULL, path, &below) || fstat(fd, &facts) != 0)
        return real(fd);
    if (has_fault(path, "sync")) {
        note(path, "", 0, "unsynced %llu\n", (unsigned long long)facts.st_ino);
        return fail(EIO);
    }
    if (S_ISDIR(facts.st_mode))
        note(path, "", 0, "syncdir .%s\n", below);
    else
        note(path, "", 0, "sync %llu\n", (unsigned long long)facts.st_ino);
    return 0;
}

int fsync(int fd) { return sync_with(fd, REAL(fsync)); }

int fdatasync(int fd) { return sync_with(fd, REAL(fdatasync)); }

static int ftruncate_noted(int fd, off_t length) {
    char path[4096], *below;
    struct stat facts;
    int done = REAL(ftruncate)(fd, length);
    if (done == 0 && is_below(fd, NULL, path, &below) && fstat(fd, &facts) == 0)
        note(path, "", 0, "length %llu %lld\n", (unsigned long long)facts.st_ino, (long long)length);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate_noted(fd, length); }

int ftruncate64(int fd, off64_t length) { return ftruncate_noted(fd, length); }

static int open_noted(int folder, const char *name, int flags, mode_t mode) {
    char path[4096], *below;
    struct stat facts;
    int makes = (flags & O_CREAT) && is_below(folder, name, path, &below) && lstat(path, &facts) != 0;
    int fd = REAL(openat)(folder, name, flags, mode);
    if (fd >= 0 && makes && fstat(fd, &facts) == 0)
        note(path, "", 0, "create %llu .%s\n", (unsigned long long)facts.st_ino, below);
    return fd;
}

#define MODE(flags)                                                                                                    \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list values;                                                                                                \
        va_start(values, flags);                                                                                       \
        mode = va_arg(values, mode_t);                                                                                 \
        va_end(values);                                                                                                \
    }

int open(const char *name, int flags, ...) {
    MODE(flags)
    return open_noted(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...) {
    MODE(flags)
    return open_noted(AT_FDCWD, name, flags | O_LARGEFILE, mode);
}

int openat64(int folder, const char *name, int flags, ...) {
    MODE(flags)
    return open_noted(folder, name, flags | O_LARGEFILE, mode);
}

int mkdir(const char *name, mode_t mode) {
    char path[4096], *below;
    int done = REAL(mkdir)(name, mode);
    if (done == 0 && is_below(AT_FDCWD, name, path, &below))
        note(path, "", 0, "mkdir .%s\n", below);
    return done;
}

int rename(const char *from, const char *to) {
    char here[4096], there[4096], *below_here, *below_there;
    int done = REAL(rename)(from, to);
    if (done == 0 && is_below(AT_FDCWD, from, here, &below_here) && is_below(AT_FDCWD, to, there, &below_there))
        note(here, "", 0, "rename .%s .%s\n", below_here, below_there);
    return done;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    char here[4096], there[4096], *below_here, *below_there;
    int done = REAL(linkat)(from_folder, from, to_folder, to, flags);
    if (done == 0 && is_below(from_folder, from, here, &below_here) && is_below(to_folder, to, there, &below_there))
        note(here, "", 0, "link .%s .%s\n", below_here, below_there);
    return done;
}

int unlinkat(int folder, const char *name, int flags) {
    char path[4096], *below;
    int done = REAL(unlinkat)(folder, name, flags);
    if (done == 0 && is_below(folder, name, path, &below))
        note(path, "", 0, "unlink .%s\n", below);
    return done;
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
