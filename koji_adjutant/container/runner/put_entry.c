/* One entry of `put`: written under a name of our own, renamed when it is whole. No link that is there is followed; one that
 * stands where an entry goes is replaced. */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *temporary_name(void)
{
    static char name[48];
    snprintf(name, sizeof name, ".adjutant-put.%d", (int)getpid());
    return name;
}

static bool failed(const struct target *target, struct status *status, int error)
{
    status->end = reason_of(error);
    say(status, "%s: %s", target->path, strerror(error));
    return false;
}

static void leave(struct target *target)
{
    if (target->parent >= 0)
        close(target->parent);
    target->parent = -1;
}

/* What was begun is gone; nothing of it has been seen under its name. */
void put_abandon(struct target *target)
{
    if (target->fd >= 0) {
        close(target->fd);
        unlinkat(target->parent, temporary_name(), 0);
    }
    target->fd = -1;
    leave(target);
}

/* Owner first: a change of it takes setuid bits away. */
static bool set_attributes(int fd, mode_t mode)
{
    return fchown(fd, geteuid(), getegid()) == 0 && fchmod(fd, mode) == 0;
}

static bool publish(struct target *target)
{
    if (renameat(target->parent, temporary_name(), target->parent, target->name) == 0)
        return true;
    int error = errno;
    unlinkat(target->parent, temporary_name(), 0);
    errno = error;
    return false;
}

static bool finish_file(struct target *target, struct status *status)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = target->mtime}};
    int fd = target->fd;
    if (!set_attributes(fd, target->mode) || futimens(fd, times) != 0) {
        failed(target, status, errno);
        put_abandon(target);
        return false;
    }
    target->fd = -1;
    bool done = close(fd) == 0 && publish(target);
    int error = errno;
    leave(target);
    return done || failed(target, status, error);
}

static bool begin_file(struct target *target, struct status *status)
{
    unlinkat(target->parent, temporary_name(), 0);
    target->fd = open_regular(target->parent, temporary_name(), O_WRONLY | O_CREAT | O_EXCL);
    if (target->fd < 0)
        return failed(target, status, errno);
    return target->left > 0 || finish_file(target, status);
}

bool put_bytes(struct target *target, const char *data, size_t size, struct status *status)
{
    if (target->fd < 0 || size > target->left) {
        status->end = "broken-stream";
        say(status, "bytes that belong to no file");
        return false;
    }
    if (!write_all(target->fd, data, size))
        return failed(target, status, errno);
    target->left -= size;
    return target->left > 0 || finish_file(target, status);
}

static bool make_directory(struct target *target, struct status *status)
{
    bool there = mkdirat(target->parent, target->name, 0700) == 0 || errno == EEXIST;
    int found = there ? walk(target->parent, target->name, NULL) : -1;
    int fd = found < 0 ? -1 : openat(found, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && set_attributes(fd, target->mode);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (found >= 0)
        close(found);
    leave(target);
    return done || failed(target, status, error);
}

static bool make_link(struct target *target, const char *destination, struct status *status)
{
    unlinkat(target->parent, temporary_name(), 0);
    bool done = symlinkat(destination, target->parent, temporary_name()) == 0 && publish(target);
    int error = errno;
    leave(target);
    return done || failed(target, status, error);
}

/* "MODE MTIME SIZE PATH", numbers octal, decimal, decimal; a link has a NUL and its destination after that. */
static bool parse_entry(struct target *target, const char *text)
{
    unsigned mode;
    long long mtime;
    unsigned long long size;
    int used = 0;
    if (sscanf(text, "%o %lld %llu%n", &mode, &mtime, &size, &used) != 3 || text[used] != ' ' || mode > 07777)
        return false;
    target->mode = mode;
    target->mtime = mtime;
    target->left = size;
    strcpy(target->path, text + used + 1);
    return true;
}

bool put_entry(struct target *target, char type, char *text, size_t length, struct status *status)
{
    if (target->fd >= 0 || strchr("DFL", type) == NULL || !parse_entry(target, text)) {
        status->end = "broken-stream";
        say(status, "an entry that cannot be understood");
        return false;
    }
    target->parent = walk(target->dirfd, target->path, target->name);
    if (target->parent < 0)
        return failed(target, status, errno);
    if (target->name[0] == '\0')
        return failed(target, status, EXDEV);
    if (type == 'D')
        return make_directory(target, status);
    if (type == 'F')
        return begin_file(target, status);
    size_t used = strlen(text) + 1;
    return make_link(target, used < length ? text + used : "", status);
}
