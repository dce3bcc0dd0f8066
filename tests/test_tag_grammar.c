#include "support_test.h"

#include <string.h>

#include "diagnose/tag_grammar.h"

typedef struct Example {
    const char *name;
    TagKind kind;
    const char *layer; /* or the owner of a total; NULL: none */
} Example;

static void assert_examples(const Example *example, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Tag tag = tag_of(example[i].name);
        const char *layer = example[i].layer ? example[i].layer : "";
        if (tag.kind != example[i].kind)
            fail_msg("`%s` is of kind %d, expected %d", example[i].name, (int)tag.kind, (int)example[i].kind);
        if (tag.length != strlen(layer) || strncmp(tag.layer, layer, tag.length) != 0)
            fail_msg("`%s` belongs to `%.*s`, expected `%s`", example[i].name, (int)tag.length, tag.layer, layer);
    }
}

#define CHECK(...) assert_examples((const Example[]){__VA_ARGS__}, sizeof((const Example[]){__VA_ARGS__}) / sizeof(Example))

static void totals_are_known_by_the_names_that_scripts_give_them(void **state)
{
    (void)state;
    CHECK({"train/grad_norm", TAG_TOTAL, NULL}, {"grad_norm", TAG_TOTAL, NULL}, {"Gradient Norm", TAG_TOTAL, NULL},
          {"grad-norm", TAG_TOTAL, NULL}, {"grad norm", TAG_TOTAL, NULL}, {"gnorm", TAG_TOTAL, NULL},
          {"train/gnorm", TAG_TOTAL, NULL}, {"GradNorm", TAG_TOTAL, NULL}, {"gradients/norm", TAG_TOTAL, NULL},
          {"grad/l2_norm", TAG_TOTAL, NULL}, {"grad_l2_norm/step", TAG_TOTAL, NULL}, {"global_grad_norm", TAG_TOTAL, NULL},
          {"train/total_grad_norm", TAG_TOTAL, NULL}, {"grad_norm_total", TAG_TOTAL, NULL}, {"total_norm", TAG_TOTAL, NULL},
          {"Gradients/ValueNet/TotalNorm", TAG_TOTAL, "ValueNet"}, {"grad_2.0_norm_total", TAG_TOTAL, NULL},
          {"grad_inf_norm_total", TAG_TOTAL, NULL}, {"l2_norm/grad/global", TAG_TOTAL, NULL},
          {"l2_norm/grad/pre_clip_global", TAG_TOTAL, NULL}, {"Train/grad_norm_before", TAG_TOTAL, NULL},
          {"optim/pre_clip_grad_norm", TAG_TOTAL, NULL}, {"critic/grad_norm", TAG_TOTAL, "critic"},
          {"train.grad_norm", TAG_TOTAL, NULL});
}

static void totals_after_clipping_are_kept_apart(void **state)
{
    (void)state;
    CHECK({"Train/grad_norm_after", TAG_CLIPPED, NULL}, {"train/grad_norm_clipped", TAG_CLIPPED, NULL},
          {"grad/norm_post_clip", TAG_CLIPPED, NULL}, {"l2_norm/grad/post_clip_global", TAG_CLIPPED, NULL},
          {"clipped_grad_norm", TAG_CLIPPED, NULL});
}

static void layers_keep_their_names_as_written(void **state)
{
    (void)state;
    CHECK({"grad_2.0_norm/head.bias", TAG_LAYER, "head.bias"}, {"GradNorm/fc.weight", TAG_LAYER, "fc.weight"},
          {"Gradients/fc1.weight", TAG_LAYER, "fc1.weight"}, {"layer1.0.conv1.weight/grad", TAG_LAYER, "layer1.0.conv1.weight"},
          {"grad_norm/Encoder/Layer 1/weight", TAG_LAYER, "Encoder/Layer 1/weight"},
          {"l2_norm/grad/module.fc1.weight", TAG_LAYER, "module.fc1.weight"},
          {"layer_grad_l2_norm/fc1.weight", TAG_LAYER, "fc1.weight"}, {"grad_all/fc2", TAG_LAYER, "fc2"},
          {"grad/per_param/fc1.weight/norm", TAG_LAYER, "fc1.weight"}, {"fc1.weight.grad_norm", TAG_LAYER, "fc1.weight"},
          {"fc1.weight/grad_norm", TAG_LAYER, "fc1.weight"}, {"fc1.bias.grad", TAG_LAYER, "fc1.bias"},
          {"grads/norm/fc1.weight", TAG_LAYER, "fc1.weight"}, {"train/grad_norm/fc1.weight", TAG_LAYER, "fc1.weight"},
          {"grad_inf_norm/fc1.weight", TAG_LAYER, "fc1.weight"}, {"grad_norm/train_batch", TAG_LAYER, "train_batch"});
}

static void losses_and_rates_of_training_are_known(void **state)
{
    (void)state;
    CHECK({"loss", TAG_LOSS, NULL}, {"train_loss", TAG_LOSS, NULL}, {"train_loss_step", TAG_LOSS, NULL},
          {"train/loss", TAG_LOSS, NULL}, {"Loss/train", TAG_LOSS, NULL}, {"epoch_loss", TAG_LOSS, NULL},
          {"batch_loss", TAG_LOSS, NULL}, {"lm loss", TAG_LOSS, NULL}, {"lm-loss-training/lm loss", TAG_LOSS, NULL},
          {"lr", TAG_RATE, NULL}, {"train/learning_rate", TAG_RATE, NULL}, {"learning rate", TAG_RATE, NULL},
          {"lr-AdamW/pg1", TAG_RATE, NULL}, {"lr-SGD", TAG_RATE, NULL}, {"loss scale", TAG_SCALE, NULL});
}

static void evaluation_is_not_training(void **state)
{
    (void)state;
    CHECK({"val_loss", TAG_EVAL_LOSS, NULL}, {"eval/loss", TAG_EVAL_LOSS, NULL}, {"Loss/test", TAG_EVAL_LOSS, NULL},
          {"eval_loss", TAG_EVAL_LOSS, NULL}, {"val/accuracy", TAG_EVAL_ACCURACY, NULL},
          {"eval_accuracy", TAG_EVAL_ACCURACY, NULL}, {"val/lr", TAG_OTHER, NULL});
}

static void what_gradtool_writes_for_tensorboard_is_read_back(void **state)
{
    (void)state;
    CHECK({"grad_norm/fc1.weight", TAG_LAYER, "fc1.weight"}, {"param_norm/fc1.weight", TAG_WEIGHT_NORM, "fc1.weight"},
          {"update_ratio/fc1.weight", TAG_UPDATE_RATIO, "fc1.weight"}, {"gradients/fc1.weight", TAG_LAYER, "fc1.weight"},
          {"gradients_log10/fc1.weight", TAG_OTHER, NULL}, {"grad_zero_frac/fc1.weight", TAG_ZEROS, "fc1.weight"},
          {"grad_nonfinite/fc1.weight", TAG_NONFINITE, "fc1.weight"}, {"train/clip_fraction", TAG_OTHER, NULL});
}

static void other_names_are_left_alone(void **state)
{
    (void)state;
    CHECK({"grad-norm vs samples", TAG_OTHER, NULL}, {"hp_metric", TAG_OTHER, NULL}, {"accuracy", TAG_OTHER, NULL},
          {"train/policy_gradient_loss", TAG_OTHER, NULL}, {"grad/mean", TAG_OTHER, NULL},
          {"gradients/fc1/std", TAG_OTHER, NULL}, {"weights/total_norm", TAG_OTHER, NULL}, {"grad_norm/", TAG_OTHER, NULL},
          {"", TAG_OTHER, NULL}, {"/", TAG_OTHER, NULL}, {"gradient_penalty", TAG_OTHER, NULL}, {"step", TAG_STEP, NULL},
          {".grad", TAG_OTHER, NULL}, {"fc1.weight", TAG_OTHER, NULL},
          {"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/grad_norm", TAG_OTHER, NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_known_by_the_names_that_scripts_give_them),
        cmocka_unit_test(totals_after_clipping_are_kept_apart),
        cmocka_unit_test(layers_keep_their_names_as_written),
        cmocka_unit_test(losses_and_rates_of_training_are_known),
        cmocka_unit_test(evaluation_is_not_training),
        cmocka_unit_test(what_gradtool_writes_for_tensorboard_is_read_back),
        cmocka_unit_test(other_names_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
