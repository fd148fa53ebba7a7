/* The least that a backup and a restore can cost: the system calls and nothing else, in one thread.

     floor walk ROOT            every entry with its status
     floor read ROOT            and every byte of every file
     floor zstd ROOT            and everything compressed in blocks of 1 MiB, level 3
     floor create ROOT TARGET   directories and files of the names, sizes and times of ROOT in the missing TARGET

   Prints wall and CPU seconds of the work. Exits with 3 where there is no libzstd, with 1 when something fails. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK (1 << 20)
#define LEVEL 3
#define NO_ZSTD 3

typedef void visitor(int directory, const char *name, const char *path, const struct stat *status);

static char block[BLOCK], compressed[2 * BLOCK];
static size_t filled;

/* Declared here and looked up at run time, so that no header has to be installed. */
static void *context;
static size_t (*compress)(void *context, void *to, size_t room, const void *from, size_t length, int level);

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void walk(int parent, const char *name, const char *path, visitor *visit)
{
    int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *listing = directory < 0 ? NULL : fdopendir(directory);
    struct dirent *entry;
    struct stat status;
    char below[PATH_MAX];

    if (!listing)
        fail(path);
    while ((entry = readdir(listing))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW))
            fail(entry->d_name);
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", entry->d_name);
        visit(directory, entry->d_name, below, &status);
        if (S_ISDIR(status.st_mode))
            walk(directory, entry->d_name, below, visit);
    }
    closedir(listing);
}

static void only_look(int directory, const char *name, const char *path, const struct stat *status)
{
    (void)directory, (void)name, (void)path, (void)status;
}

static void end_block(void)
{
    if (compress)
        compress(context, compressed, sizeof compressed, block, filled, LEVEL);
    filled = 0;
}

static void read_it(int directory, const char *name, const char *path, const struct stat *status)
{
    ssize_t got;
    int file;

    if (!S_ISREG(status->st_mode))
        return;
    if ((file = openat(directory, name, O_RDONLY | O_NOFOLLOW)) < 0)
        fail(path);
    for (off_t left = status->st_size; left > 0; left -= got) {
        size_t room = BLOCK - filled;
        if ((got = read(file, block + filled, (off_t)room < left ? room : (size_t)left)) <= 0)
            fail(path);
        if ((filled += (size_t)got) == BLOCK)
            end_block();
    }
    close(file);
}

struct item {
    struct item *next;
    struct stat status;
    char path[];
};

static struct item *first, **last = &first;

static void plan_it(int directory, const char *name, const char *path, const struct stat *status)
{
    struct item *item = malloc(sizeof *item + strlen(path) + 1);

    (void)directory, (void)name;
    if (!item)
        fail(path);
    item->next = NULL;
    item->status = *status;
    strcpy(item->path, path);
    *last = item;
    last = &item->next;
}

static void create_file(int target, const struct item *item)
{
    const struct timespec times[2] = {item->status.st_mtim, item->status.st_mtim};
    int file = openat(target, item->path, O_WRONLY | O_CREAT | O_EXCL, item->status.st_mode & 07777);
    ssize_t put;

    if (file < 0)
        fail(item->path);
    for (off_t left = item->status.st_size; left > 0; left -= put)
        if ((put = write(file, block, left < BLOCK ? (size_t)left : BLOCK)) <= 0)
            fail(item->path);
    if (futimens(file, times) || close(file))
        fail(item->path);
}

static void create_all(const char *path)
{
    int target;

    if (mkdir(path, 0755) || (target = open(path, O_RDONLY | O_DIRECTORY)) < 0)
        fail(path);
    for (const struct item *item = first; item; item = item->next) {
        if (S_ISREG(item->status.st_mode))
            create_file(target, item);
        else if (S_ISDIR(item->status.st_mode) && mkdirat(target, item->path, 0755))
            fail(item->path);
    }
}

static void find_zstd(void)
{
    void *library = dlopen("libzstd.so.1", RTLD_NOW);
    void *(*make)(void);

    if (!library)
        exit(NO_ZSTD);
    *(void **)&make = dlsym(library, "ZSTD_createCCtx");
    *(void **)&compress = dlsym(library, "ZSTD_compressCCtx");
    if (!make || !compress || !(context = make()))
        exit(NO_ZSTD);
}

static double wall_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
        + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int count, char **words)
{
    const char *step = count > 2 ? words[1] : "";
    double wall, cpu;

    if (!strcmp(step, "zstd"))
        find_zstd();
    if (!strcmp(step, "create"))
        walk(AT_FDCWD, words[2], "", plan_it);
    wall = wall_seconds();
    cpu = cpu_seconds();
    if (!strcmp(step, "walk"))
        walk(AT_FDCWD, words[2], "", only_look);
    else if (!strcmp(step, "read") || !strcmp(step, "zstd"))
        walk(AT_FDCWD, words[2], "", read_it);
    else if (!strcmp(step, "create") && count == 4)
        create_all(words[3]);
    else
        return fprintf(stderr, "usage: floor walk|read|zstd|create ROOT [TARGET]\n"), 1;
    end_block();
    printf("%.6f %.6f\n", wall_seconds() - wall, cpu_seconds() - cpu);
    return 0;
}
