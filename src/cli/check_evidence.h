/* All that can be known of one operand of `check`: a run, a config that is trained for it, a log. */
#ifndef GRADTOOL_CLI_CHECK_EVIDENCE_H
#define GRADTOOL_CLI_CHECK_EVIDENCE_H

#include <signal.h>

#include "cli/command.h"
#include "diagnose/evidence.h"
#include "diagnose/foreign.h"

/* What one operand is. */
typedef enum OperandKind {
    OPERAND_RUN,    /* a folder with log.jsonl */
    OPERAND_CONFIG, /* a JSON file with a model, data, or training */
    OPERAND_LOG     /* somebody else's log */
} OperandKind;

typedef struct EvidenceOptions {
    StringList sets;                   /* of configs */
    const char *out;                   /* run folder of a training; NULL: a temporary one, removed with the arena */
    ForeignOptions foreign;            /* of other tools' logs */
    const volatile sig_atomic_t *stop; /* a signal's number ends a training */
    Threads *threads;                  /* NULL: one */
} EvidenceOptions;

typedef struct GatheredEvidence {
    Evidence evidence;
    const Json *config; /* the config's tree, also where the config could not be built; NULL: there is none */
    const char *name;
    const char *folder; /* the run folder; NULL: none, or a temporary one */
} GatheredEvidence;

/* NULL with an error when there is nothing to judge. What is missing of a run (its data, its weights) is a note, and the
 * evidence does without. */
GatheredEvidence *evidence_gather(Command *command, Arena *arena, const char *path, const EvidenceOptions *options, Error *err);

/* The kind of what is there; false with an error when nothing is. */
bool operand_kind(const char *path, OperandKind *kind, Error *err);
/* Appends the runs that a path stands for to `paths`: a folder without a log of its own that holds runs, ours or other tools',
 * stands for those, sorted; anything else for itself. Runs among others that have no gradients are left out with a note. */
void operand_expand(Command *command, const char *path, const ForeignOptions *options, StringList *paths);

#endif
