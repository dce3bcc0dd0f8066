#include "monitor/nonfinite_event.h"

#include <math.h>

/* More are counted, but not listed. */
enum { SAMPLE_LIMIT = 64 };

static void add_index(RunLog *log, const char *key, Shape shape, size_t element)
{
    Text *text = run_log_key(log, key);
    size_t below = shape_count(shape);
    text_add_char(text, '[');
    for (int i = 0; i < shape.rank; i++) {
        below /= (size_t)shape.dim[i];
        text_printf(text, i ? ",%zu" : "%zu", element / below);
        element %= below;
    }
    text_add_char(text, ']');
}

static void add_shape(Text *text, Shape shape)
{
    text_add_char(text, '[');
    for (int i = 0; i < shape.rank; i++)
        text_printf(text, i ? ",%d" : "%d", shape.dim[i]);
    text_add_char(text, ']');
}

static void add_list(RunLog *log, const char *key, const int64_t *values, int count)
{
    Text *text = run_log_key(log, key);
    text_add_char(text, '[');
    for (int i = 0; i < count && i < SAMPLE_LIMIT; i++)
        text_printf(text, i ? ",%lld" : "%lld", (long long)values[i]);
    text_add_char(text, ']');
}

static void add_inputs(RunLog *log, const NonfiniteReport *r)
{
    Text *text = run_log_key(log, "inputs");
    text_add_char(text, '[');
    for (int k = 0; k < r->inputs; k++) {
        const NonfiniteInput *input = &r->input[k];
        text_add(text, k ? ",{\"name\":" : "{\"name\":");
        text_add_quoted(text, input->name);
        text_add(text, ",\"shape\":");
        add_shape(text, input->shape);
        text_printf(text, ",\"nonfinite\":%llu,\"abs_max\":", (unsigned long long)input->nonfinite);
        text_add_number(text, input->abs_max);
        if (input->has_value) {
            text_add(text, ",\"value\":");
            text_add_number(text, input->value);
        }
        text_add_char(text, '}');
    }
    text_add_char(text, ']');
}

static void add_source(RunLog *log, const NonfiniteReport *r)
{
    run_log_string(log, "source", r->source);
    if (r->source_sample >= 0)
        run_log_integer(log, "source_sample", r->source_sample);
    add_index(log, "source_element", r->source_shape, r->source_element);
    run_log_number(log, "source_value", r->source_value);
}

static void add_word(RunLog *log, const char *key, const char *value)
{
    if (value)
        run_log_string(log, key, value);
}

void nonfinite_event_write(RunLog *log, const NonfiniteReport *r, const char *reproducer)
{
    run_log_begin(log, "nonfinite");
    run_log_integer(log, "step", r->step);
    run_log_string(log, "where", r->where);
    run_log_string(log, "phase", nonfinite_phase_name(r->phase));
    run_log_string(log, "kind", isnan(r->value) ? "nan" : "inf");
    run_log_bool(log, "inputs_finite", r->inputs_finite);
    run_log_string(log, "op", r->op);
    run_log_string(log, "operation", r->operation);
    add_word(log, "layer", r->layer);
    add_word(log, "part", r->part);
    add_word(log, "parameter", r->parameter);
    add_word(log, "blame", r->blame);
    run_log_string(log, "cause", r->cause);
    add_word(log, "detail", *r->detail ? r->detail : NULL);
    add_index(log, "element", r->shape, r->element);
    run_log_number(log, "value", r->value);
    add_inputs(log, r);
    if (r->source)
        add_source(log, r);
    add_word(log, "becomes", r->becomes);
    if (r->is_masked)
        run_log_bool(log, "masked", true);
    run_log_integer(log, "epoch", r->epoch);
    if (r->of > 1 && r->micro) {
        run_log_integer(log, "micro", r->micro);
        run_log_integer(log, "of", r->of);
    }
    run_log_integer(log, "sample_count", r->samples);
    add_list(log, "samples", r->sample, r->samples);
    add_list(log, "positions", r->position, r->samples);
    add_word(log, "reproducer", reproducer);
    run_log_end(log);
}
