#include "support_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/check_report.h"

/* A report of one subject with hostile names, its findings made by hand. */
typedef struct Fixture {
    Arena *arena;
    char folder[64];
    Findings findings;
    Diagnosis diagnosis;
    CheckSubject subject;
    CheckReport report;
} Fixture;

#define CONFIG                                                                                                                 \
    "{\n"                                                                                                                      \
    "  \"name\": \"x\",\n"                                                                                                     \
    "  \"optimizer\": {\"type\": \"sgd\", \"lr\": 5},\n"                                                                       \
    "  \"model\": {\"layers\": [\n"                                                                                            \
    "    {\"type\": \"linear\",\n"                                                                                             \
    "     \"out\": 3}]}\n"                                                                                                     \
    "}\n"

static int set_up(void **state)
{
    Arena *arena = arena_new(NULL);
    Fixture *f = ARENA_NEW(arena, Fixture);
    *f = (Fixture){.arena = arena, .findings = {.arena = arena}};
    strcpy(f->folder, "/tmp/gradtool-report-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    RuleResult *results = ARENA_ARRAY(arena, RuleResult, rule_count);
    results[1] = (RuleResult){RULE_NOT_JUDGEABLE, "the log has \"none\""};
    results[2] = (RuleResult){RULE_UNSELECTED, "not selected"};
    f->diagnosis = (Diagnosis){.rule = results, .ran = rule_count - 2};
    f->subject = (CheckSubject){.path = "runs/a", .name = "a<b>", .diagnosis = &f->diagnosis, .seconds = 0.5};
    f->report =
        (CheckReport){.arena = arena, .subject = &f->subject, .subjects = 1, .level = SEVERITY_ERROR, .root = f->folder};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;
    file_remove_folder(f->folder);
    arena_free(f->arena);
    return 0;
}

static Finding *add(Fixture *f, int rule, Severity severity, const char *layer)
{
    f->findings.rule = rule_table[rule];
    f->findings.severity = severity;
    Finding *finding = finding_add(&f->findings, 3, 9, 1.5, 0.5, "50 %% of it,\r\nmore: a|b <tag> ::error::x");
    finding->remedy = "less";
    finding->consequence = "so it is";
    if (layer)
        finding_add_layer(&f->findings, finding, layer);
    return finding;
}

static const char *report(Fixture *f, const char *format)
{
    Error *err = error_new(f->arena);
    Text text = text_new(f->arena);
    findings_rank(&f->findings);
    f->diagnosis.finding = f->findings.at;
    f->diagnosis.findings = f->findings.count;
    check_format_find(format, err)->write(&f->report, &text);
    return text.at;
}

static int occurrences(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("`%s` is not in:\n%s", part, text);
}

static const Json *tree(Fixture *f, const char *text)
{
    Error *err = error_new(f->arena);
    const Json *root = json_read_text(f->arena, "report", text, strlen(text), err);
    if (!root)
        fail_msg("no JSON: %s\n%s", error_message(err, 0), text);
    return root;
}

static const char *string_at(Fixture *f, const Json *root, const char *path)
{
    bool found;
    const Json *value = json_find(root, path, &found);
    if (!found || value->type != JSON_STRING)
        fail_msg("there is no string %s", path);
    (void)f;
    return value->string;
}

static void use_config(Fixture *f)
{
    Error *err = error_new(f->arena);
    const char *path = path_join(f->arena, f->folder, "my config.json");
    assert_true(file_write(path, CONFIG, strlen(CONFIG), err));
    f->subject.config = json_read_file(f->arena, path, err);
    assert_non_null(f->subject.config);
}

static void only_findings_from_the_level_on_that_are_not_known_make_it_sick(void **state)
{
    Fixture *f = *state;
    add(f, 0, SEVERITY_WARNING, NULL);
    report(f, "text");
    assert_false(check_is_sick(&f->report, &f->subject));
    assert_string_equal(check_verdict_of_all(&f->report), "healthy");
    f->report.level = SEVERITY_WARNING;
    assert_true(check_is_sick(&f->report, &f->subject));
    assert_string_equal(check_verdict_of_all(&f->report), "sick");
    f->findings.at[0]->is_known = true;
    assert_false(check_is_sick(&f->report, &f->subject));
    CheckSubject unreadable = {.path = "b", .name = "b", .problem = "gone"};
    f->report.subject = &unreadable;
    assert_string_equal(check_verdict_of_all(&f->report), "unknown");
}

static void blame_is_a_place_in_the_file(void **state)
{
    Fixture *f = *state;
    use_config(f);
    Finding *finding = add(f, 0, SEVERITY_ERROR, NULL);
    static const struct {
        const char *blame, *key;
        long line, column, end_column;
    } cases[] = {{"optimizer.lr", "optimizer.lr", 3, 32, 39},
                 {"optimizer", "optimizer", 3, 3, 14},
                 {"optimizer.momentum", "optimizer", 3, 3, 14}, /* a default */
                 {"clip.max_norm", "", 1, 1, 2},
                 {"model.layers[0]", "model.layers[0]", 5, 5, 23},
                 {"model.layers[7].out", "model.layers", 4, 13, 21},
                 {NULL, "", 1, 1, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        finding->blame = cases[i].blame;
        CheckPlace place = check_place(&f->report, &f->subject, finding);
        assert_string_equal(place.key, cases[i].key);
        assert_int_equal(place.line, cases[i].line);
        assert_int_equal(place.column, cases[i].column);
        assert_int_equal(place.end_line, cases[i].line);
        assert_int_equal(place.end_column, cases[i].end_column);
        assert_string_equal(place.uri, "my config.json");
    }
}

static void a_file_outside_the_repository_has_no_path_of_this_machine(void **state)
{
    Fixture *f = *state;
    use_config(f);
    f->report.root = "/nowhere";
    Finding *finding = add(f, 0, SEVERITY_ERROR, NULL);
    const char *uri = check_place(&f->report, &f->subject, finding).uri;
    assert_string_equal(uri, path_join(f->arena, path_name(f->folder), "my config.json"));
}

static void findings_can_be_shown_in_another_file(void **state)
{
    Fixture *f = *state;
    use_config(f);
    f->report.annotate_tree = f->subject.config;
    f->report.annotate = f->subject.config->source->name;
    f->subject.config = NULL;
    Finding *finding = add(f, 0, SEVERITY_ERROR, NULL);
    finding->blame = "optimizer.lr";
    assert_int_equal(check_place(&f->report, &f->subject, finding).line, 3);
    f->report.annotate_tree = NULL;
    f->report.annotate = arena_printf(f->arena, "%s:6", f->report.annotate);
    CheckPlace place = check_place(&f->report, &f->subject, finding);
    assert_int_equal(place.line, 6);
    assert_string_equal(place.uri, "my config.json");
}

static void json_has_the_keys_of_the_contract(void **state)
{
    Fixture *f = *state;
    Finding *first = add(f, 0, SEVERITY_ERROR, "fc1");
    add(f, 3, SEVERITY_INFO, NULL);
    finding_add_change(&f->findings, first, NULL, "optimizer.lr", "0.1");
    const Json *root = tree(f, report(f, "json"));
    assert_string_equal(string_at(f, root, "verdict"), "sick");
    const Json *findings = json_member(root, "findings"), *finding = json_item(findings, 0);
    static const char *const keys[] = {"rule",  "severity",  "root",    "layers", "first_step", "last_step",
                                       "value", "threshold", "message", "remedy", "patch"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!json_member(finding, keys[i]))
            fail_msg("a finding has no `%s`", keys[i]);
    assert_int_equal(findings->count, 2);
    assert_string_equal(string_at(f, root, "findings[0].rule"), rule_table[0]->name);
    assert_near(json_member(finding, "root")->number, 1, 0);
    assert_near(json_member(json_item(findings, 1), "root")->number, 0, 0);
    assert_string_equal(string_at(f, root, "findings[0].layers[0]"), "fc1");
    assert_near(json_find(root, "findings[0].patch.optimizer.lr", NULL)->number, 0.1, 0);
    assert_near(json_member(finding, "first_step")->number, 3, 0);
    assert_near(json_member(finding, "value")->number, 1.5, 0);
}

static void several_subjects_are_a_list_of_results(void **state)
{
    Fixture *f = *state;
    CheckSubject both[] = {f->subject, {.path = "b", .name = "b", .problem = "it is gone"}};
    f->report.subject = both;
    f->report.subjects = 2;
    const Json *root = tree(f, report(f, "json"));
    assert_string_equal(string_at(f, root, "verdict"), "unknown");
    assert_string_equal(string_at(f, root, "results[0].path"), "runs/a");
    assert_string_equal(string_at(f, root, "results[0].verdict"), "healthy");
    assert_string_equal(string_at(f, root, "results[1].error"), "it is gone");
}

static void annotations_are_escaped_and_stay_on_one_line(void **state)
{
    Fixture *f = *state;
    f->subject.path = "a,b:c%d/x\n::error::y";
    f->subject.name = "x\n::error::smuggled";
    add(f, 0, SEVERITY_ERROR, "layer\n::warning::z");
    const char *text = report(f, "github");
    assert_int_equal(occurrences(text, "\n"), 1);
    assert_true(!strncmp(text, "::error file=", 13));
    assert_has(text, "file=a%2Cb%3Ac%25d/x %3A%3Aerror%3A%3Ay,line=1,");
    assert_has(text, "50 %25 of it,  more");
    assert_has(text, "%0Atry: less");
    assert_null(strchr(text, '\r'));
}

static void ten_annotations_of_a_kind_are_shown_and_the_rest_counted(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 24; i++)
        add(f, i % 3, i % 2 ? SEVERITY_ERROR : SEVERITY_WARNING, NULL)->blame = arena_printf(f->arena, "k%d", i);
    add(f, 0, SEVERITY_INFO, NULL);
    add(f, 0, SEVERITY_ERROR, "known")->is_known = true;
    const char *text = report(f, "github");
    assert_int_equal(occurrences(text, "::error "), 10);
    assert_int_equal(occurrences(text, "::warning "), 10);
    assert_int_equal(occurrences(text, "::notice "), 1);
    assert_has(text, "...and 4 more, see the summary\n");
    assert_true(strstr(text, "::error ") < strstr(text, "::warning "));
}

static void junit_counts_its_cases_and_escapes_names(void **state)
{
    Fixture *f = *state;
    Finding *finding = add(f, 0, SEVERITY_ERROR, "fc1\x01");
    finding_add_layer(&f->findings, finding, "fc2 & co");
    add(f, 0, SEVERITY_ERROR, "fc2 & co")->blame = "model";
    add(f, 3, SEVERITY_WARNING, NULL);
    const char *text = report(f, "junit");
    int cases = occurrences(text, "<testcase "), failures = occurrences(text, "<failure ");
    assert_int_equal(failures, 3);
    assert_int_equal(cases, rule_count - 1 + 2); /* one rule is not selected, one has three cases */
    assert_has(text, arena_printf(f->arena, "tests=\"%d\" failures=\"3\" errors=\"0\" skipped=\"1\"", cases));
    assert_has(text, "<skipped message=\"the log has &quot;none&quot;\"/>");
    assert_has(text, "classname=\"a&lt;b&gt;.fc2 &amp; co\"");
    assert_has(text, "classname=\"a&lt;b&gt;.fc1 \"");
    assert_has(text, arena_printf(f->arena, "name=\"%s (2)\"", rule_table[0]->name));
    assert_has(text, "<system-out>");
    assert_null(strstr(text, " file="));
    f->report.junit_has_files = true;
    assert_has(report(f, "junit"), " file=\"");
}

static void sarif_results_point_at_rules_and_places(void **state)
{
    Fixture *f = *state;
    use_config(f);
    add(f, 3, SEVERITY_ERROR, "fc1")->blame = "optimizer.lr";
    add(f, 3, SEVERITY_INFO, NULL);
    const Json *root = tree(f, report(f, "sarif"));
    assert_string_equal(string_at(f, root, "version"), "2.1.0");
    assert_string_equal(string_at(f, root, "runs[0].results[0].ruleId"), rule_table[3]->name);
    assert_near(json_find(root, "runs[0].results[0].ruleIndex", NULL)->number, 3, 0);
    assert_string_equal(string_at(f, root, "runs[0].tool.driver.rules[3].id"), rule_table[3]->name);
    assert_string_equal(string_at(f, root, "runs[0].results[0].level"), "error");
    assert_string_equal(string_at(f, root, "runs[0].results[1].level"), "note");
    const char *physical = "runs[0].results[0].locations[0].physicalLocation";
    assert_string_equal(string_at(f, root, arena_printf(f->arena, "%s.artifactLocation.uri", physical)), "my%20config.json");
    const Json *region = json_find(root, arena_printf(f->arena, "%s.region", physical), NULL);
    assert_near(json_member(region, "startLine")->number, 3, 0);
    assert_near(json_member(region, "endColumn")->number, 39, 0);
    assert_string_equal(string_at(f, root, "runs[0].results[0].locations[0].logicalLocations[0].fullyQualifiedName"), "fc1");
}

static void gitlab_tells_findings_apart(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 3; i++) /* alike but for their numbers */
        add(f, 0, (Severity)i, NULL)->value = i;
    const Json *root = tree(f, report(f, "gitlab"));
    assert_int_equal(root->count, 3);
    static const char *const severities[] = {"critical", "major", "minor"};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(string_at(f, json_item(root, i), "severity"), severities[i]);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(string_at(f, json_item(root, i), "fingerprint"),
                                    string_at(f, json_item(root, k), "fingerprint"));
    }
    assert_near(json_find(root, "[0].location.lines.begin", NULL)->number, 1, 0);
}

static void names_do_not_break_a_markdown_table(void **state)
{
    Fixture *f = *state;
    f->subject.path = "a|b`c";
    add(f, 0, SEVERITY_ERROR, "x|`y`");
    const char *text = report(f, "markdown");
    assert_has(text, "`a/b'c`");
    assert_has(text, "`x/'y'`");
    assert_has(text, "a\\|b &lt;tag>");
}

static void text_and_concise_hold_no_control_characters_of_names(void **state)
{
    Fixture *f = *state;
    f->subject.name = "::set-output\x1b[31m";
    f->subject.path = "::x\x1b";
    add(f, 0, SEVERITY_ERROR, "fc1\x1b[2J\xc2\x9b\xff");
    static const char *const formats[] = {"text", "concise"};
    for (int i = 0; i < 2; i++) {
        const char *text = report(f, formats[i]);
        assert_null(strchr(text, '\x1b'));
        assert_null(strstr(text, "\xc2\x9b"));
        assert_null(strchr(text, '\xff'));
        assert_true(strncmp(text, "::", 2) != 0 && !strstr(text, "\n::"));
    }
}

static void consequences_are_folded_under_their_cause(void **state)
{
    Fixture *f = *state;
    int cause = 0, effect = 0; /* of the table: one that explains another */
    for (int i = 0; i < rule_count && !effect; i++)
        for (int k = 0; rule_table[i]->explains[0] && k < rule_count; k++)
            if (!strcmp(rule_table[k]->name, rule_table[i]->explains[0])) {
                cause = i;
                effect = k;
            }
    assert_true(cause != effect);
    add(f, effect, SEVERITY_WARNING, NULL);
    add(f, cause, SEVERITY_ERROR, NULL);
    const char *text = report(f, "text");
    const char *first = strstr(text, arena_printf(f->arena, "\nerror[%s]:", rule_table[cause]->name));
    const char *fold = strstr(text, "\n  because of it:\n");
    const char *second = strstr(text, arena_printf(f->arena, "\n    warning[%s]:", rule_table[effect]->name));
    assert_true(first && fold && second && first < fold && fold < second);
    assert_has(report(f, "concise"), arena_printf(f->arena, "(follows from %s)", rule_table[cause]->name));
}

static void fingerprints_in_reports_depend_on_the_subject(void **state)
{
    Fixture *f = *state;
    Finding *finding = add(f, 0, SEVERITY_ERROR, NULL);
    report(f, "text");
    CheckSubject other = f->subject;
    const char *here = check_fingerprint(&f->report, &f->subject, finding);
    assert_string_equal(here, check_fingerprint(&f->report, &other, finding));
    other.name = "b";
    assert_string_not_equal(here, check_fingerprint(&f->report, &other, finding));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_findings_from_the_level_on_that_are_not_known_make_it_sick, set_up, tear_down),
        cmocka_unit_test_setup_teardown(blame_is_a_place_in_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_outside_the_repository_has_no_path_of_this_machine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(findings_can_be_shown_in_another_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_has_the_keys_of_the_contract, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_subjects_are_a_list_of_results, set_up, tear_down),
        cmocka_unit_test_setup_teardown(annotations_are_escaped_and_stay_on_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ten_annotations_of_a_kind_are_shown_and_the_rest_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(junit_counts_its_cases_and_escapes_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sarif_results_point_at_rules_and_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gitlab_tells_findings_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_do_not_break_a_markdown_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_and_concise_hold_no_control_characters_of_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(consequences_are_folded_under_their_cause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fingerprints_in_reports_depend_on_the_subject, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
