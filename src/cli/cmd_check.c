/* cli/cmd_check.c: what is wrong with a training, why, and what to change. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "cli/check_evidence.h"
#include "cli/check_output.h"
#include "cli/document.h"
#include "cli/stop.h"

enum { FAIL_NEVER = 3 };
static const char *const fail_choices[] = {"info", "warning", "error", "never", NULL};
static const char *const junit_choices[] = {"jenkins", "gitlab", NULL};

typedef struct Args {
    StringList paths, formats, files, select, ignore, thresholds, baselines, sets, map;
    const char *write_baseline, *out, *annotate, *layers, *log_format;
    int fail_on, junit_family;
    bool statistics;
} Args;

static const Option options[] = {
    {"PATH...", 0, OPT_LIST, offsetof(Args, paths),
     .help = "runs, configs (which are trained first), other tools' logs, folders of them"},
    {"format", 'f', OPT_LIST, offsetof(Args, formats), .value = "NAME,...",
     .help = "text (default), concise, json, junit, sarif, github, gitlab, markdown"},
    {"output", 'o', OPT_LIST, offsetof(Args, files), .value = "FILE", .help = "file of the format before it"},
    {"fail-on", 0, OPT_CHOICE, offsetof(Args, fail_on), .value = "info|warning|error|never", .standard = "error",
     .choices = fail_choices, .help = "findings from this severity on make a training sick: exit status 1"},
    {"select", 0, OPT_LIST, offsetof(Args, select), .value = "RULE,...", .help = "only these rules; * matches any characters"},
    {"ignore", 0, OPT_LIST, offsetof(Args, ignore), .value = "RULE,...", .help = "all but these"},
    {"threshold", 0, OPT_LIST, offsetof(Args, thresholds), .value = "RULE.LIMIT=VALUE", .help = "sets a limit of a rule"},
    {"baseline", 'b', OPT_LIST, offsetof(Args, baselines), .value = "PATH",
     .help = "a run, a folder of runs or a file: only new findings count; may be repeated"},
    {"write-baseline", 0, OPT_STRING, offsetof(Args, write_baseline), .value = "FILE",
     .help = "keeps what was found as a baseline"},
    {"set", 's', OPT_LIST, offsetof(Args, sets), .value = "KEY=VALUE", .help = "sets a key of the config; may be repeated"},
    {"out", 0, OPT_STRING, offsetof(Args, out), .value = "DIR",
     .help = "run folder of a config's training (default: a temporary one)"},
    {"annotate", 0, OPT_STRING, offsetof(Args, annotate), .value = "FILE[:LINE]",
     .help = "shows findings there: the config in the repository that a run came from"},
    {"map", 0, OPT_LIST, offsetof(Args, map), .value = "KIND=NAME",
     .help = "of other tools' logs: the series NAME is grad_norm, clipped_norm, loss, lr, val_loss or layer"},
    {"layers", 0, OPT_STRING, offsetof(Args, layers), .value = "FILE",
     .help = "of other tools' logs: the layers in the model's order, names or weights"},
    {"log-format", 0, OPT_STRING, offsetof(Args, log_format), .value = "NAME",
     .help = "of other tools' logs: their reader (gradtool list logs)"},
    {"junit-family", 0, OPT_CHOICE, offsetof(Args, junit_family), .value = "jenkins|gitlab", .standard = "jenkins",
     .choices = junit_choices, .help = "gitlab: cases name their file, as within a job of GitLab"},
    {"statistics", 0, OPT_FLAG, offsetof(Args, statistics), .help = "how often each rule fired, in the format text"},
    OPTIONS_END,
};

typedef struct Check {
    Command *cmd;
    const Args *args;
    Selection *selection;
    Baseline *baseline; /* NULL: none */
    Baseline *kept;     /* what --write-baseline writes */
    CheckOutputs outputs;
    CheckSubject *subject;
    int subjects, capacity;
    EvidenceOptions gather;
    ForeignOptions foreign;
    CheckReport report;
} Check;

/* A subject's rules: the config's, then the command line's. */
static RuleSettings *read_settings(const Check *check, const Json *config, Error *err)
{
    RuleSettings *settings = rule_settings_new(check->cmd->arena);
    bool fine = rule_settings_read(settings, json_member(config, "rules"), err);
    for (int i = 0; i < check->args->thresholds.count; i++)
        fine = rule_settings_set(settings, check->args->thresholds.at[i], err) && fine;
    return fine ? settings : NULL;
}

static bool judge(const Check *check, GatheredEvidence *gathered, const Baseline *baseline, CheckSubject *subject, Error *err)
{
    RuleSettings *settings = read_settings(check, gathered->config, err);
    if (!settings)
        return false;
    gathered->evidence.baseline = baseline;
    subject->name = gathered->name;
    subject->record = gathered->evidence.record;
    subject->config = gathered->config;
    subject->diagnosis = diagnose(check->cmd->arena, &gathered->evidence, settings, check->selection);
    return true;
}

/* A subject in which no rule could judge is not healthy: it was not checked. */
static bool was_checked(const CheckSubject *subject, Error *err)
{
    const char *reason = "";
    if (subject->diagnosis->ran)
        return true;
    for (int i = rule_count - 1; i >= 0; i--)
        if (subject->diagnosis->rule[i].outcome != RULE_UNSELECTED)
            reason = subject->diagnosis->rule[i].reason;
    return error_add(err, "nothing could be checked in %s: %s", subject->path, reason);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* findings.json of a run folder: an extra, so a folder that cannot be written to is a note. */
static void keep_findings(const Check *check, const char *folder, const CheckSubject *subject)
{
    Arena *arena = check->cmd->arena;
    Error *failure = error_new(arena);
    Text text = text_new(arena);
    json_write(&text, check_subject_document(&check->report, subject), 0);
    text_add_char(&text, '\n');
    if (!file_write(path_join(arena, folder, "findings.json"), text.at, text.length, failure))
        command_note(check->cmd, "note: %s", error_message(failure, 0));
}

static CheckSubject *add_subject(Check *check, const char *path)
{
    if (check->subjects == check->capacity) {
        int larger = check->capacity ? 2 * check->capacity : 8;
        check->subject = arena_grow(check->cmd->arena, check->subject, sizeof *check->subject * (size_t)check->capacity,
                                    sizeof *check->subject * (size_t)larger);
        check->capacity = larger;
    }
    check->subject[check->subjects] = (CheckSubject){.path = path, .name = path_name(path)};
    return &check->subject[check->subjects++];
}

static void set_problem(const Check *check, CheckSubject *subject, const Error *err)
{
    *subject = (CheckSubject){.path = subject->path, .name = path_name(subject->path), .problem = error_message(err, 0)};
    error_join(check->cmd->err, err);
}

static void check_one(Check *check, const Operand *operand)
{
    Error *err = error_new(check->cmd->arena);
    double begin = now();
    CheckSubject *subject = add_subject(check, operand->path);
    GatheredEvidence *gathered = evidence_gather(check->cmd, operand, &check->gather, err);
    if (gathered && judge(check, gathered, check->baseline, subject, err) && was_checked(subject, err)) {
        baseline_add_run(check->kept, subject->name, subject->diagnosis->finding, subject->diagnosis->findings,
                         subject->record);
        if (gathered->folder)
            keep_findings(check, gathered->folder, subject);
    } else {
        set_problem(check, subject, err);
    }
    subject->seconds = now() - begin;
}

static void check_path(Check *check, const char *path)
{
    Error *err = error_new(check->cmd->arena);
    Operands operands = {0};
    if (!operand_expand(check->cmd, path, &check->foreign, &operands, err))
        set_problem(check, add_subject(check, path), err);
    for (int i = 0; i < operands.count && !*check->gather.stop; i++)
        check_one(check, &operands.at[i]);
}

/* The findings of a baseline's run are found anew, by the same rules. */
static bool add_baseline_run(Check *check, const Operand *operand)
{
    CheckSubject subject = {.path = operand->path};
    Error *err = error_new(check->cmd->arena);
    GatheredEvidence *gathered = evidence_gather(check->cmd, operand, &(EvidenceOptions){0}, err);
    if (!gathered || !judge(check, gathered, NULL, &subject, err))
        return error_join(check->cmd->err, err);
    baseline_add_run(check->baseline, subject.name, subject.diagnosis->finding, subject.diagnosis->findings, subject.record);
    return true;
}

static bool is_json(const char *path)
{
    size_t length = strlen(path);
    return length > 5 && !strcmp(path + length - 5, ".json") && !file_is_folder(path);
}

static bool read_baselines(Check *check)
{
    Command *cmd = check->cmd;
    Operands operands = {0};
    bool fine = true;
    if (check->args->baselines.count)
        check->baseline = baseline_new(cmd->arena);
    for (int i = 0; i < check->args->baselines.count; i++) {
        const char *path = check->args->baselines.at[i];
        if (is_json(path))
            fine = baseline_read(check->baseline, path, cmd->err) && fine;
        else
            fine = operand_expand(cmd, path, &check->foreign, &operands, cmd->err) && fine;
    }
    for (int i = 0; fine && i < operands.count; i++)
        fine = add_baseline_run(check, &operands.at[i]);
    return fine;
}

static bool read_annotation(Check *check)
{
    const char *annotate = check->args->annotate;
    if (!annotate)
        return true;
    check->report.annotate = annotate;
    const char *colon = strrchr(annotate, ':');
    bool has_line = colon && colon[1] && !colon[1 + strspn(colon + 1, "0123456789")];
    const char *file = has_line ? arena_strndup(check->cmd->arena, annotate, (size_t)(colon - annotate)) : annotate;
    if (!file_exists(file))
        return error_add(check->cmd->err, "--annotate %s: there is no such file", file);
    if (!has_line)
        check->report.annotate_tree = config_read_json(check->cmd->arena, file, NULL, 0, error_new(check->cmd->arena));
    return true;
}

static void set_options(Check *check)
{
    Command *cmd = check->cmd;
    const Args *args = check->args;
    bool never = args->fail_on == FAIL_NEVER;
    const char **map = ARENA_ARRAY(cmd->arena, const char *, args->map.count + 1); /* ends with NULL */
    for (int i = 0; i < args->map.count; i++)
        map[i] = args->map.at[i];
    check->foreign = (ForeignOptions){.format = args->log_format, .layers = args->layers, .map = map};
    check->gather.sets = args->sets;
    check->gather.out = args->out;
    check->kept = baseline_new(cmd->arena);
    check->report.arena = cmd->arena;
    check->report.level = never ? SEVERITY_ERROR : (Severity)args->fail_on;
    check->report.never_fails = never;
    check->report.has_baseline = args->baselines.count > 0;
    check->report.has_statistics = args->statistics;
    check->report.junit_has_files = args->junit_family == 1 || getenv("GITLAB_CI");
    check->report.root = check_root(cmd->arena);
    check->report.terminal = cmd->out;
}

/* Everything that can be wrong with the command line is found before anything is trained. */
static bool prepare(Check *check)
{
    Command *cmd = check->cmd;
    const Args *args = check->args;
    if (!args->paths.count) {
        error_add(cmd->err, "gradtool check needs PATH: a run, a config, another tool's log, or a folder of them");
        return error_hint(cmd->err, "gradtool check --help");
    }
    if (args->out && args->paths.count > 1)
        error_add(cmd->err, "--out names one run folder, but there are %d paths", args->paths.count);
    check->selection =
        selection_new(cmd->arena, args->select.at, args->select.count, args->ignore.at, args->ignore.count, cmd->err);
    read_settings(check, NULL, cmd->err);
    check_outputs_read(cmd->arena, &args->formats, &args->files, cmd->common.json, &check->outputs, cmd->err);
    read_annotation(check);
    command_threads(cmd, &check->gather.threads);
    set_options(check);
    return error_count(cmd->err) == 0;
}

/* Reports tell subjects apart by their names. */
static void make_names_unique(Check *check)
{
    for (int i = 0; i < check->report.subjects; i++)
        for (int k = 0; k < i; k++)
            if (!strcmp(check->subject[i].name, check->subject[k].name))
                check->subject[i].name = check->subject[i].path;
}

static bool write_baseline(const Check *check)
{
    Text text = text_new(check->cmd->arena);
    if (!check->args->write_baseline)
        return true;
    json_write(&text, baseline_document(check->cmd->arena, check->kept), 0);
    text_add_char(&text, '\n');
    return file_write(check->args->write_baseline, text.at, text.length, check->cmd->err);
}

static int check_run(Command *cmd, const void *parsed)
{
    Check check = {.cmd = cmd, .args = parsed};
    if (!prepare(&check) || !read_baselines(&check))
        return EXIT_FAILED;
    check.gather.stop = stop_watch();
    for (int i = 0; i < check.args->paths.count && !*check.gather.stop; i++)
        check_path(&check, check.args->paths.at[i]);
    check.report.subject = check.subject;
    check.report.subjects = check.subjects;
    int signal = *check.gather.stop;
    stop_unwatch();
    if (signal)
        return EXIT_BY_SIGNAL + signal;
    make_names_unique(&check);
    int problems = check_problems(&check.report);
    if (problems == check.report.subjects)
        return EXIT_FAILED;
    bool written = check_outputs_write(&check.report, &check.outputs, cmd->err);
    if (!write_baseline(&check) || !written || problems)
        return EXIT_FAILED;
    return check_sick_subjects(&check.report) && !check.report.never_fails ? EXIT_FINDINGS : EXIT_HEALTHY;
}

const CommandRow cmd_check = {
    .name = "check",
    .help = "diagnose a run, or a config, which is trained first; exit status 1 when it is sick",
    .options = options,
    .args_size = sizeof(Args),
    .run = check_run,
    .example = "gradtool check configs/deep-sigmoid.json",
};
