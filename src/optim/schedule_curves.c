/* The curves, in the closed forms of torch.optim.lr_scheduler. */
#include <math.h>
#include <stddef.h>

#include "optim/schedule.h"

#define PI 3.14159265358979323846

#define SCHEDULE(name) extern const ScheduleType schedule_##name;
#include "optim/schedules.def"
#undef SCHEDULE

#define NO_FIELDS                                                                                                              \
    {                                                                                                                          \
        .name = NULL                                                                                                           \
    }

static const Field no_fields[] = {NO_FIELDS};

static const Field step_fields[] = {
    {.name = "every",
     .type = FIELD_INTEGER,
     .offset = offsetof(ScheduleOptions, every),
     .required = true,
     .limit = FIELD_POSITIVE,
     .help = "steps between two decays"},
    {.name = "gamma",
     .type = FIELD_NUMBER,
     .offset = offsetof(ScheduleOptions, gamma),
     .standard = "0.1",
     .limit = FIELD_POSITIVE,
     .help = "factor of one decay"},
    NO_FIELDS,
};

static const Field exponential_fields[] = {
    {.name = "gamma",
     .type = FIELD_NUMBER,
     .offset = offsetof(ScheduleOptions, gamma),
     .required = true,
     .limit = FIELD_POSITIVE,
     .help = "factor of every step"},
    NO_FIELDS,
};

static const Field annealing_fields[] = {
    {.name = "min_lr",
     .type = FIELD_NUMBER,
     .offset = offsetof(ScheduleOptions, min_lr),
     .standard = "0",
     .limit = FIELD_NOT_NEGATIVE,
     .help = "rate at the end"},
    NO_FIELDS,
};

static double constant_rate(const ScheduleOptions *options, double lr, int64_t t, int64_t steps)
{
    (void)options, (void)t, (void)steps;
    return lr;
}

static double step_rate(const ScheduleOptions *options, double lr, int64_t t, int64_t steps)
{
    (void)steps;
    int64_t falls = t / options->every;
    return lr * pow(options->gamma, (double)falls);
}

static double exponential_rate(const ScheduleOptions *options, double lr, int64_t t, int64_t steps)
{
    (void)steps;
    return lr * pow(options->gamma, (double)t);
}

static double cosine_rate(const ScheduleOptions *options, double lr, int64_t t, int64_t steps)
{
    return options->min_lr + (lr - options->min_lr) * (1 + cos(PI * (double)t / (double)steps)) / 2;
}

static double linear_rate(const ScheduleOptions *options, double lr, int64_t t, int64_t steps)
{
    double part = t < steps ? (double)t / (double)steps : 1;
    return lr + (options->min_lr - lr) * part;
}

static double anneal(double start, double end, double part)
{
    return end + (start - end) / 2 * (cos(PI * part) + 1);
}

/* Smith & Topin 2017, "Super-convergence"; pct_start 0.3, div_factor 25, final_div_factor 1e4. */
static double onecycle_rate(const ScheduleOptions *options, double lr, int64_t t, int64_t steps)
{
    (void)options;
    double first = lr / 25, last = first / 1e4;
    double top = 0.3 * (double)steps - 1, end = (double)steps - 1, now = (double)t < end ? (double)t : end;
    if (now <= top)
        return anneal(first, lr, top > 0 ? now / top : 1);
    return anneal(lr, last, (now - top) / (end - top));
}

const ScheduleType schedule_constant = {"constant", "the same rate throughout", no_fields, constant_rate};
const ScheduleType schedule_step = {"step", "times gamma every so many steps (StepLR)", step_fields, step_rate};
const ScheduleType schedule_exponential = {"exponential", "times gamma at every step (ExponentialLR)", exponential_fields,
                                           exponential_rate};
const ScheduleType schedule_cosine = {"cosine", "half a cosine down to min_lr (CosineAnnealingLR)", annealing_fields,
                                      cosine_rate};
const ScheduleType schedule_linear = {"linear", "straight down to min_lr (LinearLR)", annealing_fields, linear_rate};
const ScheduleType schedule_onecycle = {"onecycle", "up from lr/25 to lr, down to lr/250000 (OneCycleLR)", no_fields,
                                        onecycle_rate};
