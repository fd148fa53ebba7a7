/* Records what a process does to the files below one directory: every write, truncation, sync and change of names.
 *
 * Preloaded into a process, so it sees the calls of liblmdb too. POWER_ROOT is the directory, POWER_LOG the file that
 * the records are appended to, POWER_DIE_AT (optional) the number of the record before which this process dies.
 * A call and its record are one step: no other thread's call comes between. A record, little-endian:
 *
 *   u8 what, u64 inode, u64 offset or size or flags, u32 length of each: path, other path, data; then these three
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum what { OPEN = 1, WRITE, TRUNCATE, SYNC, RENAME, MKDIR, UNLINK, RMDIR, LINK, MARK, SYNC_RANGE };

static pthread_mutex_t step = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int log_fd = -1;
static long die_at = -1;
static long records;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void)
{
    const char *where = getenv("POWER_ROOT"), *log = getenv("POWER_LOG"), *die = getenv("POWER_DIE_AT");
    if (!where || !log)
        return;
    snprintf(root, sizeof root, "%s", where);
    root_length = strlen(root);
    die_at = die ? atol(die) : -1;
    log_fd = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void put(unsigned char **at, const void *data, size_t size)
{
    memcpy(*at, data, size);
    *at += size;
}

static void append(uint8_t what, uint64_t inode, uint64_t number, const char *path, const char *other,
                   const struct iovec *pieces, int count, size_t size)
{
    uint32_t lengths[3] = {path ? strlen(path) : 0, other ? strlen(other) : 0, size};
    unsigned char *record = malloc(29 + lengths[0] + lengths[1] + size), *at = record;
    put(&at, &what, 1);
    put(&at, &inode, 8);
    put(&at, &number, 8);
    put(&at, lengths, 12);
    put(&at, path, lengths[0]);
    put(&at, other, lengths[1]);
    for (int each = 0; each < count && size; each++) {
        size_t part = pieces[each].iov_len < size ? pieces[each].iov_len : size;
        put(&at, pieces[each].iov_base, part);
        size -= part;
    }
    ssize_t length = at - record;
    if (REAL(write)(log_fd, record, length) != length)
        abort(); /* a record that is lost would prove anything */
    free(record);
    records++;
}

static void die_if_due(void)
{
    if (die_at >= 0 && records >= die_at)
        kill(getpid(), SIGKILL);
}

/* Before the call: the process may die here instead, as if it had been killed. */
static int enter(int watched)
{
    pthread_mutex_lock(&step);
    if (watched)
        die_if_due();
    return watched;
}

static void leave(void)
{
    pthread_mutex_unlock(&step);
}

static int below_root(const char *path)
{
    char next = log_fd >= 0 && strncmp(path, root, root_length) == 0 ? path[root_length] : '?';
    return next == '/' || next == 0;
}

static int path_of(int fd, char *path)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return length > 0;
}

static int watched_fd(int fd)
{
    char path[PATH_MAX];
    if (log_fd < 0 || fd == log_fd || !path_of(fd, path))
        return 0;
    return below_root(path);
}

static int full_path(int directory, const char *given, char *path)
{
    char base[PATH_MAX] = "";
    if (given[0] == '/')
        snprintf(path, PATH_MAX, "%s", given);
    else if (directory == AT_FDCWD ? getcwd(base, sizeof base) != NULL : path_of(directory, base))
        snprintf(path, PATH_MAX, "%.2000s/%.2000s", base, given);
    else
        return 0;
    return below_root(path);
}

static uint64_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static void wrote(int fd, const struct iovec *pieces, int count, uint64_t offset, ssize_t size)
{
    uint64_t inode = inode_of(fd);
    append(WRITE, inode, offset, NULL, NULL, pieces, count, size);
    if (fcntl(fd, F_GETFL) & O_DSYNC) {
        uint64_t length = size;
        die_if_due(); /* written, and not yet on the disk */
        struct iovec data = {&length, 8};
        append(SYNC_RANGE, inode, offset, NULL, NULL, &data, 1, 8);
    }
}

static uint64_t position(int fd)
{
    return lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
}

#define WRITES(name, parameters, arguments, pieces, count, offset)   \
    ssize_t name parameters                                          \
    {                                                                \
        int watched = enter(watched_fd(fd));                         \
        uint64_t start = watched ? (offset) : 0;                     \
        ssize_t result = REAL(name) arguments;                       \
        int error = errno;                                           \
        if (watched && result > 0)                                   \
            wrote(fd, pieces, count, start, result);                 \
        leave();                                                     \
        errno = error;                                               \
        return result;                                               \
    }

#define PIECE ((struct iovec[]){{(void *)data, size}})
WRITES(write, (int fd, const void *data, size_t size), (fd, data, size), PIECE, 1, position(fd))
WRITES(pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), PIECE, 1, at)
WRITES(pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at), PIECE, 1, at)
WRITES(writev, (int fd, const struct iovec *all, int count), (fd, all, count), all, count, position(fd))
WRITES(pwritev, (int fd, const struct iovec *all, int count, off_t at), (fd, all, count, at), all, count, at)
WRITES(pwritev64, (int fd, const struct iovec *all, int count, off64_t at), (fd, all, count, at), all, count, at)

#define OF_DESCRIPTOR(name, parameters, arguments, what, number)              \
    int name parameters                                                       \
    {                                                                         \
        int watched = enter(watched_fd(fd));                                  \
        int result = REAL(name) arguments, error = errno;                     \
        if (watched && result == 0)                                           \
            append(what, inode_of(fd), number, NULL, NULL, NULL, 0, 0);       \
        leave();                                                              \
        errno = error;                                                        \
        return result;                                                        \
    }

OF_DESCRIPTOR(fsync, (int fd), (fd), SYNC, 0)
OF_DESCRIPTOR(fdatasync, (int fd), (fd), SYNC, 0)
OF_DESCRIPTOR(ftruncate, (int fd, off_t size), (fd, size), TRUNCATE, size)
OF_DESCRIPTOR(ftruncate64, (int fd, off64_t size), (fd, size), TRUNCATE, size)

static void opened(int fd, const char *path, int flags)
{
    if (fd >= 0 && (flags & O_TMPFILE) != O_TMPFILE)
        append(OPEN, inode_of(fd), flags & O_TRUNC ? 1 : 0, path, NULL, NULL, 0, 0);
}

#define OPENS(name, parameters, arguments, directory)                            \
    int name parameters                                                          \
    {                                                                            \
        char path[PATH_MAX];                                                     \
        mode_t mode = 0;                                                         \
        if (flags & (O_CREAT | O_TMPFILE)) {                                     \
            va_list rest;                                                        \
            va_start(rest, flags);                                               \
            mode = va_arg(rest, mode_t);                                         \
            va_end(rest);                                                        \
        }                                                                        \
        int watched = enter(full_path(directory, given, path) && flags & (O_CREAT | O_TRUNC)); \
        int fd = REAL(name) arguments, error = errno;                            \
        if (watched)                                                             \
            opened(fd, path, flags);                                             \
        leave();                                                                 \
        errno = error;                                                           \
        return fd;                                                               \
    }

OPENS(open, (const char *given, int flags, ...), (given, flags, mode), AT_FDCWD)
OPENS(open64, (const char *given, int flags, ...), (given, flags, mode), AT_FDCWD)
OPENS(openat, (int at, const char *given, int flags, ...), (at, given, flags, mode), at)
OPENS(openat64, (int at, const char *given, int flags, ...), (at, given, flags, mode), at)

static void named(int what, const char *path, const char *other)
{
    struct stat status;
    uint64_t inode = lstat(other ? other : path, &status) == 0 ? status.st_ino : 0;
    append(what, inode, 0, path, other, NULL, 0, 0);
}

#define NAMES(name, parameters, arguments, what, directory)                      \
    int name parameters                                                          \
    {                                                                            \
        char path[PATH_MAX];                                                     \
        int watched = enter(full_path(directory, given, path));                  \
        int result = REAL(name) arguments, error = errno;                        \
        if (watched && result == 0)                                              \
            named(what, path, NULL);                                             \
        leave();                                                                 \
        errno = error;                                                           \
        return result;                                                           \
    }

NAMES(mkdir, (const char *given, mode_t mode), (given, mode), MKDIR, AT_FDCWD)
NAMES(mkdirat, (int at, const char *given, mode_t mode), (at, given, mode), MKDIR, at)
NAMES(unlink, (const char *given), (given), UNLINK, AT_FDCWD)
NAMES(unlinkat, (int at, const char *given, int flags), (at, given, flags), flags &AT_REMOVEDIR ? RMDIR : UNLINK, at)
NAMES(rmdir, (const char *given), (given), RMDIR, AT_FDCWD)

#define NAMES_TWO(name, parameters, arguments, what, one, two)                   \
    int name parameters                                                          \
    {                                                                            \
        char path[PATH_MAX], other[PATH_MAX];                                    \
        int inside = full_path(one, from, path), there = full_path(two, to, other); \
        int watched = enter(inside || there);                                    \
        int result = REAL(name) arguments, error = errno;                        \
        if (watched && result == 0)                                              \
            named(what, path, other);                                            \
        leave();                                                                 \
        errno = error;                                                           \
        return result;                                                           \
    }

NAMES_TWO(rename, (const char *from, const char *to), (from, to), RENAME, AT_FDCWD, AT_FDCWD)
NAMES_TWO(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), RENAME, a, b)
NAMES_TWO(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags), RENAME, a, b)
NAMES_TWO(link, (const char *from, const char *to), (from, to), LINK, AT_FDCWD, AT_FDCWD)
NAMES_TWO(linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags), LINK, a, b)

/* Called by the process itself, through ctypes: what it knows to be true from here on. */
void power_mark(const char *text)
{
    struct iovec data = {(void *)text, strlen(text)};
    enter(1);
    if (log_fd >= 0)
        append(MARK, 0, 0, NULL, NULL, &data, 1, data.iov_len);
    leave();
}
