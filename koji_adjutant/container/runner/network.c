/* A network of the step's own, for containers whose network belongs to others too (a pod's): a namespace with nothing but lo.
 *
 * With SYS_ADMIN in the container that is one call. Without it the step also gets a user namespace, in which every id means what
 * it meant outside: root of the container may map them, since it has SETUID, SETGID and SETFCAP. Setuid programs and file
 * capabilities work in it as before; what it gives root beyond what the container had is taken away again.
 */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CAPABILITIES = 64, MAP_LIMIT = 4096 };

static bool allowed[CAPABILITIES];

static void note_capabilities(void)
{
    for (int number = 0; number < CAPABILITIES; number++)
        allowed[number] = prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1;
}

/* What the command and its setuid programs may ever have is what the container's root had. */
bool give_up_capabilities(struct status *status)
{
    for (int number = 0; number < CAPABILITIES; number++) {
        if (allowed[number] || prctl(PR_CAPBSET_READ, number, 0, 0, 0) != 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) {
            say(status, "capability %d cannot be given up: %s", number, strerror(errno));
            return false;
        }
    }
    return true;
}

/* Our own map with its second column made equal to the first: each id becomes itself. */
static bool copy_map(const char *kind, pid_t pid)
{
    char path[64];
    char map[MAP_LIMIT] = "";
    size_t used = 0;
    unsigned long inside, outside, count;
    snprintf(path, sizeof path, "/proc/self/%s_map", kind);
    FILE *own = fopen(path, "re");
    if (own == NULL)
        return false;
    while (used < sizeof map - 64 && fscanf(own, "%lu %lu %lu", &inside, &outside, &count) == 3)
        used += (size_t)snprintf(map + used, sizeof map - used, "%lu %lu %lu\n", inside, inside, count);
    fclose(own);
    snprintf(path, sizeof path, "/proc/%d/%s_map", (int)pid, kind);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, map, used) == (ssize_t)used; /* in one call, or not at all */
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return done;
}

/* Stays in the old namespace, where root may write the maps of the new one. */
static void write_maps(int go, pid_t pid)
{
    char byte;
    if (read_all(go, &byte, 1) != 1)
        _exit(0);
    _exit(copy_map("uid", pid) && copy_map("gid", pid) ? 0 : errno);
}

static bool take_user_namespace(struct status *status)
{
    int go[2];
    int wait_status = 0;
    pid_t self = getpid();
    if (pipe2(go, O_CLOEXEC) != 0)
        return false;
    pid_t helper = fork();
    if (helper == 0) {
        close(go[1]);
        write_maps(go[0], self);
    }
    close(go[0]);
    bool taken = helper > 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    int error = errno;
    bool told = taken && write_all(go[1], "m", 1);
    close(go[1]);
    if (helper > 0 && waitpid(helper, &wait_status, 0) != helper)
        told = false;
    if (!taken)
        say(status, "no network of its own (user namespace): %s", strerror(error));
    else if (!told || wait_status != 0)
        say(status, "no network of its own (its ids cannot be mapped): %s", strerror(WEXITSTATUS(wait_status)));
    return told && wait_status == 0;
}

bool leave_network(struct status *status)
{
    note_capabilities();
    if (unshare(CLONE_NEWNET) == 0)
        return true;
    return take_user_namespace(status);
}
