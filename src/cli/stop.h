/* SIGINT, SIGTERM and SIGUSR1 (by which Slurm warns of a job's end) as a flag that work looks at between its steps. */
#ifndef GRADTOOL_CLI_STOP_H
#define GRADTOOL_CLI_STOP_H

#include <signal.h>

/* From here on the first signal sets the flag to its number, and a second one ends the process at once. */
const volatile sig_atomic_t *stop_watch(void);
/* Signals do again what they usually do. */
void stop_unwatch(void);

#endif
