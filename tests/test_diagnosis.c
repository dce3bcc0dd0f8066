#include "support_test.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "diagnose/diagnosis.h"

static int make_arena(void **state)
{
    *state = arena_new(NULL);
    return 0;
}

static int drop_arena(void **state)
{
    arena_free(*state);
    return 0;
}

static Json *parsed(Arena *arena, const char *text)
{
    Json *value = json_read_text(arena, "text", text, strlen(text), error_new(arena));
    assert_non_null(value);
    return value;
}

static const char *written(Arena *arena, const Json *value)
{
    Text text = text_new(arena);
    json_write(&text, value, -1);
    return text.at;
}

/* Rules that only findings need. */
static const Rule root = {.name = "root", .severity = SEVERITY_ERROR, .group = GROUP_INITIALISATION, .explains = {"middle"}};
static const Rule middle = {.name = "middle", .severity = SEVERITY_ERROR, .group = GROUP_FLOW, .explains = {"leaf"}};
static const Rule leaf = {.name = "leaf", .severity = SEVERITY_ERROR, .group = GROUP_LOSS};
static const Rule alone = {.name = "alone", .severity = SEVERITY_WARNING, .group = GROUP_DATA};
static const Rule risk = {.name = "risk", .severity = SEVERITY_WARNING, .group = GROUP_DATA, .explains = {"leaf"}};
static const Rule all = {.name = "all", .severity = SEVERITY_ERROR, .group = GROUP_NUMERICS, .explains = {"*"}};
static const Rule late = {.name = "late", .severity = SEVERITY_WARNING, .group = GROUP_LOSS, .explains = {"alone"}};
static const Rule hen = {.name = "hen", .severity = SEVERITY_WARNING, .group = GROUP_LOSS, .explains = {"egg"}};
static const Rule egg = {.name = "egg", .severity = SEVERITY_WARNING, .group = GROUP_DATA, .explains = {"hen"}};

static const Rule rock = {.name = "rock", .severity = SEVERITY_WARNING, .group = GROUP_LOSS, .explains = {"scissors"}};
static const Rule scissors = {.name = "scissors", .severity = SEVERITY_WARNING, .group = GROUP_LOSS, .explains = {"paper"}};
static const Rule paper = {.name = "paper", .severity = SEVERITY_WARNING, .group = GROUP_LOSS, .explains = {"rock"}};

static Finding *add(Findings *findings, const Rule *rule, int64_t step)
{
    findings->rule = rule;
    findings->severity = rule->severity;
    return finding_add(findings, step, step, 1, 0, "%s at %lld", rule->name, (long long)step);
}

/* "root middle leaf": the rules in the order of the report, each with its cause. */
static const char *order(Arena *arena, const Findings *findings)
{
    Text text = text_new(arena);
    for (int i = 0; i < findings->count; i++) {
        const Finding *finding = findings->at[i];
        text_printf(&text, "%s%s%s", i ? " " : "", finding->rule->name, finding->is_root ? "!" : "");
        if (finding->cause)
            text_printf(&text, "<%s", finding->cause->rule->name);
    }
    return text.at;
}

static void a_cause_stands_before_what_follows_from_it(void **state)
{
    Findings findings = {.arena = *state};
    add(&findings, &leaf, 5);
    add(&findings, &alone, 0);
    add(&findings, &middle, 9);
    add(&findings, &root, 20);
    findings_rank(&findings);
    assert_string_equal(order(*state, &findings), "root! middle<root leaf<middle alone");
}

static void a_cause_weighs_as_much_as_the_gravest_finding_it_explains(void **state)
{
    Findings findings = {.arena = *state};
    add(&findings, &alone, 0); /* a warning, and of an earlier group than leaf */
    add(&findings, &leaf, 5);
    add(&findings, &risk, 0); /* a warning that explains an error */
    findings_rank(&findings);
    assert_string_equal(order(*state, &findings), "risk! leaf<risk alone");
}

static void of_several_explanations_the_gravest_counts(void **state)
{
    Findings findings = {.arena = *state};
    add(&findings, &risk, 0);
    add(&findings, &leaf, 5);
    add(&findings, &middle, 5);
    findings_rank(&findings);
    assert_string_equal(order(*state, &findings), "middle! leaf<middle risk");
}

static void a_rule_that_explains_all_explains_only_what_came_later(void **state)
{
    Findings findings = {.arena = *state};
    add(&findings, &leaf, 9);
    add(&findings, &all, 40);
    add(&findings, &middle, 40);
    findings_rank(&findings);
    assert_string_equal(order(*state, &findings), "all! middle<all leaf");
}

static void a_cause_of_an_earlier_kind_may_begin_about_the_same_time(void **state)
{
    Findings soon = {.arena = *state}, later = {.arena = *state};
    add(&soon, &leaf, 5);
    add(&soon, &middle, 25);
    add(&later, &leaf, 5);
    add(&later, &middle, 26); /* 20 steps are about the same time */
    findings_rank(&soon);
    findings_rank(&later);
    assert_string_equal(order(*state, &soon), "middle! leaf<middle");
    assert_string_equal(order(*state, &later), "middle! leaf");
}

static void a_cause_of_a_later_kind_must_begin_before(void **state)
{
    Findings before = {.arena = *state}, together = {.arena = *state};
    add(&before, &late, 6);
    add(&before, &alone, 7);
    add(&together, &late, 7);
    add(&together, &alone, 7);
    findings_rank(&before);
    findings_rank(&together);
    assert_string_equal(order(*state, &before), "late! alone<late");
    assert_string_equal(order(*state, &together), "alone! late");
}

static void a_note_explains_nothing(void **state)
{
    Findings findings = {.arena = *state};
    add(&findings, &risk, 0)->severity = SEVERITY_INFO;
    add(&findings, &leaf, 5);
    findings_rank(&findings);
    assert_string_equal(order(*state, &findings), "leaf! risk");
}

static void of_two_that_explain_each_other_the_earlier_is_the_cause(void **state)
{
    Findings findings = {.arena = *state}, together = {.arena = *state};
    add(&findings, &hen, 1);
    add(&findings, &egg, 7);
    add(&together, &hen, 7);
    add(&together, &egg, 7); /* of the earlier kind */
    findings_rank(&findings);
    findings_rank(&together);
    assert_string_equal(order(*state, &findings), "hen! egg<hen");
    assert_string_equal(order(*state, &together), "egg! hen<egg");
}

static void a_circle_is_opened_at_its_best_ranked_finding(void **state)
{
    Findings findings = {.arena = *state};
    add(&findings, &rock, 3);
    add(&findings, &scissors, 3)->severity = SEVERITY_ERROR;
    add(&findings, &paper, 3);
    findings_rank(&findings);
    assert_string_equal(order(*state, &findings), "scissors! paper<scissors rock<paper");
}

static void equal_findings_keep_the_order_of_steps_and_then_of_the_table(void **state)
{
    Findings findings = {.arena = *state};
    add(&findings, &leaf, 7)->blame = "third";
    add(&findings, &leaf, 3)->blame = "first";
    add(&findings, &leaf, 3)->blame = "second";
    findings_rank(&findings);
    assert_string_equal(findings.at[0]->blame, "first");
    assert_string_equal(findings.at[1]->blame, "second");
    assert_string_equal(findings.at[2]->blame, "third");
}

static void known_findings_are_no_root(void **state)
{
    Findings findings = {.arena = *state};
    add(&findings, &middle, 1)->is_known = true;
    add(&findings, &alone, 5);
    findings_rank(&findings);
    assert_string_equal(order(*state, &findings), "alone! middle");
    findings.at[0]->is_known = true;
    findings_rank(&findings);
    assert_false(findings.at[0]->is_root || findings.at[1]->is_root);
}

static void fingerprints_know_rule_layers_and_place_but_no_numbers(void **state)
{
    Findings findings = {.arena = *state};
    Finding *finding[5];
    for (int i = 0; i < 5; i++) {
        finding[i] = add(&findings, i == 4 ? &middle : &leaf, i);
        finding[i]->value = i;
        finding_add_layer(&findings, finding[i], i == 2 ? "fc2" : "fc1");
        finding[i]->blame = i == 3 ? "model" : "optimizer.lr";
    }
    const char *print[5];
    for (int i = 0; i < 5; i++)
        print[i] = finding_fingerprint(*state, finding[i], 0);
    assert_string_equal(print[0], print[1]);
    for (int i = 2; i < 5; i++)
        assert_string_not_equal(print[0], print[i]);
    findings_rank(&findings);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(findings.at[i]->fingerprint, findings.at[k]->fingerprint);
}

static const char *patch(Arena *arena, const Json *config, const char *const changes[][2])
{
    Findings findings = {.arena = arena};
    Finding *finding = add(&findings, &leaf, 0);
    for (int i = 0; changes[i][0]; i++)
        finding_add_change(&findings, finding, config, changes[i][0], changes[i][1]);
    return written(arena, finding->patch);
}
#define CHANGES(...) ((const char *const[][2]){__VA_ARGS__, {NULL, NULL}})

static void changes_make_a_merge_patch(void **state)
{
    const Json *config = parsed(*state, "{\"optimizer\":{\"type\":\"sgd\",\"lr\":1},\"clip\":{\"max_norm\":1}}");
    assert_string_equal(
        patch(*state, config, CHANGES({"optimizer.lr", "0.1"}, {"optimizer.momentum", "0.9"}, {"clip", "null"})),
        "{\"optimizer\":{\"lr\":0.1,\"momentum\":0.9},\"clip\":null}");
}

static void a_change_within_a_list_holds_the_whole_list(void **state)
{
    const Json *config = parsed(*state, "{\"model\":{\"layers\":[{\"out\":1},{\"out\":2,\"init\":\"zeros\"},{\"out\":3}]}}");
    assert_string_equal(patch(*state, config, CHANGES({"model.layers[1].out", "8"}, {"model.layers[2].out", "9"})),
                        "{\"model\":{\"layers\":[{\"out\":1},{\"out\":8,\"init\":\"zeros\"},{\"out\":9}]}}");
    assert_string_equal(patch(*state, config, CHANGES({"model.layers[1].init", "null"}, {"model.layers[0]", "null"})),
                        "{\"model\":{\"layers\":[{\"out\":2},{\"out\":3}]}}");
    assert_string_equal(written(*state, config),
                        "{\"model\":{\"layers\":[{\"out\":1},{\"out\":2,\"init\":\"zeros\"},{\"out\":3}]}}");
}

static void a_change_of_what_is_only_named_keeps_the_name(void **state)
{
    const Json *config = parsed(*state, "{\"loss\":\"mse\"}");
    assert_string_equal(patch(*state, config, CHANGES({"loss.reduction", "\"sum\""})),
                        "{\"loss\":{\"type\":\"mse\",\"reduction\":\"sum\"}}");
}

static void a_change_in_a_file_of_its_own_holds_the_whole_file(void **state)
{
    Arena *arena = *state;
    char folder[] = "/tmp/gradtool-patch-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *config_path = path_join(arena, folder, "config.json"), *model_path = path_join(arena, folder, "model.json");
    static const char config_text[] = "{\"model\": \"model.json\", \"seed\": 1}",
                      model_text[] = "{\"input\": [2], \"init\": \"zeros\"}";
    Error *err = error_new(arena);
    assert_true(file_write(config_path, config_text, sizeof config_text - 1, err));
    assert_true(file_write(model_path, model_text, sizeof model_text - 1, err));
    Json *config = json_read_file(arena, config_path, err);
    json_replace(json_member(config, "model"), json_read_file(arena, model_path, err));
    assert_string_equal(patch(arena, config, CHANGES({"model.init", "\"ones\""}, {"seed", "2"})),
                        "{\"model\":{\"input\":[2],\"init\":\"ones\"},\"seed\":2}");
    file_remove_folder(folder);
}

static void changes_are_also_assignments(void **state)
{
    Findings findings = {.arena = *state};
    Finding *finding = add(&findings, &leaf, 0);
    for (int i = 0; i < 9; i++)
        finding_add_change(&findings, finding, NULL, i % 2 ? "train.steps" : "optimizer.lr", "5");
    assert_int_equal(finding->changes, 9);
    assert_string_equal(finding->change[7], "train.steps=5");
    assert_string_equal(finding->change[8], "optimizer.lr=5");
}

static void settings_turn_rules_off_and_set_severities_and_limits(void **state)
{
    RuleSettings *settings = rule_settings_new(*state);
    Error *err = error_new(*state);
    int drift = 0;
    while (rule_table[drift] != rule_find("gradient-drift"))
        drift++;
    assert_near(settings->rule[drift].limit[0], rule_table[drift]->limit[0].value, 0);
    assert_true(rule_settings_read(settings, NULL, err));
    assert_true(
        rule_settings_read(settings, parsed(*state, "{\"gradient-drift\":{\"severity\":\"error\",\"decades\":2}}"), err));
    assert_true(settings->rule[drift].has_severity);
    assert_int_equal(settings->rule[drift].severity, SEVERITY_ERROR);
    assert_near(settings->rule[drift].limit[1], 2, 0);
    assert_true(rule_settings_set(settings, "gradient-drift.decades=3e-1", err));
    assert_near(settings->rule[drift].limit[1], 0.3, 1e-15);
    assert_true(rule_settings_read(settings, parsed(*state, "{\"gradient-drift\":\"off\"}"), err));
    assert_true(settings->rule[drift].is_off);
}

static void mistakes_in_settings_are_all_reported(void **state)
{
    RuleSettings *settings = rule_settings_new(*state);
    Error *err = error_new(*state);
    assert_false(rule_settings_read(settings,
                                    parsed(*state, "{\"gradient-drif\":\"off\",\"gradient-drift\":{\"severity\":\"bad\","
                                                   "\"decade\":1,\"deviations\":\"many\"}}"),
                                    err));
    assert_int_equal(error_count(err), 4);
    assert_string_equal(error_message(err, 0), "there is no rule `gradient-drif`");
    assert_string_equal(error_message(err, 2), "rule `gradient-drift` has no limit `decade`");
    static const char *const assignments[] = {"gradient-drift",
                                              "gradient-drift.decades",
                                              "gradient-drift.decades=",
                                              "gradient-drift.decades=x",
                                              "gradient-drift.decade=1",
                                              "drift.decades=1",
                                              "=1",
                                              ".=1",
                                              "gradient-drift.decades=inf"};
    for (size_t i = 0; i < sizeof assignments / sizeof *assignments; i++)
        assert_false(rule_settings_set(settings, assignments[i], err));
    assert_false(rule_settings_read(settings, parsed(*state, "[]"), err));
    assert_false(rule_settings_read(settings, parsed(*state, "{\"gradient-drift\":\"on\"}"), err));
}

static int selected(const Selection *selection)
{
    int count = 0;
    for (int i = 0; i < rule_count; i++)
        count += selection->rule[i];
    return count;
}

static void a_selection_takes_names_globs_and_lists(void **state)
{
    Error *err = error_new(*state);
    static const char *const drift[] = {"gradient-drift"}, *const mixed[] = {"gradient-drift", "*o*,gradient-drift"};
    static const char *const wrong[] = {"gradient-drift,no-such-rule"}, *const nothing[] = {""}, *const any[] = {"*"};
    assert_int_equal(selected(selection_new(*state, NULL, 0, NULL, 0, err)), rule_count);
    assert_int_equal(selected(selection_new(*state, drift, 1, NULL, 0, err)), 1);
    assert_int_equal(selected(selection_new(*state, NULL, 0, drift, 1, err)), rule_count - 1);
    assert_true(selected(selection_new(*state, mixed, 2, NULL, 0, err)) >= 1);
    assert_int_equal(error_count(err), 0);
    assert_null(selection_new(*state, wrong, 1, NULL, 0, err));
    assert_string_equal(error_message(err, 0), "there is no rule `no-such-rule` to select");
    assert_null(selection_new(*state, nothing, 1, NULL, 0, err));
    assert_null(selection_new(*state, NULL, 0, any, 1, err));
    assert_string_equal(error_message(err, 2), "no rule is left to check");
}

static void without_evidence_nothing_is_judged(void **state)
{
    Evidence evidence = {0};
    Diagnosis *diagnosis = diagnose(*state, &evidence, rule_settings_new(*state), NULL);
    Severity worst;
    assert_int_equal(diagnosis->ran, 0);
    assert_int_equal(diagnosis->findings, 0);
    assert_false(diagnosis_worst(diagnosis, &worst));
    for (int i = 0; i < rule_count; i++) {
        assert_int_equal(diagnosis->rule[i].outcome, RULE_NOT_JUDGEABLE);
        assert_non_null(diagnosis->rule[i].reason);
    }
}

/* A log of two parameters and a layer; norms are 10^level, a little up and down. */
static Record *make_record(Arena *arena, double level_a, double level_b, uint64_t seed)
{
    Record *record = record_new(arena, "log", "test");
    Random random = random_stream(seed, RANDOM_DATA, 0);
    record_add_parameter(record, "a.weight");
    record_add_parameter(record, "b.weight");
    record_add_layer(record, "a", "linear");
    for (int64_t step = 1; step <= 100; step++) {
        double noise = 0.1 * random_normal(&random, (uint64_t)step);
        record_add_scalar(record, RECORD_LOSS, step, 1);
        record_add_value(record, RECORD_GRADIENT_NORM, 0, step, pow(10, level_a + noise));
        record_add_value(record, RECORD_GRADIENT_NORM, 1, step, pow(10, level_b - noise));
        record_add_value(record, RECORD_FLOW, 0, step, pow(10, level_a - noise));
    }
    record_end(record);
    return record;
}

static Diagnosis *check_drift(Arena *arena, const Baseline *baseline, const Record *record)
{
    static const char *const names[] = {"gradient-drift"};
    Evidence evidence = {.record = record, .baseline = baseline};
    return diagnose(arena, &evidence, rule_settings_new(arena), selection_new(arena, names, 1, NULL, 0, error_new(arena)));
}

static void quantiles_of_a_baseline_are_decades(void **state)
{
    int count;
    Record *record = record_new(*state, "log", "test");
    record_add_parameter(record, "a");
    for (int64_t step = 1; step <= 5; step++) {
        record_add_value(record, RECORD_GRADIENT_NORM, 0, step, step == 5 ? 0 : pow(10, (double)step));
    }
    record_end(record);
    const BaselineTensor *tensor = baseline_measure(*state, record, BASELINE_GRADIENTS, &count);
    assert_int_equal(count, 1);
    assert_int_equal(tensor->count, 4); /* the 0 has no decade */
    assert_near(tensor->quantile[0], 1.15, 1e-12);
    assert_near(tensor->quantile[2], 2.5, 1e-12);
    assert_near(tensor->quantile[4], 3.85, 1e-12);
    assert_near(tensor->deviation, 1.4826, 1e-12); /* |x - 2.5| is 0.5 or 1.5 */
}

static void gradients_as_in_the_baseline_have_not_drifted(void **state)
{
    Baseline *baseline = baseline_new(*state);
    baseline_add_run(baseline, "one", NULL, 0, make_record(*state, -2, 1, 1));
    Diagnosis *diagnosis = check_drift(*state, baseline, make_record(*state, -2.05, 1.05, 2));
    assert_int_equal(diagnosis->ran, 1);
    assert_int_equal(diagnosis->findings, 0);
}

static void gradients_of_another_size_have_drifted(void **state)
{
    Baseline *baseline = baseline_new(*state);
    baseline_add_run(baseline, "one", NULL, 0, make_record(*state, -2, 1, 1));
    Diagnosis *diagnosis = check_drift(*state, baseline, make_record(*state, -2, 2, 2));
    assert_int_equal(diagnosis->findings, 1);
    const Finding *finding = diagnosis->finding[0];
    assert_int_equal(finding->layer_count, 1);
    assert_string_equal(finding->layers[0], "b.weight");
    assert_near(finding->value, 1, 0.1);
    assert_true(finding->is_root);
}

static void the_spread_of_seeds_is_no_drift(void **state)
{
    static const double levels[] = {0.9, 1.3, 1.1, 0.7};
    Baseline *few = baseline_new(*state), *many = baseline_new(*state);
    baseline_add_run(few, "one", NULL, 0, make_record(*state, -2, 1, 1));
    for (uint64_t i = 0; i < 4; i++)
        baseline_add_run(many, "one", NULL, 0, make_record(*state, -2, levels[i], i));
    Record *record = make_record(*state, -2, 1.5, 9);
    assert_int_equal(check_drift(*state, few, record)->findings, 1);
    assert_int_equal(check_drift(*state, many, record)->findings, 0);
    assert_int_equal(check_drift(*state, many, make_record(*state, -2, 4, 9))->findings, 1);
}

static void bands_follow_their_formula(void **state)
{
    Baseline *baseline = baseline_new(*state);
    for (int r = 0; r < 3; r++) {
        BaselineRun *run = baseline_next_run(baseline);
        *run = (BaselineRun){.name = "run"};
        run->tensors[0] = 2;
        run->tensor[0] = ARENA_ARRAY(*state, BaselineTensor, 2);
        run->tensor[0][0] = (BaselineTensor){.name = "a", .count = 9, .quantile = {0, 0, r, 0, 0}};
        run->tensor[0][1] = (BaselineTensor){.name = "b", .count = 9, .quantile = {0, 0, 5, 0, 0}};
    }
    const BaselineTensor of[] = {{.name = "b"}, {.name = "a"}, {.name = "c"}};
    BaselineBand band[3];
    baseline_expect(baseline, BASELINE_GRADIENTS, of, 3, band);
    /* Variances 1 and 0 of 2 degrees each: pooled 1/2; drawn to it with weight 4: (4/2 + 2)/6 and (4/2)/6; times 1 + 1/3. */
    assert_near(band[1].median, 1, 0);
    assert_near(band[1].deviation, sqrt(4.0 / 6 * 4 / 3), 1e-12);
    assert_near(band[0].median, 5, 0);
    assert_near(band[0].deviation, sqrt(2.0 / 6 * 4 / 3), 1e-12);
    assert_int_equal(band[2].runs, 0);
}

static void a_parameter_that_lost_its_gradient_has_drifted(void **state)
{
    Baseline *baseline = baseline_new(*state);
    baseline_add_run(baseline, "one", NULL, 0, make_record(*state, -2, 1, 1));
    Diagnosis *diagnosis = check_drift(*state, baseline, make_record(*state, -2, -INFINITY, 2));
    assert_int_equal(diagnosis->findings, 1);
    assert_true(isinf(diagnosis->finding[0]->value));
}

static void a_baseline_of_other_names_compares_nothing(void **state)
{
    Baseline *baseline = baseline_new(*state);
    baseline_add_run(baseline, "none", NULL, 0, NULL);
    Diagnosis *diagnosis = check_drift(*state, baseline, make_record(*state, 0, 0, 2));
    assert_int_equal(diagnosis->ran, 0);
}

static void a_baseline_knows_its_findings_but_no_graver_or_wider_ones(void **state)
{
    Findings old = {.arena = *state}, now = {.arena = *state};
    Finding *known = add(&old, &alone, 3);
    finding_add_layer(&old, known, "fc1");
    finding_add_layer(&old, known, "fc2");
    known->fingerprint = finding_fingerprint(*state, known, 0);
    Baseline *baseline = baseline_new(*state);
    baseline_add_run(baseline, "one", old.at, old.count, NULL);
    assert_true(baseline_knows(baseline, known));
    assert_false(baseline_knows(NULL, known));
    Finding *narrower = add(&now, &alone, 8);
    finding_add_layer(&now, narrower, "fc2");
    assert_true(baseline_knows(baseline, narrower));
    finding_add_layer(&now, narrower, "fc3");
    assert_false(baseline_knows(baseline, narrower));
    Finding *graver = add(&now, &alone, 8);
    graver->severity = SEVERITY_ERROR;
    assert_false(baseline_knows(baseline, graver));
    Finding *elsewhere = add(&now, &alone, 8);
    elsewhere->blame = "model";
    assert_false(baseline_knows(baseline, elsewhere));
    assert_false(baseline_knows(baseline, add(&now, &leaf, 8)));
}

static void a_baseline_reads_back_as_it_was_written(void **state)
{
    Arena *arena = *state;
    Findings findings = {.arena = arena};
    Finding *finding = add(&findings, &alone, 3);
    finding->blame = "optimizer.lr";
    finding_add_layer(&findings, finding, "a \"quoted\" name");
    finding->fingerprint = finding_fingerprint(arena, finding, 0);
    Baseline *baseline = baseline_new(arena), *again = baseline_new(arena);
    baseline_add_run(baseline, "first", findings.at, findings.count, make_record(arena, -2, -INFINITY, 1));
    baseline_add_run(baseline, "second", NULL, 0, NULL);
    Text text = text_new(arena);
    json_write(&text, baseline_document(arena, baseline), 0);
    char path[] = "/tmp/gradtool-baseline-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, text.at, text.length) == (ssize_t)text.length && close(file) == 0);
    Error *err = error_new(arena);
    assert_true(baseline_read(again, path, err));
    unlink(path);
    assert_int_equal(again->runs, 2);
    assert_int_equal(again->run[0].steps, 100);
    assert_true(baseline_knows(again, finding));
    Text second = text_new(arena);
    json_write(&second, baseline_document(arena, again), 0);
    assert_string_equal(text.at, second.at);
}

static void files_that_are_no_baseline_are_errors(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"baseline\":2,\"runs\":[]}",
        "{\"baseline\":1}",
        "{\"baseline\":1,\"runs\":{}}",
        "{\"baseline\":1,\"runs\":[{}]}",
        "{\"baseline\":1,\"runs\":[3]}",
        "{\"baseline\":1,\"runs\":[{\"name\":\"a\",\"steps\":1,\"findings\":[],\"gradients\":[],\"flow\":3}]}",
        "{\"baseline\":1,\"runs\":[{\"name\":\"a\",\"steps\":1,\"findings\":[{\"rule\":\"x\"}],\"gradients\":[],\"flow\":[]}]}",
        "{\"baseline\":1,\"runs\":[{\"name\":\"a\",\"steps\":1,\"findings\":[],\"gradients\":[{\"name\":\"w\",\"count\":3,"
        "\"quantiles\":[1,2],\"deviation\":1}],\"flow\":[]}]}",
        "{\"baseline\":1,\"runs\":[{\"name\":\"a\",\"steps\":1,\"findings\":[],\"gradients\":[{\"name\":\"w\",\"count\":3,"
        "\"quantiles\":[1,2,3,4,\"x\"],\"deviation\":1}],\"flow\":[]}]}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char path[] = "/tmp/gradtool-baseline-XXXXXX";
        int file = mkstemp(path);
        assert_true(file >= 0 && write(file, texts[i], strlen(texts[i])) > 0 && close(file) == 0);
        Error *err = error_new(*state);
        assert_false(baseline_read(baseline_new(*state), path, err));
        assert_true(error_count(err) > 0);
        unlink(path);
    }
}

static void every_rule_says_all_that_is_asked_of_it(void **state)
{
    (void)state;
    for (int i = 0; i < rule_count; i++) {
        const Rule *rule = rule_table[i];
        const char *const texts[] = {rule->name,   rule->summary, rule->definition,  rule->consequence,
                                     rule->remedy, rule->source,  rule->false_alarms};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            if (!texts[k] || !*texts[k])
                fail_msg("rule %d (%s): text %zu is missing", i, rule->name ? rule->name : "?", k);
        for (const char *at = rule->name; *at; at++)
            assert_true(islower((unsigned char)*at) || *at == '-');
        assert_ptr_equal(rule_find(rule->name), rule);
        assert_non_null(rule->check);
        for (int k = 0; k < rule_limits(rule); k++)
            if (!rule->limit[k].help)
                fail_msg("%s.%s has no help", rule->name, rule->limit[k].name);
        for (int k = 0; k < RULE_EXPLAINS && rule->explains[k]; k++)
            if (strcmp(rule->explains[k], "*") != 0 && !rule_find(rule->explains[k]))
                fail_msg("%s explains `%s`, which is no rule", rule->name, rule->explains[k]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cause_stands_before_what_follows_from_it, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_cause_weighs_as_much_as_the_gravest_finding_it_explains, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(of_several_explanations_the_gravest_counts, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_rule_that_explains_all_explains_only_what_came_later, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_cause_of_an_earlier_kind_may_begin_about_the_same_time, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_cause_of_a_later_kind_must_begin_before, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_note_explains_nothing, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(of_two_that_explain_each_other_the_earlier_is_the_cause, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_circle_is_opened_at_its_best_ranked_finding, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(equal_findings_keep_the_order_of_steps_and_then_of_the_table, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(known_findings_are_no_root, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(fingerprints_know_rule_layers_and_place_but_no_numbers, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(changes_make_a_merge_patch, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_change_within_a_list_holds_the_whole_list, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_change_of_what_is_only_named_keeps_the_name, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_change_in_a_file_of_its_own_holds_the_whole_file, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(changes_are_also_assignments, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(settings_turn_rules_off_and_set_severities_and_limits, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(mistakes_in_settings_are_all_reported, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_selection_takes_names_globs_and_lists, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(without_evidence_nothing_is_judged, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(quantiles_of_a_baseline_are_decades, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(gradients_as_in_the_baseline_have_not_drifted, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(gradients_of_another_size_have_drifted, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(the_spread_of_seeds_is_no_drift, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(bands_follow_their_formula, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_parameter_that_lost_its_gradient_has_drifted, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_baseline_of_other_names_compares_nothing, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_baseline_knows_its_findings_but_no_graver_or_wider_ones, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_baseline_reads_back_as_it_was_written, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(files_that_are_no_baseline_are_errors, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(every_rule_says_all_that_is_asked_of_it, make_arena, drop_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
