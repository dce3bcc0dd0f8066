/* The verdict that a training ends with, and the guard that may end it early. */
#ifndef GRADTOOL_CLI_VERDICT_H
#define GRADTOOL_CLI_VERDICT_H

#include "cli/check_report.h"
#include "cli/training.h"

typedef struct Verdict {
    CheckReport report;
    CheckSubject subject;
    bool is_sick;
} Verdict;

/* Diagnoses the run, whose log has no end yet: adds `finding` events to it and writes findings.json. What keeps a run from
 * being judged is a note; then NULL. */
Verdict *verdict_of_training(Command *command, Run *run);
/* One line, and the end of it. */
void verdict_add_line(Command *command, const Verdict *verdict, Text *text);

/* Looks at a run while it is made, some twenty times. */
typedef struct Guard Guard;
/* `inner` is told everything first. `stop` (may be NULL) is the flag that signals set. */
Guard *guard_new(Command *command, const Run *run, const MonitorListener *inner, const volatile sig_atomic_t *stop);
MonitorListener guard_listener(Guard *guard);
/* What trainer_run is to stop at: a signal, or the guard. */
const volatile sig_atomic_t *guard_flag(const Guard *guard);
/* Why the guard stopped the run; NULL: it did not. */
const char *guard_reason(const Guard *guard);

#endif
