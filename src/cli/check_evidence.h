/* All that can be known of one operand of `check`: a run, a config that is trained for it, a log. */
#ifndef GRADTOOL_CLI_CHECK_EVIDENCE_H
#define GRADTOOL_CLI_CHECK_EVIDENCE_H

#include <signal.h>

#include "cli/command.h"
#include "diagnose/evidence.h"
#include "diagnose/foreign.h"

/* One thing to check. */
typedef struct Operand {
    const char *path;
    Record *log; /* somebody else's log, read; NULL: a run or a config */
} Operand;

typedef struct Operands {
    Operand *at;
    int count, capacity;
} Operands;

/* What a path stands for: a run (a folder with log.jsonl) or a config (JSON with a model, data, a loss or training) for itself;
 * anything else for the logs in it, our own runs among them. False with an error when there is nothing to check. */
bool operand_expand(Command *command, const char *path, const ForeignOptions *options, Operands *operands, Error *err);

typedef struct EvidenceOptions {
    StringList sets;                   /* of configs */
    const char *out;                   /* run folder of a training; NULL: a temporary one, removed with the arena */
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
GatheredEvidence *evidence_gather(Command *command, const Operand *operand, const EvidenceOptions *options, Error *err);

#endif
