/* `relay`: the only way out of a container without a network: TCP on lo, forwarded to a unix socket of the daemon.
 *
 * The socket is looked up for each connection, so that a restarted daemon is found again; while it is away a connection
 * waits for it.
 */
#include "runner.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 64, CONNECT_MS = 60000, IDLE_MS = 600000 };

static int listen_on(int64_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, MOST_CONNECTIONS) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int connect_to(const struct sockaddr_un *address)
{
    int64_t deadline = boottime_ms() + CONNECT_MS;
    for (;;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
            return fd;
        if (fd >= 0)
            close(fd);
        if (boottime_ms() >= deadline)
            return -1;
        sleep_ms(250);
    }
}

/* Move what is there; false at the end of the stream, which is passed on. */
static bool forward(int from, int to)
{
    static char buffer[65536];
    ssize_t got = read(from, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR)
        return true;
    if (got > 0 && write_all(to, buffer, (size_t)got))
        return true;
    shutdown(to, SHUT_WR);
    return false;
}

static void forward_both(int left, int right)
{
    struct pollfd events[2] = {{left, POLLIN, 0}, {right, POLLIN, 0}};
    while (events[0].fd >= 0 || events[1].fd >= 0) {
        if (poll(events, 2, IDLE_MS) <= 0)
            return;
        if (events[0].fd >= 0 && events[0].revents != 0 && !forward(left, right))
            events[0].fd = -1;
        if (events[1].fd >= 0 && events[1].revents != 0 && !forward(right, left))
            events[1].fd = -1;
    }
}

static void serve(int client, const struct sockaddr_un *address)
{
    int server = connect_to(address);
    if (server >= 0)
        forward_both(client, server);
    _exit(server < 0);
}

static _Noreturn void accept_for_ever(int listener, const struct sockaddr_un *address)
{
    int running = 0;
    for (;;) {
        while (running > 0 && waitpid(-1, NULL, running >= MOST_CONNECTIONS ? 0 : WNOHANG) > 0)
            running--;
        struct pollfd event = {listener, POLLIN, 0};
        if (poll(&event, 1, running > 0 ? 1000 : -1) <= 0)
            continue;
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        pid_t child = fork();
        if (child == 0) {
            close(listener);
            serve(client, address);
        }
        close(client);
        running += child > 0;
    }
}

static void detach(int keep)
{
    pid_t child = fork();
    if (child != 0)
        _exit(child < 0 ? RUNNER_SYSTEM : 0);
    setsid();
    signal(SIGHUP, SIG_IGN);
    close_all_but(keep, keep);
}

int relay_main(int argc, char **argv, bool detached)
{
    int64_t port;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 4 || !parse_number(argv[2], 1, 65535, &port) || strlen(argv[3]) >= sizeof address.sun_path)
        return fail(RUNNER_USAGE, "relay PORT SOCKET");
    strcpy(address.sun_path, argv[3]);
    int listener = listen_on(port);
    if (listener < 0 && errno == EADDRINUSE && detached)
        return 0;
    if (listener < 0)
        return fail(RUNNER_SYSTEM, "cannot listen on 127.0.0.1:%s: %s", argv[2], strerror(errno));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    if (detached)
        detach(listener);
    accept_for_ever(listener, &address);
}
