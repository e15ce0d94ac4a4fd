/* What to run, as step_request.py wrote it: NUL-terminated strings.
 *
 *   "ADJREQ1", then KEY=VALUE..., then "argc=N" and N strings, then "envc=M" and M strings, then "end".
 */
#include "runner.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REQUEST_LIMIT = 16 << 20 };

/* The request comes through a stream that can break: it counts only with its whole length and its checksum. */
bool receive_request(struct request *request, int64_t size, uint32_t crc)
{
    if (size < 1 || size > REQUEST_LIMIT)
        return false;
    request->data = malloc((size_t)size + 1);
    if (request->data == NULL || read_all(STDIN_FILENO, request->data, (size_t)size) != size)
        return false;
    request->size = (size_t)size;
    request->data[size] = '\0';
    return request->data[size - 1] == '\0' && crc32_update(0, request->data, request->size) == crc;
}

struct cursor {
    char *next;
    char *end;
};

static char *next_string(struct cursor *cursor)
{
    if (cursor->next >= cursor->end)
        return NULL;
    char *string = cursor->next;
    cursor->next += strlen(string) + 1;
    return string;
}

static char **next_strings(struct cursor *cursor, int64_t count)
{
    char **strings = calloc((size_t)count + 1, sizeof *strings);
    for (int64_t i = 0; strings != NULL && i < count; i++) {
        strings[i] = next_string(cursor);
        if (strings[i] == NULL)
            return NULL;
    }
    return strings;
}

static bool parse_groups(struct request *request, char *list)
{
    int64_t group;
    for (char *next = strtok(list, ","); next != NULL; next = strtok(NULL, ",")) {
        if (request->group_count >= 64 || !parse_number(next, 0, UINT32_MAX - 1, &group))
            return false;
        request->groups[request->group_count++] = (gid_t)group;
    }
    return true;
}

static bool parse_text(struct request *request, const char *key, char *value)
{
    if (strcmp(key, "workdir") == 0)
        request->workdir = value;
    else if (strcmp(key, "chroot") == 0)
        request->chroot_dir = value;
    else if (strcmp(key, "personality") == 0)
        request->personality_name = value;
    else if (strcmp(key, "groups") == 0)
        return parse_groups(request, value);
    else
        return false;
    return true;
}

static bool parse_setting(struct request *request, const char *key, char *value)
{
    int64_t number;
    if (parse_text(request, key, value))
        return true;
    if (!parse_number(value, 0, INT64_MAX, &number))
        return false;
    if (strcmp(key, "uid") == 0)
        request->uid = (uid_t)number;
    else if (strcmp(key, "gid") == 0)
        request->gid = (gid_t)number;
    else if (strcmp(key, "umask") == 0)
        request->umask = (mode_t)number & 0777;
    else if (strcmp(key, "timeout_ms") == 0)
        request->timeout_ms = number;
    else if (strcmp(key, "no_output_ms") == 0)
        request->no_output_ms = number;
    else if (strcmp(key, "orphan_ms") == 0)
        request->orphan_ms = number;
    else if (strcmp(key, "log_cap") == 0)
        request->log_cap = number;
    else if (strcmp(key, "nofile") == 0)
        request->nofile = number;
    else if (strcmp(key, "separate_stderr") == 0)
        request->separate_stderr = number != 0;
    else if (strcmp(key, "offline") == 0)
        request->offline = number != 0;
    else if (strcmp(key, "hangup") == 0)
        request->hangup = number != 0;
    else if (strcmp(key, "leave") == 0)
        request->leave = number != 0;
    else if (strcmp(key, "stdin_size") == 0)
        request->stdin_size = (uint64_t)number;
    else
        return false;
    return true;
}

static char **parse_counted(struct cursor *cursor, const char *value)
{
    int64_t count;
    if (!parse_number(value, 0, REQUEST_LIMIT, &count))
        return NULL;
    return next_strings(cursor, count);
}

/* NULL if all is well, else what is wrong with it. */
const char *parse_request(struct request *request)
{
    struct cursor cursor = {request->data, request->data + request->size};
    char *string = next_string(&cursor);
    if (string == NULL || strcmp(string, "ADJREQ1") != 0)
        return "a request of another format";
    while ((string = next_string(&cursor)) != NULL && strcmp(string, "end") != 0) {
        char *value = strchr(string, '=');
        if (value == NULL)
            return "a setting without a value";
        *value++ = '\0';
        if (strcmp(string, "argc") == 0)
            request->argv = parse_counted(&cursor, value);
        else if (strcmp(string, "envc") == 0)
            request->envp = parse_counted(&cursor, value);
        else if (!parse_setting(request, string, value))
            return "an unknown setting or an impossible value";
    }
    if (string == NULL || request->argv == NULL || request->argv[0] == NULL || request->envp == NULL)
        return "an incomplete request";
    return NULL;
}
