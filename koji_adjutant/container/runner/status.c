/* The end of a step as one JSON object with the fields of steps.StepStatus. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_STATUS = 32768 }; /* the message, every byte of it escaped, and the rest */

/* Add a sentence to the message. */
void say(struct status *status, const char *format, ...)
{
    size_t used = strlen(status->message);
    va_list arguments;
    if (used > 0 && used + 3 < sizeof status->message) {
        memcpy(status->message + used, "; ", 3);
        used += 2;
    }
    va_start(arguments, format);
    vsnprintf(status->message + used, sizeof status->message - used, format, arguments);
    va_end(arguments);
}

/* Paths may hold any bytes: what is not plain ASCII is escaped byte by byte. */
void print_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (const unsigned char *byte = (const unsigned char *)text; *byte != '\0'; byte++) {
        if (*byte == '"' || *byte == '\\')
            fprintf(file, "\\%c", *byte);
        else if (*byte < 0x20 || *byte > 0x7E)
            fprintf(file, "\\u%04x", *byte);
        else
            fputc(*byte, file);
    }
    fputc('"', file);
}

void print_optional(FILE *file, const char *key, bool present, int value)
{
    if (present)
        fprintf(file, ", \"%s\": %d", key, value);
    else
        fprintf(file, ", \"%s\": null", key);
}

static void print_status(FILE *file, const struct status *status)
{
    fprintf(file, "{\"run_id\": \"%s\", \"end\": \"%s\"", status->run_id, status->end);
    print_optional(file, "exit_code", status->exit_code >= 0, status->exit_code);
    print_optional(file, "signal", status->signal > 0, status->signal);
    fprintf(file, ", \"started_at\": %.6f, \"ended_at\": %.6f", status->started_at, status->ended_at);
    fprintf(file, ", \"out_bytes\": %llu, \"err_bytes\": %llu, \"dropped_bytes\": %llu",
            (unsigned long long)status->out_bytes, (unsigned long long)status->err_bytes,
            (unsigned long long)status->dropped_bytes);
    fprintf(file, ", \"oom_kills\": %llu, \"peak_memory\": %llu, \"message\": ",
            (unsigned long long)status->oom_kills, (unsigned long long)status->peak_memory);
    print_text(file, status->message);
    fputs("}\n", file);
}

static const char *reserved_name(void)
{
    static char name[32];
    snprintf(name, sizeof name, "status.%d", (int)getpid());
    return name;
}

/* Take the space of the status before the command runs, which may fill the disk. False: there is none (errno says why). */
bool reserve_status(int dirfd, struct status *status)
{
    unlinkat(dirfd, reserved_name(), 0);
    status->file = open_regular(dirfd, reserved_name(), O_WRONLY | O_CREAT | O_EXCL);
    if (status->file < 0)
        return false;
    int error = posix_fallocate(status->file, 0, LONGEST_STATUS);
    if (!disk_is_full(error))
        return true; /* a file system that cannot reserve has to do without */
    release_status(dirfd, status);
    errno = error;
    return false;
}

void release_status(int dirfd, struct status *status)
{
    if (status->file >= 0)
        close(status->file);
    unlinkat(dirfd, reserved_name(), 0);
    status->file = -1;
}

static bool write_reserved(int dirfd, const struct status *status, const char *text, size_t size)
{
    return status->file >= 0 && write_all(status->file, text, size) && ftruncate(status->file, (off_t)size) == 0 &&
           fsync(status->file) == 0 && renameat(dirfd, reserved_name(), dirfd, "status") == 0;
}

bool write_status(int dirfd, struct status *status)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        return false;
    print_status(file, status);
    bool done = fclose(file) == 0 &&
                (write_reserved(dirfd, status, text, size) || replace_file(dirfd, "status", text, size));
    release_status(dirfd, status);
    free(text);
    return done;
}
