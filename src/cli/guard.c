/* A look at the log every now and then while it grows. What is an error in two looks in a row will not heal: the run ends. */
#include <string.h>

#include "cli/verdict.h"
#include "diagnose/rule_settings.h"

enum { LOOKS = 20, LEAST_STEPS = 20 };

struct Guard {
    Command *cmd;
    const Run *run;
    MonitorListener inner;
    const volatile sig_atomic_t *stop;
    volatile sig_atomic_t flag;
    int64_t every;
    RecordFollower *follower;
    const RuleSettings *settings;
    const Rule *suspect; /* the rule of an error in the last look */
    const char *reason;
};

/* The gravest error that the log shows. Rules that need more than the log have their say when the run has ended. */
static const Finding *look(Guard *guard, Arena *scratch)
{
    Error *failure = error_new(scratch);
    if (!guard->follower)
        guard->follower = record_follow(guard->cmd->arena, guard->run->folder, failure);
    const Record *record = guard->follower ? record_follow_next(guard->follower, failure) : NULL;
    if (!record)
        return NULL;
    const Evidence evidence = {.config = guard->run->config, .record = record};
    const Diagnosis *diagnosis = diagnose(scratch, &evidence, guard->settings, NULL);
    for (int i = 0; i < diagnosis->findings; i++)
        if (diagnosis->finding[i]->severity == SEVERITY_ERROR)
            return diagnosis->finding[i];
    return NULL;
}

static void judge(Guard *guard, int64_t step)
{
    Arena *scratch = arena_new(guard->cmd->arena);
    const Finding *finding = look(guard, scratch);
    if (finding && finding->rule == guard->suspect) {
        guard->reason =
            arena_printf(guard->cmd->arena, "%s at step %lld: %s", finding->rule->name, (long long)step, finding->message);
        guard->flag = SIGTERM;
    }
    guard->suspect = finding ? finding->rule : NULL;
    arena_free(scratch);
}

static void stepped(void *context, const StepReport *report, const ClipResult *clip)
{
    Guard *guard = context;
    if (guard->inner.stepped)
        guard->inner.stepped(guard->inner.context, report, clip);
    if (guard->run->config->train.guard == GUARD_STOP && report->step % guard->every == 0 && !guard->reason)
        judge(guard, report->step);
    if (guard->stop && *guard->stop)
        guard->flag = *guard->stop;
}

static void evaluated(void *context, const EvalReport *report)
{
    const Guard *guard = context;
    if (guard->inner.evaluated)
        guard->inner.evaluated(guard->inner.context, report);
}

static void kept(void *context, int64_t step)
{
    const Guard *guard = context;
    if (guard->inner.kept)
        guard->inner.kept(guard->inner.context, step);
}

static void nonfinite(void *context, const NonfiniteReport *report, const char *reproducer)
{
    const Guard *guard = context;
    if (guard->inner.nonfinite)
        guard->inner.nonfinite(guard->inner.context, report, reproducer);
}

Guard *guard_new(Command *cmd, const Run *run, const MonitorListener *inner, const volatile sig_atomic_t *stop)
{
    Guard *guard = ARENA_NEW(cmd->arena, Guard);
    RuleSettings *settings = rule_settings_new(cmd->arena);
    rule_settings_read(settings, run->config->rules, error_new(cmd->arena)); /* read before, so it is right */
    int64_t every = run->config->train.steps / LOOKS;
    guard->cmd = cmd;
    guard->run = run;
    guard->inner = *inner;
    guard->stop = stop;
    guard->every = every > LEAST_STEPS ? every : LEAST_STEPS;
    guard->settings = settings;
    return guard;
}

MonitorListener guard_listener(Guard *guard)
{
    return (MonitorListener){
        .context = guard, .stepped = stepped, .evaluated = evaluated, .kept = kept, .nonfinite = nonfinite};
}

const volatile sig_atomic_t *guard_flag(const Guard *guard)
{
    return &guard->flag;
}

const char *guard_reason(const Guard *guard)
{
    return guard->reason;
}
