/* Frames to a reader that may be slow or gone. Nothing is dropped: who cannot write does not read. */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STALL_MS = 60000 };

bool frames_open(struct frames *frames)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    signal(SIGPIPE, SIG_IGN);
    frames->broken = flags < 0 || fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK) != 0;
    return !frames->broken;
}

/* Where the bytes of the next frame go, at most FRAME_LIMIT. */
char *frames_room(struct frames *frames)
{
    if (frames->start == frames->end)
        frames->start = frames->end = 0;
    return frames->buffer + frames->end + FRAME_HEADER;
}

static void put_number(char *bytes, uint32_t value)
{
    for (int index = 3; index >= 0; index--, value >>= 8)
        bytes[index] = (char)(value & 0xFF);
}

/* The bytes are in their room: make them a frame. */
void frames_add(struct frames *frames, char type, size_t size)
{
    char *header = frames->buffer + frames->end;
    memcpy(header, "AF1", 3);
    header[3] = type;
    put_number(header + 4, (uint32_t)size);
    frames->crc = crc32_update(frames->crc, header, 8);
    frames->crc = crc32_update(frames->crc, header + FRAME_HEADER, size);
    put_number(header + 8, frames->crc);
    frames->end += FRAME_HEADER + size;
    if (type == 'O')
        frames->out_bytes += size;
    if (type == 'E')
        frames->err_bytes += size;
}

/* As much as the reader takes now; false: there is no reader any more. */
bool frames_write(struct frames *frames)
{
    while (!frames->broken && frames->start < frames->end) {
        ssize_t done = write(STDOUT_FILENO, frames->buffer + frames->start, frames->end - frames->start);
        if (done < 0 && errno == EAGAIN)
            return true;
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            frames->broken = true;
        else
            frames->start += (size_t)done;
    }
    return !frames->broken;
}

/* All of it; false: the reader is gone, or has taken nothing for a minute. */
bool frames_flush(struct frames *frames)
{
    struct pollfd event = {STDOUT_FILENO, POLLOUT, 0};
    while (frames_write(frames) && frames->start < frames->end) {
        int ready = poll(&event, 1, STALL_MS);
        if (ready == 0 || (ready < 0 && errno != EINTR))
            frames->broken = true;
    }
    return !frames->broken;
}

static void print_end(FILE *file, const struct frames *frames, const struct status *status, uint64_t size)
{
    fprintf(file, "{\"end\": \"%s\"", status->end);
    print_optional(file, "exit_code", status->exit_code >= 0, status->exit_code);
    print_optional(file, "signal", status->signal > 0, status->signal);
    fprintf(file, ", \"size\": %llu, \"out_bytes\": %llu, \"err_bytes\": %llu, \"message\": ", (unsigned long long)size,
            (unsigned long long)frames->out_bytes, (unsigned long long)frames->err_bytes);
    print_text(file, status->message);
    fputs("}\n", file);
}

/* The last frame; without it the reader believes nothing. */
bool frames_end(struct frames *frames, const struct status *status, uint64_t size)
{
    char *room = frames_room(frames);
    FILE *file = fmemopen(room, FRAME_LIMIT, "w");
    if (file == NULL)
        return false;
    print_end(file, frames, status, size);
    long length = ftell(file);
    if (fclose(file) != 0 || length <= 0)
        return false;
    frames_add(frames, 'S', (size_t)length);
    return frames_flush(frames);
}
