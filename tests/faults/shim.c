/* A preload library that sees every file call of its process and makes one of them fail, or be the last.
 *
 * It stands between the program, its libraries (liblmdb too) and libc, does nothing until fault_arm() is called, and
 * then counts the calls that concern what lies below given directories. A call has kinds: what it does to the disk,
 * and which errors its manual page allows. Only calls of a wanted kind are counted, and listed in a report that the
 * parent shares, so that it can be read after the process was killed. tests/faults/shim.py is its other half.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Kinds of calls. The same numbers stand in shim.py. */
enum { CHANGES = 1, SPACE = 2, MEDIUM = 4, DESCRIPTOR = 8, PERMISSION = 16, LOOKS = 32 };

/* What happens at the call whose turn it is: nothing, death before it, an error, an error from then on. Likewise. */
enum { COUNT, DIE, FAIL, FAIL_FROM };

/* What becomes of one call. */
enum { PASS, REFUSED, CUT_SHORT };

struct report {
    long met;   /* calls of a wanted kind */
    long used;  /* bytes of lines */
    long room;  /* bytes that lines may have */
    char lines[]; /* "call path\n" */
};

#define PATH_ROOM 8192

static struct report *report;
static int wanted, action, failure, full;
static long turn;
static pid_t armed;
static char watched[PATH_ROOM];
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* From now on count calls of the kinds below the directories, one a line, and act at call number `at`. */
void fault_arm(struct report *shared, int kinds, int what, long at, int error, const char *directories) {
    snprintf(watched, sizeof watched, "%s", directories);
    wanted = kinds;
    action = what;
    turn = at;
    failure = error;
    armed = getpid();
    report = shared;
}

static int is_watched(const char *path) {
    for (const char *top = watched; *top;) {
        size_t size = strcspn(top, "\n");
        if (strncmp(path, top, size) == 0 && (path[size] == '/' || path[size] == 0)) return 1;
        top += size + (top[size] == '\n');
    }
    return 0;
}

static void path_of_descriptor(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long size = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_ROOM - 1);
    path[size < 0 ? 0 : size] = 0;
}

/* The absolute path that a call means by a directory and a name, links in it not followed. */
static void full_path(int fd, const char *name, char *path) {
    int through, length;
    path[0] = 0;
    if (!name || !name[0]) {
        path_of_descriptor(fd, path);
        return;
    }
    if (sscanf(name, "/proc/self/fd/%d%n", &through, &length) == 1) {
        path_of_descriptor(through, path);
        name += length + (name[length] == '/');
    } else if (name[0] != '/') {
        if (fd == AT_FDCWD) {
            if (!getcwd(path, PATH_ROOM)) path[0] = 0;
        } else
            path_of_descriptor(fd, path);
    }
    size_t size = strlen(path);
    snprintf(path + size, PATH_ROOM - size, "%s%s", size ? "/" : "", name);
}

static void list(const char *call, const char *path) {
    if (report->used + (long)(strlen(call) + strlen(path)) + 3 < report->room)
        report->used += sprintf(report->lines + report->used, "%s %s\n", call, path);
}

/* Count one call, and say what becomes of it. `fd` and `name` are where: a descriptor alone, or a name below it. */
static int meet(const char *call, int kinds, int fd, const char *name) {
    static __thread int inside;
    char path[PATH_ROOM];
    int verdict = PASS, before = errno;
    if (!report || inside || !(kinds & wanted)) return PASS;
    inside = 1;
    full_path(fd, name, path);
    if (is_watched(path)) {
        pthread_mutex_lock(&one_at_a_time);
        long number = ++report->met;
        list(call, path);
        if (action == FAIL_FROM && number >= turn) {
            verdict = number == turn ? CUT_SHORT : REFUSED;
            full = failure == ENOSPC;
        } else if (number == turn) {
            if (action == DIE) {
                if (armed != getpid()) syscall(SYS_kill, armed, SIGKILL); /* a child of the program dies with it */
                syscall(SYS_kill, getpid(), SIGKILL);
            }
            if (action == FAIL) verdict = REFUSED;
        }
        pthread_mutex_unlock(&one_at_a_time);
    }
    inside = 0;
    errno = before;
    return verdict;
}

/* The kinds of an open: what it may change, beside what every open may meet. */
static int opening(int fd, const char *name, int flags) {
    int kinds = MEDIUM | DESCRIPTOR | PERMISSION | LOOKS, before = errno;
    if ((flags & O_CREAT) && syscall(SYS_faccessat, fd, name, F_OK) != 0) kinds |= CHANGES | SPACE;
    if (flags & O_TRUNC) kinds |= CHANGES;
    errno = before;
    return kinds;
}

/* The library's own function under the name that a call has. The symbol is set apart from the name, so that neither
 * the headers' prototypes nor their 64-bit names stand in the way. */
#define REPLACE(type, name, parameters)                         \
    type our_##name parameters __asm__(#name);                  \
    static type(*real_##name) parameters;                       \
    type our_##name parameters

#define FIND(name) \
    if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name)

/* A call that is made, or refused as a whole. */
#define WATCH(type, name, parameters, arguments, kinds, fd, path, refused)   \
    REPLACE(type, name, parameters) {                                        \
        FIND(name);                                                          \
        int verdict = report ? meet(#name, kinds, fd, path) : PASS;          \
        if (verdict == REFUSED || verdict == CUT_SHORT) {                    \
            errno = failure;                                                 \
            return refused;                                                  \
        }                                                                    \
        return real_##name arguments;                                        \
    }

/* A write, of which a disk that becomes full takes the pages of the first half. */
#define HALF(size) ((size) / 2 & ~(size_t)4095)
#define HALF_OF_FIRST HALF(list[0].iov_len)

#define WATCH_WRITE(name, parameters, arguments, half, fd)                                \
    REPLACE(ssize_t, name, parameters) {                                                  \
        FIND(name);                                                                       \
        int verdict = report ? meet(#name, CHANGES | SPACE | MEDIUM, fd, NULL) : PASS;     \
        if (verdict == CUT_SHORT && failure == ENOSPC) {                                  \
            ssize_t taken = half;                                                         \
            if (taken > 0) return taken;                                                  \
        }                                                                                 \
        if (verdict == REFUSED || verdict == CUT_SHORT) {                                 \
            errno = failure;                                                              \
            return -1;                                                                    \
        }                                                                                 \
        return real_##name arguments;                                                     \
    }

WATCH_WRITE(write, (int fd, const void *data, size_t size), (fd, data, size), real_write(fd, data, HALF(size)), fd)
WATCH_WRITE(pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at),
            real_pwrite(fd, data, HALF(size), at), fd)
WATCH_WRITE(pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at),
            real_pwrite64(fd, data, HALF(size), at), fd)
WATCH_WRITE(writev, (int fd, const struct iovec *list, int count), (fd, list, count),
            syscall(SYS_write, fd, list[0].iov_base, HALF_OF_FIRST), fd)
WATCH_WRITE(pwritev, (int fd, const struct iovec *list, int count, off_t at), (fd, list, count, at),
            syscall(SYS_pwrite64, fd, list[0].iov_base, HALF_OF_FIRST, at), fd)
WATCH_WRITE(pwritev64v2, (int fd, const struct iovec *list, int count, off64_t at, int how), (fd, list, count, at, how),
            syscall(SYS_pwrite64, fd, list[0].iov_base, HALF_OF_FIRST, at), fd)
WATCH_WRITE(sendfile, (int fd, int from, off_t *at, size_t size), (fd, from, at, size),
            real_sendfile(fd, from, at, HALF(size)), fd)
WATCH_WRITE(sendfile64, (int fd, int from, off64_t *at, size_t size), (fd, from, at, size),
            real_sendfile64(fd, from, at, HALF(size)), fd)
WATCH_WRITE(copy_file_range, (int from, off64_t *at, int fd, off64_t *to, size_t size, unsigned how),
            (from, at, fd, to, size, how), real_copy_file_range(from, at, fd, to, HALF(size), how), fd)

#define GROWS (CHANGES | SPACE | MEDIUM)
WATCH(int, ftruncate, (int fd, off_t size), (fd, size), GROWS, fd, NULL, -1)
WATCH(int, ftruncate64, (int fd, off64_t size), (fd, size), GROWS, fd, NULL, -1)
WATCH(int, fallocate64, (int fd, int how, off64_t at, off64_t size), (fd, how, at, size), GROWS, fd, NULL, -1)
WATCH(int, fsync, (int fd), (fd), GROWS, fd, NULL, -1)
WATCH(int, fdatasync, (int fd), (fd), GROWS, fd, NULL, -1)
WATCH(int, syncfs, (int fd), (fd), GROWS, fd, NULL, -1)
WATCH(int, sync_file_range, (int fd, off64_t at, off64_t size, unsigned how), (fd, at, size, how), GROWS, fd, NULL, -1)

#define NAMES (CHANGES | SPACE | MEDIUM | PERMISSION)
WATCH(int, rename, (const char *old, const char *path), (old, path), NAMES, AT_FDCWD, path, -1)
WATCH(int, renameat, (int from, const char *old, int fd, const char *path), (from, old, fd, path), NAMES, fd, path, -1)
WATCH(int, renameat2, (int from, const char *old, int fd, const char *path, unsigned how), (from, old, fd, path, how),
      NAMES, fd, path, -1)
WATCH(int, link, (const char *old, const char *path), (old, path), NAMES, AT_FDCWD, path, -1)
WATCH(int, linkat, (int from, const char *old, int fd, const char *path, int how), (from, old, fd, path, how), NAMES,
      fd, path, -1)
WATCH(int, symlink, (const char *target, const char *path), (target, path), NAMES, AT_FDCWD, path, -1)
WATCH(int, symlinkat, (const char *target, int fd, const char *path), (target, fd, path), NAMES, fd, path, -1)
WATCH(int, mkdir, (const char *path, mode_t mode), (path, mode), NAMES, AT_FDCWD, path, -1)
WATCH(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), NAMES, fd, path, -1)
WATCH(int, mkfifo, (const char *path, mode_t mode), (path, mode), NAMES, AT_FDCWD, path, -1)
WATCH(int, mkfifoat, (int fd, const char *path, mode_t mode), (fd, path, mode), NAMES, fd, path, -1)
WATCH(int, truncate64, (const char *path, off64_t size), (path, size), NAMES, AT_FDCWD, path, -1)

#define ALTERS (CHANGES | MEDIUM | PERMISSION)
WATCH(int, unlink, (const char *path), (path), ALTERS, AT_FDCWD, path, -1)
WATCH(int, unlinkat, (int fd, const char *path, int how), (fd, path, how), ALTERS, fd, path, -1)
WATCH(int, rmdir, (const char *path), (path), ALTERS, AT_FDCWD, path, -1)
WATCH(int, chmod, (const char *path, mode_t mode), (path, mode), ALTERS, AT_FDCWD, path, -1)
WATCH(int, fchmod, (int fd, mode_t mode), (fd, mode), ALTERS, fd, NULL, -1)
WATCH(int, fchmodat, (int fd, const char *path, mode_t mode, int how), (fd, path, mode, how), ALTERS, fd, path, -1)
WATCH(int, chown, (const char *path, uid_t user, gid_t group), (path, user, group), ALTERS, AT_FDCWD, path, -1)
WATCH(int, lchown, (const char *path, uid_t user, gid_t group), (path, user, group), ALTERS, AT_FDCWD, path, -1)
WATCH(int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group), ALTERS, fd, NULL, -1)
WATCH(int, fchownat, (int fd, const char *path, uid_t user, gid_t group, int how), (fd, path, user, group, how),
      ALTERS, fd, path, -1)
WATCH(int, utimensat, (int fd, const char *path, const struct timespec *times, int how), (fd, path, times, how), ALTERS,
      fd, path, -1)
WATCH(int, futimens, (int fd, const struct timespec *times), (fd, times), ALTERS, fd, NULL, -1)

typedef const char *text;
#define SET_ATTRIBUTE (ALTERS | SPACE)
WATCH(int, setxattr, (text path, text key, const void *data, size_t size, int how), (path, key, data, size, how),
      SET_ATTRIBUTE, AT_FDCWD, path, -1)
WATCH(int, lsetxattr, (text path, text key, const void *data, size_t size, int how), (path, key, data, size, how),
      SET_ATTRIBUTE, AT_FDCWD, path, -1)
WATCH(int, fsetxattr, (int fd, text key, const void *data, size_t size, int how), (fd, key, data, size, how),
      SET_ATTRIBUTE, fd, NULL, -1)
WATCH(int, removexattr, (text path, text key), (path, key), ALTERS, AT_FDCWD, path, -1)
WATCH(int, lremovexattr, (text path, text key), (path, key), ALTERS, AT_FDCWD, path, -1)
WATCH(int, fremovexattr, (int fd, text key), (fd, key), ALTERS, fd, NULL, -1)

WATCH(int, open, (text path, int flags, mode_t mode), (path, flags, mode), opening(AT_FDCWD, path, flags), AT_FDCWD,
      path, -1)
WATCH(int, open64, (text path, int flags, mode_t mode), (path, flags, mode), opening(AT_FDCWD, path, flags), AT_FDCWD,
      path, -1)
WATCH(int, openat, (int fd, text path, int flags, mode_t mode), (fd, path, flags, mode), opening(fd, path, flags), fd,
      path, -1)
WATCH(int, openat64, (int fd, text path, int flags, mode_t mode), (fd, path, flags, mode), opening(fd, path, flags),
      fd, path, -1)
WATCH(DIR *, opendir, (text path), (path), MEDIUM | DESCRIPTOR | PERMISSION | LOOKS, AT_FDCWD, path, NULL)

#define READS (MEDIUM | LOOKS)
WATCH(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), READS, fd, NULL, -1)
WATCH(ssize_t, readv, (int fd, const struct iovec *list, int count), (fd, list, count), READS, fd, NULL, -1)
WATCH(ssize_t, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), READS, fd, NULL, -1)
WATCH(ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at), READS, fd, NULL, -1)
WATCH(ssize_t, preadv64v2, (int fd, const struct iovec *list, int count, off64_t at, int how),
      (fd, list, count, at, how), READS, fd, NULL, -1)
WATCH(struct dirent *, readdir, (DIR * open), (open), READS, dirfd(open), NULL, NULL)
WATCH(struct dirent64 *, readdir64, (DIR * open), (open), READS, dirfd(open), NULL, NULL)
WATCH(int, fstat, (int fd, struct stat *to), (fd, to), READS, fd, NULL, -1)
WATCH(int, fstat64, (int fd, struct stat64 *to), (fd, to), READS, fd, NULL, -1)
WATCH(int, __fxstat, (int as, int fd, struct stat *to), (as, fd, to), READS, fd, NULL, -1)
WATCH(int, __fxstat64, (int as, int fd, struct stat64 *to), (as, fd, to), READS, fd, NULL, -1)
WATCH(ssize_t, fgetxattr, (int fd, text key, void *to, size_t size), (fd, key, to, size), READS, fd, NULL, -1)
WATCH(ssize_t, flistxattr, (int fd, char *to, size_t size), (fd, to, size), READS, fd, NULL, -1)
WATCH(void *, mmap, (void *at, size_t size, int how, int flags, int fd, off_t from), (at, size, how, flags, fd, from),
      fd < 0 ? 0 : READS | DESCRIPTOR | PERMISSION, fd, NULL, MAP_FAILED)
WATCH(void *, mmap64, (void *at, size_t size, int how, int flags, int fd, off64_t from),
      (at, size, how, flags, fd, from), fd < 0 ? 0 : READS | DESCRIPTOR | PERMISSION, fd, NULL, MAP_FAILED)

#define FINDS (MEDIUM | PERMISSION | LOOKS)
WATCH(int, stat, (text path, struct stat *to), (path, to), FINDS, AT_FDCWD, path, -1)
WATCH(int, stat64, (text path, struct stat64 *to), (path, to), FINDS, AT_FDCWD, path, -1)
WATCH(int, lstat, (text path, struct stat *to), (path, to), FINDS, AT_FDCWD, path, -1)
WATCH(int, lstat64, (text path, struct stat64 *to), (path, to), FINDS, AT_FDCWD, path, -1)
WATCH(int, fstatat, (int fd, text path, struct stat *to, int how), (fd, path, to, how), FINDS, fd, path, -1)
WATCH(int, fstatat64, (int fd, text path, struct stat64 *to, int how), (fd, path, to, how), FINDS, fd, path, -1)
WATCH(int, __xstat, (int as, text path, struct stat *to), (as, path, to), FINDS, AT_FDCWD, path, -1)
WATCH(int, __xstat64, (int as, text path, struct stat64 *to), (as, path, to), FINDS, AT_FDCWD, path, -1)
WATCH(int, __lxstat64, (int as, text path, struct stat64 *to), (as, path, to), FINDS, AT_FDCWD, path, -1)
WATCH(int, statx, (int fd, text path, int how, unsigned mask, struct statx *to), (fd, path, how, mask, to), FINDS, fd,
      path, -1)
WATCH(int, access, (text path, int how), (path, how), FINDS, AT_FDCWD, path, -1)
WATCH(int, faccessat, (int fd, text path, int how, int flags), (fd, path, how, flags), FINDS, fd, path, -1)
WATCH(ssize_t, readlink, (text path, char *to, size_t size), (path, to, size), FINDS, AT_FDCWD, path, -1)
WATCH(ssize_t, readlinkat, (int fd, text path, char *to, size_t size), (fd, path, to, size), FINDS, fd, path, -1)
WATCH(ssize_t, getxattr, (text path, text key, void *to, size_t size), (path, key, to, size), FINDS, AT_FDCWD, path, -1)
WATCH(ssize_t, lgetxattr, (text path, text key, void *to, size_t size), (path, key, to, size), FINDS, AT_FDCWD, path, -1)
WATCH(ssize_t, listxattr, (text path, char *to, size_t size), (path, to, size), FINDS, AT_FDCWD, path, -1)
WATCH(ssize_t, llistxattr, (text path, char *to, size_t size), (path, to, size), FINDS, AT_FDCWD, path, -1)
WATCH(int, fstatfs, (int fd, struct statfs *to), (fd, to), READS, fd, NULL, -1)

/* A close that fails has closed. */
REPLACE(int, close, (int fd)) {
    FIND(close);
    int verdict = report ? meet("close", READS, fd, NULL) : PASS;
    int result = real_close(fd);
    if (verdict != REFUSED && verdict != CUT_SHORT) return result;
    errno = failure;
    return -1;
}

/* A full disk says so when it is asked. */
#define WATCH_ROOM(name, type, parameters, arguments, fd, path)                 \
    REPLACE(int, name, parameters) {                                            \
        FIND(name);                                                             \
        int verdict = report ? meet(#name, FINDS, fd, path) : PASS;             \
        if (verdict == REFUSED || verdict == CUT_SHORT) {                       \
            errno = failure;                                                    \
            return -1;                                                          \
        }                                                                       \
        int result = real_##name arguments;                                     \
        if (result == 0 && full) to->f_bfree = to->f_bavail = 0;                \
        return result;                                                          \
    }

WATCH_ROOM(statvfs, struct statvfs, (text path, struct statvfs *to), (path, to), AT_FDCWD, path)
WATCH_ROOM(statvfs64, struct statvfs64, (text path, struct statvfs64 *to), (path, to), AT_FDCWD, path)
WATCH_ROOM(fstatvfs64, struct statvfs64, (int fd, struct statvfs64 *to), (fd, to), fd, NULL)
