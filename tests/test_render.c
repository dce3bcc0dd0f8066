#include "support_test.h"

#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "monitor/run_reader.h"
#include "render/font.h"
#include "render/gnuplot.h"
#include "render/heatmap.h"
#include "render/labels.h"
#include "render/palette.h"
#include "render/plot.h"
#include "render/quantile.h"
#include "render/series.h"
#include "render/terminal_flow.h"

typedef struct Fixture {
    Arena *arena;
    Error *err;
    char folder[64];
} Fixture;

static int set_up(void **state)
{
    Arena *arena = arena_new(NULL);
    Fixture *fixture = ARENA_NEW(arena, Fixture);
    fixture->arena = arena;
    fixture->err = error_new(arena);
    strcpy(fixture->folder, "/tmp/gradtool-render-XXXXXX");
    if (!mkdtemp(fixture->folder))
        return -1;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    file_remove_folder(fixture->folder);
    arena_free(fixture->arena);
    return 0;
}

/* Columns and binning. */

static void a_spike_of_one_step_survives_any_number_of_steps(void **state)
{
    Fixture *fixture = *state;
    const int64_t spike = 77777, dip = 33333;
    Series *series = series_new(fixture->arena, 2);
    for (int64_t step = 1; step <= 150000; step++) {
        double values[2] = {step == spike ? 1e2 : step == dip ? 1e-9 : 1e-3, 1};
        series_add(series, step, values);
    }
    assert_true(series_columns(series) <= SERIES_COLUMNS);
    assert_true(series_columns(series) >= SERIES_COLUMNS / 2);
    assert_int_equal(series_first_step(series, 0), 1);
    assert_int_equal(series_last_step(series, series_columns(series) - 1), 150000);
    double center = series_row_center(series, 0);
    assert_near(center, -3, 1e-9);
    for (int column = 0; column < series_columns(series); column++) {
        int64_t first = series_first_step(series, column), last = series_last_step(series, column);
        double expected = first <= spike && spike <= last ? 2 : first <= dip && dip <= last ? -9 : -3;
        assert_near(series_extreme(series_cell(series, 0, column), center), expected, 1e-9);
        assert_true(column == 0 || first == series_last_step(series, column - 1) + 1);
    }
}

static void states_of_a_column_win_in_order(void **state)
{
    Fixture *fixture = *state;
    Series *series = series_new(fixture->arena, 4);
    for (int64_t step = 1; step <= 4000; step++) {
        double values[4] = {step == 2000 ? NAN : 1, step == 2000 ? 0 : 1, step < 3000 ? run_missing() : 2, run_missing()};
        series_add(series, step, values);
    }
    int counts[4][4] = {{0}};
    for (int row = 0; row < 4; row++)
        for (int column = 0; column < series_columns(series); column++)
            counts[row][series_state(series_cell(series, row, column))]++;
    assert_int_equal(counts[0][SERIES_NONFINITE], 1);
    assert_int_equal(counts[1][SERIES_ZERO], 1);
    assert_true(counts[2][SERIES_MISSING] > 0 && counts[2][SERIES_FINITE] > 0);
    assert_int_equal(counts[3][SERIES_MISSING], series_columns(series));
    assert_int_equal(series_end(series, 0).nonfinite, 1);
    assert_false(series_end(series, 0).is_nonfinite);
    assert_int_equal(series_end(series, 2).observations, 1001);
}

static void the_end_of_a_series_knows_since_when_it_is_not_finite(void **state)
{
    Fixture *fixture = *state;
    Series *series = series_new(fixture->arena, 1);
    for (int64_t step = 1; step <= 20; step++)
        series_add(series, step, (double[]){step == 3 || step > 15 ? INFINITY : 1});
    SeriesEnd end = series_end(series, 0);
    assert_true(end.is_nonfinite);
    assert_int_equal(end.since, 16);
    assert_int_equal(end.nonfinite, 6);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void quantiles_are_within_one_percent(void **state)
{
    Fixture *fixture = *state;
    enum { COUNT = 20001 };
    double *values = ARENA_ARRAY(fixture->arena, double, COUNT);
    QuantileSketch sketch;
    quantile_init(&sketch, fixture->arena);
    Random random = random_stream(1, RANDOM_PROBE, 0);
    for (int i = 0; i < COUNT; i++) {
        values[i] = exp(8 * random_normal(&random, (uint64_t)i));
        quantile_add(&sketch, i % 2 ? values[i] : -values[i]);
    }
    quantile_add(&sketch, 0);
    quantile_add(&sketch, NAN);
    quantile_add(&sketch, run_missing());
    qsort(values, COUNT, sizeof *values, by_value);
    for (int i = 0; i <= 20; i++) {
        double expected = values[i * (COUNT - 1) / 20];
        assert_near(quantile_at(&sketch, i / 20.0), expected, 0.01 * expected);
    }
    assert_int_equal(sketch.count, COUNT);
    assert_int_equal(sketch.zeros, 1);
    assert_int_equal(sketch.nonfinite, 1);
    assert_near(sketch.high, values[COUNT - 1], 0);
}

/* Colours, names, letters. */

static void palettes_have_the_published_ends(void **state)
{
    Fixture *fixture = *state;
    const Palette *viridis = palette_find(NULL, fixture->err);
    Colour low = palette_colour(viridis, -1), middle = palette_colour(viridis, 0.5), high = palette_colour(viridis, 2);
    assert_int_equal(low.red << 16 | low.green << 8 | low.blue, 0x440154);
    assert_int_equal(middle.red << 16 | middle.green << 8 | middle.blue, 0x21918c);
    assert_int_equal(high.red << 16 | high.green << 8 | high.blue, 0xfde725);
    assert_int_equal(palette_colour(palette_find("gray", fixture->err), 1).green, 255);
    assert_null(palette_find("viridi", fixture->err));
    assert_int_equal(error_count(fixture->err), 1);
}

static void every_letter_has_strokes_inside_its_box(void **state)
{
    (void)state;
    for (unsigned code = '!'; code <= '~'; code++) {
        FontSegment segments[FONT_SEGMENTS];
        double advance;
        int count = font_glyph(code, segments, &advance);
        assert_in_range(count, 1, FONT_SEGMENTS - 1);
        for (int i = 0; i < count; i++) {
            assert_true(segments[i].to.x >= 0 && segments[i].to.x < advance);
            assert_true(segments[i].to.y >= -3 && segments[i].to.y <= 11);
        }
    }
    assert_true(font_width("\xc3\xa9\xff", 10) > 0);
}

static void labels_are_short_and_round(void **state)
{
    Fixture *fixture = *state;
    assert_int_equal(label_step_distance(599, 9), 100);
    assert_int_equal(label_step_distance(0, 9), 1);
    assert_string_equal(label_count(fixture->arena, 250000), "250k");
    assert_string_equal(label_count(fixture->arena, 1500000), "1.5M");
    assert_string_equal(label_name(fixture->arena, "fc1.weight"), "fc1.weight");
    const char *name = label_name(fixture->arena, "encoder.layers.0.attention.self.query.weight");
    assert_int_equal(strlen(name), LABEL_NAME_LIMIT);
    assert_non_null(strstr(name, "query.weight"));
    assert_string_equal(label_file_name(fixture->arena, "../a b/c"), "_._a_b_c");
}

/* The heatmap: what is decoded from the PNG is what was put in. */

static Heatmap small_heatmap(Arena *arena)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    Series *series = series_new(arena, 4);
    for (int step = 1; step <= 10; step++)
        series_add(series, step, (double[]){pow(10, -step), step == 5 ? NAN : 1, step == 6 ? 0 : 1, run_missing()});
    return (Heatmap){.title = "small",
                     .quantity = "norm",
                     .series = series,
                     .names = names,
                     .palette = palette_find(NULL, NULL),
                     .has_range = true,
                     .decade_low = -10,
                     .decade_high = 0};
}

static unsigned pixel_at(const png_image *image, const unsigned char *pixels, int x, int y)
{
    const unsigned char *p = pixels + ((size_t)y * image->width + (size_t)x) * 3;
    return (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
}

static unsigned cell_at(const png_image *image, const unsigned char *pixels, const HeatmapPlace *place, int row, int column)
{
    int x = place->x + column * place->cell_width, y = place->y + row * place->row_height;
    unsigned corner = pixel_at(image, pixels, x, y);
    assert_int_equal(corner, pixel_at(image, pixels, x + place->cell_width - 1, y + place->row_height - 1));
    return corner;
}

static unsigned palette_bits(double at)
{
    Colour colour = palette_colour(palette_find(NULL, NULL), at);
    return (unsigned)colour.red << 16 | (unsigned)colour.green << 8 | colour.blue;
}

static void each_cell_of_the_png_has_its_colour(void **state)
{
    Fixture *fixture = *state;
    Heatmap heatmap = small_heatmap(fixture->arena);
    HeatmapPlace place;
    Scene *scene = heatmap_scene(fixture->arena, &heatmap, &place, fixture->err);
    Text png = text_new(fixture->arena);
    assert_true(scene_png(scene, &png, fixture->err));

    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_memory(&image, png.at, png.length));
    image.format = PNG_FORMAT_RGB;
    unsigned char *pixels = arena_alloc(fixture->arena, PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    for (int step = 1; step <= 10; step++) {
        assert_int_equal(cell_at(&image, pixels, &place, 0, step - 1), palette_bits((10 - step) / 10.0));
        assert_int_equal(cell_at(&image, pixels, &place, 1, step - 1), step == 5 ? 0xff0090 : palette_bits(1));
        assert_int_equal(cell_at(&image, pixels, &place, 2, step - 1), step == 6 ? 0x808080 : palette_bits(1));
        assert_int_equal(cell_at(&image, pixels, &place, 3, step - 1), 0xffffff);
    }
}

static void the_scale_is_whole_decades_and_ignores_an_outlier(void **state)
{
    Fixture *fixture = *state;
    Series *series = series_new(fixture->arena, 1);
    for (int step = 1; step <= 500; step++)
        series_add(series, step, (double[]){step == 250 ? 1e20 : step % 2 ? 2e-4 : 0.5});
    Heatmap heatmap = {.series = series, .palette = palette_find(NULL, NULL)};
    int low, high;
    heatmap_range(&heatmap, fixture->arena, &low, &high);
    assert_int_equal(low, -4);
    assert_int_equal(high, 0);
}

static void the_svg_is_self_contained_and_escaped(void **state)
{
    Fixture *fixture = *state;
    Heatmap heatmap = small_heatmap(fixture->arena);
    heatmap.title = "a<b> & \"c\"";
    Scene *scene = heatmap_scene(fixture->arena, &heatmap, NULL, fixture->err);
    Text svg = text_new(fixture->arena);
    assert_true(scene_svg(scene, &svg, fixture->err));
    assert_non_null(strstr(svg.at, "a&lt;b&gt; &amp; &quot;c&quot;"));
    assert_non_null(strstr(svg.at, "href=\"data:image/png;base64,iVBORw0KGgo"));
    assert_non_null(strstr(svg.at, "exactly zero"));
    assert_non_null(strstr(svg.at, "</svg>"));
}

/* The pictures of a run. */

static void write_run(Fixture *fixture, const char *name, int steps)
{
    Text log = text_new(fixture->arena);
    text_add(&log, "{\"event\":\"run\",\"name\":\"a 'run' \\\"of\\\" `touch pwned` 100%d\",\"parameters\":[{\"name\":");
    text_add_quoted(&log, name);
    text_add(&log, ",\"layer\":\"a\",\"shape\":[3,2]},{\"name\":\"a.bias\",\"layer\":\"a\",\"shape\":[3]}],"
                   "\"layers\":[{\"name\":\"a\",\"type\":\"linear\"}]}\n");
    for (int step = 1; step <= steps; step++) {
        text_printf(&log, "{\"event\":\"clip\",\"step\":%d,\"type\":\"norm\",\"before\":2,\"after\":1,\"coefficient\":0.5}\n",
                    step);
        text_printf(&log, "{\"event\":\"scaler\",\"step\":%d,\"scale\":4,\"found_inf\":false,\"skipped\":false}\n", step);
        text_printf(&log, "{\"event\":\"step\",\"step\":%d,\"loss\":%g,\"grad_norm\":2,\"clipped_norm\":1,\"scale\":4}\n", step,
                    1.0 / step);
        text_printf(&log, "{\"event\":\"gradients\",\"step\":%d,\"norm\":[%g,null],\"nonfinite\":[0,null]}\n", step,
                    1e-3 * step);
        text_printf(&log, "{\"event\":\"activations\",\"step\":%d,\"mean\":[0.5],\"std\":[1]}\n", step);
        text_printf(&log, "{\"event\":\"activation_gradients\",\"step\":%d,\"mean\":[0],\"std\":[\"NaN\"]}\n", step);
        text_printf(&log, "{\"event\":\"penalty\",\"step\":%d,\"norm\":%.9g,\"value\":0.1}\n", step, 1 + 0.5 / (step + 1));
        text_printf(&log, "{\"event\":\"time_gradients\",\"step\":%d,\"name\":\"a\",\"positions\":3,\"rms\":[0,1e-9,1]}\n",
                    step);
        text_printf(&log, "{\"event\":\"updates\",\"step\":%d,\"ratio\":[1e-3,null]}\n", step);
        text_printf(
            &log, "{\"event\":\"histogram\",\"step\":%d,\"of\":\"gradients\",\"zeros\":0.25,\"exponents\":[-9,1,2,1],\"name\":",
            step);
        text_add_quoted(&log, name);
        text_add(&log, "}\n");
    }
    assert_true(file_write(path_join(fixture->arena, fixture->folder, "log.jsonl"), log.at, log.length, fixture->err));
}

static bool was_written(const PlotResult *result, const char *name)
{
    for (int i = 0; i < result->file_count; i++)
        if (strcmp(path_name(result->files[i]), name) == 0)
            return file_exists(result->files[i]);
    return false;
}

static bool has_gnuplot(Fixture *fixture)
{
    Text script = text_new(fixture->arena), output = text_new(fixture->arena);
    text_add(&script, "set terminal dumb\nplot x\n");
    bool missing;
    return gnuplot_run(NULL, &script, &output, &missing, error_new(fixture->arena));
}

static void every_picture_is_drawn_from_a_full_log(void **state)
{
    Fixture *fixture = *state;
    if (!has_gnuplot(fixture))
        skip();
    write_run(fixture, "a/`touch pwned`'\"%s.weight", 60);
    PlotResult result;
    PredictedLayer layers[] = {{.name = "a", .flow = 0.1, .chi = 0.01, .log_variance = 0.1},
                               {.name = "`touch pwned`", .flow = 1, .in_residual = true}};
    const Prediction prediction = {.layer = layers, .layers = 2, .last = 1, .flow_ratio = 0.1, .is_supported = true};
    PlotOptions options = {.png = true, .svg = true, .prediction = &prediction};
    bool done = plot_run(fixture->folder, &options, &result, fixture->arena, fixture->err);
    if (!done)
        fail_msg("%s", error_message(fixture->err, 0));
    for (int i = 0; i < result.note_count; i++)
        fail_msg("%s", result.notes[i]);
    assert_int_equal(result.file_count, 2 * plot_count);
    for (int i = 0; i < plot_count; i++) {
        const char *name = plot_table[i]->name;
        if (strcmp(name, "histogram") == 0)
            name = "histogram_a__touch_pwned___%s.weight";
        if (strcmp(name, "heatmap_time") == 0)
            name = "heatmap_time_a";
        assert_true(was_written(&result, arena_printf(fixture->arena, "%s.png", name)));
        assert_true(was_written(&result, arena_printf(fixture->arena, "%s.svg", name)));
    }
    assert_false(file_exists("pwned"));
}

static void without_gnuplot_the_heatmaps_are_drawn_and_a_note_says_what_is_missing(void **state)
{
    Fixture *fixture = *state;
    write_run(fixture, "a.weight", 5);
    PlotResult result;
    PlotOptions options = {.gnuplot = "/nonexistent/gnuplot"};
    assert_true(plot_run(fixture->folder, &options, &result, fixture->arena, fixture->err));
    assert_int_equal(result.file_count, 5);
    assert_true(was_written(&result, "heatmap_gradients.png"));
    assert_true(was_written(&result, "precision.png"));
    assert_int_equal(result.note_count, 1);
    assert_non_null(strstr(result.notes[0], "/nonexistent/gnuplot not found: loss, gradient_flow"));

    options.only = "loss";
    assert_false(plot_run(fixture->folder, &options, &result, fixture->arena, fixture->err));
    assert_non_null(strstr(error_message(fixture->err, 0), "not found"));
}

static void a_gnuplot_that_fails_or_dies_is_an_error_and_no_signal(void **state)
{
    Fixture *fixture = *state;
    Text script = text_new(fixture->arena), output = text_new(fixture->arena);
    for (int i = 0; i < 200000; i++)
        text_add(&script, "nonsense\n");
    bool missing;
    assert_false(gnuplot_run("false", &script, &output, &missing, fixture->err));
    assert_false(missing);
    assert_string_equal(error_message(fixture->err, 0), "gnuplot ended with status 1");
    if (!has_gnuplot(fixture))
        skip();
    assert_false(gnuplot_run(NULL, &script, &output, &missing, fixture->err));
    assert_non_null(strstr(error_message(fixture->err, 1), "invalid command"));
}

static void an_unknown_picture_or_one_without_data_is_an_error(void **state)
{
    Fixture *fixture = *state;
    static const char log[] = "{\"event\":\"run\"}\n{\"event\":\"step\",\"step\":1,\"loss\":1}\n";
    assert_true(file_write(path_join(fixture->arena, fixture->folder, "log.jsonl"), log, sizeof log - 1, fixture->err));
    PlotResult result;
    assert_false(plot_run(fixture->folder, &(PlotOptions){.only = "los"}, &result, fixture->arena, fixture->err));
    assert_string_equal(error_message(fixture->err, 0), "there is no picture `los`");
    assert_false(plot_run(fixture->folder, &(PlotOptions){.only = "update_ratio"}, &result, fixture->arena, fixture->err));
    assert_non_null(strstr(error_message(fixture->err, 1), "has no data"));
    assert_int_equal(result.file_count, 0);
}

static void very_many_histograms_of_one_name_are_thinned_evenly(void **state)
{
    Fixture *fixture = *state;
    HistogramStore store = {.arena = fixture->arena};
    for (int64_t step = 1; step <= 10007; step++) {
        double count = (double)step;
        RunHistogram histogram = {.of = "gradients", .name = step % 2 ? "a" : "b", .first = -3, .count = 1, .counts = &count};
        histogram_store_add(&store, step, &histogram);
    }
    assert_int_equal(store.count, 2);
    const StoredHistogram *chosen[12];
    int count = histogram_list_choose(store.lists[0], chosen, 12);
    assert_int_equal(count, 12);
    assert_int_equal(chosen[0]->step, 1);
    assert_int_equal(chosen[11]->step, 10007);
    for (int i = 0; i < count; i++)
        assert_near(chosen[i]->counts[0], (double)chosen[i]->step, 0);
    assert_near(chosen[0]->zeros, 0, 0);
    for (int i = 1; i < count; i++)
        assert_in_range(chosen[i]->step - chosen[i - 1]->step, 1, 2 * 10007 / 11);
}

static void zeros_of_a_histogram_may_be_a_count_or_a_fraction(void **state)
{
    Fixture *fixture = *state;
    HistogramStore store = {.arena = fixture->arena};
    const struct {
        double zeros, counted, fraction;
    } cases[] = {{0, 4, 0}, {12, 4, 0.75}, {1, 3, 0.25}, {0.25, 3, 0.25}, {1, 0, 1}, {8, 0, 1}};
    for (int i = 0; i < 6; i++) {
        RunHistogram histogram = {.of = "", .name = "a", .zeros = cases[i].zeros, .count = 1, .counts = &cases[i].counted};
        histogram_store_add(&store, i + 1, &histogram);
        assert_near(store.lists[0]->last.zeros, cases[i].fraction, 1e-12);
    }
}

/* Of 2^-30 and 2^-9 the smaller is lost to fp16 until a scale of at least 2^5 lifts it; at 2^16 it is normal. */
static void the_picture_of_number_formats_names_rows_losses_and_the_best_scale(void **state)
{
    Fixture *fixture = *state;
    static const char log[] =
        "{\"event\":\"run\",\"name\":\"r\",\"parameters\":[],\"layers\":[]}\n"
        "{\"event\":\"histogram\",\"step\":1,\"of\":\"gradients\",\"name\":\"a.weight\",\"zeros\":0,\"exponents\":[-30,1,0,0,1]"
        "}\n"
        "{\"event\":\"histogram\",\"step\":1,\"of\":\"gradients\",\"name\":\"b.weight\",\"zeros\":0,\"exponents\":[-9,2]}\n"
        "{\"event\":\"histogram\",\"step\":1,\"of\":\"gradients\",\"name\":\"c.weight\",\"zeros\":9,\"exponents\":[]}\n";
    assert_true(file_write(path_join(fixture->arena, fixture->folder, "log.jsonl"), log, strlen(log), fixture->err));
    PlotResult result;
    assert_true(plot_run(fixture->folder, &(PlotOptions){.only = "precision", .svg = true, .png = true}, &result,
                         fixture->arena, fixture->err));
    Bytes svg;
    assert_int_equal(result.file_count, 2);
    assert_true(file_read(fixture->arena, result.files[1], &svg, fixture->err));
    const char *text = (const char *)svg.at;
    assert_non_null(strstr(text, "fp16 loses 50.0% of all values; best loss scale 2<tspan"));
    assert_non_null(strstr(text, ">16</tspan>"));
    assert_non_null(strstr(text, ">a.weight<"));
    assert_non_null(strstr(text, ">b.weight<"));
    assert_non_null(strstr(text, ">c.weight<"));
    assert_non_null(strstr(text, ">100%<"));
    assert_non_null(strstr(text, "fp8 E4M3"));
}

/* The terminal. */

static void the_flow_table_has_bars_on_a_logarithmic_scale(void **state)
{
    Fixture *fixture = *state;
    static const char *const names[] = {"fc1.weight", "fc2.weight", "a", "b", "c"};
    const double values[] = {1e-4, 1, NAN, 0, run_missing()};
    Text text = text_new(fixture->arena);
    terminal_flow(&text, names, values, 5, &(TerminalFlowOptions){.ascii = true});
    assert_string_equal(text.at, "fc1.weight  1.0e-04  #\n"
                                 "fc2.weight  1.0e+00  ########################\n"
                                 "a               NaN  not a number\n"
                                 "b                 0  exactly zero\n"
                                 "c                 -  no gradient\n"
                                 "spread 4.0 decades, a block is 0.17\n");
    text_clear(&text);
    terminal_flow(&text, names, values + 1, 1, &(TerminalFlowOptions){.width = 32});
    assert_non_null(strstr(text.at, "1.0e+00  \xe2\x96\x85\xe2\x96\x85"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_spike_of_one_step_survives_any_number_of_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(states_of_a_column_win_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_a_series_knows_since_when_it_is_not_finite, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quantiles_are_within_one_percent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(palettes_have_the_published_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_letter_has_strokes_inside_its_box, set_up, tear_down),
        cmocka_unit_test_setup_teardown(labels_are_short_and_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_cell_of_the_png_has_its_colour, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_scale_is_whole_decades_and_ignores_an_outlier, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_svg_is_self_contained_and_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_picture_is_drawn_from_a_full_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_gnuplot_the_heatmaps_are_drawn_and_a_note_says_what_is_missing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_gnuplot_that_fails_or_dies_is_an_error_and_no_signal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_picture_or_one_without_data_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(very_many_histograms_of_one_name_are_thinned_evenly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(zeros_of_a_histogram_may_be_a_count_or_a_fraction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_picture_of_number_formats_names_rows_losses_and_the_best_scale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_flow_table_has_bars_on_a_logarithmic_scale, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
