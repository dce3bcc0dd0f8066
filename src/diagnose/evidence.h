/* All that is known of a training when it is judged. Any part may be NULL: a foreign log has no config, a config that was
 * not trained has no record, a run whose data is gone has no probe. */
#ifndef GRADTOOL_DIAGNOSE_EVIDENCE_H
#define GRADTOOL_DIAGNOSE_EVIDENCE_H

#include "diagnose/baseline.h"
#include "diagnose/data_facts.h"
#include "diagnose/overfit_trial.h"
#include "diagnose/prediction.h"
#include "diagnose/probe.h"
#include "diagnose/record.h"
#include "train/config.h"

typedef struct Evidence {
    const Config *config;
    const DataFacts *data;        /* of the training samples */
    const Prediction *prediction; /* of gradient flow, before a step is made */
    const Probe *initial;         /* the model with its first weights, on training samples */
    const Probe *final;           /* with the weights that the run left */
    const OverfitTrial *overfit;  /* one small batch learned by heart */
    const Record *record;         /* the log */
    const Baseline *baseline;     /* earlier runs to compare with */
} Evidence;

#endif
