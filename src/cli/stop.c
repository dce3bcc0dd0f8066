#define _XOPEN_SOURCE 700 /* sigaction */
#include "cli/stop.h"

#include <string.h>
#include <unistd.h>

/* The one mutable global of the program: a handler is given nothing but the signal's number. */
static volatile sig_atomic_t stop_signal;

static void take_signal(int number)
{
    if (stop_signal)
        _exit(128 + number);
    stop_signal = number;
}

static void set_handler(void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    /* SIGINT even where the shell has it ignored, as for a job in the background: whoever sends it there means it. */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
}

const volatile sig_atomic_t *stop_watch(void)
{
    stop_signal = 0;
    set_handler(take_signal);
    return &stop_signal;
}

void stop_unwatch(void)
{
    set_handler(SIG_DFL);
}
