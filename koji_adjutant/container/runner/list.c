/* `list`: the entries of one directory as frames O: "KIND SIZE NAME" and a NUL for each, KIND one of f d l o. */
#include "streams.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_ENTRY = 512 };

static DIR *open_list(const char *root, const char *path)
{
    int rootfd = open_root(root);
    int found = rootfd < 0 ? -1 : walk(rootfd, path, NULL);
    int fd = found < 0 ? -1 : openat(found, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? NULL : fdopendir(fd);
}

static char kind_of(mode_t mode)
{
    return S_ISREG(mode) ? 'f' : S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : 'o';
}

static bool is_listed(DIR *directory, const char *name, struct stat *info)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    return fstatat(dirfd(directory), name, info, AT_SYMLINK_NOFOLLOW) == 0; /* or gone since */
}

static bool send_entries(struct frames *frames, size_t *used)
{
    if (*used > 0)
        frames_add(frames, 'O', *used);
    *used = 0;
    return frames_flush(frames);
}

/* The word for the last frame. */
static const char *list(struct frames *frames, DIR *directory, uint64_t most, uint64_t *count)
{
    struct dirent *entry;
    struct stat info;
    size_t used = 0;
    if (directory == NULL)
        return reason_of(errno);
    for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0) {
        if (!is_listed(directory, entry->d_name, &info))
            continue;
        if (*count == most)
            return "too-large";
        ++*count;
        char *room = frames_room(frames);
        used += 1 + (size_t)snprintf(room + used, LONGEST_ENTRY, "%c %llu %s", kind_of(info.st_mode),
                                     (unsigned long long)info.st_size, entry->d_name);
        if (used > FRAME_LIMIT - LONGEST_ENTRY && !send_entries(frames, &used))
            return "failed";
    }
    if (errno != 0)
        return "failed";
    return send_entries(frames, &used) ? "ok" : "failed";
}

int list_main(int argc, char **argv)
{
    static struct status status = {.exit_code = -1, .file = -1};
    static struct frames frames;
    int64_t most;
    uint64_t count = 0;
    if (argc < 4 || argc > 5 || !decode_path(argv[2]) || !parse_number(argv[3], 0, INT64_MAX, &most))
        return fail(RUNNER_USAGE, "list DIR MAX_ENTRIES [ROOT]");
    if (!frames_open(&frames))
        return fail(RUNNER_SYSTEM, "no standard output: %s", strerror(errno));
    status.end = list(&frames, open_list(argc == 5 ? argv[4] : "/", argv[2]), (uint64_t)most, &count);
    if (strcmp(status.end, "ok") != 0 && strcmp(status.end, "too-large") != 0)
        say(&status, "%s", strerror(errno));
    return frames_end(&frames, &status, count) ? 0 : RUNNER_SYSTEM;
}
