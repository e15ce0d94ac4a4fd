/* Paths below a root whose contents are hostile. Each component is opened by itself and looked at through its descriptor:
 * that needs no openat2, which old kernels lack and old seccomp profiles refuse, and cannot be raced either. */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* Arguments of an exec in Kubernetes must be UTF-8, names of files need not: %XX is a byte. False: that is no encoding. */
bool decode_path(char *text)
{
    char *to = text;
    for (char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_digit(from[1]);
        int low = high < 0 ? -1 : hex_digit(from[2]);
        if (low < 0 || high + low == 0)
            return false;
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return true;
}

/* The root is the caller's own word (/, or /proc/PID/root, which is a link): it is the one path that is followed. */
int open_root(const char *root)
{
    return open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int enter(int dirfd, const char *name)
{
    struct stat info;
    int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))
        return fd;
    close(fd);
    errno = S_ISLNK(info.st_mode) ? ELOOP : ENOTDIR;
    return -1;
}

/* Copy the next component; 0: there is none, -1: none that may be (errno). `path` moves behind it. */
static int next_component(const char **path, char *name)
{
    for (;;) {
        *path += strspn(*path, "/");
        size_t length = strcspn(*path, "/");
        if (length > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, *path, length);
        name[length] = '\0';
        *path += length;
        if (strcmp(name, "..") == 0) {
            errno = EXDEV;
            return -1;
        }
        if (strcmp(name, ".") != 0)
            return length > 0;
    }
}

/* A descriptor (O_PATH) of the directory `path` below `dirfd`. With `last` (NAME_MAX + 1 bytes) the last component goes
 * there instead, and the directory that should hold it is opened. -1: errno ELOOP means a link, EXDEV `..`. */
int walk(int dirfd, const char *path, char *last)
{
    char name[NAME_MAX + 1];
    int current = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
    int more = next_component(&path, name);
    if (last != NULL)
        last[0] = '\0';
    while (current >= 0 && more > 0) {
        if (last != NULL && path[strspn(path, "/")] == '\0') {
            strcpy(last, name);
            return current;
        }
        int next = enter(current, name);
        int error = errno;
        close(current);
        errno = error;
        current = next;
        more = current < 0 ? 0 : next_component(&path, name);
    }
    if (more == 0 || current < 0)
        return current;
    int error = errno;
    close(current);
    errno = error;
    return -1;
}

/* The words of pod_calls.py. */
const char *reason_of(int error)
{
    if (disk_is_full(error))
        return "disk-full";
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case EXDEV:
        return "missing";
    case ELOOP:
        return "link-outside";
    case EINVAL:
    case EISDIR:
    case EEXIST:
    case ENOTEMPTY:
    case ENXIO:
        return "not-regular";
    case EROFS:
        return "read-only";
    case EACCES:
    case EPERM:
        return "not-permitted";
    default:
        return "failed";
    }
}
