/* The command's standard input: exactly as many bytes as were announced, then its end; what comes besides is dropped. */
#include "streams.h"

#include <errno.h>
#include <unistd.h>

static void close_feed(struct feed *feed)
{
    if (feed->fd >= 0)
        close(feed->fd);
    feed->fd = -1;
    feed->start = feed->end = 0;
}

/* Whether our own standard input should be read: not while the command has not taken what was read before. */
bool feed_wants(const struct feed *feed)
{
    return !feed->ended && feed->start == feed->end;
}

void feed_take(struct feed *feed)
{
    size_t wanted = sizeof feed->buffer;
    if (feed->left > 0 && feed->left < wanted)
        wanted = (size_t)feed->left;
    ssize_t got = read(STDIN_FILENO, feed->buffer, wanted);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        feed->ended = true;
        return;
    }
    if (feed->left == 0)
        return;
    feed->left -= (uint64_t)got;
    feed->start = 0;
    feed->end = feed->fd >= 0 ? (size_t)got : 0;
}

/* Give the command what it takes now. A command may close its input, or end: then nobody wants the rest. */
void feed_give(struct feed *feed)
{
    while (feed->fd >= 0 && feed->start < feed->end) {
        ssize_t done = write(feed->fd, feed->buffer + feed->start, feed->end - feed->start);
        if (done < 0 && errno == EAGAIN)
            return;
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            close_feed(feed);
        else
            feed->start += (size_t)done;
    }
    if (feed->left == 0)
        close_feed(feed);
}
