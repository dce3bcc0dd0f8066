#include "cli/nonfinite_message.h"

#include <string.h>

enum { SAMPLES_SHOWN = 8 };

static const char *rule_of(const NonfiniteReport *r)
{
    static const char *const rules[] = {"nonfinite-forward", "nonfinite-backward", "nonfinite-parameter"};
    return r->source && r->source_sample >= 0 ? "data-nonfinite" : rules[r->phase];
}

static void add_index(Text *text, Shape shape, size_t element)
{
    size_t below = shape_count(shape);
    text_add_char(text, '[');
    for (int i = 0; i < shape.rank; i++) {
        below /= (size_t)shape.dim[i];
        text_printf(text, i ? ", %zu" : "%zu", element / below);
        element %= below;
    }
    text_add_char(text, ']');
}

static void add_inputs(Text *text, const NonfiniteReport *r)
{
    for (int k = 0; k < r->inputs; k++) {
        const NonfiniteInput *input = &r->input[k];
        text_add(text, k ? "; " : "  from ");
        text_add(text, input->name);
        if (input->has_value)
            text_printf(text, " = %.4g", input->value);
        else
            text_printf(text, " %s, up to %.3g", shape_text(text->arena, input->shape), input->abs_max);
        if (input->nonfinite)
            text_printf(text, ", %llu not finite", (unsigned long long)input->nonfinite);
    }
    if (r->inputs)
        text_add_char(text, '\n');
}

static void add_samples(Text *text, const NonfiniteReport *r)
{
    if (!r->samples)
        return;
    text_printf(text, r->samples == 1 ? "  sample" : "  %d samples:", r->samples);
    for (int i = 0; i < r->samples && i < SAMPLES_SHOWN; i++)
        text_printf(text, i ? ", %lld" : " %lld", (long long)r->sample[i]);
    text_add(text, r->samples > SAMPLES_SHOWN ? ", ..." : "");
    text_printf(text, " of the training data, position %lld of epoch %lld", (long long)r->position[0], (long long)r->epoch);
    if (r->of > 1 && r->micro)
        text_printf(text, ", micro-batch %lld of %lld", (long long)r->micro, (long long)r->of);
    text_add_char(text, '\n');
}

const char *nonfinite_advice(const NonfiniteReport *r, Arena *arena)
{
    if (r->source && r->source_sample >= 0)
        return "drop or repair that sample";
    if (r->source)
        return "start from weights that are finite";
    if (r->is_masked || (r->phase == NONFINITE_BACKWARD && !strcmp(r->cause, "0 / 0")))
        return "give the operation a harmless input where its value is not taken: log(where(x > 0, x, 1))";
    if (r->phase == NONFINITE_UPDATE && r->blame && !strcmp(r->blame, "second moment"))
        return "--set optimizer.eps=1e-8";
    if (!strcmp(r->cause, "overflow") || r->phase == NONFINITE_UPDATE)
        return arena_printf(arena, "--set optimizer.lr=%.3g   or   --set 'clip={\"type\":\"norm\",\"max_norm\":1}'",
                            r->lr / 10);
    if (!strcmp(r->cause, "index out of range"))
        return "the embedding's `count` must be above the largest number";
    return "keep its input away from there: log(x + 1e-8), sqrt(x + 1e-8), x / (abs(y) + 1e-8), or a layer's eps";
}

void nonfinite_message(Text *text, const Terminal *terminal, const NonfiniteReport *r, const char *reproducer)
{
    Arena *arena = text->arena;
    text_printf(text, "%s%s %s%s  step %lld  %s\n", terminal_red(terminal), terminal->is_ascii ? "FAIL:" : "\xe2\x9c\x96",
                rule_of(r), terminal_plain(terminal), (long long)r->step, nonfinite_sentence(r, arena));
    text_add(text, "  ");
    if (r->shape.rank) {
        text_add(text, "element ");
        add_index(text, r->shape, r->element);
        text_printf(text, " of %s: ", shape_text(arena, r->shape));
    }
    text_printf(text, "%s\n", r->detail);
    add_inputs(text, r);
    if (r->becomes)
        text_printf(text, "  then %s\n", r->becomes);
    if (r->is_masked)
        text_add(text, "  the forward pass hides it; its derivative multiplies 0 by it\n");
    add_samples(text, r);
    text_printf(text, "  try: %s\n", nonfinite_advice(r, arena));
    if (reproducer)
        text_printf(text, "  reproduce: gradtool train %s\n", reproducer);
}
