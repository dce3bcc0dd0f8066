/* Learning-rate schedules: torch.optim.lr_scheduler's curves after a linear warm-up.
 *
 * All count optimizer steps from 0. In the warm-up, step t has lr * (t + 1) / warmup; the curve runs over the steps that
 * remain. */
#ifndef GRADTOOL_OPTIM_SCHEDULE_H
#define GRADTOOL_OPTIM_SCHEDULE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fields.h"
#include "base/json.h"

typedef struct ScheduleOptions {
    int64_t warmup, every;
    double gamma, min_lr;
} ScheduleOptions;

typedef struct ScheduleType {
    const char *name;
    const char *help;
    const Field *fields; /* into ScheduleOptions, besides the common warmup */
    /* The rate of step t (from 0) of a curve of `steps` (at least 1), from base rate lr. */
    double (*rate)(const ScheduleOptions *options, double lr, int64_t t, int64_t steps);
} ScheduleType;

extern const ScheduleType *const schedule_table[];
extern const int schedule_count;

typedef struct Schedule Schedule;

/* Reads the "schedule" object (NULL, or without a type: constant). `steps` is the length of the whole run. */
Schedule *schedule_new(Arena *arena, Json *object, double base_lr, int64_t steps, Error *err);
/* The rate of a step, from the base rate, and from another one: a group's own. */
double schedule_rate(const Schedule *schedule, int64_t step);
double schedule_rate_from(const Schedule *schedule, double lr, int64_t step);

#endif
