#include "diagnose/judge.h"

#include <math.h>
#include <string.h>

#include "diagnose/robust.h"
#include "monitor/run_line.h"
#include "nn/layer.h"

static bool is_word(const char *word, const char *const words[])
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(word, words[i]))
            return true;
    return false;
}

static bool has_weights(const char *type)
{
    static const char *const types[] = {"linear", "conv2d", "attention", "rnn", "lstm", "gru", "embedding", NULL};
    return is_word(type, types);
}

/* Marks leaves inside of residual blocks: 2 for the last layer with weights of a branch, 1 for those before it. */
static void mark_residual(const LayerList *list, int depth, int *mark)
{
    int last = -1;
    for (int i = 0; i < list->count; i++) {
        const Layer *layer = list->layer[i];
        bool is_residual = !strcmp(layer->type->name, "residual");
        if (layer->leaf >= 0 && depth && has_weights(layer->type->name)) {
            mark[layer->leaf] = 1;
            last = layer->leaf;
        }
        mark_residual(&layer->list, depth + is_residual, mark);
        mark_residual(&layer->shortcut, depth + is_residual, mark);
    }
    if (last >= 0)
        mark[last] = 2;
}

static int *residual_marks(const RuleInput *in, int layers)
{
    const Config *config = in->evidence->config;
    int *mark = ARENA_ARRAY(in->arena, int, layers + 1);
    if (config && config->model->leaves == layers)
        mark_residual(&config->model->root->list, 0, mark);
    return mark;
}

LayerChoice judge_hidden_layers(const RuleInput *in)
{
    const Record *record = in->evidence->record;
    int *index = ARENA_ARRAY(in->arena, int, record->layers + 1), count = 0;
    const int *mark = residual_marks(in, record->layers);
    for (int i = 0; i < record->layers; i++)
        if (has_weights(record->layer[i].type) && mark[i] != 1)
            index[count++] = i;
    return (LayerChoice){.index = index, .count = count ? count - 1 : 0};
}

LayerChoice judge_layers_of(const RuleInput *in, const char *const types[])
{
    const Record *record = in->evidence->record;
    int *index = ARENA_ARRAY(in->arena, int, record->layers + 1), count = 0;
    for (int i = 0; i < record->layers; i++)
        if (is_word(record->layer[i].type, types))
            index[count++] = i;
    return (LayerChoice){.index = index, .count = count};
}

bool judge_is_output_layer(const Config *config, int leaf)
{
    for (int i = leaf + 1; i < config->model->leaves; i++)
        if (has_weights(layer_type_name(config->model->leaf[i])))
            return false;
    return true;
}

const char *judge_layer_path(const RuleInput *in, const char *layer)
{
    const Config *config = in->evidence->config;
    for (int i = 0; config && i < config->model->leaves; i++)
        if (!strcmp(layer_path(config->model->leaf[i]), layer) && config->model->leaf[i]->json)
            return json_path(in->arena, config->model->leaf[i]->json);
    return NULL;
}

const char *judge_parameter_path(const RuleInput *in, const char *parameter)
{
    const Config *config = in->evidence->config;
    for (int i = 0; config && i < config->model->parameters; i++)
        if (!strcmp(config->model->parameter[i]->name, parameter))
            return judge_layer_path(in, config->model->parameter[i]->layer);
    return NULL;
}

static const char *loss_type(const RuleInput *in)
{
    const Evidence *evidence = in->evidence;
    if (evidence->config)
        return loss_name(evidence->config->loss);
    return evidence->record ? evidence->record->loss : "";
}

double judge_chance_loss(const RuleInput *in, double *high)
{
    const DataFacts *data = in->evidence->data;
    const Config *config = in->evidence->config;
    const char *type = loss_type(in);
    *high = NAN;
    const Record *record = in->evidence->record;
    if (!config && record && !strcmp(type, "cross_entropy") && record->outputs > 1)
        return *high = log((double)record->outputs); /* of equal classes: the log does not say more */
    if (!data || !config || loss_is_sum(config->loss) || config->penalty || config->gan)
        return NAN;
    if (!strcmp(type, "cross_entropy") && data->classes > 1) {
        *high = log(data->classes);
        return data->entropy;
    }
    if (!strcmp(type, "bce_with_logits")) {
        double p = data->target_mean;
        *high = log(2);
        if (data->target_min < 0 || data->target_max > 1)
            return NAN;
        return p > 0 && p < 1 ? -p * log(p) - (1 - p) * log(1 - p) : NAN;
    }
    if (!strcmp(type, "mse") && data->target_variance > 0) {
        *high = data->target_variance + data->target_mean * data->target_mean;
        return data->target_variance;
    }
    return NAN;
}

static RecordSeries losses(const RuleInput *in)
{
    return in->evidence->record ? record_scalar(in->evidence->record, RECORD_LOSS) : (RecordSeries){0};
}

static int tenth(int count)
{
    int n = count / 10;
    n = n < 5 ? 5 : n;
    n = n > count / 2 ? count / 2 : n;
    return n < 1 ? 1 : n > 100 ? 100 : n;
}

double judge_first_loss(const RuleInput *in)
{
    const RecordSeries loss = losses(in);
    return loss.count ? series_median(series_head(loss, loss.count < 50 ? 1 : 3)) : NAN;
}

double judge_last_loss(const RuleInput *in)
{
    const RecordSeries loss = losses(in);
    return loss.count ? series_median(series_tail(loss, tenth(loss.count))) : NAN;
}

static bool may_be_negative(const RuleInput *in)
{
    const Config *config = in->evidence->config;
    const char *type = loss_type(in);
    static const char *const unbounded[] = {"wasserstein", "mean_output", NULL};
    const RecordSeries loss = losses(in);
    return is_word(type, unbounded) || (config && config->gan) || !(series_minimum(loss) >= 0);
}

double judge_progress(const RuleInput *in)
{
    double first = judge_first_loss(in), last = judge_last_loss(in), high;
    double chance = judge_chance_loss(in, &high);
    if (may_be_negative(in) || !isfinite(first) || !isfinite(last) || first <= 0)
        return NAN;
    double reference = chance > 0 && chance < first ? chance : first;
    return 1 - last / reference;
}

int64_t judge_gate(const RuleInput *in)
{
    const RecordSeries loss = losses(in);
    double first = judge_first_loss(in);
    if (!loss.count)
        return 0;
    int64_t last = loss.step[loss.count - 1];
    if (may_be_negative(in) || !(first > 0))
        return last;
    double *smooth = ARENA_ARRAY(in->arena, double, loss.count);
    series_smooth(loss, 10, smooth);
    int from = loss.count;
    while (from > 0 && smooth[from - 1] < 0.05 * first)
        from--;
    return from == loss.count ? last : from ? loss.step[from - 1] : loss.step[0];
}

Severity judge_severity(const RuleInput *in, Severity severity)
{
    double progress = judge_progress(in);
    if (severity == SEVERITY_ERROR)
        return progress > 0.8 ? SEVERITY_WARNING : SEVERITY_ERROR;
    return progress > 0.5 ? SEVERITY_INFO : severity;
}

int64_t judge_warm_up(const RuleInput *in)
{
    const Record *record = in->evidence->record;
    int64_t steps = record ? record->last_step - record->first_step + 1 : 0, part = steps / 50 > 20 ? steps / 50 : 20;
    return (record ? record->first_step : 0) + (part > steps / 2 ? steps / 2 : part);
}

static const Json *member_of(const RuleInput *in, const char *path)
{
    const Json *at = in->evidence->config ? in->evidence->config->json : NULL;
    char key[64];
    while (at && *path) {
        size_t length = strcspn(path, ".");
        if (length >= sizeof key)
            return NULL;
        memcpy(key, path, length);
        key[length] = '\0';
        at = json_member(at, key);
        path += path[length] ? length + 1 : length;
    }
    return at;
}

const char *judge_optimizer(const RuleInput *in)
{
    const Json *type = member_of(in, "optimizer.type");
    return type && type->type == JSON_STRING ? type->string : "";
}

double judge_number(const RuleInput *in, const char *path)
{
    const Json *at = member_of(in, path);
    return at && at->type == JSON_NUMBER ? at->number : NAN;
}

const char *judge_short(const RuleInput *in, double value)
{
    return arena_printf(in->arena, "%.2g", value);
}

void judge_change(const RuleInput *in, Findings *out, Finding *finding, const char *path, const char *value)
{
    if (in->evidence->config)
        finding_add_change(out, finding, in->evidence->config->json, path, value);
}

void judge_change_rate(const RuleInput *in, Findings *out, Finding *finding, double factor)
{
    double lr = judge_number(in, "optimizer.lr");
    if (lr > 0 && isfinite(factor))
        judge_change(in, out, finding, "optimizer.lr", judge_short(in, lr * factor));
}

void judge_change_init(const RuleInput *in, Findings *out, Finding *finding, const char *init)
{
    const Config *config = in->evidence->config;
    judge_change(in, out, finding, "model.init", init);
    for (int i = 0; config && i < config->model->leaves; i++) {
        const Layer *layer = config->model->leaf[i];
        const char *path = judge_layer_path(in, layer->path);
        bool has_matrix = !strcmp(layer->type->name, "linear") || !strcmp(layer->type->name, "conv2d");
        if (path && has_matrix && json_member(layer->json, "init"))
            judge_change(in, out, finding, arena_printf(in->arena, "%s.init", path), init);
    }
}

const char *judge_output_path(const RuleInput *in)
{
    const Config *config = in->evidence->config;
    for (int i = config ? config->model->leaves - 1 : -1; i >= 0; i--)
        if (has_weights(config->model->leaf[i]->type->name))
            return judge_layer_path(in, config->model->leaf[i]->path);
    return NULL;
}
