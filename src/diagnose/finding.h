/* What a rule found, and the list that rules add to. */
#ifndef GRADTOOL_DIAGNOSE_FINDING_H
#define GRADTOOL_DIAGNOSE_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"

typedef enum Severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR } Severity;
/* "info", "warning", "error". */
const char *severity_name(Severity severity);

typedef struct Rule Rule;
typedef struct Finding Finding;
struct Finding {
    const Rule *rule;
    Severity severity;
    bool is_root;         /* the one cause that explains most; findings without it stand beside it */
    const Finding *cause; /* the finding that this one follows from, or NULL */
    const char **layers;  /* names of layers or parameters, in the model's order */
    int layer_count;
    int64_t first_step, last_step; /* where it holds; 0: before training */
    double value, threshold;       /* what was measured against its limit */
    const char *message;           /* one sentence with the numbers */
    const char *consequence;       /* what follows for the training; the rule's own unless it was given one */
    const char *remedy;            /* what to change, in words; likewise */
    Json *patch;                   /* merge-patch (RFC 7396) of the config; an empty object where no change of it helps */
    const char **change;           /* the same as "KEY=VALUE" for --set, as far as it can say it */
    int changes;
    const char *blame;       /* key path in the config of what is to blame: "optimizer.lr", "model.layers[3]" */
    const char *fingerprint; /* the same for the same finding of another run: rule, layers and place, no numbers */
    bool is_known;           /* the baseline has it too */
};

typedef struct Findings {
    Arena *arena;
    Finding **at;
    int count, capacity;
    const Rule *rule;    /* whose findings are being added, */
    Severity severity;   /* and how grave they are unless a rule says otherwise */
    const char *skipped; /* why the running rule cannot judge; NULL: it can */
} Findings;

/* A finding of the running rule; the message is a format. */
Finding *finding_add(Findings *findings, int64_t first_step, int64_t last_step, double value, double threshold,
                     const char *format, ...) __attribute__((format(printf, 6, 7)));
/* The running rule says why it cannot judge: "the run logged no clipping". Reports then show it as skipped, not as passed. */
void findings_skip(Findings *findings, const char *reason);
/* May be called again and again; the name is borrowed. */
void finding_add_layer(Findings *findings, Finding *finding, const char *name);
/* One change of `config`, the JSON that is patched: a key path and its new value as JSON text ("null" removes the key or the
 * item). An index in the path ("model.layers[2].init") makes the patch hold the whole array, as a merge-patch must; what stands
 * in a file of its own ("model": "mlp.json") is held as a whole, too, so that the patch fits the config both as it was written
 * and as a run keeps it. */
void finding_add_change(Findings *findings, Finding *finding, const Json *config, const char *path, const char *value);

/* Rule, layers and place as 16 hexadecimal digits: what Finding.fingerprint is set to once these are known. `number` tells
 * findings apart that have all three in common. */
const char *finding_fingerprint(Arena *arena, const Finding *finding, int number);

#endif
