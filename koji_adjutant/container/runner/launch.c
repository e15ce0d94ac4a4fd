/* `run` and `cancel`: start a step once and detached. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_step(const char *path, bool create)
{
    if (create && mkdir(path, 0700) != 0 && errno != EEXIST)
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool print_existing(int dirfd, const char *word)
{
    char run_id[RUN_ID_LENGTH + 2];
    if (read_small(dirfd, "run-id", run_id, sizeof run_id) != RUN_ID_LENGTH)
        return false;
    printf("%s %s\n", word, run_id);
    return fflush(stdout) == 0;
}

static bool make_run_id(char *run_id)
{
    unsigned char random[RUN_ID_LENGTH / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(run_id + 2 * i, 3, "%02x", random[i]);
    return true;
}

/* Become the one run of this step. The lock on `run-id` is held as long as the runner lives: followers see its death by it,
 * in any container and on the host. Returns the locked descriptor, or -1 (errno EEXIST: another run was first). */
static int claim(int dirfd, const char *run_id)
{
    char temporary[64];
    snprintf(temporary, sizeof temporary, "run-id.%d", (int)getpid());
    unlinkat(dirfd, temporary, 0);
    int fd = open_regular(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0)
        return -1;
    bool ready = flock(fd, LOCK_EX | LOCK_NB) == 0 && write_all(fd, run_id, RUN_ID_LENGTH) && fsync(fd) == 0;
    bool first = ready && linkat(dirfd, temporary, dirfd, "run-id", 0) == 0;
    int error = errno;
    unlinkat(dirfd, temporary, 0);
    if (first)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

/* In the detached process: nothing of the launching exec is held any more but the report pipe. */
static void run_detached(int dirfd, int report_fd, struct request *request)
{
    static struct status status = {.exit_code = -1, .file = -1};
    close_all_but(dirfd, report_fd);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    umask(077);
    if (!make_run_id(status.run_id))
        _exit(RUNNER_SYSTEM);
    if (!reserve_status(dirfd, &status) || claim(dirfd, status.run_id) < 0) {
        write_all(report_fd, errno == EEXIST ? "E" : disk_is_full(errno) ? "D" : "F", 1);
        release_status(dirfd, &status);
        _exit(RUNNER_SYSTEM);
    }
    supervise(dirfd, request, &status, report_fd);
    _exit(0);
}

/* Say what failed; a full disk has an exit code of its own. */
static int cannot(const char *what, const char *step, int error)
{
    return fail(disk_is_full(error) ? RUNNER_FULL : RUNNER_SYSTEM, "cannot %s %s: %s", what, step, strerror(error));
}

static char detach(int dirfd, struct request *request)
{
    int report[2];
    char answer = 'F';
    if (pipe2(report, O_CLOEXEC) != 0)
        return answer;
    pid_t middle = fork();
    if (middle == 0) {
        setsid();
        pid_t runner = fork();
        if (runner == 0)
            run_detached(dirfd, report[1], request);
        _exit(runner < 0);
    }
    close(report[1]);
    if (middle > 0)
        waitpid(middle, NULL, 0);
    if (read_all(report[0], &answer, 1) != 1)
        answer = 'F';
    close(report[0]);
    return answer;
}

int run_main(int argc, char **argv)
{
    int64_t size;
    int64_t crc;
    struct request request = {0};
    if (argc != 5 || !parse_number(argv[3], 1, INT32_MAX, &size) || !parse_number(argv[4], 0, UINT32_MAX, &crc))
        return fail(RUNNER_USAGE, "run DIR LENGTH CRC");
    if (geteuid() != 0) /* a step ends with the death of all processes of its uid: that must not be a person's */
        return fail(RUNNER_USAGE, "steps are started by the root user of a container");
    int dirfd = open_step(argv[2], true);
    if (dirfd < 0)
        return cannot("make", argv[2], errno);
    /* Read also for a step that exists: input that is left unread breaks the stream, and takes the answer with it. */
    bool whole = receive_request(&request, size, (uint32_t)crc);
    if (print_existing(dirfd, "exists"))
        return 0;
    if (!whole)
        return fail(RUNNER_DATA, "the request did not arrive whole");
    if (!replace_file(dirfd, "request", request.data, request.size))
        return cannot("write the request of", argv[2], errno);
    const char *wrong = parse_request(&request);
    if (wrong != NULL)
        return fail(RUNNER_USAGE, "%s", wrong);
    char answer = detach(dirfd, &request);
    if (answer == 'D')
        return cannot("start", argv[2], ENOSPC);
    if (answer != 'F' && print_existing(dirfd, answer == 'S' ? "started" : "exists"))
        return 0;
    return fail(RUNNER_SYSTEM, "the step in %s could not be started", argv[2]);
}

int cancel_main(int argc, char **argv)
{
    int dirfd = open_step(argv[argc - 1], false);
    if (dirfd < 0)
        return fail(RUNNER_SYSTEM, "no step in %s: %s", argv[2], strerror(errno));
    int fd = open_regular(dirfd, "cancel", O_WRONLY | O_CREAT);
    if (fd < 0)
        return fail(RUNNER_SYSTEM, "cannot write %s/cancel: %s", argv[2], strerror(errno));
    close(fd);
    return 0;
}
