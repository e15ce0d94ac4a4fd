/* `put`: entries from standard input, as frames, below a directory that is there.
 *
 *   D, F, L  a directory, a file, a symbolic link (put_entry.c says what is in the frame)
 *   O        the next bytes of the file
 *   S        all was sent; without it the stream was cut
 */
#include "streams.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cut(struct status *status)
{
    status->end = "broken-stream";
    say(status, "the stream was cut or damaged");
    return false;
}

static bool put_all(struct source *source, struct target *target, struct status *status)
{
    while (source_next(source)) {
        bool done;
        if (source->type == 'S')
            return target->fd < 0 || cut(status);
        if (source->type == 'O')
            done = put_bytes(target, source->payload, source->length, status);
        else
            done = put_entry(target, source->type, source->payload, source->length, status);
        if (!done)
            return false;
    }
    return cut(status);
}

static int open_target(const char *root, const char *path, struct status *status)
{
    int rootfd = open_root(root);
    int fd = rootfd < 0 ? -1 : walk(rootfd, path, NULL);
    if (fd >= 0)
        return fd;
    status->end = reason_of(errno);
    say(status, "%s: %s", path, strerror(errno));
    return -1;
}

int put_main(int argc, char **argv)
{
    static struct status status = {.exit_code = -1, .file = -1, .end = "ok"};
    static struct frames frames;
    static struct source source;
    static struct target target = {.parent = -1, .fd = -1};
    if (argc < 3 || argc > 4 || !decode_path(argv[2]))
        return fail(RUNNER_USAGE, "put DIR [ROOT]");
    if (!frames_open(&frames))
        return fail(RUNNER_SYSTEM, "no standard output: %s", strerror(errno));
    umask(077);
    target.dirfd = open_target(argc == 4 ? argv[3] : "/", argv[2], &status);
    bool done = target.dirfd >= 0 && put_all(&source, &target, &status);
    put_abandon(&target);
    bool told = frames_end(&frames, &status, 0);
    if (!done)
        drop_input(UINT64_MAX);
    return told ? 0 : RUNNER_SYSTEM;
}
