#include "render/gnuplot.h"

#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { INPUT, OUTPUT, MESSAGES, CHANNELS };

static void quote(Text *script, const char *text, bool is_format)
{
    text_add_char(script, '\'');
    for (; *text; text++) {
        if (*text == '\'' || (*text == '%' && is_format))
            text_printf(script, "%c%c", *text, *text);
        else
            text_add_char(script, (unsigned char)*text < 0x20 ? ' ' : *text);
    }
    text_add_char(script, '\'');
}

void gnuplot_quote(Text *script, const char *text)
{
    quote(script, text, false);
}

void gnuplot_quote_tick(Text *script, const char *text)
{
    quote(script, text, true);
}

static void close_end(int *end)
{
    if (*end >= 0)
        close(*end);
    *end = -1;
}

/* Sockets rather than pipes, because a send can be told not to raise SIGPIPE. */
static bool open_channels(int ours[CHANNELS], int theirs[CHANNELS])
{
    for (int i = 0; i < CHANNELS; i++)
        ours[i] = theirs[i] = -1;
    for (int i = 0; i < CHANNELS; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            return false;
        ours[i] = ends[0];
        theirs[i] = ends[1];
    }
    return true;
}

static int start(const char *program, const int theirs[CHANNELS], pid_t *child)
{
    posix_spawn_file_actions_t actions;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure)
        return failure;
    for (int i = 0; i < CHANNELS && !failure; i++)
        failure = posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
    /* -d: the user's own start-up file would change the pictures. */
    char name[] = "gnuplot", defaults[] = "-d";
    char *const arguments[] = {name, defaults, NULL};
    if (!failure)
        failure = posix_spawnp(child, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

static void receive(int *end, Text *into)
{
    char bytes[65536];
    ssize_t count = recv(*end, bytes, sizeof bytes, 0);
    if (count > 0)
        text_add_bytes(into, bytes, (size_t)count);
    else if (count == 0 || errno != EINTR)
        close_end(end);
}

/* Writes and reads at the same time, so that neither side waits for the other for ever. */
static void converse(int ours[CHANNELS], const Text *script, Text *output, Text *messages)
{
    size_t sent = 0;
    while (ours[OUTPUT] >= 0 || ours[MESSAGES] >= 0) {
        struct pollfd waiting[CHANNELS];
        for (int i = 0; i < CHANNELS; i++)
            waiting[i] = (struct pollfd){.fd = ours[i], .events = i == INPUT ? POLLOUT : POLLIN};
        if (poll(waiting, CHANNELS, -1) < 0) {
            if (errno == EINTR)
                continue;
            break;
        }
        if (waiting[INPUT].revents) {
            ssize_t count = send(ours[INPUT], script->at + sent, script->length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (count > 0)
                sent += (size_t)count;
            bool is_over = count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
            if (sent == script->length || is_over)
                close_end(&ours[INPUT]);
        }
        if (waiting[OUTPUT].revents)
            receive(&ours[OUTPUT], output);
        if (waiting[MESSAGES].revents)
            receive(&ours[MESSAGES], messages);
    }
}

/* What gnuplot complains of stands behind "line N:", after the offending line and a caret. */
static bool report(const Text *messages, int status, Error *err)
{
    const char *said = strstr(messages->at, "line ");
    if (!said)
        said = messages->at;
    int length = (int)strcspn(said, "\n");
    if (length > 0)
        return error_add(err, "gnuplot failed: %.*s", length, said);
    if (WIFSIGNALED(status))
        return error_add(err, "gnuplot was stopped by signal %d", WTERMSIG(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        return error_add(err, "gnuplot ended with status %d", WEXITSTATUS(status));
    return error_add(err, "gnuplot drew nothing");
}

bool gnuplot_run(const char *program, const Text *script, Text *output, bool *missing, Error *err)
{
    *missing = false;
    int ours[CHANNELS], theirs[CHANNELS];
    pid_t child = -1;
    int failure = open_channels(ours, theirs) ? start(program ? program : "gnuplot", theirs, &child) : errno;
    for (int i = 0; i < CHANNELS; i++)
        close_end(&theirs[i]);
    bool done = false;
    if (failure) {
        *missing = failure == ENOENT || failure == EACCES || failure == ENOTDIR;
        if (*missing)
            error_add(err, "%s not found", program ? program : "gnuplot");
        else
            error_add(err, "cannot start %s: %s", program ? program : "gnuplot", strerror(failure));
    } else {
        Text messages = text_new(output->arena);
        size_t before = output->length;
        converse(ours, script, output, &messages);
        int status = 0;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
        done = WIFEXITED(status) && WEXITSTATUS(status) == 0 && output->length > before;
        if (!done)
            report(&messages, status, err);
    }
    for (int i = 0; i < CHANNELS; i++)
        close_end(&ours[i]);
    return done;
}
