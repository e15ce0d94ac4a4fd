/* `get`: one regular file as frames O; the last frame says whether that was all of it. */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(const char *root, const char *path)
{
    char name[NAME_MAX + 1];
    int rootfd = open_root(root);
    int parent = rootfd < 0 ? -1 : walk(rootfd, path, name);
    return parent < 0 ? -1 : open_regular(parent, name, O_RDONLY);
}

/* Until the end of the file, or one byte more than allowed; false: `errno` says why. */
static bool send_file(struct frames *frames, int fd, uint64_t most)
{
    while (frames->out_bytes <= most) {
        uint64_t room = most - frames->out_bytes + 1;
        ssize_t got = read(fd, frames_room(frames), room < FRAME_LIMIT ? (size_t)room : FRAME_LIMIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            return true;
        frames_add(frames, 'O', (size_t)got);
        if (!frames_flush(frames)) {
            errno = EPIPE;
            return false;
        }
    }
    errno = EFBIG;
    return false;
}

static const char *get(struct frames *frames, int fd, uint64_t most, uint64_t *size)
{
    struct stat info;
    if (fd < 0)
        return reason_of(errno);
    if (fstat(fd, &info) != 0)
        return "failed";
    *size = (uint64_t)info.st_size;
    if (*size > most)
        return "too-large";
    if (!send_file(frames, fd, most))
        return errno == EFBIG ? "too-large" : "failed";
    *size = frames->out_bytes;
    return "ok";
}

int get_main(int argc, char **argv)
{
    static struct status status = {.exit_code = -1, .file = -1};
    static struct frames frames;
    int64_t most;
    uint64_t size = 0;
    if (argc < 4 || argc > 5 || !decode_path(argv[2]) || !parse_number(argv[3], 0, INT64_MAX - 1, &most))
        return fail(RUNNER_USAGE, "get PATH MAX [ROOT]");
    if (!frames_open(&frames))
        return fail(RUNNER_SYSTEM, "no standard output: %s", strerror(errno));
    status.end = get(&frames, open_file(argc == 5 ? argv[4] : "/", argv[2]), (uint64_t)most, &size);
    if (strcmp(status.end, "ok") != 0 && strcmp(status.end, "too-large") != 0)
        say(&status, "%s", strerror(errno));
    return frames_end(&frames, &status, size) ? 0 : RUNNER_SYSTEM;
}
