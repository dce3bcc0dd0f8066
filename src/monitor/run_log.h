/* Where a run is kept: its folder, and the log that grows line by line.
 *
 * Events are gathered in memory and go out with one write at the end of a step, whole lines only: a killed process loses no
 * finished step and tears at most what it had not finished. */
#ifndef GRADTOOL_MONITOR_RUN_LOG_H
#define GRADTOOL_MONITOR_RUN_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

/* Makes a folder for a new run. `wanted` is the folder itself; NULL: base/NAME-001, -002, ... A folder that exists is an error,
 * and nothing is touched. Returns the path. */
const char *run_folder_make(Arena *arena, const char *wanted, const char *base, const char *name, Error *err);

typedef struct RunLog RunLog;

/* Creates FOLDER/log.jsonl; closed with the arena. While it is open the log is locked: a run has one writer. */
RunLog *run_log_open(Arena *arena, const char *folder, Error *err);
/* Opens the log of a run that is gone on with, and makes it where there is none. An error where a process is writing it. */
RunLog *run_log_reopen(Arena *arena, const char *folder, Error *err);
/* Cuts the log to so many bytes; what has gathered is dropped. */
bool run_log_cut(RunLog *log, int64_t bytes, Error *err);
/* Does the log end with the end of a run that was completed? Then after how many steps. */
bool run_log_is_completed(const RunLog *log, int64_t *step);

/* One event: begin, fields, end. Numbers have 9 significant digits; what is not finite is a string. A value of another form is
 * added to the text that run_log_key returns. */
Text *run_log_begin(RunLog *log, const char *event);
Text *run_log_key(RunLog *log, const char *key);
void run_log_string(RunLog *log, const char *key, const char *value);
void run_log_integer(RunLog *log, const char *key, int64_t value);
void run_log_number(RunLog *log, const char *key, double value);
void run_log_bool(RunLog *log, const char *key, bool value);
void run_log_end(RunLog *log);

/* Hands what has gathered to the system. False with an error when the file cannot be written; what was not written is kept. */
bool run_log_flush(RunLog *log, Error *err);
/* The same, and what was handed over survives a power failure. */
bool run_log_sync(RunLog *log, Error *err);
/* Bytes that the file holds. */
int64_t run_log_bytes(const RunLog *log);

#endif
