#include "diagnose/tag_grammar.h"

#include <string.h>

#include "base/text.h"

/* A part may grow by what "gradnorm" gains, an eighth of it. */
enum { LONGEST_NAME = 384, FOLDED_BYTES = 512, PARTS = 16 };

/* The parts of a name between its slashes: folded, and where they stand in the name itself. */
typedef struct Name {
    const char *whole;
    char folded[FOLDED_BYTES];
    const char *part[PARTS]; /* in `folded`, each with an end of its own */
    const char *begin[PARTS], *end[PARTS];
    int parts;
} Name;

static bool is_any(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

#define ANY(word, ...) is_any(word, (const char *const[]){__VA_ARGS__, NULL})

static char fold_char(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == ' ' || c == '-' ? '_' : c;
}

/* Replaces every `from`; `to` is not longer. */
static void replace(char *text, const char *from, const char *to)
{
    size_t old = strlen(from), new = strlen(to);
    for (char *at = strstr(text, from); at; at = strstr(at + new, from)) {
        memcpy(at, to, new);
        memmove(at + new, at + old, strlen(at + old) + 1);
    }
}

/* Returns the length of the result. */
static size_t fold(char *into, const char *begin, const char *end)
{
    size_t length = 0;
    for (const char *c = begin; c < end; c++)
        into[length++] = fold_char(*c);
    into[length] = 0;
    replace(into, "gradients", "grad");
    replace(into, "gradient", "grad");
    replace(into, "grads", "grad");
    replace(into, "norms", "norm");
    for (char *at = strstr(into, "gradnorm"); at; at = strstr(into, "gradnorm")) {
        memmove(at + 5, at + 4, strlen(at + 4) + 1);
        at[4] = '_';
    }
    return strlen(into);
}

static bool split(Name *name, const char *whole)
{
    size_t used = 0;
    if (strlen(whole) > LONGEST_NAME)
        return false;
    name->whole = whole;
    name->parts = 0;
    for (const char *begin = whole;;) {
        const char *end = begin + strcspn(begin, "/");
        if (name->parts == PARTS)
            return false;
        name->begin[name->parts] = begin;
        name->end[name->parts] = end;
        name->part[name->parts++] = name->folded + used;
        used += fold(name->folded + used, begin, end) + 1;
        if (!*end)
            return true;
        begin = end + 1;
    }
}

static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* A p of a norm: a number or "inf"; returns what follows. */
static const char *after_order(const char *text)
{
    const char *infinite = after(text, "inf");
    if (infinite)
        return infinite;
    size_t digits = strspn(text, "0123456789.");
    return digits > 0 ? text + digits : NULL;
}

/* grad_<p>_norm, and what follows it. */
static const char *after_order_norm(const char *part)
{
    const char *at = after(part, "grad_");
    at = at ? after_order(at) : NULL;
    return at ? after(at, "_norm") : NULL;
}

static bool is_eval_scope(const char *part)
{
    return ANY(part, "val", "valid", "validation", "eval", "evaluation", "test", "dev");
}

static bool is_train_scope(const char *part)
{
    return ANY(part, "train", "training", "trainer");
}

/* Words that stand before a total without being part of a model. */
static bool is_heading(const char *part)
{
    return is_train_scope(part) ||
           ANY(part, "", "global", "total", "all", "step", "batch", "epoch", "metrics", "stats", "optim", "optimizer", "debug",
               "monitor", "monitoring", "loss", "losses", "misc", "info", "perf", "model", "norm", "grad", "grad_norm", "actor",
               "scalars", "log", "logs", "diagnostics", "opt", "health", "stability");
}

static bool is_statistic(const char *part)
{
    return ANY(part, "mean", "std", "min", "max", "var", "variance", "abs_mean", "abs_max", "absmax", "median", "zeros",
               "sparsity", "ratio", "scale", "clip", "clipped", "cosine", "noise", "noise_scale");
}

/* The dotted name of a parameter rather than a heading. */
static bool looks_like_parameter(const char *part)
{
    return strchr(part, '.') || text_ends_in(part, "weight") || text_ends_in(part, "bias") || text_ends_in(part, "kernel");
}

static bool is_clipped_word(const char *part)
{
    return ANY(part, "grad_norm_after", "grad_norm_after_clip", "grad_norm_post_clip", "grad_norm_clipped", "clipped_grad_norm",
               "post_clip_grad_norm", "grad_norm_after_clipping", "norm_post_clip", "post_clip_global");
}

static bool is_total_word(const char *part)
{
    static const char *const before[] = {"", "global_", "total_", "pre_clip_", "preclip_", "unclipped_"};
    static const char *const behind[] = {"",         "_total",     "_global",      "_before",         "_pre_clip",
                                         "_preclip", "_unclipped", "_before_clip", "_before_clipping"};
    if (ANY(part, "gnorm", "total_norm", "totalnorm", "grad_l2_norm", "total_grad_l2_norm", "grad_global_norm"))
        return true;
    const char *order = after_order_norm(part);
    if (order && ANY(order, "", "_total"))
        return true;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        const char *rest = after(part, before[i]);
        rest = rest ? after(rest, "grad_norm") : NULL;
        for (size_t k = 0; rest && k < sizeof behind / sizeof *behind; k++)
            if (strcmp(rest, behind[k]) == 0)
                return true;
    }
    return false;
}

static Tag of_kind(TagKind kind)
{
    return (Tag){kind, "", 0, false};
}

/* The parts from `first` to before `last`, as written. */
static Tag of_layer(const Name *name, TagKind kind, int first, int last)
{
    if (first >= last || name->begin[first] == name->end[last - 1])
        return of_kind(TAG_OTHER);
    return (Tag){kind, name->begin[first], (size_t)(name->end[last - 1] - name->begin[first]), false};
}

/* A total whose owner may be named by the parts from `first` to before `last`. */
static Tag of_total(const Name *name, int first, int last)
{
    bool is_named = last > first;
    for (int i = first; i < last; i++)
        is_named = is_named && !is_heading(name->part[i]);
    if (!is_named || name->begin[first] == name->end[last - 1])
        return of_kind(TAG_TOTAL);
    Tag tag = of_layer(name, TAG_TOTAL, first, last);
    tag.has_owner = true;
    return tag;
}

/* Under a heading for gradients, from part `first` on: one parameter, or a total after all. */
static Tag under_gradients(const Name *name, int first)
{
    const char *next = name->part[first], *last = name->part[name->parts - 1];
    int left = name->parts - first;
    if (left == 1 &&
        (ANY(next, "total", "global", "all", "norm", "l2_norm", "step", "pre_clip_global", "total_norm", "train") ||
         is_total_word(next)))
        return of_kind(TAG_TOTAL);
    if (left == 1 && is_clipped_word(next))
        return of_kind(TAG_CLIPPED);
    if (is_statistic(last))
        return of_kind(TAG_OTHER);
    if (left > 1 && ANY(last, "totalnorm", "total_norm"))
        return of_total(name, first, name->parts - 1);
    bool is_marked = left > 1 && (ANY(last, "norm", "l2_norm") || is_total_word(last));
    return of_layer(name, TAG_LAYER, first, is_marked ? name->parts - 1 : name->parts);
}

typedef struct Heading {
    const char *first, *second; /* parts; second may be NULL */
    TagKind kind;
} Heading;

/* Of two that fit, the first counts. */
static const Heading headings[] = {
    {"grad", "norm", TAG_LAYER},
    {"grad", "per_param", TAG_LAYER},
    {"l2_norm", "grad", TAG_LAYER},
    {"l2_norm", "param", TAG_WEIGHT_NORM},
    {"layer_grad_l2_norm", NULL, TAG_LAYER},
    {"grad_all", NULL, TAG_LAYER},
    {"grad_norm", NULL, TAG_LAYER},
    {"grad", NULL, TAG_LAYER},
    {"grad_zero_frac", NULL, TAG_ZEROS},
    {"grad_nonfinite", NULL, TAG_NONFINITE},
    {"param_norm", NULL, TAG_WEIGHT_NORM},
    {"weight_norm", NULL, TAG_WEIGHT_NORM},
    {"parameters", NULL, TAG_WEIGHT_NORM},
    {"update_ratio", NULL, TAG_UPDATE_RATIO},
};

static Tag by_heading(const Name *name, int from)
{
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++) {
        const Heading *heading = &headings[i];
        int next = from + (heading->second ? 2 : 1);
        if (name->parts <= next || strcmp(name->part[from], heading->first) != 0 ||
            (heading->second && strcmp(name->part[from + 1], heading->second) != 0))
            continue;
        return heading->kind == TAG_LAYER ? under_gradients(name, next) : of_layer(name, heading->kind, next, name->parts);
    }
    const char *rest = after_order_norm(name->part[from]);
    if (rest && !*rest && name->parts > from + 1)
        return under_gradients(name, from + 1);
    return of_kind(TAG_OTHER);
}

/* X/grad, X/grad_norm, X.grad, X.grad_norm, where X is a parameter. */
static Tag by_ending(const Name *name)
{
    int last = name->parts - 1;
    const char *part = name->part[last];
    if (last > 0 && ((strcmp(part, "grad") == 0 && !is_heading(name->part[last - 1])) ||
                     (strcmp(part, "grad_norm") == 0 && looks_like_parameter(name->part[last - 1]))))
        return of_layer(name, TAG_LAYER, 0, last);
    if (!text_ends_in(part, ".grad") && !text_ends_in(part, ".grad_norm"))
        return of_kind(TAG_OTHER);
    const char *end = name->end[last];
    while (end[-1] != '.')
        end--;
    end--;
    char owner[FOLDED_BYTES];
    fold(owner, name->begin[last], end);
    if (is_heading(owner))
        return of_kind(text_ends_in(part, ".grad_norm") ? TAG_TOTAL : TAG_OTHER);
    return (Tag){TAG_LAYER, name->whole, (size_t)(end - name->whole), false};
}

static bool is_of_weights(const Name *name)
{
    for (int i = 0; i < name->parts; i++)
        if (ANY(name->part[i], "weight", "weights", "param", "params", "parameters", "update", "updates", "momentum"))
            return true;
    return false;
}

static Tag gradient_of(const Name *name)
{
    const char *last = name->part[name->parts - 1];
    Tag tag = by_ending(name);
    if (tag.kind == TAG_OTHER)
        tag = by_heading(name, 0);
    if (tag.kind == TAG_OTHER && name->parts > 2 && is_train_scope(name->part[0]))
        tag = by_heading(name, 1);
    if (tag.kind == TAG_OTHER && is_clipped_word(last))
        tag = of_kind(TAG_CLIPPED);
    bool is_total = is_total_word(last) ||
                    (name->parts > 1 && strcmp(name->part[name->parts - 2], "grad") == 0 && ANY(last, "norm", "l2_norm"));
    if (tag.kind == TAG_OTHER && is_total && !is_of_weights(name))
        tag = of_total(name, 0, name->parts - 1);
    if (tag.kind == TAG_OTHER && name->parts == 2 && strcmp(last, "step") == 0 && is_total_word(name->part[0]))
        tag = of_kind(TAG_TOTAL);
    return tag;
}

static Tag evaluation_of(const Name *name)
{
    const char *first = name->part[0], *last = name->part[name->parts - 1], *word = last;
    bool is_evaluation = name->parts > 1 && (is_eval_scope(first) || is_eval_scope(last));
    if (is_evaluation && is_eval_scope(last))
        word = first;
    static const char *const scopes[] = {"val_", "valid_", "validation_", "eval_", "test_", "dev_", "evaluation_"};
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes && !is_evaluation; i++) {
        const char *rest = after(last, scopes[i]);
        is_evaluation = rest != NULL;
        word = rest ? rest : word;
    }
    if (!is_evaluation)
        return of_kind(TAG_OTHER);
    if (ANY(word, "loss", "loss_epoch", "loss_vs_iterations"))
        return of_kind(TAG_EVAL_LOSS);
    return of_kind(ANY(word, "accuracy", "acc", "accuracy_epoch", "acc_epoch") ? TAG_EVAL_ACCURACY : TAG_OTHER);
}

static Tag other_of(const Name *name)
{
    const char *first = name->part[0], *last = name->part[name->parts - 1];
    bool is_alone = name->parts == 1;
    if (ANY(last, "loss", "train_loss", "training_loss", "train_loss_step", "train_loss_epoch", "loss_step", "loss_epoch",
            "epoch_loss", "batch_loss", "total_loss", "loss_train", "lm_loss", "train_total_loss"))
        return of_kind(TAG_LOSS);
    if (!is_alone && ANY(first, "loss", "losses") && (is_train_scope(last) || ANY(last, "total", "total_loss", "loss")))
        return of_kind(TAG_LOSS);
    if (ANY(last, "lr", "learning_rate", "epoch_learning_rate") || after(first, "lr_") ||
        (!is_alone && ANY(first, "lr", "learning_rate")))
        return of_kind(TAG_RATE);
    if (ANY(last, "loss_scale", "lossscale", "grad_scale", "amp_scale"))
        return of_kind(TAG_SCALE);
    if (is_alone &&
        ANY(first, "step", "_step", "global_step", "trainer_step", "iteration", "iter", "it", "num_updates", "num_steps"))
        return of_kind(TAG_STEP);
    if (is_alone && ANY(first, "epoch", "epochs"))
        return of_kind(TAG_EPOCH);
    return of_kind(TAG_OTHER);
}

bool tag_is_place(TagKind kind)
{
    return kind == TAG_STEP || kind == TAG_EPOCH;
}

Tag tag_of(const char *whole)
{
    Name name;
    if (!split(&name, whole) || text_ends_in(name.part[name.parts - 1], "_vs_samples"))
        return of_kind(TAG_OTHER);
    Tag tag = gradient_of(&name);
    if (tag.kind == TAG_OTHER)
        tag = evaluation_of(&name);
    bool is_evaluated = is_eval_scope(name.part[0]) || is_eval_scope(name.part[name.parts - 1]);
    if (tag.kind == TAG_OTHER && !is_evaluated)
        tag = other_of(&name);
    return tag;
}
