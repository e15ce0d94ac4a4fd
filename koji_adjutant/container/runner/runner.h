/* Declarations shared by the files of adjutant-runner; main.c says what the program is. */
#ifndef ADJUTANT_RUNNER_H
#define ADJUTANT_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Exit codes of the subcommands (sysexits.h): wrong call, damaged transfer, failure of the system, no space for a step. */
enum { RUNNER_USAGE = 64, RUNNER_DATA = 65, RUNNER_SYSTEM = 71, RUNNER_FULL = 73 };

enum { RUN_ID_LENGTH = 32, STATUS_LIMIT = 65536, CHUNK_LIMIT = 1 << 20 };

/* files.c: small primitives. All take a directory's descriptor, follow no link and accept regular files only. */
int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
int64_t boottime_ms(void);
double wall_time(void);
void sleep_ms(int64_t milliseconds);
uint32_t crc32_update(uint32_t crc, const void *data, size_t size);
bool write_all(int fd, const void *data, size_t size);
ssize_t read_all(int fd, void *data, size_t size);
int open_regular(int dirfd, const char *name, int flags);
ssize_t read_small(int dirfd, const char *name, char *buffer, size_t size);
bool replace_file(int dirfd, const char *name, const void *data, size_t size);
bool disk_is_full(int error);
bool parse_number(const char *text, int64_t lowest, int64_t highest, int64_t *result);
void close_all_but(int first, int second);

/* request.c: what to run. */
struct request {
    char *data;
    size_t size;
    char **argv;
    char **envp;
    const char *workdir;
    const char *chroot_dir;
    const char *personality_name;
    uid_t uid;
    gid_t gid;
    gid_t groups[64];
    int group_count;
    mode_t umask;
    int64_t timeout_ms;
    int64_t no_output_ms; /* 0: none */
    int64_t orphan_ms;
    int64_t log_cap;
    int64_t nofile; /* 0: the container's own */
    bool separate_stderr;
    bool offline;
    bool hangup;         /* `exec`: the end of our standard input is the end of the caller */
    bool leave;          /* `exec`: what the command has detached by its end lives on */
    uint64_t stdin_size; /* `exec`: bytes of the command's standard input */
    int input_fd;        /* the command's standard input; 0: /dev/null */
};

bool receive_request(struct request *request, int64_t size, uint32_t crc);
const char *parse_request(struct request *request);

/* memory.c: the memory of the container's control group; zeros where unreadable or without limit. */
struct memory {
    uint64_t limit;
    uint64_t peak;
    uint64_t oom_kills;
};
struct memory read_memory(void);
int memory_main(void);

/* status.c: the end of a step. */
struct status {
    char run_id[RUN_ID_LENGTH + 1];
    const char *end;
    int exit_code; /* -1: none */
    int signal;    /* 0: none */
    double started_at;
    double ended_at;
    uint64_t out_bytes, err_bytes, dropped_bytes;
    uint64_t oom_kills, peak_memory;
    char message[4096];
    int file; /* space for it in the step's directory, -1: none */
};
void say(struct status *status, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool reserve_status(int dirfd, struct status *status);
void release_status(int dirfd, struct status *status);
bool write_status(int dirfd, struct status *status);
void print_text(FILE *file, const char *text);
void print_optional(FILE *file, const char *key, bool present, int value);

/* offline.c: true if only lo is there and up; else the reason is in status->message. A network that is there is left. */
bool prove_offline(struct status *status);

/* network.c: leave the container's network for an empty one; then give up what that gave us besides. */
bool leave_network(struct status *status);
bool give_up_capabilities(struct status *status);

/* command.c: fork and exec; returns the pid or -1 with the reason in status->message. */
pid_t start_command(const struct request *request, int out_fd, int err_fd, struct status *status);

/* processes.c: the descendants of this process and the processes of a uid. */
int signal_descendants(int signal_number);
bool kill_everything(uid_t uid, int64_t patience_ms, void (*reaped)(pid_t, int, void *), void *context);
bool reap_children(void (*reaped)(pid_t, int, void *), void *context);

/* supervise.c: run the step to its end and write its status; `report_fd` gets one byte once it has started. */
void supervise(int dirfd, const struct request *request, struct status *status, int report_fd);

/* drain.c: the output of a step, from its pipes into its logs. */
struct stream {
    int pipe_fd; /* -1: at its end */
    int log_fd;
    uint64_t *kept;
    uint64_t reserved; /* the log has space up to this size */
};
struct drain {
    struct stream streams[2];
    int count;
    uint64_t cap;
    uint64_t total;
    uint64_t dropped;
    int write_error;
    int64_t last_output; /* boottime_ms */
};
void reserve_log(struct stream *stream);
bool drain_once(struct drain *drain, int index);
void drain_rest(struct drain *drain);

/* Subcommands. */
int run_main(int argc, char **argv);
int read_main(int argc, char **argv);
int cancel_main(int argc, char **argv);
int exec_main(int argc, char **argv);
int get_main(int argc, char **argv);
int list_main(int argc, char **argv);
int put_main(int argc, char **argv);
int relay_main(int argc, char **argv, bool detached);

#endif
