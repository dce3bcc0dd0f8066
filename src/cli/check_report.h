/* What a check came to, and the forms in which it is written: one file check_<format>.c and one line in check_formats.def
 * each. Writers are pure: all subjects in, one text out. */
#ifndef GRADTOOL_CLI_CHECK_REPORT_H
#define GRADTOOL_CLI_CHECK_REPORT_H

#include "cli/terminal.h"
#include "diagnose/diagnosis.h"

/* One run, config or log that was checked. */
typedef struct CheckSubject {
    const char *path;    /* as the user gave it */
    const char *name;    /* short, for headings */
    const char *problem; /* why it could not be checked; then the rest is empty. NULL: it was */
    const Diagnosis *diagnosis;
    const Record *record; /* NULL: it was not trained */
    const Json *config;   /* the config's tree; NULL: there is none */
    double seconds;       /* that the check took, a training included */
} CheckSubject;

typedef struct CheckReport {
    Arena *arena;
    const CheckSubject *subject;
    int subjects;
    Severity level;            /* findings from this one on make a subject sick */
    bool never_fails;          /* --fail-on never: sick or not, the exit status is 0 */
    bool has_baseline;         /* known findings are told from new ones */
    bool has_statistics;       /* counts by rule */
    bool junit_has_files;      /* GitLab shows the attribute `file`; Jenkins' schema forbids it */
    const char *root;          /* folder, absolute, that paths for other tools are relative to */
    const char *annotate;      /* the file, or FILE:LINE, that findings are shown at instead; NULL: their own place */
    const Json *annotate_tree; /* its JSON, in which places are looked up; NULL: it has none */
    Terminal terminal;         /* colours, characters and width of what is written as text */
} CheckReport;

typedef struct CheckFormat {
    const char *name, *help;
    bool is_document; /* whole by itself: nothing may stand before or behind it */
    void (*write)(const CheckReport *report, Text *text);
} CheckFormat;

extern const CheckFormat *const check_format_table[];
extern const int check_format_count;
const CheckFormat *check_format_find(const char *name, Error *err);

/* Whether the finding makes its subject sick: as grave as the level, and not known. */
bool check_fails(const CheckReport *report, const Finding *finding);
bool check_is_sick(const CheckReport *report, const CheckSubject *subject);
int check_sick_subjects(const CheckReport *report);
int check_problems(const CheckReport *report); /* subjects that could not be checked */
/* "sick", "healthy", "unknown"; of one subject, and of all together. */
const char *check_verdict(const CheckReport *report, const CheckSubject *subject);
const char *check_verdict_of_all(const CheckReport *report);

/* Where a finding is shown: in the file that the config's key to blame stands in, the nearest key above it where it is a
 * default; of a log without a config, the log. */
typedef struct CheckPlace {
    const char *file; /* for people: relative to the working directory where it lies below it */
    const char *uri;  /* for other tools: relative to report->root; of a file elsewhere its name and folder */
    const char *key;  /* the key path that is pointed at; "" */
    long line, column, end_line, end_column; /* from 1; the end is behind the last character, on the same line */
} CheckPlace;
CheckPlace check_place(const CheckReport *report, const CheckSubject *subject, const Finding *finding);
/* The folder for report->root: the checkout of a CI job, or of the repository around the working directory, or that. */
const char *check_root(Arena *arena);

/* The same for the same finding of the same subject, tomorrow and on another machine. */
const char *check_fingerprint(const CheckReport *report, const CheckSubject *subject, const Finding *finding);

/* One line without control characters: names come from files of others. */
const char *check_line(Arena *arena, const char *text);
/* "fc1, fc2 and 3 more"; "" without layers. */
const char *check_layers_text(Arena *arena, const Finding *finding, int most);
/* "before training", "step 5", "steps 1 to 200". */
const char *check_steps_text(Arena *arena, const Finding *finding);
/* "gradtool run, 200 steps, 14 layers"; "" of a subject without a log. */
const char *check_record_text(Arena *arena, const Record *record);
/* "1 error, 2 warnings", those that are known apart. */
const char *check_counts_text(Arena *arena, const Diagnosis *diagnosis);
/* The change of the config as one word of a shell: "--set 'model.init={"type": "normal"}'". */
const char *check_change_text(Arena *arena, const char *change);

/* The object that the contract describes; and the whole report. */
Json *check_subject_document(const CheckReport *report, const CheckSubject *subject);

/* The same as FOLDER/findings.json. */
bool check_write_findings(const CheckReport *report, const CheckSubject *subject, const char *folder, Error *err);

/* The gradients of the layers at a glance. */
typedef struct CheckLayer {
    const char *name; /* of a parameter */
    double median;    /* of its gradient norm; NaN: it has none */
    const char *bar;  /* of log10 of the median beside those of all layers */
    const char *over_time;
    const Finding *worst; /* the gravest finding that names it or its layer; NULL */
} CheckLayer;
/* Weight matrices in the model's order; biases and gains are left out where there are others. */
CheckLayer *check_layers(Arena *arena, const CheckSubject *subject, bool ascii, int *count);

#endif
