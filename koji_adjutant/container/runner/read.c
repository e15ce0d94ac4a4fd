/* `read`: one frame for the follower. Every frame can be asked for again.
 *
 *   ADJFRAME1 RUN ALIVE OUT_OFFSET OUT_LENGTH OUT_TOTAL ERR_OFFSET ERR_LENGTH ERR_TOTAL LIMIT PEAK KILLS STATUS_LENGTH CRC\n
 *   then OUT_LENGTH bytes of output, ERR_LENGTH bytes of stderr, STATUS_LENGTH bytes of status (-1: there is none).
 *
 * RUN is the run id or "-" (never started). ALIVE: the runner still lives. CRC covers the header up to it and all that
 * follows. The order of looking matters: first the runner, then its status, then its logs; a status that is there was
 * written after the last byte of the logs, and a runner seen dead has written its status before or never will.
 */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_MS = 20, POLL_LONGEST_MS = 100, LINGER_MS = 1000 };

struct log {
    const char *name;
    int64_t offset; /* -1: not wanted */
    int64_t total;
    size_t length;
    char *data;
};

struct view {
    int dirfd;
    char run_id[RUN_ID_LENGTH + 2];
    bool alive;
    char status[STATUS_LIMIT];
    ssize_t status_length;
    struct log logs[2];
    unsigned long long memory[3];
};

static bool runner_lives(int dirfd)
{
    int fd = open_regular(dirfd, "run-id", O_RDONLY);
    if (fd < 0)
        return false;
    bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return locked;
}

static void measure(struct view *view, struct log *log)
{
    struct stat info;
    if (log->offset < 0)
        return;
    log->total = 0;
    if (fstatat(view->dirfd, log->name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
        log->total = info.st_size;
}

static void look(struct view *view)
{
    if (read_small(view->dirfd, "run-id", view->run_id, sizeof view->run_id) != RUN_ID_LENGTH)
        strcpy(view->run_id, "-");
    view->alive = runner_lives(view->dirfd);
    view->status_length = read_small(view->dirfd, "status", view->status, sizeof view->status);
    measure(view, &view->logs[0]);
    measure(view, &view->logs[1]);
}

static void touch(int dirfd)
{
    int fd = open_regular(dirfd, "touched", O_WRONLY);
    if (fd < 0)
        return;
    futimens(fd, NULL);
    close(fd);
}

static bool has_news(const struct log *log)
{
    return log->offset >= 0 && log->total > log->offset;
}

static bool is_full(const struct log *log, int64_t limit)
{
    return log->offset >= 0 && log->total - log->offset >= limit;
}

/* Wait for news; once there are some, a little longer, since a chatty step would else cost one exec per line. */
static void wait_for_news(struct view *view, int64_t limit, int64_t wait_ms)
{
    int64_t deadline = boottime_ms() + wait_ms;
    int64_t pause = POLL_MS;
    bool lingering = false;
    for (look(view);; look(view)) {
        int64_t now = boottime_ms();
        bool over = !view->alive || view->status_length >= 0;
        if (over || is_full(&view->logs[0], limit) || is_full(&view->logs[1], limit))
            return;
        if (!lingering && (has_news(&view->logs[0]) || has_news(&view->logs[1]))) {
            lingering = true;
            deadline = now + LINGER_MS < deadline ? now + LINGER_MS : deadline;
        }
        if (now >= deadline)
            return;
        sleep_ms(pause < deadline - now ? pause : deadline - now);
        pause = pause + pause / 4 < POLL_LONGEST_MS ? pause + pause / 4 : POLL_LONGEST_MS;
    }
}

static bool load(struct view *view, struct log *log, int64_t limit)
{
    if (!has_news(log))
        return true;
    int64_t wanted = log->total - log->offset < limit ? log->total - log->offset : limit;
    int fd = open_regular(view->dirfd, log->name, O_RDONLY);
    log->data = malloc((size_t)wanted);
    if (fd < 0 || log->data == NULL || lseek(fd, log->offset, SEEK_SET) != log->offset)
        return false;
    ssize_t got = read_all(fd, log->data, (size_t)wanted);
    close(fd);
    log->length = got > 0 ? (size_t)got : 0;
    return got >= 0;
}

static void load_memory(struct view *view)
{
    char text[128];
    if (read_small(view->dirfd, "memory", text, sizeof text) > 0)
        sscanf(text, "%llu %llu %llu", &view->memory[0], &view->memory[1], &view->memory[2]);
}

static bool print_frame(const struct view *view)
{
    char header[512];
    const struct log *out = &view->logs[0];
    const struct log *err = &view->logs[1];
    size_t status_size = view->status_length > 0 ? (size_t)view->status_length : 0;
    int length = snprintf(header, sizeof header, "ADJFRAME1 %s %d %lld %zu %lld %lld %zu %lld %llu %llu %llu %zd ",
                          view->run_id, view->alive, (long long)out->offset, out->length, (long long)out->total,
                          (long long)err->offset, err->length, (long long)err->total, view->memory[0],
                          view->memory[1], view->memory[2], view->status_length);
    uint32_t crc = crc32_update(0, header, (size_t)length);
    crc = crc32_update(crc, out->data, out->length);
    crc = crc32_update(crc, err->data, err->length);
    crc = crc32_update(crc, view->status, status_size);
    length += snprintf(header + length, sizeof header - (size_t)length, "%lu\n", (unsigned long)crc);
    return write_all(STDOUT_FILENO, header, (size_t)length) && write_all(STDOUT_FILENO, out->data, out->length) &&
           write_all(STDOUT_FILENO, err->data, err->length) && write_all(STDOUT_FILENO, view->status, status_size);
}

int read_main(int argc, char **argv)
{
    static struct view view = {.run_id = "-", .status_length = -1, .logs = {{.name = "out"}, {.name = "err"}}};
    int64_t limit;
    int64_t wait_ms;
    if (argc != 7 || !parse_number(argv[3], 0, INT64_MAX, &view.logs[0].offset) ||
        !parse_number(argv[4], -1, INT64_MAX, &view.logs[1].offset) || !parse_number(argv[5], 1, CHUNK_LIMIT, &limit) ||
        !parse_number(argv[6], 0, 3600000, &wait_ms))
        return fail(RUNNER_USAGE, "read DIR OUT ERR LIMIT WAIT");
    view.dirfd = open(argv[2], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (view.dirfd < 0 && errno != ENOENT)
        return fail(RUNNER_SYSTEM, "cannot open %s: %s", argv[2], strerror(errno));
    if (view.dirfd >= 0) {
        touch(view.dirfd);
        wait_for_news(&view, limit, wait_ms);
        load_memory(&view);
        if (!load(&view, &view.logs[0], limit) || !load(&view, &view.logs[1], limit))
            return fail(RUNNER_SYSTEM, "cannot read the logs in %s: %s", argv[2], strerror(errno));
    }
    return print_frame(&view) ? 0 : fail(RUNNER_SYSTEM, "the frame could not be written");
}
