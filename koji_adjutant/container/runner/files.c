/* Small primitives: files that may be hostile, clocks, checksums. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("adjutant-runner: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return code;
}

/* Durations are taken from a clock that nobody sets and that goes on while the machine sleeps. */
int64_t boottime_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

double wall_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sleep_ms(int64_t milliseconds)
{
    struct timespec pause = {milliseconds / 1000, (milliseconds % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

/* The CRC-32 of zlib and Ethernet; start with 0. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t size)
{
    static uint32_t table[256];
    if (table[1] == 0) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; bit++)
                value = value & 1 ? (value >> 1) ^ 0xEDB88320u : value >> 1;
            table[i] = value;
        }
    }
    const unsigned char *byte = data;
    crc = ~crc;
    while (size-- > 0)
        crc = table[(crc ^ *byte++) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

bool write_all(int fd, const void *data, size_t size)
{
    const char *next = data;
    while (size > 0) {
        ssize_t done = write(fd, next, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        next += done;
        size -= (size_t)done;
    }
    return true;
}

/* As many bytes as there are, up to `size`; -1 on error. */
ssize_t read_all(int fd, void *data, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t done = read(fd, (char *)data + got, size - got);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        if (done == 0)
            break;
        got += (size_t)done;
    }
    return (ssize_t)got;
}

/* Files of a step may have been replaced by a link, a FIFO or a device: never follow, never block. */
int open_regular(int dirfd, const char *name, int flags)
{
    int fd = openat(dirfd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
    struct stat info;
    if (fd < 0)
        return -1;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

/* A whole small file as a string; -1 if it is missing or does not fit. */
ssize_t read_small(int dirfd, const char *name, char *buffer, size_t size)
{
    int fd = open_regular(dirfd, name, O_RDONLY);
    if (fd < 0)
        return -1;
    ssize_t got = read_all(fd, buffer, size);
    close(fd);
    if (got < 0 || (size_t)got == size)
        return -1;
    buffer[got] = '\0';
    return got;
}

/* Whole or not at all, also after a crash. */
bool replace_file(int dirfd, const char *name, const void *data, size_t size)
{
    char temporary[64];
    snprintf(temporary, sizeof temporary, "%s.%d", name, (int)getpid());
    unlinkat(dirfd, temporary, 0);
    int fd = open_regular(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0)
        return false;
    bool done = write_all(fd, data, size) && fsync(fd) == 0;
    int error = errno;
    close(fd);
    if (done && renameat(dirfd, temporary, dirfd, name) == 0)
        return true;
    error = done ? errno : error;
    unlinkat(dirfd, temporary, 0);
    errno = error;
    return false;
}

bool disk_is_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

bool parse_number(const char *text, int64_t lowest, int64_t highest, int64_t *result)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < lowest || value > highest)
        return false;
    *result = value;
    return true;
}

static void close_between(long first, long last)
{
    if (first > last || syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0u) == 0)
        return;
    if (last > 65535)
        last = 65535;
    for (long fd = first; fd <= last; fd++)
        close((int)fd);
}

/* Close what was inherited: an exec lasts as long as anybody holds its streams. 0, 1, 2 become /dev/null. */
void close_all_but(int first, int second)
{
    int low = first < second ? first : second;
    int high = first < second ? second : first;
    close_between(3, low - 1);
    close_between(low + 1, high - 1);
    close_between(high + 1, 0x7FFFFFFF);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++) {
        if (null >= 0)
            dup2(null, fd);
        else
            close(fd);
    }
    if (null > 2)
        close(null);
}
