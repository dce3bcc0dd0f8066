#include "optim/schedule.h"

#define SCHEDULE(name) extern const ScheduleType schedule_##name;
#include "optim/schedules.def"
#undef SCHEDULE

#define SCHEDULE(name) &schedule_##name,
const ScheduleType *const schedule_table[] = {
#include "optim/schedules.def"
};
#undef SCHEDULE

const int schedule_count = (int)(sizeof schedule_table / sizeof schedule_table[0]);

struct Schedule {
    const ScheduleType *type;
    const char *name;
    ScheduleOptions options;
    double base_lr;
    int64_t steps; /* of the curve, at least 1 */
};

static const Field type_fields[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .offset = offsetof(Schedule, name),
     .standard = "\"constant\"",
     .help = "constant, step, exponential, cosine, linear, onecycle"},
    {.name = NULL},
};

static const Field common_fields[] = {
    {.name = "warmup",
     .type = FIELD_INTEGER,
     .offset = offsetof(ScheduleOptions, warmup),
     .standard = "0",
     .limit = FIELD_NOT_NEGATIVE,
     .help = "steps of linear warm-up"},
    {.name = NULL},
};

static const ScheduleType *choose_type(Arena *arena, const Json *value, Error *err)
{
    if (!value)
        return schedule_table[0];
    const char **names = ARENA_ARRAY(arena, const char *, schedule_count + 1);
    for (int i = 0; i < schedule_count; i++)
        names[i] = schedule_table[i]->name;
    int index = fields_choose(value, "schedule", names, err);
    return index < 0 ? NULL : schedule_table[index];
}

Schedule *schedule_new(Arena *arena, Json *object, double base_lr, int64_t steps, Error *err)
{
    Schedule *schedule = ARENA_NEW(arena, Schedule);
    if (!object)
        object = json_new(arena, JSON_OBJECT);
    schedule->type = choose_type(arena, json_member(object, "type"), err);
    if (!schedule->type)
        return NULL;
    const FieldSet sets[] = {
        {type_fields, schedule}, {common_fields, &schedule->options}, {schedule->type->fields, &schedule->options}};
    if (!fields_read(arena, object, "the schedule", sets, 3, err))
        return NULL;
    schedule->base_lr = base_lr;
    schedule->steps = steps > schedule->options.warmup ? steps - schedule->options.warmup : 1;
    return schedule;
}

double schedule_rate_from(const Schedule *schedule, double lr, int64_t step)
{
    int64_t warmup = schedule->options.warmup;
    if (step < warmup)
        return lr * (double)(step + 1) / (double)warmup;
    return schedule->type->rate(&schedule->options, lr, step - warmup, schedule->steps);
}

double schedule_rate(const Schedule *schedule, int64_t step)
{
    return schedule_rate_from(schedule, schedule->base_lr, step);
}
