#include "support_test.h"

#include <math.h>
#include <string.h>
#include <zlib.h>

#include "base/crc32c.h"
#include "diagnose/foreign.h"
#include "diagnose/foreign_log.h"
#include "diagnose/robust.h"
#include "support_run.h"

#define FOREIGN TEST_DATA "foreign/"

static const Record *read_log(Bench *bench, const char *path, const ForeignOptions *options)
{
    const Record *record = foreign_read(bench->arena, path, options, bench->err);
    if (!record) {
        error_print(bench->err, stderr, false);
        fail_msg("%s", error_message(bench->err, 0));
    }
    return record;
}

static const Record *read_text(Bench *bench, const char *name, const char *content)
{
    return read_log(bench, bench_file(bench, name, content), NULL);
}

static double middle(const Record *record, int layer)
{
    return series_median(record_track(record, RECORD_GRADIENT_NORM, layer));
}

static double at_step(RecordSeries series, int64_t step)
{
    for (int i = 0; i < series.count; i++)
        if (series.step[i] == step)
            return series.value[i];
    fail_msg("no step %lld", (long long)step);
    return 0;
}

/* The values are those that PyTorch had when it wrote the file. */
static void event_files_of_pytorch_are_read_with_layers_in_the_models_order(void **state)
{
    const Record *record = read_log(*state, FOREIGN "pytorch-healthy", NULL);
    assert_true(record->is_foreign);
    assert_string_equal(record->summary,
                        "read 25 steps, 5 layers from PyTorch events (pytorch-healthy: 1 file, 0 bad records)");
    assert_string_equal(record->warning, "");
    assert_string_equal(record->parameter[0].name, "fc1.weight");
    assert_string_equal(record->parameter[0].layer, "fc1");
    assert_string_equal(record->parameter[4].name, "head.weight");
    assert_int_equal(record->first_step, 0);
    assert_int_equal(record->last_step, 96);
    RecordSeries loss = record_scalar(record, RECORD_LOSS), total = record_scalar(record, RECORD_GRAD_NORM);
    assert_near(at_step(loss, 0), 1.134066104888916, 0);
    assert_true(series_last(loss) < 0.2);
    assert_near(at_step(record_scalar(record, RECORD_RATE), 96), 0.1, 1e-7);
    double squares = 0;
    for (int i = 0; i < record->parameters; i++)
        squares += pow(at_step(record_track(record, RECORD_GRADIENT_NORM, i), 0), 2);
    assert_true(at_step(total, 0) > sqrt(squares) && at_step(total, 0) < 3 * sqrt(squares));
}

static void sick_trainings_look_sick(void **state)
{
    const Record *record = read_log(*state, FOREIGN "pytorch-vanishing", NULL);
    assert_int_equal(record->parameters, 11);
    assert_string_equal(record->parameter[9].name, "fc10.weight");
    assert_true(middle(record, 0) < 1e-6 * middle(record, 10));
    /* Without a total of its own, that of the layers. */
    assert_true(middle(record, 10) <= series_median(record_scalar(record, RECORD_GRAD_NORM)));
    record = read_log(*state, FOREIGN "pytorch-exploding", NULL);
    RecordSeries total = record_scalar(record, RECORD_GRAD_NORM);
    assert_true(series_last(total) > 50 * series_first(total));
    record = read_log(*state, FOREIGN "pytorch-nan", NULL);
    assert_true(record->nonfinite_norms > 0 && record->nonfinite_losses > 0);
    assert_int_equal(record->first_nonfinite_norm, 4);
    assert_int_equal(record->parameter[0].first_nonfinite, 4);
    record = read_log(*state, FOREIGN "pytorch-dead", NULL);
    for (int i = 0; i < record->parameters; i++)
        assert_near(series_maximum(record_track(record, RECORD_GRADIENT_NORM, i)), 0, 0);
}

static void a_histogram_of_the_values_gives_their_norm(void **state)
{
    const Record *exact = read_log(*state, FOREIGN "pytorch-histograms", NULL);
    const Record *binned = read_log(*state, FOREIGN "tensorflow-v2", NULL);
    assert_string_equal(binned->kind, "TensorBoard events");
    assert_int_equal(exact->parameters, 3);
    assert_int_equal(binned->parameters, 3);
    assert_near(at_step(record_scalar(exact, RECORD_LOSS), 0), at_step(record_scalar(binned, RECORD_LOSS), 0), 1e-6);
    for (int i = 0; i < 3; i++) {
        double sum = at_step(record_track(exact, RECORD_GRADIENT_NORM, i), 0);
        assert_near(at_step(record_track(binned, RECORD_GRADIENT_NORM, i), 0) / sum, 1, 0.1);
    }
}

static void what_add_scalars_puts_apart_is_one_run(void **state)
{
    const Record *record = read_log(*state, FOREIGN "pytorch-add-scalars", NULL);
    assert_int_equal(record->parameters, 3);
    assert_string_equal(record->parameter[0].name, "fc1.weight");
    assert_int_equal(record_scalar(record, RECORD_LOSS).count, 10);
}

static void the_rows_of_lightnings_table_may_be_sparse(void **state)
{
    const Record *record = read_log(*state, FOREIGN "lightning", NULL);
    assert_string_equal(record->kind, "Lightning CSV");
    assert_int_equal(record->parameters, 24);
    assert_string_equal(record->parameter[3].name, "fc2.weight");
    assert_string_equal(record->parameter[19].name, "fc10.weight");
    assert_int_equal(record->steps, 16);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 1), 1.0890233516693115, 0);
    assert_near(at_step(record_scalar(record, RECORD_GRAD_NORM), 1), 0.09757784754037857, 0);
    assert_int_equal(record->evaluation.count, 4);
}

static void the_state_of_the_last_checkpoint_is_read(void **state)
{
    const Record *record = read_log(*state, FOREIGN "huggingface-healthy", NULL);
    assert_string_equal(record->kind, "Hugging Face trainer_state.json");
    assert_int_equal(record->planned, 60);
    assert_int_equal(record->steps, 20);
    assert_int_equal(record->last_step, 60);
    assert_int_equal(record->evaluation.count, 2);
    assert_int_equal(record->parameters, 0);
    assert_near(at_step(record_scalar(record, RECORD_GRAD_NORM), 3), 1.125274419784546, 0);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 3), 1.1724344889322917, 0);
}

static void bare_nan_in_json_is_a_number(void **state)
{
    const Record *record = read_log(*state, FOREIGN "huggingface-nan", NULL);
    assert_int_equal(record->nonfinite_losses, 0);
    assert_int_equal(record->nonfinite_norms, 12);
    assert_int_equal(record->first_nonfinite_norm, 27);
    assert_near(series_last(record_scalar(record, RECORD_LOSS)), 0, 0);
    record = read_text(*state, "a.jsonl",
                       "{\"step\":1,\"loss\":NaN,\"grad_norm\":-Infinity,\"note\":\"NaN \\\" Infinity\"}\n"
                       "{\"step\":2,\"loss\":Infinity,\"grad_norm\":\"NaN\",\"NaN\":{\"x\":NaN}}\n");
    assert_int_equal(record->nonfinite_losses, 2);
    assert_int_equal(record->nonfinite_norms, 2);
    assert_true(isnan(at_step(record_scalar(record, RECORD_LOSS), 1)));
    assert_true(isinf(at_step(record_scalar(record, RECORD_LOSS), 2)));
}

static void lines_of_json_may_nest(void **state)
{
    const Record *record = read_log(*state, FOREIGN "generic.jsonl", NULL);
    assert_int_equal(record->parameters, 3);
    assert_string_equal(record->parameter[2].name, "head.weight");
    assert_int_equal(record->steps, 20);
}

static void offline_files_of_wandb_are_read(void **state)
{
    const Record *record = read_log(*state, FOREIGN "wandb", NULL);
    assert_string_equal(record->kind, "W&B");
    assert_int_equal(record->parameters, 3);
    assert_int_equal(record->steps, 10);
    assert_string_equal(record->warning, "");
    /* 64 bins say the norm well. */
    const Record *same = read_log(*state, FOREIGN "pytorch-add-scalars", NULL);
    for (int i = 0; i < 3; i++)
        assert_near(middle(record, i) / middle(same, i), 1, 0.01);
}

static void printed_lines_are_read(void **state)
{
    const Record *record = read_log(*state, FOREIGN "megatron.log", NULL);
    assert_int_equal(record->steps, 30);
    assert_int_equal(record->last_step, 300);
    assert_int_equal(record->first_nonfinite_norm, 280);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 10), 9.8, 1e-9);
    assert_near(at_step(record_scalar(record, RECORD_RATE), 10), 1e-4, 1e-12);
    record = read_log(*state, FOREIGN "fairseq.log", NULL);
    assert_int_equal(record->steps, 30);
    assert_int_equal(record->last_step, 3000);
    assert_near(at_step(record_scalar(record, RECORD_GRAD_NORM), 100), 1.5 + 0.841, 1e-9);
    record = read_log(*state, FOREIGN "huggingface.log", NULL);
    assert_int_equal(record->steps, 20);
    assert_near(at_step(record_scalar(record, RECORD_GRAD_NORM), 0), 2, 1e-9);
    record = read_text(*state, "a.log",
                       "12:00:01 INFO step=5/100 loss=0.5 grad_norm=1e-3 lr=0.1 eta 0:05\n"
                       "Epoch [1][10/50]  val_loss: 0.4, took 3.5s\n"
                       "step 6 | INFO loss: 0.25 | 'grad_norm': 'inf'\n");
    assert_int_equal(record->steps, 2);
    assert_near(at_step(record_scalar(record, RECORD_GRAD_NORM), 5), 1e-3, 0);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 6), 0.25, 0);
    assert_true(isinf(at_step(record_scalar(record, RECORD_GRAD_NORM), 6)));
    assert_int_equal(record->evaluation.step[0], 5);
}

static void a_later_value_replaces_all_from_its_step_on(void **state)
{
    const Record *record = read_text(*state, "a.csv", "step,loss,grad_norm\n1,4,1\n2,nan,1\n3,nan,1\n2,3,1\n3,2,1\n");
    assert_int_equal(record->nonfinite_losses, 0);
    assert_int_equal(record->steps, 3);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 2), 3, 0);
}

static void tables_may_lack_steps_and_values(void **state)
{
    const Record *record = read_text(*state, "a.csv", "\"grad norm\";lr;note\n1,5;0.1;x\n2.5;NA;y\n;0.3;z\n-inf;0.4\n");
    assert_int_equal(record->steps, 4);
    assert_int_equal(record_scalar(record, RECORD_GRAD_NORM).count, 4);
    assert_near(at_step(record_scalar(record, RECORD_GRAD_NORM), 1), 2.5, 0);
    assert_int_equal(record->nonfinite_norms, 1);
    record = read_text(*state, "b.csv", "epoch,loss,grad_norm\n0,1,1\n1,0.5,1\n");
    assert_int_equal(record->last_step, 1);
    assert_string_equal(record->kind, "Keras CSV");
}

static void totals_of_several_networks_are_layers_and_a_group_of_one_is_a_total(void **state)
{
    const Record *record = read_text(*state, "a.csv", "step,actor_net/grad_norm,critic/grad_norm\n1,3,4\n");
    assert_int_equal(record->parameters, 2);
    assert_string_equal(record->parameter[1].name, "critic");
    assert_near(at_step(record_scalar(record, RECORD_GRAD_NORM), 1), 5, 1e-12);
    record = read_text(*state, "b.csv", "step,grad_norm/train_batch\n1,3\n");
    assert_int_equal(record->parameters, 0);
    assert_near(at_step(record_scalar(record, RECORD_GRAD_NORM), 1), 3, 0);
}

static void values_that_are_negative_are_means(void **state)
{
    const Record *record = read_text(*state, "a.csv", "step,grad/fc1.weight,grad/fc2.weight\n1,-0.5,3\n2,0.25,4\n");
    assert_true(record->parameter[0].is_mean);
    assert_false(record->parameter[1].is_mean);
    assert_near(at_step(record_track(record, RECORD_GRADIENT_NORM, 0), 1), 0.5, 0);
    assert_near(at_step(record_scalar(record, RECORD_GRAD_NORM), 2), 4, 0);
}

static void names_can_be_mapped_and_layers_ordered(void **state)
{
    Bench *bench = *state;
    const char *table = bench_file(bench, "a.csv", "step,cost,gn,grad_norm/in,grad_norm/out,grad_norm/mid\n1,2,3,1,1,1\n");
    ForeignOptions options = {.map = (const char *const[]){"loss=cost", "grad_norm=gn", NULL},
                              .layers = bench_file(bench, "layers.txt", "in\nmid\r\n\n  out \n")};
    const Record *record = read_log(bench, table, &options);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 1), 2, 0);
    assert_near(at_step(record_scalar(record, RECORD_GRAD_NORM), 1), 3, 0);
    assert_string_equal(record->parameter[1].name, "mid");
    assert_string_equal(record->parameter[2].name, "out");
    assert_null(
        foreign_read(bench->arena, table, &(ForeignOptions){.map = (const char *const[]){"loss=gm", NULL}}, bench->err));
    assert_string_equal(error_message(bench->err, 0), "the log has no series `gm`");
}

static void a_log_without_gradients_is_an_error_that_shows_what_there_is(void **state)
{
    Bench *bench = *state;
    assert_null(foreign_read(bench->arena, FOREIGN "keras.csv", NULL, bench->err));
    assert_string_equal(error_message(bench->err, 0),
                        FOREIGN "keras.csv has 4 series but no gradients: accuracy, loss, val_accuracy, val_loss");
}

static void a_folder_of_runs_is_a_list_and_runs_without_gradients_are_passed_over(void **state)
{
    Bench *bench = *state;
    RecordList list;
    assert_true(foreign_read_all(bench->arena, FOREIGN, NULL, &list, bench->err));
    assert_int_equal(list.count, 13);
    assert_int_equal(list.passed_over_count, 1);
    assert_non_null(strstr(list.passed_over[0], "keras.csv has 4 series but no gradients"));
    const char *runs = path_join(bench->arena, bench->folder, "runs");
    static const char *const names[] = {"run-10", "run-9"};
    for (int i = 0; i < 2; i++) {
        const char *folder = path_join(bench->arena, runs, names[i]);
        assert_true(file_make_folder(folder, bench->err));
        bench_file(bench, path_join(bench->arena, "runs", path_join(bench->arena, names[i], "metrics.csv")),
                   "step,grad_norm\n1,2\n");
    }
    assert_true(foreign_read_all(bench->arena, runs, NULL, &list, bench->err));
    assert_int_equal(list.count, 2);
    assert_non_null(strstr(list.at[0]->source, "run-9"));
    assert_null(foreign_read(bench->arena, runs, NULL, bench->err));
    assert_non_null(strstr(error_message(bench->err, 0), "holds 2 runs"));
}

static void our_own_run_is_found_as_well(void **state)
{
    Bench *bench = *state;
    bench_file(bench, "log.jsonl",
               "{\"event\":\"run\",\"format\":1,\"parameters\":[],\"layers\":[]}\n"
               "{\"event\":\"step\",\"step\":1,\"loss\":1,\"grad_norm\":2}\n");
    const Record *record = read_log(bench, bench->folder, NULL);
    assert_false(record->is_foreign);
    assert_int_equal(record->steps, 1);
    assert_false(read_log(bench, path_join(bench->arena, bench->folder, "log.jsonl"), NULL)->is_foreign);
}

static void what_is_no_log_is_an_error(void **state)
{
    Bench *bench = *state;
    assert_null(foreign_read(bench->arena, path_join(bench->arena, bench->folder, "none"), NULL, bench->err));
    assert_null(foreign_read(bench->arena, bench->folder, NULL, bench->err));
    assert_null(foreign_read(bench->arena, TEST_DATA "tensors.npz", NULL, bench->err));
    assert_null(foreign_read(bench->arena, FOREIGN "keras.csv", &(ForeignOptions){.format = "csw"}, bench->err));
    assert_non_null(strstr(error_message(bench->err, 0), "does not exist"));
    assert_non_null(strstr(error_message(bench->err, 1), "holds no log of a training"));
    assert_non_null(strstr(error_message(bench->err, 2), "is no log of a training"));
    assert_non_null(strstr(error_message(bench->err, 3), "unknown format `csw`"));
}

static void a_long_series_is_thinned_but_where_it_stops_being_finite_is_kept(void **state)
{
    Bench *bench = *state;
    ForeignLog *log = foreign_log_new(bench->arena);
    enum { COUNT = 300000, BAD = 123457 };
    for (int64_t i = 0; i < COUNT; i++)
        foreign_log_add(log, foreign_log_tag(log, "x", 1), i, i == BAD ? NAN : (double)i);
    const ForeignTag *tag = log->tag[0];
    int bad = 0;
    assert_in_range(tag->count, 20000, 65537);
    for (int i = 0; i < tag->count; i++) {
        bad += isnan(tag->value[i]) != 0;
        assert_true(isnan(tag->value[i]) ? tag->step[i] == BAD : tag->value[i] == (double)tag->step[i]);
        assert_true(i == 0 || tag->step[i] > tag->step[i - 1]);
    }
    assert_int_equal(bad, 1);
    assert_int_equal(tag->step[tag->count - 1], COUNT - 1);
}

/* The golden records of TensorBoard's own writer. */
static const unsigned char version_record[] = {
    0x18, 0,    0,    0,    0,    0,    0,    0,    0xa3, 0x7f, 0x4b, 0x22, 0x09, 0,    0,    0,    0x40, 0xfc, 0x54, 0xd9,
    0x41, 0x1a, 0x0d, 0x62, 0x72, 0x61, 0x69, 0x6e, 0x2e, 0x45, 0x76, 0x65, 0x6e, 0x74, 0x3a, 0x32, 0xec, 0xed, 0x8f, 0x9d};
static const unsigned char loss_record[] = {0x1a, 0,    0,    0,    0,    0,    0,    0,    0x12, 0x9b, 0xd8, 0x2d, 0x09, 0,
                                            0,    0,    0x40, 0xfc, 0x54, 0xd9, 0x41, 0x10, 0x07, 0x2a, 0x0d, 0x0a, 0x0b, 0x0a,
                                            0x04, 0x6c, 0x6f, 0x73, 0x73, 0x15, 0,    0,    0,    0x3f, 0x2c, 0x75, 0xea, 0xb7};
static const unsigned char tensor_record[] = {0x2e, 0,    0,    0,    0,    0,    0,    0,    0xc5, 0xcb, 0x57, 0xfa, 0x09,
                                              0,    0,    0,    0x40, 0xfc, 0x54, 0xd9, 0x41, 0x10, 0x07, 0x2a, 0x21, 0x0a,
                                              0x1f, 0x0a, 0x04, 0x6c, 0x6f, 0x73, 0x73, 0x4a, 0x0b, 0x0a, 0x09, 0x0a, 0x07,
                                              0x73, 0x63, 0x61, 0x6c, 0x61, 0x72, 0x73, 0x42, 0x0a, 0x08, 0x01, 0x12, 0x00,
                                              0x2a, 0x04, 0,    0,    0,    0x3f, 0x49, 0xc7, 0x67, 0xe4};
static const unsigned char histogram_record[] = {
    0x62, 0,    0,    0,    0,    0,    0,    0,    0x79, 0xfd, 0x60, 0x6f, 0x09, 0,    0,    0,    0x40, 0xfc, 0x54,
    0xd9, 0x41, 0x10, 0x07, 0x2a, 0x55, 0x0a, 0x53, 0x0a, 0x01, 0x67, 0x4a, 0x0e, 0x0a, 0x0c, 0x0a, 0x0a, 0x68, 0x69,
    0x73, 0x74, 0x6f, 0x67, 0x72, 0x61, 0x6d, 0x73, 0x42, 0x3e, 0x08, 0x02, 0x12, 0x08, 0x12, 0x02, 0x08, 0x02, 0x12,
    0x02, 0x08, 0x03, 0x22, 0x30, 0,    0,    0,    0,    0,    0,    0xf0, 0xbf, 0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    0,    0x08, 0x40, 0,    0,    0,    0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0xf0, 0x3f, 0,    0,    0,    0,    0,    0,    0x14, 0x40, 0xe8, 0xf9, 0x37, 0x00};
static const unsigned char restart_record[] = {0x0f, 0,    0,    0,    0,    0,    0,    0,    0x6d, 0x53, 0x2b,
                                               0x09, 0x09, 0,    0,    0,    0x40, 0xfc, 0x54, 0xd9, 0x41, 0x10,
                                               0x07, 0x3a, 0x02, 0x08, 0x01, 0x3c, 0x4f, 0x4b, 0x07};

extern const ForeignReader foreign_events;

typedef struct Blob {
    unsigned char at[1 << 17];
    size_t count;
} Blob;

static void blob_add(Blob *blob, const unsigned char *bytes, size_t count)
{
    memcpy(blob->at + blob->count, bytes, count);
    blob->count += count;
}

/* Not file_write: its fsync would take most of the time. */
static const char *blob_file(Bench *bench, const char *name, const Blob *blob)
{
    const char *path = path_join(bench->arena, bench->folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(blob->at, 1, blob->count, file), blob->count);
    fclose(file);
    return path;
}

static ForeignLog *read_events(Bench *bench, const Blob *blob)
{
    ForeignLog *log = foreign_log_new(bench->arena);
    assert_true(foreign_events.read(log, blob_file(bench, "x.tfevents", blob), bench->err));
    return log;
}

#define ADD(blob, record) blob_add(blob, record, sizeof record)

static void golden_records_are_read_to_the_bit(void **state)
{
    Bench *bench = *state;
    Blob *blob = ARENA_NEW(bench->arena, Blob);
    ADD(blob, version_record);
    ADD(blob, loss_record);
    ADD(blob, histogram_record);
    ForeignLog *log = read_events(bench, blob);
    assert_int_equal(log->records, 3);
    assert_int_equal(log->tags, 2);
    assert_string_equal(log->tag[0]->name, "loss");
    assert_int_equal(log->tag[0]->step[0], 7);
    assert_near(log->tag[0]->value[0], 0.5, 0);
    /* 3 values near -0.5 and 5 near 0.5. */
    assert_true(log->tag[1]->is_histogram);
    assert_near(log->tag[1]->value[0], sqrt(2), 1e-15);
    blob->count = 0;
    ADD(blob, tensor_record);
    assert_near(read_events(bench, blob)->tag[0]->value[0], 0.5, 0);
    ADD(blob, restart_record);
    assert_int_equal(read_events(bench, blob)->tag[0]->count, 0);
}

static void a_bad_checksum_is_counted_and_a_torn_tail_is_a_normal_end(void **state)
{
    Bench *bench = *state;
    Blob *blob = ARENA_NEW(bench->arena, Blob);
    ADD(blob, version_record);
    ADD(blob, loss_record);
    ADD(blob, tensor_record);
    blob->at[sizeof version_record + 30] ^= 1; /* in the data of the first loss */
    ForeignLog *log = read_events(bench, blob);
    assert_int_equal(log->records, 3);
    assert_int_equal(log->bad_records, 1);
    assert_non_null(strstr(log->first_bad, "a bad checksum at byte 40 of"));
    assert_int_equal(log->tag[0]->count, 1);
    blob->at[sizeof version_record + 30] ^= 1;
    blob->count -= 5;
    log = read_events(bench, blob);
    assert_int_equal(log->bad_records, 0);
    assert_int_equal(log->records, 2);
    blob->at[sizeof version_record] ^= 1; /* in the length */
    log = read_events(bench, blob);
    assert_int_equal(log->bad_records, 1);
    assert_int_equal(log->records, 2);
}

static void checksums_agree_with_their_check_values(void **state)
{
    (void)state;
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c_masked("123456789", 9), 0xc78ab0e5);
    assert_int_equal(crc32c_masked("", 0), 0xa282ead8);
}

static const char *const samples[] = {
    "pytorch-healthy/events.out.tfevents.1700000000.host.1.0",
    "pytorch-histograms/events.out.tfevents.1700000000.host.1.5",
    "tensorflow-v2/events.out.tfevents.1700000000.host.1.10",
    "wandb/offline-run-1/run-abc.wandb",
    "huggingface-nan/trainer_state.json",
    "lightning/metrics.csv",
    "generic.jsonl",
    "megatron.log",
    "fairseq.log",
    "huggingface.log",
};

typedef struct Draw {
    uint64_t state;
} Draw;

/* xorshift64* */
static uint32_t draw(Draw *random, size_t limit)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return (uint32_t)((random->state * 2685821657736338717u) >> 33) % (uint32_t)limit;
}

static void put_little_endian(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static size_t length_at(const unsigned char *at, int bytes)
{
    size_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (size_t)at[i] << 8 * i;
    return value;
}

/* Makes the checksums right again, so that what is behind them sees the damage. */
static void mend_events(Blob *blob)
{
    for (size_t at = 0; at + 16 <= blob->count;) {
        size_t length = length_at(blob->at + at, 8);
        if (length > blob->count - at - 16)
            return;
        put_little_endian(blob->at + at + 8, crc32c_masked(blob->at + at, 8));
        put_little_endian(blob->at + at + 12 + length, crc32c_masked(blob->at + at + 12, length));
        at += 16 + length;
    }
}

static void mend_wandb(Blob *blob)
{
    for (size_t at = 7; at + 7 <= blob->count;) {
        size_t length = length_at(blob->at + at + 4, 2), room = 32768 - at % 32768;
        if (room < 7) {
            at += room;
            continue;
        }
        if (length > blob->count - at - 7 || length + 7 > room)
            return;
        put_little_endian(blob->at + at, (uint32_t)crc32(0, blob->at + at + 6, (uInt)length + 1));
        at += 7 + length;
    }
}

static void damage(Blob *blob, const char *name, Draw *random)
{
    uint32_t flips = 1 + draw(random, 8), way = draw(random, 4);
    for (uint32_t i = 0; i < flips; i++)
        blob->at[draw(random, blob->count)] ^= (unsigned char)(1 << draw(random, 8));
    if (way == 0)
        blob->count = draw(random, blob->count);
    if (way > 1 && strstr(name, "tfevents"))
        mend_events(blob);
    if (way > 1 && strstr(name, "wandb"))
        mend_wandb(blob);
}

static void damaged_logs_are_at_worst_an_error(void **state)
{
    Bench *bench = *state;
    Draw random = {20240229};
    Blob *blob = ARENA_NEW(bench->arena, Blob);
    int read = 0;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        Bytes bytes;
        assert_true(file_read(bench->arena, path_join(bench->arena, FOREIGN, samples[i]), &bytes, bench->err));
        assert_true(bytes.count <= sizeof blob->at);
        for (int variant = 0; variant < 40; variant++) {
            Arena *scratch = arena_new(bench->arena);
            RecordList list;
            memcpy(blob->at, bytes.at, bytes.count);
            blob->count = bytes.count;
            damage(blob, samples[i], &random);
            const char *path = blob_file(bench, path_name(samples[i]), blob);
            read += foreign_read_all(scratch, path, NULL, &list, error_new(scratch));
            arena_free(scratch);
        }
    }
    /* Most damage is small. */
    assert_true(read > 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(event_files_of_pytorch_are_read_with_layers_in_the_models_order),
        TEST(sick_trainings_look_sick),
        TEST(a_histogram_of_the_values_gives_their_norm),
        TEST(what_add_scalars_puts_apart_is_one_run),
        TEST(the_rows_of_lightnings_table_may_be_sparse),
        TEST(the_state_of_the_last_checkpoint_is_read),
        TEST(bare_nan_in_json_is_a_number),
        TEST(lines_of_json_may_nest),
        TEST(offline_files_of_wandb_are_read),
        TEST(printed_lines_are_read),
        TEST(a_later_value_replaces_all_from_its_step_on),
        TEST(tables_may_lack_steps_and_values),
        TEST(totals_of_several_networks_are_layers_and_a_group_of_one_is_a_total),
        TEST(values_that_are_negative_are_means),
        TEST(names_can_be_mapped_and_layers_ordered),
        TEST(a_log_without_gradients_is_an_error_that_shows_what_there_is),
        TEST(a_folder_of_runs_is_a_list_and_runs_without_gradients_are_passed_over),
        TEST(our_own_run_is_found_as_well),
        TEST(what_is_no_log_is_an_error),
        TEST(a_long_series_is_thinned_but_where_it_stops_being_finite_is_kept),
        TEST(golden_records_are_read_to_the_bit),
        TEST(a_bad_checksum_is_counted_and_a_torn_tail_is_a_normal_end),
        TEST(checksums_agree_with_their_check_values),
        TEST(damaged_logs_are_at_worst_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
