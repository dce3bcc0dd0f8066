/* The run log's line about a step that was not finite. */
#ifndef GRADTOOL_MONITOR_NONFINITE_EVENT_H
#define GRADTOOL_MONITOR_NONFINITE_EVENT_H

#include "monitor/run_log.h"
#include "train/nonfinite.h"

/* `reproducer`: the folder inside the run's, or NULL. */
void nonfinite_event_write(RunLog *log, const NonfiniteReport *report, const char *reproducer);

#endif
