/* A zoo of steps that are not finite: each is traced to the operation that began it, and its reproducer begins there too. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "autograd/ops.h"
#include "autograd/replay.h"
#include "support_run.h"
#include "tensor/tensor_file.h"

/* y = x, so that what follows is given the data, and has a gradient. */
#define SAME(size) "{\"type\": \"linear\", \"name\": \"fc1\", \"out\": " #size ", \"init\": \"ones\", \"bias_init\": \"zeros\"}"
#define HEAD "{\"type\": \"linear\", \"name\": \"head\", \"out\": 1, \"init\": \"ones\"}"
#define FUNCTION(expression) "{\"type\": \"function\", \"name\": \"f\", \"expr\": \"" expression "\"}"
#define NET(size, layers) "\"model\": {\"input\": [" #size "], \"layers\": [" layers "]}"
#define DATA(inputs, targets) "\"data\": {\"type\": \"inline\", \"inputs\": " inputs ", \"targets\": " targets "}"
#define TRAIN(options) "\"train\": {\"steps\": 5, \"batch_size\": 4, \"shuffle\": false" options "}"
#define CONFIG(net, data, rest) "{\"name\": \"zoo\", \"seed\": 4, " net ", " data ", " rest "}"
#define MSE "\"loss\": \"mse\""
#define FOUR "[[1], [2], [1], [3]]"
/* One function between `fc1`, which gives it the inputs, and the head. */
#define OF_X(expression, inputs)                                                                                               \
    CONFIG(NET(1, SAME(1) "," FUNCTION(expression) "," HEAD), DATA(inputs, FOUR), MSE ", " TRAIN(""))

typedef struct Case {
    const char *what, *config;
    const char *op, *where, *phase, *kind, *cause;
    const char *element;       /* "[1,0]"; NULL: not looked at */
    int sample;                /* the only one involved; -1: several, or none */
    const char *key, *content; /* one more key of the event, and what its text contains; NULL: none */
    int reproducer_samples;    /* of the reproducer's data; 0: not looked at */
} Case;

static const Case zoo[] = {
    {"log of zero", OF_X("log(x)", "[[1], [2], [0], [1]]"), "log", "f", "forward", "inf", "log of zero", "[2,0]", 2, "value",
     "-Infinity", 1},
    {"log of a negative number", OF_X("log(x)", "[[1], [-2], [5], [1]]"), "log", "f", "forward", "nan",
     "log of a negative number", "[1,0]", 1, "detail", "log of -2", 1},
    {"the slope of sqrt at 0", OF_X("sqrt(x)", "[[1], [4], [9], [0]]"), "sqrt", "f", "backward", "inf", "division by zero",
     "[3,0]", 3, "operation", "div", 1},
    {"sqrt of a negative number", OF_X("sqrt(x)", "[[-1], [4], [9], [0]]"), "sqrt", "f", "forward", "nan",
     "sqrt of a negative number", "[0,0]", 0, NULL, NULL, 1},
    {"division by zero", OF_X("3 / x", "[[1], [4], [9], [0]]"), "div", "f", "forward", "inf", "division by zero", "[3,0]", 3,
     "detail", "3 / 0", 1},
    {"0 / 0", OF_X("x / x", "[[1], [4], [0], [9]]"), "div", "f", "forward", "nan", "0 / 0", "[2,0]", 2, NULL, NULL, 1},
    {"exp above 88.7", OF_X("exp(x)", "[[1], [93], [9], [0]]"), "exp", "f", "forward", "inf", "overflow", "[1,0]", 1, "detail",
     "exp overflows above 88.7", 1},
    {"softmax without its maximum", OF_X("exp(x) / (exp(x) + 1)", "[[1], [93], [9], [0]]"), "exp", "f", "forward", "inf",
     "overflow", "[1,0]", 1, "becomes", "inf / inf", 1},
    {"inf - inf", OF_X("exp(x) - exp(x)", "[[100], [1], [9], [0]]"), "exp", "f", "forward", "inf", "overflow", "[0,0]", 0,
     "becomes", "inf - inf: sub in f", 1},
    {"0 * inf", OF_X("exp(x) * 0", "[[100], [1], [9], [0]]"), "exp", "f", "forward", "inf", "overflow", "[0,0]", 0, "becomes",
     "0 * inf", 1},
    {"a norm at zero, written by hand",
     CONFIG(NET(2, SAME(2)), DATA("[[0, 0], [0, 0]]", "[[0, 0], [0, 0]]"),
            "\"loss\": {\"expr\": \"sqrt(sum((output - target)^2))\"}, " TRAIN("")),
     "sqrt", "loss", "backward", "inf", "division by zero", "[]", 0, "part", "loss", 1},
    {"power of a negative base", OF_X("x^1.5", "[[1], [2], [9], [-4]]"), "pow", "f", "forward", "nan",
     "power of a negative base", "[3,0]", 3, NULL, NULL, 1},
    {"a negative power of zero", OF_X("x^-1", "[[1], [2], [9], [0]]"), "pow", "f", "forward", "inf", "division by zero",
     "[3,0]", 3, NULL, NULL, 1},
    {"what `where` does not take, in the forward pass", OF_X("where(x > 0, sqrt(x), 0)", "[[1], [2], [-9], [4]]"), "sqrt", "f",
     "forward", "nan", "sqrt of a negative number", "[2,0]", 2, "masked", "true", 1},
    {"what `where` does not take, in the backward pass", OF_X("where(x > 0, log(x), 0)", "[[1], [0], [9], [4]]"), "log", "f",
     "backward", "nan", "0 / 0", "[1,0]", 1, NULL, NULL, 1},
    {"a product that overflows",
     CONFIG(NET(1, "{\"type\": \"linear\", \"name\": \"fc1\", \"out\": 3, \"init\": {\"type\": \"constant\", \"value\": "
                   "1e30}}, " HEAD),
            DATA("[[1], [2], [1e20], [1]]", FOUR), "\"loss\": \"l1\", " TRAIN("")),
     "linear", "fc1", "forward", "inf", "overflow", "[2,0]", 2, "inputs", "fc1.weight", 1},
    {"weights that grow until they overflow",
     CONFIG(NET(1, SAME(3) ", " HEAD), DATA("[[1], [2], [3], [4]]", FOUR),
            MSE ", \"optimizer\": {\"type\": \"sgd\", \"lr\": 1e12}, " TRAIN("")),
     NULL, NULL, NULL, "inf", "overflow", NULL, -2, NULL, NULL, 0},
    {"a NaN in the data",
     CONFIG(NET(3, "{\"type\": \"linear\", \"name\": \"fc1\", \"out\": 2}, " HEAD),
            DATA("[[1, 2, 3], [4, 5, 6], [7, \"NaN\", 8], [1, 1, 1]]", FOUR), MSE ", " TRAIN("")),
     "linear", "fc1", "forward", "nan", "non-finite input", "[2,0]", 2, "source_element", "[1]", 1},
    {"an infinity in the data",
     CONFIG(NET(2, "{\"type\": \"linear\", \"name\": \"fc1\", \"out\": 2, \"init\": \"ones\"}, " HEAD),
            DATA("[[1, 2], [3, \"Infinity\"], [7, 8], [1, 1]]", FOUR), MSE ", " TRAIN("")),
     "linear", "fc1", "forward", "inf", "non-finite input", "[1,0]", 1, "source", "inputs", 1},
    {"a NaN target", CONFIG(NET(1, SAME(1)), DATA("[[1], [2], [3], [4]]", "[[1], [2], [\"NaN\"], [4]]"), MSE ", " TRAIN("")),
     "sub", "loss", "forward", "nan", "non-finite input", "[2,0]", 2, "source", "targets", 1},
    {"a target too large for its square",
     CONFIG(NET(1, SAME(1)), DATA("[[1], [2], [3], [4]]", "[[1], [1e25], [3], [4]]"), MSE ", " TRAIN("")), "square", "loss",
     "forward", "inf", "overflow", "[1,0]", 1, "inputs", "sub in loss", 1},
    {"batch norm of what is all alike, without eps",
     CONFIG(NET(2, "{\"type\": \"batchnorm\", \"name\": \"bn\", \"eps\": 0}, " HEAD),
            DATA("[[1, 5], [2, 5], [3, 5], [4, 5]]", FOUR), MSE ", " TRAIN("")),
     "rsqrt", "bn", "forward", "inf", "division by zero", "[1]", -1, "becomes", "0 * inf", 2},
    {"layer norm of what is all alike, without eps",
     CONFIG(NET(3, "{\"type\": \"layernorm\", \"name\": \"ln\", \"eps\": 0}, " HEAD),
            DATA("[[1, 2, 3], [4, 5, 6], [7, 7, 7], [1, 1, 2]]", FOUR), MSE ", " TRAIN("")),
     "layer_norm", "ln", "forward", "inf", "division by zero", NULL, 2, NULL, NULL, 1},
    {"a hook on a parameter's gradient",
     CONFIG(NET(1, SAME(1)), DATA("[[1], [2], [3], [4]]", FOUR),
            MSE ", \"hooks\": [{\"on\": \"fc1.weight\", \"do\": \"grad / 0\"}], " TRAIN("")),
     "div", "hook on fc1.weight (grad)", "backward", "inf", "division by zero", "[0,0]", 2, "layer", "fc1", 1},
    {"a hook on a layer's output that stops",
     CONFIG(
         NET(1, SAME(1)), DATA("[[1], [2], [300], [4]]", FOUR),
         MSE
         ", \"hooks\": [{\"on\": \"fc1\", \"at\": \"output\", \"do\": [\"log(100 - output)\", \"stop_if_nonfinite\"]}], " TRAIN(
             ", \"nonfinite\": \"continue\"")),
     "log", "hook on fc1 (output)", "forward", "nan", "log of a negative number", "[2,0]", 2, "layer", "fc1", 1},
    {"a hook on an output's gradient",
     CONFIG(NET(1, SAME(2) ", {\"type\": \"tanh\", \"name\": \"act\"}, " HEAD), DATA("[[1], [2], [3], [4]]", FOUR),
            MSE ", \"hooks\": [{\"on\": \"act\", \"at\": \"output_grad\", \"do\": \"grad / 0\"}], " TRAIN("")),
     "div", "hook on act (output_grad)", "backward", "inf", "division by zero", "[0,0]", -2, "layer", "act", 1},
    {"the slope that a penalty takes",
     CONFIG(NET(1, SAME(1) ", " FUNCTION("sqrt(x)") ", " HEAD), DATA("[[1], [0], [3], [4]]", FOUR),
            MSE ", \"penalty\": {\"type\": \"gradient\", \"weight\": 1, \"at\": \"data\"}, " TRAIN("")),
     "sqrt", "f", "backward", "inf", "division by zero", "[1,0]", 1, "part", "penalty", 1},
    {"rmsprop without eps and without gradient",
     CONFIG(NET(2, SAME(1)), DATA("[[1, 0], [2, 0], [3, 0], [4, 0]]", FOUR),
            MSE ", \"optimizer\": {\"type\": \"rmsprop\", \"eps\": 0}, " TRAIN("")),
     "rmsprop", "fc1", "update", "nan", "0 / 0", "[0,1]", -2, "blame", "second moment", 4},
    {"adam without eps and without gradient",
     CONFIG(NET(2, SAME(1)), DATA("[[1, 0], [2, 0], [3, 0], [4, 0]]", FOUR),
            MSE ", \"optimizer\": {\"type\": \"adam\", \"eps\": 0}, " TRAIN("")),
     "adam", "fc1", "update", "nan", "0 / 0", "[0,1]", -2, "parameter", "fc1.weight", 4},
    {"a second moment that overflows",
     CONFIG(NET(1, SAME(1)), DATA("[[1], [2], [3], [4]]", FOUR),
            "\"loss\": {\"expr\": \"mean(output * 1e25)\"}, \"optimizer\": {\"type\": \"adam\"}, " TRAIN("")),
     "adam", "fc1", "update", "inf", "overflow", "[0,0]", -2, "inputs", "exp_avg_sq", 4},
    {"a learning rate that overflows",
     CONFIG(
         NET(1, SAME(1)), DATA("[[1], [2], [3], [4]]", FOUR),
         "\"loss\": {\"expr\": \"mean(output * 1e15)\"}, \"optimizer\": {\"type\": \"sgd\", \"lr\": 1e-15, \"groups\": "
         "[{\"match\": \"*.weight\", \"lr\": 1e-10}]}, \"schedule\": {\"type\": \"exponential\", \"gamma\": 1e35}, " TRAIN("")),
     "sgd", "fc1", "update", "inf", "overflow", "[0,0]", -2, "blame", "learning rate", 4},
    {"a momentum that overflows",
     CONFIG(NET(1, SAME(1)), DATA("[[1], [2], [3], [4]]", FOUR),
            "\"loss\": {\"expr\": \"mean(output * 1e15)\"}, \"optimizer\": {\"type\": \"sgd\", \"lr\": 1e-10, \"momentum\": "
            "1e12}, " TRAIN("")),
     "sgd", "fc1", "update", "inf", "overflow", "[0,0]", -2, "blame", "momentum", 4},
    {"a weight decay that overflows",
     CONFIG(NET(1, SAME(1)), DATA("[[1], [2], [3], [4]]", FOUR),
            MSE ", \"optimizer\": {\"type\": \"adamw\", \"lr\": 1e10, \"weight_decay\": 1e30}, " TRAIN("")),
     "adamw", "fc1", "update", "inf", "overflow", "[0,0]", -2, "blame", "weight decay", 4},
    {"attention with huge scores",
     CONFIG("\"model\": {\"input\": [3, 2], \"layers\": [{\"type\": \"attention\", \"name\": \"attn\", \"heads\": 1, \"init\": "
            "{\"type\": \"constant\", \"value\": 1e10}}, {\"type\": \"flatten\"}, " HEAD "]}",
            DATA("[[[1, 2], [1, 1], [0, 1]], [[1e10, 1e10], [2e10, 2e10], [1, 1]]]", "[[1], [2]]"), MSE ", " TRAIN("")),
     "attention", "attn", "forward", "nan", "overflow", NULL, 1, NULL, NULL, 1},
    {"a zero that dropout made",
     CONFIG(NET(8, SAME(8) ", {\"type\": \"dropout\", \"p\": 0.02}, " FUNCTION("log(x)") ", " HEAD),
            DATA("[[1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 2]]", "[[1], [2]]"),
            "\"loss\": \"l1\", \"optimizer\": {\"type\": \"sgd\", \"lr\": 1e-6}, "
            "\"train\": {\"steps\": 50, \"batch_size\": 1, \"shuffle\": true}"),
     "log", "f", "forward", "inf", "log of zero", NULL, -2, "reproducer", "nonfinite/step-", 1},
    {"lstm with an infinite input",
     CONFIG("\"model\": {\"input\": [3, 2], \"layers\": [{\"type\": \"lstm\", \"hidden\": 4, \"return\": \"last\"}, " HEAD "]}",
            DATA("[[[1, 2], [1, 1], [0, 1]], [[1, 1], [\"-Infinity\", 2], [1, 1]]]", "[[1], [2]]"), MSE ", " TRAIN("")),
     "linear", "lstm1", "backward", "nan", "non-finite input", NULL, 1, "source_element", "[1,0]", 1},
    {"rnn that overflows",
     CONFIG("\"model\": {\"input\": [12, 1], \"layers\": [{\"type\": \"rnn\", \"nonlinearity\": \"relu\", \"hidden\": 2, "
            "\"return\": \"last\", \"init\": {\"type\": \"constant\", \"value\": 1e4}}, " HEAD "]}",
            DATA("[[[0], [0], [0], [0], [0], [0], [0], [0], [0], [0], [0], [0]], "
                 "[[1], [1], [1], [1], [1], [1], [1], [1], [1], [1], [1], [1]]]",
                 "[[1], [2]]"),
            "\"loss\": \"l1\", " TRAIN("")),
     "rnn", "rnn1", "forward", "inf", "overflow", NULL, -2, NULL, NULL, 1},
    {"an embedding beyond its table",
     CONFIG(NET(2, FUNCTION("x + 1") ", {\"type\": \"embedding\", \"name\": \"emb\", \"dim\": 2, \"count\": 5}, {\"type\": "
                                     "\"flatten\"}, " HEAD),
            DATA("[[1, 2], [3, 3], [0, 6], [1, 1]]", FOUR), MSE ", " TRAIN("")),
     "embedding", "emb", "forward", "nan", "index out of range", "[2,1,0]", 2, "detail", "7 is no row of a table of 5", 1},
    {"a convolution that overflows",
     CONFIG("\"model\": {\"input\": [1, 2, 2], \"layers\": [{\"type\": \"conv2d\", \"out\": 1, \"kernel\": 1, \"init\": "
            "{\"type\": \"constant\", \"value\": 1e38}}, {\"type\": \"flatten\"}, " HEAD "]}",
            DATA("[[[[1, 1], [1, 1]]], [[[1, 1], [1, 50]]]]", "[[1], [2]]"), "\"loss\": \"l1\", " TRAIN("")),
     "conv2d", "conv2d1", "forward", "inf", "overflow", "[1,0,1,1]", 1, NULL, NULL, 1},
    {"a product beyond float16",
     CONFIG(NET(1, SAME(1) ", " HEAD), DATA("[[1], [2], [300], [3]]", FOUR),
            "\"loss\": \"l1\", \"precision\": {\"type\": \"float16\", \"scaler\": {\"enabled\": false}}, "
            "\"hooks\": [{\"on\": \"fc1\", \"at\": \"output\", \"do\": \"output * 250\"}], " TRAIN("")),
     NULL, NULL, "forward", "inf", "overflow", "[2,0]", 2, "detail", "65504", 1},
    {"a derivative of one's own",
     CONFIG(NET(1, SAME(1) ", {\"type\": \"function\", \"name\": \"f\", \"expr\": \"x\", \"grad\": \"grad / x\"}, " HEAD),
            DATA("[[1], [0], [3], [4]]", FOUR), MSE ", " TRAIN("")),
     "function", "f", "backward", "inf", "division by zero", "[1,0]", 1, "operation", "div", 1},
    {"the second of three micro-batches",
     CONFIG(NET(1, SAME(1) "," FUNCTION("log(x)") "," HEAD),
            DATA("[[1], [2], [3], [0], [1], [1]]", "[[1], [2], [1], [3], [1], [1]]"),
            MSE ", \"train\": {\"steps\": 3, \"batch_size\": 2, \"accumulate\": 3, \"shuffle\": false}"),
     "log", "f", "forward", "inf", "log of zero", "[1,0]", 3, "micro", "2", 1},
    {"gradients whose sum overflows",
     CONFIG(
         NET(1, SAME(1)), DATA("[[3e38], [3e38]]", "[[1], [2]]"),
         "\"loss\": {\"type\": \"expression\", \"expr\": \"mean(output * 0.000000000000000000001)\", \"reduction\": \"sum\"}, "
         "\"hooks\": [{\"on\": \"fc1\", \"at\": \"output_grad\", \"do\": \"0 * grad + 1\"}], "
         "\"train\": {\"steps\": 3, \"batch_size\": 1, \"accumulate\": 2, \"shuffle\": false}"),
     "accumulate", "fc1", "backward", "inf", "overflow", "[0,0]", -2, "parameter", "fc1.weight", 2},
    {"a block that is recomputed",
     CONFIG(NET(1, SAME(1) ", {\"type\": \"block\", \"name\": \"b\", \"checkpoint\": true, \"layers\": [{\"type\": "
                           "\"tanh\"}, " FUNCTION("sqrt(x)") "]}, " HEAD),
            DATA("[[1], [4], [9], [0]]", FOUR), MSE ", " TRAIN("")),
     "sqrt", "b.f", "backward", "inf", "division by zero", "[3,0]", 3, NULL, NULL, 1},
    {"a generator's function",
     CONFIG("\"gan\": {\"generator\": {\"input\": [2], \"layers\": [{\"type\": \"linear\", \"out\": 2}, " FUNCTION(
                "log(x)") "]}, "
                          "\"critic\": {\"input\": [2], \"layers\": [" HEAD "]}, \"critic_steps\": 2}",
            DATA("[[1, 1], [2, 2], [3, 3], [4, 4]]", FOUR), TRAIN("")),
     "log", "generator.f", "forward", "nan", "log of a negative number", NULL, -2, "sample_count", "0", 4},
    {"a critic's function",
     CONFIG("\"gan\": {\"generator\": {\"input\": [2], \"layers\": [{\"type\": \"linear\", \"out\": 2}, {\"type\": "
            "\"softplus\"}]}, "
            "\"critic\": {\"input\": [2], \"layers\": [" FUNCTION("log(x)") ", " HEAD "]}, \"critic_steps\": 2}",
            DATA("[[1, 1], [2, 2], [3, 0], [4, 4]]", FOUR), TRAIN("")),
     "log", "critic.f", "forward", "inf", "log of zero", "[2,1]", 2, NULL, NULL, 4},
    {"a generator's update",
     CONFIG(
         "\"gan\": {\"generator\": {\"input\": [2], \"layers\": [{\"type\": \"linear\", \"name\": \"g\", \"out\": 2}]}, "
         "\"critic\": {\"input\": [2], \"layers\": [" HEAD "]}, "
         "\"generator_optimizer\": {\"type\": \"sgd\", \"lr\": 1e39}, \"critic_optimizer\": {\"type\": \"sgd\", \"lr\": 1e-4}}",
         DATA("[[1, 1], [2, 2], [3, 3], [4, 4]]", FOUR), TRAIN("")),
     "sgd", "generator.g", "update", "inf", "overflow", NULL, -2, "blame", "learning rate", 4},
};

static const char *text_of(const Json *value, Bench *bench)
{
    Text text = text_new(bench->arena);
    if (!value)
        return "(absent)";
    if (value->type == JSON_STRING)
        return value->string;
    json_write(&text, value, -1);
    return text.at;
}

/* The first event; the run ends with it. */
static Json *train_until_nonfinite(Bench *bench, const char *config, const char *name)
{
    Training training = training_start(bench, config, NULL, 1, name);
    training_finish(bench, &training, TRAIN_DIVERGED);
    const char *events = training_events(bench, &training, "nonfinite");
    if (!*events)
        fail_msg("%s: no event", name);
    return json_read_text(bench->arena, name, events, strcspn(events, "\n"), bench->err);
}

static void expect(Bench *bench, const Case *c, const Json *event, const char *key, const char *expected)
{
    Text text = text_new(bench->arena);
    if (!expected)
        return;
    const char *actual = text_of(json_member(event, key), bench);
    for (const char *at = actual; *at; at++) /* "[2, 0]" and "[2,0]" */
        if (*at != ' ' || actual[0] != '[')
            text_add_char(&text, *at);
    if (strcmp(text.at ? text.at : "", expected) != 0)
        fail_msg("%s: `%s` is %s, expected %s, in %s", c->what, key, actual, expected, text_of(event, bench));
}

static void check_event(Bench *bench, const Case *c, const Json *event)
{
    expect(bench, c, event, "op", c->op);
    expect(bench, c, event, "where", c->where);
    expect(bench, c, event, "phase", c->phase);
    expect(bench, c, event, "kind", c->kind);
    expect(bench, c, event, "cause", c->cause);
}

static void check_case(Bench *bench, const Case *c, int number)
{
    const char *name = arena_printf(bench->arena, "run-%d", number), *again = arena_printf(bench->arena, "again-%d", number);
    const char *config = bench_file(bench, arena_printf(bench->arena, "%d.json", number), c->config);
    const Json *event = train_until_nonfinite(bench, config, name);
    check_event(bench, c, event);
    expect(bench, c, event, "element", c->element);
    if (c->sample >= 0)
        expect(bench, c, event, "samples", arena_printf(bench->arena, "[%d]", c->sample));
    const char *more = c->key ? text_of(json_member(event, c->key), bench) : "";
    if (c->key && !strstr(more, c->content))
        fail_msg("%s: `%s` is %s, expected %s", c->what, c->key, more, c->content);
    const char *reproducer = arena_printf(bench->arena, "%s/%s/%s/config.json", bench->folder, name,
                                          text_of(json_member(event, "reproducer"), bench));
    const Json *second = train_until_nonfinite(bench, reproducer, again);
    static const char *const keys[] = {"op",    "operation", "where", "layer",     "part",
                                       "phase", "kind",      "cause", "parameter", "blame"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        expect(bench, c, second, keys[i], text_of(json_member(event, keys[i]), bench));
    assert_near(json_member(second, "step")->number, 1, 0);
    const Json *root = json_read_file(bench->arena, reproducer, bench->err);
    const Json *size = json_member(json_member(root, "train"), "batch_size");
    const Json *accumulate = json_member(json_member(root, "train"), "accumulate");
    if (c->reproducer_samples && size->number * accumulate->number != c->reproducer_samples)
        fail_msg("%s: the reproducer has %g samples, expected %d", c->what, size->number * accumulate->number,
                 c->reproducer_samples);
}

static void every_way_to_a_value_that_is_not_finite_is_named_and_reproduced(void **state)
{
    for (size_t i = 0; i < sizeof zoo / sizeof *zoo; i++)
        check_case(*state, &zoo[i], (int)i);
}

/* Weights as they stand. */
static const float *weights_of(Bench *bench, const Training *training)
{
    size_t count;
    return training_state(bench, training, &count);
}

#define BAD_LAST                                                                                                               \
    CONFIG(NET(1, SAME(1) "," FUNCTION("log(x)") "," HEAD), DATA("[[1], [2], [3], [-1]]", FOUR),                               \
           MSE ", \"train\": {\"steps\": 40, \"batch_size\": 1, \"shuffle\": false}")

static void a_run_that_stops_keeps_the_state_before_the_step(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "bad-last.json", BAD_LAST);
    Training stopped = training_start(bench, config, NULL, 1, "stopped");
    training_finish(bench, &stopped, TRAIN_DIVERGED);
    Training shorter = training_run(bench, config, SETS("train.steps=3"), 1, "shorter");
    assert_memory_equal(weights_of(bench, &stopped), weights_of(bench, &shorter), 4 * sizeof(float));
    const Json *event = json_read_text(bench->arena, "event", training_events(bench, &stopped, "nonfinite"),
                                       strlen(training_events(bench, &stopped, "nonfinite")) - 1, bench->err);
    assert_near(json_member(event, "step")->number, 4, 0);
    Training again =
        training_start(bench, path_join(bench->arena, stopped.folder, "nonfinite/step-4/config.json"), NULL, 1, "again");
    assert_memory_equal(weights_of(bench, &again), weights_of(bench, &shorter), 4 * sizeof(float));
}

static int count_lines(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void skipped_steps_are_told_of_ten_times_and_then_at_powers_of_two(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "bad-last.json", BAD_LAST);
    Training run = training_run(bench, config, SETS("train.nonfinite=skip", "train.steps=140"), 1, "skip"); /* 35 of them */
    const char *events = training_events(bench, &run, "nonfinite");
    assert_int_equal(count_lines(events), 12);
    assert_non_null(strstr(events, "\"step\":40,"));
    assert_non_null(strstr(events, "\"step\":64,"));  /* number 16 */
    assert_non_null(strstr(events, "\"step\":128,")); /* number 32 */
    assert_null(strstr(events, "\"step\":44,"));
    assert_true(isfinite(weights_of(bench, &run)[0]));
}

static void a_run_that_continues_blames_the_weights_from_then_on(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "bad-last.json", BAD_LAST);
    Training run = training_run(bench, config, SETS("train.nonfinite=continue", "train.steps=5"), 1, "continue");
    const char *events = training_events(bench, &run, "nonfinite");
    assert_int_equal(count_lines(events), 2);
    const char *second = strchr(events, '\n') + 1;
    assert_non_null(strstr(events, "\"step\":4,\"where\":\"f\",\"phase\":\"forward\",\"kind\":\"nan\",\"inputs_finite\":true"));
    assert_non_null(
        strstr(second, "\"step\":5,\"where\":\"fc1\",\"phase\":\"forward\",\"kind\":\"nan\",\"inputs_finite\":false"));
    assert_non_null(strstr(second, "\"source\":\"fc1.weight\",\"source_element\":[0,0],\"source_value\":\"NaN\""));
    assert_true(isnan(weights_of(bench, &run)[0]));
}

static void a_weight_that_was_loaded_is_the_source(void **state)
{
    Bench *bench = *state;
    float weight[2] = {1, INFINITY}, bias[1] = {0};
    Parameter w = {.name = "fc1.weight", .shape = SHAPE(1, 2), .data = weight};
    Parameter b = {.name = "fc1.bias", .shape = SHAPE(1), .data = bias};
    assert_true(tensor_file_write(path_join(bench->arena, bench->folder, "w.safetensors"), (Parameter *const[]){&w, &b}, 2,
                                  bench->arena, bench->err));
    const char *config = bench_file(
        bench, "loaded.json",
        CONFIG(NET(2, SAME(1)), DATA("[[1, 2], [3, 4]]", "[[1], [2]]"), MSE ", \"weights\": \"w.safetensors\", " TRAIN("")));
    const Json *event = train_until_nonfinite(bench, config, "loaded");
    assert_string_equal(text_of(json_member(event, "source"), bench), "fc1.weight");
    assert_string_equal(text_of(json_member(event, "source_value"), bench), "Infinity");
    assert_string_equal(text_of(json_member(event, "where"), bench), "fc1");
}

static void threads_make_no_difference(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "bad-last.json", BAD_LAST);
    Training one = training_start(bench, config, NULL, 1, "one"), two = training_start(bench, config, NULL, 2, "two");
    training_finish(bench, &one, TRAIN_DIVERGED);
    training_finish(bench, &two, TRAIN_DIVERGED);
    assert_same_events(bench, &one, &two, "nonfinite");
}

static void a_healthy_run_has_no_such_event_and_no_such_folder(void **state)
{
    Bench *bench = *state;
    Training run = training_run(bench, bench_file(bench, "bad-last.json", BAD_LAST), SETS("train.steps=3"), 1, "healthy");
    assert_string_equal(training_events(bench, &run, "nonfinite"), "");
    assert_false(file_exists(path_join(bench->arena, run.folder, "nonfinite")));
}

/* Runs softmax(causal(x, -inf)) @ ones, and the logarithm of `y` behind it. */
static const Replay *replay_mask(Bench *bench, const float *x, float y)
{
    Graph *graph = graph_new(bench->arena);
    Node *scores = graph_input(graph, "scores", SHAPE(1, 2, 2)), *other = graph_input(graph, "other", SHAPE_SCALAR);
    Node *root = op_add(op_sum(op_softmax(op_causal(scores, -INFINITY))), op_log(other));
    Plan *plan = plan_compile_apart(graph, &root, 1, variant_best(), bench->arena, bench->err);
    Workspace *workspace = workspace_new(plan, bench->arena, bench->err);
    memcpy(workspace_value(workspace, scores), x, 4 * sizeof(float));
    *(float *)workspace_value(workspace, other) = y;
    return replay_run(plan, workspace, variant_best(), &root, 1, NULL, bench->arena);
}

static void a_mask_of_minus_infinity_is_no_producer(void **state)
{
    const float finite[] = {1, 2, 3, 4}, broken[] = {1, 2, NAN, 4};
    assert_false(replay_mask(*state, finite, 1)->is_found);
    const Replay *log_of_zero = replay_mask(*state, finite, 0);
    assert_true(log_of_zero->is_found);
    assert_string_equal(replay_op_name(log_of_zero->first.node), "log");
    const Replay *source = replay_mask(*state, broken, 1);
    assert_string_equal(replay_op_name(source->first.node), "causal");
    assert_string_equal(source->source->name, "scores");
    assert_int_equal(source->source_element, 2);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_way_to_a_value_that_is_not_finite_is_named_and_reproduced),
        TEST(a_run_that_stops_keeps_the_state_before_the_step),
        TEST(skipped_steps_are_told_of_ten_times_and_then_at_powers_of_two),
        TEST(a_run_that_continues_blames_the_weights_from_then_on),
        TEST(a_weight_that_was_loaded_is_the_source),
        TEST(threads_make_no_difference),
        TEST(a_healthy_run_has_no_such_event_and_no_such_folder),
        TEST(a_mask_of_minus_infinity_is_no_producer),
    };
    return cmocka_run_group_tests_name("nonfinite", tests, NULL, NULL);
}
