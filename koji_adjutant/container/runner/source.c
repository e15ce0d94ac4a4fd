/* Frames from standard input. Kubernetes cuts streams and never says so: a silence ends one as well. */
#include "streams.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { SILENCE_MS = 60000, LINGER_MS = 1000, LONGEST_LINGER_MS = 30000 };

static bool readable(int64_t milliseconds)
{
    struct pollfd event = {STDIN_FILENO, POLLIN, 0};
    return poll(&event, 1, (int)milliseconds) > 0;
}

static bool receive(char *data, size_t size)
{
    while (size > 0) {
        if (!readable(SILENCE_MS))
            return false;
        ssize_t got = read(STDIN_FILENO, data, size);
        if (got <= 0)
            return false;
        data += got;
        size -= (size_t)got;
    }
    return true;
}

static uint32_t get_number(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

/* The next frame; false: the stream was cut, or is damaged. */
bool source_next(struct source *source)
{
    char header[FRAME_HEADER];
    if (!receive(header, sizeof header) || memcmp(header, "AF1", 3) != 0)
        return false;
    source->type = header[3];
    source->length = get_number(header + 4);
    if (source->length > FRAME_LIMIT || !receive(source->payload, source->length))
        return false;
    source->payload[source->length] = '\0';
    source->crc = crc32_update(source->crc, header, 8);
    source->crc = crc32_update(source->crc, source->payload, source->length);
    return source->crc == get_number(header + 8);
}

/* Unread input keeps an exec of Kubernetes from ending: take what is on its way, as long as it comes. */
void drop_input(uint64_t most)
{
    static char buffer[65536];
    int64_t deadline = boottime_ms() + LONGEST_LINGER_MS;
    while (most > 0 && boottime_ms() < deadline && readable(LINGER_MS)) {
        ssize_t got = read(STDIN_FILENO, buffer, most < sizeof buffer ? (size_t)most : sizeof buffer);
        if (got <= 0)
            return;
        most -= (uint64_t)got;
    }
}
