/* `exec`: one command with its streams through ours, for a runtime whose own exec loses the end of a command.
 *
 * Standard input: the request (LENGTH bytes), then the command's input (stdin_size bytes of the request); what follows is
 * dropped. Standard output: frames O and E with the command's output, and S with its end (JSON). Nothing that the command
 * starts lives longer than it, unless the request wants that (our own `run` detaches a step) and the command ended by itself.
 */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHECK_MS = 1000, KILL_MS = 20000, REQUEST_SECONDS = 120, PIPE_BYTES = 1 << 18, MOST_LEFT = 1 << 20 };

struct session {
    const struct request *request;
    struct status *status;
    struct frames frames;
    struct feed feed;
    int pipes[2];
    int signal_fd;
    bool signalled;
    pid_t main_pid;
    bool main_ended;
    int64_t deadline;
};

static void watch_signals(struct session *session)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGHUP);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    signal(SIGCHLD, SIG_DFL);
    session->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Ends of the command's three pipes: `theirs` by number of stream. */
static bool make_pipes(struct session *session, int *theirs)
{
    int ends[2];
    for (int stream = 0; stream < 3; stream++) {
        if (pipe2(ends, O_CLOEXEC) != 0)
            return false;
        int ours = stream == 0 ? ends[1] : ends[0];
        theirs[stream] = stream == 0 ? ends[0] : ends[1];
        fcntl(ours, F_SETPIPE_SZ, PIPE_BYTES);
        set_nonblocking(ours);
        if (stream == 0)
            session->feed.fd = ours;
        else
            session->pipes[stream - 1] = ours;
    }
    return true;
}

static bool begin(struct session *session, struct request *request)
{
    int theirs[3];
    watch_signals(session);
    if (!make_pipes(session, theirs)) {
        say(session->status, "no pipe: %s", strerror(errno));
        return false;
    }
    if (fchown(theirs[0], request->uid, request->gid) != 0)
        say(session->status, "/dev/stdin cannot be opened by name: %s", strerror(errno));
    request->input_fd = theirs[0];
    session->main_pid = start_command(request, theirs[1], theirs[2], session->status);
    for (int stream = 0; stream < 3; stream++)
        close(theirs[stream]);
    session->deadline = boottime_ms() + request->timeout_ms;
    return session->main_pid > 0;
}

static void reaped(pid_t pid, int wait_status, void *context)
{
    struct session *session = context;
    if (pid != session->main_pid || session->main_ended)
        return;
    session->main_ended = true;
    if (WIFEXITED(wait_status))
        session->status->exit_code = WEXITSTATUS(wait_status);
    else if (WIFSIGNALED(wait_status))
        session->status->signal = WTERMSIG(wait_status);
}

/* What one pipe holds becomes a frame; the number of bytes, 0 if there is nothing now or any more. */
static size_t relay(struct session *session, int index)
{
    int fd = session->pipes[index];
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, frames_room(&session->frames), FRAME_LIMIT);
    if (got > 0) {
        frames_add(&session->frames, index == 0 ? 'O' : 'E', (size_t)got);
        return (size_t)got;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(fd);
        session->pipes[index] = -1;
    }
    return 0;
}

static void read_signals(struct session *session)
{
    struct signalfd_siginfo info;
    while (read(session->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            session->signalled = true;
}

enum { SIGNALS, READER, OUT, ERR, CALLER, INPUT, EVENTS };

static bool waiting(const struct session *session)
{
    return session->frames.start < session->frames.end;
}

static void handle_events(struct session *session, const struct pollfd *events)
{
    if (events[SIGNALS].revents != 0)
        read_signals(session);
    if (events[READER].revents & (POLLERR | POLLHUP | POLLNVAL))
        session->frames.broken = true;
    if (events[CALLER].revents != 0)
        feed_take(&session->feed);
    if (events[INPUT].revents != 0 || events[CALLER].revents != 0)
        feed_give(&session->feed);
    if (events[OUT].revents != 0)
        relay(session, 0);
    if (events[ERR].revents != 0)
        relay(session, 1);
    frames_write(&session->frames);
}

static void wait_for_events(struct session *session)
{
    const struct feed *feed = &session->feed;
    bool busy = waiting(session);
    int64_t left = session->deadline - boottime_ms();
    struct pollfd events[EVENTS] = {
        [SIGNALS] = {session->signal_fd, POLLIN, 0},
        [READER] = {STDOUT_FILENO, busy ? POLLOUT : 0, 0},
        [OUT] = {busy ? -1 : session->pipes[0], POLLIN, 0},
        [ERR] = {busy ? -1 : session->pipes[1], POLLIN, 0},
        [CALLER] = {feed_wants(feed) ? STDIN_FILENO : -1, POLLIN, 0},
        [INPUT] = {feed->start < feed->end ? feed->fd : -1, POLLOUT, 0},
    };
    if (poll(events, EVENTS, left < 0 ? 0 : left < CHECK_MS ? (int)left : CHECK_MS) > 0)
        handle_events(session, events);
}

/* Why the session is over, NULL: it goes on. What the command's own end tells comes first. */
static const char *find_end(struct session *session)
{
    const struct feed *feed = &session->feed;
    if (session->frames.broken)
        return "gone";
    reap_children(reaped, session);
    if (session->main_ended)
        return "exited";
    if (boottime_ms() >= session->deadline)
        return "timeout";
    if (session->signalled)
        return "cancelled";
    if (feed->ended && feed->left > 0 && feed->fd >= 0)
        return "stdin-cut"; /* half an input must not look like a whole one */
    if (feed->ended && session->request->hangup)
        return "hangup";
    return NULL;
}

/* When all writers are dead. One that could not be killed must not keep us: no pipe holds more than MOST_LEFT. */
static void relay_rest(struct session *session)
{
    for (int index = 0; index < 2; index++)
        for (size_t got = 1, total = 0; got > 0 && total < MOST_LEFT && frames_flush(&session->frames); total += got)
            got = relay(session, index);
}

static void attend(struct session *session)
{
    struct status *status = session->status;
    feed_give(&session->feed); /* which closes an empty input */
    do
        wait_for_events(session);
    while ((status->end = find_end(session)) == NULL);
    if (strcmp(status->end, "exited") != 0)
        session->main_ended = true; /* how it dies by our hand is of no interest */
    bool leave = session->request->leave && strcmp(status->end, "exited") == 0;
    if (!leave && !reap_children(reaped, session) && !kill_everything(0, KILL_MS, reaped, session))
        say(status, "processes of the command could not be killed");
    relay_rest(session);
}

static int run_session(struct session *session, struct request *request)
{
    session->status->end = "not-started";
    if (begin(session, request))
        attend(session);
    if (!frames_end(&session->frames, session->status, 0))
        return RUNNER_SYSTEM;
    drop_input(session->feed.left);
    return 0;
}

/* No command was started: say so in the frame as well as by the exit code. */
static int refuse(struct session *session, int code, const char *end, const char *why)
{
    session->status->end = end;
    say(session->status, "%s", why);
    frames_end(&session->frames, session->status, 0);
    return fail(code, "%s", why);
}

int exec_main(int argc, char **argv)
{
    static struct status status = {.exit_code = -1, .file = -1};
    static struct session session = {.status = &status, .pipes = {-1, -1}, .feed = {.fd = -1}};
    static struct request request;
    int64_t size;
    int64_t crc;
    if (argc != 4 || !parse_number(argv[2], 1, INT32_MAX, &size) || !parse_number(argv[3], 0, UINT32_MAX, &crc))
        return fail(RUNNER_USAGE, "exec LENGTH CRC");
    if (!frames_open(&session.frames))
        return fail(RUNNER_SYSTEM, "no standard output: %s", strerror(errno));
    alarm(REQUEST_SECONDS);
    if (!receive_request(&request, size, (uint32_t)crc))
        return refuse(&session, RUNNER_DATA, "damaged", "the request did not arrive whole");
    alarm(0);
    const char *wrong = parse_request(&request);
    if (wrong == NULL && (request.timeout_ms <= 0 || request.workdir == NULL))
        wrong = "a request without a time limit or a directory";
    if (wrong != NULL)
        return refuse(&session, RUNNER_USAGE, "not-started", wrong);
    session.request = &request;
    session.feed.left = request.stdin_size;
    return run_session(&session, &request);
}
