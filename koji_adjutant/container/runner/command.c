/* Fork and exec of the command: its identity, its limits, its surroundings. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int complaint_fd;

static void give_up(const char *what, const char *name)
{
    char text[1024];
    int length = snprintf(text, sizeof text, "%s %.800s: %s", what, name, strerror(errno));
    if (length >= (int)sizeof text)
        length = (int)sizeof text - 1;
    write_all(complaint_fd, text, (size_t)length);
    _exit(127);
}

/* Handlers and masks survive exec: a build would inherit what our launcher ignored (SIGHUP breaks tests of cpython). */
static void reset_signals(void)
{
    /* By the call itself: the C library keeps signals 32 and 33 from its users, but they can be inherited as ignored. An
     * action of all zeros is SIG_DFL on every architecture. */
    static const char by_default[256];
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, by_default, NULL, (size_t)(NSIG - 1) / 8);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_limits(const struct request *request)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &limit);
    }
    if (request->nofile > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        /* A container's own hard limit cannot be raised; a wish above it is met as far as it goes. */
        if (limit.rlim_max > (rlim_t)request->nofile)
            limit.rlim_max = (rlim_t)request->nofile;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            give_up("cannot limit open files to the wanted", "number");
    }
}

static void set_personality(const struct request *request)
{
    if (request->personality_name == NULL)
        return;
    if (strcmp(request->personality_name, "linux32") != 0) {
        errno = EINVAL;
        give_up("cannot set personality", request->personality_name);
    }
    if (personality(PER_LINUX32) < 0)
        give_up("cannot set personality", request->personality_name);
}

/* Permitted and effective capabilities go with the uid; inheritable and ambient ones would stay. No no_new_privs: setuid
 * programs and file capabilities work as in a mock chroot. */
static void clear_inheritable(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capget, &header, data) != 0)
        return;
    data[0].inheritable = data[1].inheritable = 0;
    syscall(SYS_capset, &header, data);
}

static void become(const struct request *request)
{
    char name[32];
    clear_inheritable();
    if (setgroups((size_t)request->group_count, request->groups) != 0)
        give_up("cannot set supplementary", "groups");
    snprintf(name, sizeof name, "%u", (unsigned)request->gid);
    if (setresgid(request->gid, request->gid, request->gid) != 0)
        give_up("cannot become gid", name);
    snprintf(name, sizeof name, "%u", (unsigned)request->uid);
    if (setresuid(request->uid, request->uid, request->uid) != 0)
        give_up("cannot become uid", name);
}

static const char *search_path(char **envp)
{
    for (; *envp != NULL; envp++)
        if (strncmp(*envp, "PATH=", 5) == 0)
            return *envp + 5;
    return "/usr/bin:/bin:/usr/sbin:/sbin";
}

/* Not execvp: that one takes the launcher's PATH and hands files without a magic number to a shell. */
static void execute(char **argv, char **envp)
{
    char program[4096];
    if (strchr(argv[0], '/') != NULL) {
        execve(argv[0], argv, envp);
        give_up("cannot execute", argv[0]);
    }
    int error = ENOENT;
    for (const char *path = search_path(envp); *path != '\0';) {
        int length = (int)strcspn(path, ":");
        snprintf(program, sizeof program, "%.*s/%s", length, length > 0 ? path : ".", argv[0]);
        execve(program, argv, envp);
        if (errno != ENOENT && errno != ENOTDIR)
            error = errno;
        path += length + (path[length] == ':');
    }
    errno = error;
    give_up("cannot execute", argv[0]);
}

static void run_child(const struct request *request, int out_fd, int err_fd)
{
    int in_fd = request->input_fd > 0 ? request->input_fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in_fd < 0)
        give_up("cannot open", "/dev/null");
    if (dup2(in_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0)
        give_up("cannot set up", "standard streams");
    setsid();
    umask(request->umask);
    set_limits(request);
    set_personality(request);
    if (request->chroot_dir != NULL && (chroot(request->chroot_dir) != 0 || chdir("/") != 0))
        give_up("cannot change root to", request->chroot_dir);
    become(request);
    if (chdir(request->workdir) != 0)
        give_up("cannot enter directory", request->workdir);
    reset_signals();
    execute(request->argv, request->envp);
}

/* Wait for the exec: the pipe closes with it, or brings the complaint. */
static bool started(int fd, struct status *status)
{
    char text[1024];
    ssize_t got = read_all(fd, text, sizeof text - 1);
    text[got > 0 ? got : 0] = '\0';
    if (got != 0)
        say(status, "%s", got > 0 ? text : "the start of the command could not be watched");
    return got == 0;
}

pid_t start_command(const struct request *request, int out_fd, int err_fd, struct status *status)
{
    int complaint[2];
    /* A pipe belongs to its maker: without this the command could not open /dev/stdout or /dev/stderr by name. */
    if (fchown(out_fd, request->uid, request->gid) != 0 || fchown(err_fd, request->uid, request->gid) != 0)
        say(status, "/dev/stderr cannot be opened by name: %s", strerror(errno));
    if (pipe2(complaint, O_CLOEXEC) != 0) {
        say(status, "no pipe: %s", strerror(errno));
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        complaint_fd = complaint[1];
        run_child(request, out_fd, err_fd);
    }
    int error = errno;
    close(complaint[1]);
    if (pid < 0)
        say(status, "cannot fork: %s", strerror(error));
    else if (!started(complaint[0], status))
        pid = -1;
    close(complaint[0]);
    return pid;
}
