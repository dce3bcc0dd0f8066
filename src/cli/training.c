#include "cli/training.h"

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
    MonitorListener listener = progress_listener(run->progress);
    monitor_listen(run->monitor, &listener);
    return true;
}

void training_finish(const Command *command, Run *run, const volatile sig_atomic_t *stop, Error *err)
{
    progress_begin(run->progress, (int)command->common.threads);
    run->status = trainer_run(run->trainer, stop, err);
    run->seconds = trainer_seconds(run->trainer);
    progress_end(run->progress);
    run->steps = trainer_steps_done(run->trainer);
    if (!monitor_close(run->monitor, run->status, run->steps, run->seconds, err))
        run->status = TRAIN_FAILED;
}
