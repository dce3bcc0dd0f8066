/* What rules share: which layers carry the flow, what chance level is, when a training had succeeded, which steps count. */
#ifndef GRADTOOL_DIAGNOSE_JUDGE_H
#define GRADTOOL_DIAGNOSE_JUDGE_H

#include "diagnose/rule.h"

/* Indexes into record->layer (the same as model->leaf and probe->layer). */
typedef struct LayerChoice {
    const int *index;
    int count;
} LayerChoice;

/* Layers with weights that others follow, in the order of the forward pass: their outputs are the pre-activations z_l. The
 * output layer is left out. With a config, of a residual block only the last layer of its branch is taken (its gradient is
 * that of the trunk): what becomes small inside a branch does not vanish for the layers before the block. */
LayerChoice judge_hidden_layers(const RuleInput *in);
/* All layers of these types. `types` ends with NULL. */
LayerChoice judge_layers_of(const RuleInput *in, const char *const types[]);

/* The same, as the config knows them: indexes of model->leaf. */
bool judge_is_output_layer(const Config *config, int leaf);
/* Key path of a leaf layer in the config's JSON: "model.layers[3]"; NULL where the config does not say. */
const char *judge_layer_path(const RuleInput *in, const char *layer);
const char *judge_parameter_path(const RuleInput *in, const char *parameter);

/* The loss of always giving the same best answer: the entropy of the class prior for cross-entropy and its two-class sister,
 * the variance of the targets for mse. NaN where it is not known. `high` is that of knowing nothing, not even the prior. */
double judge_chance_loss(const RuleInput *in, double *high);

/* Of the loss: medians of the first and the last tenth (at least 5 steps, at most 100), NaN where there is none. */
double judge_first_loss(const RuleInput *in);
double judge_last_loss(const RuleInput *in);
/* The share of the first loss (or of the chance level, the smaller of both) that training has removed: 0 nothing, 1 all,
 * negative: it got worse. NaN where losses may be negative or there is no log of them. */
double judge_progress(const RuleInput *in);
/* Convergence gate: the last step before the smoothed loss fell below 5 % of the first one for good; the last step of all
 * where it never did. Rules about learning look at no later step. */
int64_t judge_gate(const RuleInput *in);
/* A training that learned is not broken: an error becomes a warning where four fifths of the loss were removed, a warning a
 * remark where half of it was. */
Severity judge_severity(const RuleInput *in, Severity severity);

/* Steps before this one are warm-up: 20 or 2 % of the run, half of a run that is shorter than 40. */
int64_t judge_warm_up(const RuleInput *in);

const char *judge_optimizer(const RuleInput *in); /* type; "" */
/* The number at a key path of the completed config ("optimizer.lr"); NaN where there is none. */
double judge_number(const RuleInput *in, const char *path);
/* A number as it would be typed: two digits. In the arena. */
const char *judge_short(const RuleInput *in, double value);
/* Adds the change "optimizer.lr" times `factor`, rounded to two digits. */
void judge_change_rate(const RuleInput *in, Findings *out, Finding *finding, double factor);
/* Initial weights of the whole model, and of the linear and conv2d layers that have their own. */
void judge_change_init(const RuleInput *in, Findings *out, Finding *finding, const char *init);
/* The last layer with weights: its key path, NULL where the config does not say. */
const char *judge_output_path(const RuleInput *in);
/* Adds a change of the config where there is one. */
void judge_change(const RuleInput *in, Findings *out, Finding *finding, const char *path, const char *value);

#endif
