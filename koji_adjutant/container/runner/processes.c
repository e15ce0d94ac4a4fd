/* Find and kill every process of a step: all descendants (the runner is their subreaper), and all of the build's uid. */
#include "runner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
    pid_t pid;
    pid_t parent;
    bool ours;
};

struct table {
    struct process *all;
    size_t count;
    size_t room;
};

static bool read_proc(const char *pid, const char *file, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/%s", pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read_all(fd, text, size - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

static bool parse_parent(const char *pid, pid_t *parent)
{
    char text[1024];
    char state;
    if (!read_proc(pid, "stat", text, sizeof text))
        return false;
    char *end = strrchr(text, ')'); /* the name of a process may hold anything */
    return end != NULL && sscanf(end + 1, " %c %d", &state, parent) == 2 && state != 'Z';
}

static bool belongs_to(const char *pid, uid_t uid)
{
    char text[2048];
    unsigned real, effective, saved;
    if (!read_proc(pid, "status", text, sizeof text) || strstr(text, "\nState:\tZ") != NULL)
        return false;
    const char *line = strstr(text, "\nUid:\t");
    if (line == NULL || sscanf(line + 6, "%u %u %u", &real, &effective, &saved) != 3)
        return false;
    return real == uid || effective == uid || saved == uid;
}

static bool add(struct table *table, pid_t pid, pid_t parent)
{
    if (table->count == table->room) {
        size_t room = table->room > 0 ? table->room * 2 : 256;
        struct process *all = realloc(table->all, room * sizeof *all);
        if (all == NULL)
            return false;
        table->all = all;
        table->room = room;
    }
    table->all[table->count++] = (struct process){pid, parent, false};
    return true;
}

static void read_table(struct table *table)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    pid_t parent;
    while (proc != NULL && (entry = readdir(proc)) != NULL)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parse_parent(entry->d_name, &parent))
            if (!add(table, atoi(entry->d_name), parent))
                break;
    if (proc != NULL)
        closedir(proc);
}

static bool is_ours(const struct table *table, pid_t pid)
{
    if (pid == getpid())
        return true;
    for (size_t i = 0; i < table->count; i++)
        if (table->all[i].pid == pid)
            return table->all[i].ours;
    return false;
}

static void mark_ours(struct table *table)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < table->count; i++) {
            struct process *one = &table->all[i];
            if (!one->ours && is_ours(table, one->parent))
                one->ours = changed = true;
        }
    }
}

/* Send a signal (0: none) to all living descendants; returns how many there are. */
int signal_descendants(int signal_number)
{
    struct table table = {0};
    int found = 0;
    read_table(&table);
    mark_ours(&table);
    for (size_t i = 0; i < table.count; i++) {
        if (!table.all[i].ours)
            continue;
        found++;
        if (signal_number != 0)
            kill(table.all[i].pid, signal_number);
    }
    free(table.all);
    return found;
}

/* One kill(-1) as the uid reaches all its processes at once, also those that fork faster than /proc can be read. Our real
 * and saved uid stay foreign meanwhile, so that they cannot signal us. */
static void kill_as(uid_t uid)
{
    const uid_t nobody_uses = 65533;
    if (setresuid(nobody_uses, uid, 0) != 0 && setresuid(uid, uid, 0) != 0)
        return;
    kill(-1, SIGKILL);
    if (setresuid(0, 0, 0) != 0)
        _exit(RUNNER_SYSTEM);
}

/* True if the uid has no living process any more (kill(-1) does not tell). */
static bool kill_uid(uid_t uid)
{
    bool none = true;
    struct dirent *entry;
    if (uid == 0)
        return true;
    kill_as(uid);
    DIR *proc = opendir("/proc");
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !belongs_to(entry->d_name, uid))
            continue;
        kill(atoi(entry->d_name), SIGKILL);
        none = false;
    }
    if (proc != NULL)
        closedir(proc);
    return none;
}

/* Reap what has ended; true if no child is left. */
bool reap_children(void (*reaped)(pid_t, int, void *), void *context)
{
    int wait_status;
    pid_t pid;
    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0)
        reaped(pid, wait_status, context);
    return pid < 0 && errno == ECHILD;
}

/* True when nothing is left; false if something survives `patience_ms` (a process stuck in the kernel). */
bool kill_everything(uid_t uid, int64_t patience_ms, void (*reaped)(pid_t, int, void *), void *context)
{
    int64_t deadline = boottime_ms() + patience_ms;
    do {
        signal_descendants(SIGSTOP); /* no child may fork while its brothers are looked for */
        bool none = kill_uid(uid);
        signal_descendants(SIGKILL);
        if (reap_children(reaped, context) && none)
            return true;
        sleep_ms(2);
    } while (boottime_ms() < deadline);
    return false;
}
