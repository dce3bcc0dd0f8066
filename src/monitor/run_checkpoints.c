#include "monitor/run_checkpoints.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/folder.h"

static const char folder_name[] = "checkpoints";

RunCheckpoints run_checkpoints_of(RunLog *log, const char *folder, const Config *config, Bytes text)
{
    return (RunCheckpoints){.folder = folder,
                            .log = log,
                            .config = file_checksum(text),
                            .keep = config->train.checkpoint_keep,
                            .steps = config->train.steps,
                            .newest = -1};
}

/* The event of the newest checkpoint. */
static void log_checkpoint(RunCheckpoints *run)
{
    Text *text = run_log_begin(run->log, "checkpoint");
    run_log_integer(run->log, "step", run->newest);
    text_printf(text, ",\"path\":\"%s/step-%lld\"", folder_name, (long long)run->newest);
    run_log_end(run->log);
    run->is_logged = true;
}

static bool make_folder(const RunCheckpoints *run, const char *folder, Error *err)
{
    if (file_is_folder(folder))
        return true;
    if (!file_make_folder(folder, err))
        return false;
    return file_sync_folder(run->folder) || error_add(err, "cannot write %s: %s", folder, file_reason(errno, "no such folder"));
}

bool run_checkpoints_keep(RunCheckpoints *run, const Trainer *trainer, int64_t log_bytes, Arena *scratch, Error *err)
{
    TrainPoint point;
    if (!trainer_point(trainer, &point))
        return true;
    const char *folder = path_join(scratch, run->folder, folder_name);
    if (run->newest != point.step) {
        const CheckpointNote note = {.log_bytes = log_bytes, .config = run->config};
        if (!run_log_sync(run->log, err) || !make_folder(run, folder, err) ||
            !checkpoint_write(trainer, &point, checkpoint_path(scratch, folder, point.step), &note, err))
            return false;
        run->newest = point.step;
        run->is_logged = false;
    }
    if (!run->is_logged)
        log_checkpoint(run);
    checkpoint_prune(scratch, folder, run->keep);
    return run_log_flush(run->log, err);
}

static void add_note(Resumption *resumption, Arena *arena, const Error *failure)
{
    resumption->note[resumption->notes++] = arena_strdup(arena, error_message(failure, 0));
}

/* The newest checkpoint that is whole and whose log is there. */
static const Checkpoint *find(const RunCheckpoints *run, const char *folder, Resumption *resumption, Arena *arena)
{
    int count;
    const int64_t *steps = checkpoint_list(arena, folder, &count);
    resumption->note = ARENA_ARRAY(arena, const char *, count + 1);
    for (int i = 0; i < count; i++) {
        Error *failure = error_new(arena);
        const Checkpoint *checkpoint = checkpoint_read(arena, checkpoint_path(arena, folder, steps[i]), failure);
        if (checkpoint && checkpoint->note.log_bytes <= run_log_bytes(run->log))
            return checkpoint;
        if (checkpoint)
            error_add(failure, "%s belongs to a longer log.jsonl than there is", checkpoint->path);
        add_note(resumption, arena, failure);
    }
    return NULL;
}

/* Leaves what a run that had never stopped would have at that step. */
static void remove_others(const RunCheckpoints *run, const char *folder, Arena *scratch)
{
    int count;
    const int64_t *steps = checkpoint_list(scratch, folder, &count);
    for (int i = 0; i < count && steps[i] > run->newest; i++)
        file_remove_folder(checkpoint_path(scratch, folder, steps[i]));
    checkpoint_prune(scratch, folder, run->keep);
    folder_remove_leftovers(scratch, folder, NULL);
}

/* What a killed process had not finished writing. Others write reports and pictures beside it; those are left alone. */
static void remove_leftovers(const char *folder, Arena *scratch)
{
    int count;
    const char *saved = path_join(scratch, folder, "saved");
    const char *const *names = folder_list(scratch, saved, &count);
    folder_remove_leftovers(scratch, folder, "config.json");
    folder_remove_leftovers(scratch, folder, "model.safetensors");
    for (int i = 0; i < count; i++)
        folder_remove_leftovers(scratch, path_join(scratch, saved, names[i]), NULL);
}

/* Writes the config unless it stands there. */
static bool renew_config(const RunCheckpoints *run, Bytes config, Arena *scratch, Error *err)
{
    const char *path = path_join(scratch, run->folder, "config.json");
    Bytes old;
    return file_read(scratch, path, &old, err) && ((old.count == config.count && !memcmp(old.at, config.at, config.count)) ||
                                                   file_write(path, config.at, config.count, err));
}

/* What follows the point that the log was cut back to. */
static void log_resumption(RunCheckpoints *run, const Trainer *trainer, const Resumption *resumption)
{
    if (trainer_checkpoint_is_due(trainer, run->newest))
        log_checkpoint(run);
    if (!resumption->is_changed)
        return;
    run_log_begin(run->log, "resume");
    run_log_integer(run->log, "step", run->newest);
    run_log_integer(run->log, "steps", run->steps);
    run_log_end(run->log);
}

bool run_checkpoints_go_back(RunCheckpoints *run, Trainer *trainer, Bytes config, Resumption *resumption, Arena *arena,
                             Error *err)
{
    const char *folder = path_join(arena, run->folder, folder_name);
    const Checkpoint *checkpoint = find(run, folder, resumption, arena);
    if (checkpoint && !checkpoint_restore(checkpoint, trainer, err))
        return false;
    if (checkpoint) {
        run->newest = resumption->step = checkpoint->point.step;
        resumption->path = checkpoint_path(arena, folder_name, run->newest);
        resumption->is_changed = checkpoint->note.config != run->config;
    }
    remove_others(run, folder, arena);
    remove_leftovers(run->folder, arena);
    if (!renew_config(run, config, arena, err) || !run_log_cut(run->log, checkpoint ? checkpoint->note.log_bytes : 0, err))
        return false;
    if (checkpoint)
        log_resumption(run, trainer, resumption);
    return true;
}
