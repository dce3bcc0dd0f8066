#include "cli/training.h"

#include "cli/verdict.h"
#include "diagnose/rule_settings.h"

bool training_prepare(Command *command, Arena *arena, Threads *threads, bool quiet, Run *run, Error *err)
{
    run->monitor = monitor_new(arena, run->config, err);
    /* What a later check would refuse is refused before time is spent. */
    if (!run->monitor || !rule_settings_read(rule_settings_new(arena), run->config->rules, err))
        return false;
    run->trainer = trainer_new(arena, run->config, threads, monitor_observer(run->monitor), err);
    if (!run->trainer)
        return false;
    run->progress = progress_new(arena, run->config, &command->messages, quiet);
    run->threads = threads;
    return true;
}

void training_finish(Command *command, Run *run, bool judges, const volatile sig_atomic_t *stop, Error *err)
{
    const MonitorListener shown = progress_listener(run->progress);
    Guard *guard = guard_new(command, run, &shown, stop);
    const MonitorListener listener = guard_listener(guard);
    monitor_listen(run->monitor, &listener);
    progress_begin(run->progress, (int)command->common.threads);
    run->status = trainer_run(run->trainer, guard_flag(guard), err);
    run->seconds = trainer_seconds(run->trainer);
    progress_end(run->progress);
    run->steps = trainer_steps_done(run->trainer);
    run->guard_reason = guard_reason(guard);
    if (run->status == TRAIN_INTERRUPTED && run->guard_reason && !(stop && *stop))
        run->status = TRAIN_DIVERGED;
    bool is_over = run->status == TRAIN_COMPLETED || run->status == TRAIN_DIVERGED;
    if (judges && is_over && run->config->train.guard != GUARD_OFF && monitor_flush(run->monitor, err))
        run->verdict = verdict_of_training(command, run);
    if (!monitor_close(run->monitor, run->status, run->steps, run->seconds, err))
        run->status = TRAIN_FAILED;
}
