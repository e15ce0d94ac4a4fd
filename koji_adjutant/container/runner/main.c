/* adjutant-runner: runs durable steps inside the containers of koji-adjutant.
 *
 * One static program without any need of the root it runs in: no shell, no library, no file but /proc, /dev/null and
 * the directory of the step. `koji_adjutant/container/steps.py` says what a step is and how its directory looks;
 * `step_request.py` writes the request, `step_frame.py` reads the frames. Built by `packaging/build_hook.py`.
 *
 *   adjutant-runner pause                          sleep until SIGTERM, reaping children (the container's main process)
 *   adjutant-runner run DIR LENGTH CRC < request   start a step detached; prints "started ID" or "exists ID"
 *   adjutant-runner read DIR OUT ERR LIMIT WAIT    print one frame of output from the offsets OUT and ERR (-1: no err)
 *   adjutant-runner cancel DIR                     ask a step to end
 *   adjutant-runner exec LENGTH CRC                a short command with its streams in frames, see exec.c
 *   adjutant-runner get PATH MAX [ROOT]            one regular file in frames, no link followed
 *   adjutant-runner list DIR MAX_ENTRIES [ROOT]    the entries of a directory in frames
 *   adjutant-runner put DIR [ROOT] < frames        write files, directories and links below a directory
 *   adjutant-runner memory                         print limit, peak and out-of-memory kills of the container
 *   adjutant-runner relay PORT SOCKET              forward 127.0.0.1:PORT to a unix socket, in the foreground
 *   adjutant-runner relay-start PORT SOCKET        the same, detached; done already if the port is taken
 *
 * main.c      subcommands            launch.c    start once, detach       supervise.c  the life of a step
 * command.c   fork and exec          drain.c     pipes into logs          processes.c  find and kill all
 * request.c   what to run            status.c    how it ended             read.c       frames for the follower
 * memory.c    control group          offline.c   only lo                  relay.c      TCP to unix socket
 * network.c   a network of its own   files.c     small primitives       frames.c     frames out
 * source.c    frames in
 * paths.c     no link followed       feed.c      the command's input     exec.c, get.c, list.c, put.c, put_entry.c
 */
#include "runner.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static int pause_main(void)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGCHLD);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    for (;;) {
        int number = sigwaitinfo(&wanted, NULL);
        if (number == SIGTERM || number == SIGINT)
            return 0;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "pause") == 0 && argc == 2)
        return pause_main();
    if (strcmp(name, "run") == 0 && argc == 5)
        return run_main(argc, argv);
    if (strcmp(name, "read") == 0 && argc == 7)
        return read_main(argc, argv);
    if (strcmp(name, "cancel") == 0 && argc == 3)
        return cancel_main(argc, argv);
    if (strcmp(name, "exec") == 0)
        return exec_main(argc, argv);
    if (strcmp(name, "get") == 0)
        return get_main(argc, argv);
    if (strcmp(name, "list") == 0)
        return list_main(argc, argv);
    if (strcmp(name, "put") == 0)
        return put_main(argc, argv);
    if (strcmp(name, "memory") == 0 && argc == 2)
        return memory_main();
    if (strcmp(name, "relay") == 0 && argc == 4)
        return relay_main(argc, argv, false);
    if (strcmp(name, "relay-start") == 0 && argc == 4)
        return relay_main(argc, argv, true);
    return fail(RUNNER_USAGE, "usage: adjutant-runner pause | run DIR LENGTH CRC | read DIR OUT ERR LIMIT WAIT |"
                              " cancel DIR | exec LENGTH CRC |"
                              " get PATH MAX [ROOT] | list DIR MAX_ENTRIES [ROOT] | put DIR [ROOT] | memory |"
                              " relay PORT SOCKET | relay-start PORT SOCKET");
}
