/* From the series of somebody else's log to a record: which of them is the total, which are layers, and in what order. */
#ifndef GRADTOOL_DIAGNOSE_FOREIGN_RECORD_H
#define GRADTOOL_DIAGNOSE_FOREIGN_RECORD_H

#include "diagnose/foreign.h"
#include "diagnose/foreign_log.h"

/* NULL with an error when no series is of gradients. `source` is what the user calls it. */
Record *foreign_record_new(Arena *arena, const ForeignLog *log, const char *source, const ForeignOptions *options, Error *err);

#endif
