/* The memory of the container's control group, version 1 or 2, as seen from inside. */
#include "runner.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_text(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read_all(fd, buffer, size - 1);
    close(fd);
    buffer[got > 0 ? got : 0] = '\0';
    return got > 0;
}

static uint64_t read_value(const char *path)
{
    char text[64];
    if (!read_text(path, text, sizeof text))
        return 0;
    unsigned long long value = strtoull(text, NULL, 10);
    return value >= 1ull << 62 ? 0 : value; /* version 1 says "no limit" by a huge number, version 2 by "max" */
}

static uint64_t read_key(const char *path, const char *key)
{
    char text[4096];
    size_t length = strlen(key);
    if (!read_text(path, text, sizeof text))
        return 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return strtoull(line + length, NULL, 10);
    return 0;
}

struct memory read_memory(void)
{
    struct memory memory = {0};
    if (access("/sys/fs/cgroup/memory.events", R_OK) == 0) {
        memory.limit = read_value("/sys/fs/cgroup/memory.max");
        memory.peak = read_value("/sys/fs/cgroup/memory.peak");
        memory.oom_kills = read_key("/sys/fs/cgroup/memory.events", "oom_kill");
        return memory;
    }
    memory.limit = read_value("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    memory.peak = read_value("/sys/fs/cgroup/memory/memory.max_usage_in_bytes");
    memory.oom_kills = read_key("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill");
    return memory;
}

int memory_main(void)
{
    struct memory memory = read_memory();
    printf("%llu %llu %llu\n", (unsigned long long)memory.limit, (unsigned long long)memory.peak,
           (unsigned long long)memory.oom_kills);
    return 0;
}
