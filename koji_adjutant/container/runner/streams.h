/* What `exec`, `get`, `list` and `put` share: frames both ways, and paths that follow no link. */
#ifndef ADJUTANT_STREAMS_H
#define ADJUTANT_STREAMS_H

#include "runner.h"

/* A frame is 12 bytes of header and at most 64 KiB:
 *
 *   "AF1", its type (one byte), the length of what follows and a checksum, both 32 bits, most significant byte first.
 *
 * The checksum is the CRC-32 of all frames of the stream so far, this one included, checksums themselves left out: a
 * frame that is missing, doubled or out of order is noticed as a changed byte is.
 */
enum { FRAME_HEADER = 12, FRAME_LIMIT = 1 << 16 };

/* frames.c: frames to standard output. One frame of each stream and the last one may wait for the reader. */
struct frames {
    uint32_t crc;
    uint64_t out_bytes, err_bytes;
    size_t start, end;
    bool broken;
    char buffer[3 * (FRAME_HEADER + FRAME_LIMIT)];
};
bool frames_open(struct frames *frames);
char *frames_room(struct frames *frames);
void frames_add(struct frames *frames, char type, size_t size);
bool frames_write(struct frames *frames);
bool frames_flush(struct frames *frames);
bool frames_end(struct frames *frames, const struct status *status, uint64_t size);

/* source.c: frames from standard input, which may end or fall silent at any byte. */
struct source {
    uint32_t crc;
    char type;
    size_t length;
    char payload[FRAME_LIMIT + 1]; /* a NUL behind the last byte */
};
bool source_next(struct source *source);
void drop_input(uint64_t most);

/* paths.c: paths in which no component is a link. Names of directories on the command line are percent-encoded. */
bool decode_path(char *text);
int open_root(const char *root);
int walk(int dirfd, const char *path, char *last);
const char *reason_of(int error);

/* feed.c: the command's standard input, out of ours. */
struct feed {
    int fd;        /* -1: closed */
    uint64_t left; /* bytes that are still to come */
    bool ended;    /* our own standard input is at its end */
    size_t start, end;
    char buffer[65536];
};
bool feed_wants(const struct feed *feed);
void feed_take(struct feed *feed);
void feed_give(struct feed *feed);

/* put_entry.c: one entry at a time below a directory. False: `status` says why. */
struct target {
    int dirfd;
    int parent;
    int fd; /* the file that is being written, -1: none */
    uint64_t left;
    int64_t mtime;
    mode_t mode;
    char path[FRAME_LIMIT + 1];
    char name[256];
};
bool put_entry(struct target *target, char type, char *text, size_t length, struct status *status);
bool put_bytes(struct target *target, const char *data, size_t size, struct status *status);
void put_abandon(struct target *target);

#endif
