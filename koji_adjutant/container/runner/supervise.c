/* The life of a step, from its first file to its status. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHECK_MS = 250, MEMORY_MS = 5000, GRACE_MS = 2000, KILL_MS = 20000, PIPE_BYTES = 1 << 18 };

struct run {
    int dirfd;
    const struct request *request;
    struct status *status;
    struct drain drain;
    struct memory before;
    int write_ends[2];
    int signal_fd;
    int memory_fd;
    pid_t main_pid;
    bool main_ended;
    int64_t started;
    int64_t touched;
    struct timespec touched_mtime;
    int64_t next_check;
    int64_t next_memory;
    int64_t kill_at; /* 0: it may go on */
};

static bool add_stream(struct run *run, const char *name, uint64_t *kept)
{
    int ends[2];
    int index = run->drain.count;
    int log_fd = open_regular(run->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
    if (log_fd < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        say(run->status, "cannot make the log %s: %s", name, strerror(errno));
        return false;
    }
    fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
    run->drain.streams[index] = (struct stream){ends[0], log_fd, kept, 0};
    reserve_log(&run->drain.streams[index]);
    run->write_ends[index] = ends[1];
    run->drain.count++;
    return true;
}

static void record_memory(struct run *run)
{
    char line[128];
    struct memory memory = read_memory();
    int length = snprintf(line, sizeof line, "%20llu %20llu %20llu\n", (unsigned long long)memory.limit,
                          (unsigned long long)memory.peak,
                          (unsigned long long)(memory.oom_kills - run->before.oom_kills));
    if (run->memory_fd >= 0 && pwrite(run->memory_fd, line, (size_t)length, 0) < 0)
        return; /* it is for a message only */
}

static bool prepare(struct run *run)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    run->signal_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    run->drain.cap = (uint64_t)run->request->log_cap;
    close(open_regular(run->dirfd, "touched", O_WRONLY | O_CREAT));
    run->memory_fd = open_regular(run->dirfd, "memory", O_WRONLY | O_CREAT);
    record_memory(run); /* now, while there is space */
    if (!add_stream(run, "out", &run->status->out_bytes))
        return false;
    if (run->request->separate_stderr && !add_stream(run, "err", &run->status->err_bytes))
        return false;
    return !run->request->offline || prove_offline(run->status);
}

static bool begin(struct run *run)
{
    run->before = read_memory();
    if (!prepare(run))
        return false;
    int err_fd = run->write_ends[run->drain.count - 1];
    run->main_pid = start_command(run->request, run->write_ends[0], err_fd, run->status);
    for (int index = 0; index < run->drain.count; index++)
        close(run->write_ends[index]);
    run->started = run->touched = run->drain.last_output = boottime_ms();
    return run->main_pid > 0;
}

static void reaped(pid_t pid, int wait_status, void *context)
{
    struct run *run = context;
    if (pid != run->main_pid)
        return;
    run->main_ended = true;
    if (WIFEXITED(wait_status))
        run->status->exit_code = WEXITSTATUS(wait_status);
    else if (WIFSIGNALED(wait_status))
        run->status->signal = WTERMSIG(wait_status);
}

static void end_early(struct run *run, const char *end)
{
    run->status->end = end;
    run->kill_at = boottime_ms() + GRACE_MS;
    signal_descendants(SIGTERM);
}

/* A touch counts from when we see it: the clock of whoever touched does not matter. */
static void look_at_touch(struct run *run, int64_t now)
{
    struct stat info;
    if (fstatat(run->dirfd, "touched", &info, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    if (memcmp(&info.st_mtim, &run->touched_mtime, sizeof info.st_mtim) == 0)
        return;
    run->touched_mtime = info.st_mtim;
    run->touched = now;
}

static void check_reasons(struct run *run, int64_t now)
{
    const struct request *request = run->request;
    struct stat info;
    look_at_touch(run, now);
    if (fstatat(run->dirfd, "cancel", &info, AT_SYMLINK_NOFOLLOW) == 0) {
        end_early(run, "cancelled");
    } else if (now - run->started >= request->timeout_ms) {
        say(run->status, "ran for %.1f s, its time-out", (double)request->timeout_ms / 1000);
        end_early(run, "timeout");
    } else if (request->no_output_ms > 0 && now - run->drain.last_output >= request->no_output_ms) {
        say(run->status, "wrote nothing for %.1f s", (double)request->no_output_ms / 1000);
        end_early(run, "no-output");
    } else if (now - run->touched >= request->orphan_ms) {
        say(run->status, "no follower for %.1f s", (double)request->orphan_ms / 1000);
        end_early(run, "orphaned");
    }
}

static void check(struct run *run)
{
    int64_t now = boottime_ms();
    if (now < run->next_check)
        return;
    run->next_check = now + CHECK_MS;
    if (now >= run->next_memory) {
        run->next_memory = now + MEMORY_MS;
        record_memory(run);
    }
    if (run->kill_at == 0)
        check_reasons(run, now);
}

static void wait_for_events(struct run *run)
{
    struct pollfd events[3] = {{run->signal_fd, POLLIN, 0}};
    struct signalfd_siginfo ignored;
    for (int index = 0; index < run->drain.count; index++)
        events[index + 1] = (struct pollfd){run->drain.streams[index].pipe_fd, POLLIN, 0};
    if (poll(events, (nfds_t)run->drain.count + 1, CHECK_MS) <= 0)
        return;
    for (int index = 0; index < run->drain.count; index++)
        if (events[index + 1].revents != 0)
            drain_once(&run->drain, index);
    if (events[0].revents != 0)
        while (read(run->signal_fd, &ignored, sizeof ignored) > 0)
            ;
}

/* Until the command has ended by itself, or its time to end by our wish is over. */
static void watch(struct run *run)
{
    for (;;) {
        wait_for_events(run);
        reap_children(reaped, run);
        if (run->kill_at == 0 && run->main_ended)
            return;
        check(run);
        if (run->kill_at != 0 && (boottime_ms() >= run->kill_at || signal_descendants(0) == 0))
            return;
    }
}

static void account(struct run *run)
{
    struct status *status = run->status;
    struct memory memory = read_memory();
    record_memory(run);
    status->dropped_bytes = run->drain.dropped;
    status->oom_kills = memory.oom_kills - run->before.oom_kills;
    status->peak_memory = memory.peak;
    if (status->oom_kills > 0)
        say(status, "the memory limit of %llu bytes was reached: processes killed: %llu, peak: %llu bytes",
            (unsigned long long)memory.limit, (unsigned long long)status->oom_kills,
            (unsigned long long)memory.peak);
    if (run->drain.write_error != 0)
        say(status, "the log could not be written: %s, %llu bytes lost", strerror(run->drain.write_error),
            (unsigned long long)status->dropped_bytes);
    else if (status->dropped_bytes > 0)
        say(status, "the log reached its cap of %lld bytes, %llu bytes dropped", (long long)run->request->log_cap,
            (unsigned long long)status->dropped_bytes);
}

void supervise(int dirfd, const struct request *request, struct status *status, int report_fd)
{
    struct run run = {.dirfd = dirfd, .request = request, .status = status, .signal_fd = -1, .memory_fd = -1};
    status->started_at = wall_time();
    status->end = "exited";
    if (begin(&run)) {
        if (!write_all(report_fd, "S", 1))
            say(status, "the launcher did not wait for the start");
        close(report_fd);
        report_fd = -1;
        watch(&run);
    } else {
        status->end = "not-started";
    }
    if (!kill_everything(request->uid, KILL_MS, reaped, &run))
        say(status, "processes of the step could not be killed");
    drain_rest(&run.drain);
    account(&run);
    status->ended_at = wall_time();
    if (write_status(dirfd, status) && report_fd >= 0)
        write_all(report_fd, "S", 1);
}
