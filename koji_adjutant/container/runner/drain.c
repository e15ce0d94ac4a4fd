/* The output of a step: out of its pipes, into its logs, up to the cap. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { RESERVE_BYTES = 1 << 16 };

/* Keep space behind the end of a log: a command that fills the disk must still be able to say so. */
void reserve_log(struct stream *stream)
{
    if (stream->reserved >= *stream->kept + RESERVE_BYTES)
        return;
    if (fallocate(stream->log_fd, FALLOC_FL_KEEP_SIZE, (off_t)*stream->kept, 2 * RESERVE_BYTES) == 0)
        stream->reserved = *stream->kept + 2 * RESERVE_BYTES;
    else if (!disk_is_full(errno))
        stream->reserved = UINT64_MAX; /* this file system cannot */
}

/* Bytes of `data` that the log took. After a failed write nothing more is kept, so that a log has no hole. */
static size_t keep(struct drain *drain, struct stream *stream, const char *data, size_t size)
{
    size_t done = 0;
    uint64_t room = drain->cap - drain->total;
    size_t wanted = size < room ? size : (size_t)room;
    while (done < wanted) {
        ssize_t now = write(stream->log_fd, data + done, wanted - done);
        if (now < 0 && errno == EINTR)
            continue;
        if (now <= 0) {
            drain->write_error = errno;
            drain->cap = drain->total + done;
            break;
        }
        done += (size_t)now;
    }
    return done;
}

/* Take what one pipe holds, at most 64 KiB; false if it had nothing. */
bool drain_once(struct drain *drain, int index)
{
    static char buffer[65536];
    struct stream *stream = &drain->streams[index];
    if (stream->pipe_fd < 0)
        return false;
    ssize_t got = read(stream->pipe_fd, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (got <= 0) {
        close(stream->pipe_fd);
        stream->pipe_fd = -1;
        return false;
    }
    size_t kept = keep(drain, stream, buffer, (size_t)got);
    drain->total += kept;
    *stream->kept += kept;
    reserve_log(stream);
    drain->dropped += (size_t)got - kept;
    drain->last_output = boottime_ms();
    return true;
}

/* When all writers are dead: what is still in the pipes. A writer that could not be killed must not keep us for ever. */
void drain_rest(struct drain *drain)
{
    int64_t deadline = boottime_ms() + 5000;
    for (int index = 0; index < drain->count; index++) {
        int fd = drain->streams[index].pipe_fd;
        if (fd >= 0)
            fcntl(fd, F_SETFL, O_NONBLOCK);
        while (drain_once(drain, index) && boottime_ms() < deadline)
            ;
    }
}
