/* cli/cmd_list.c: what there is, each with one line. */
#include <string.h>

#include "autograd/ops.h"
#include "cli/check_report.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/table.h"
#include "data/dataset.h"
#include "diagnose/foreign.h"
#include "monitor/monitor.h"
#include "nn/init.h"
#include "nn/loss.h"
#include "nn/model.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "render/plot.h"
#include "train/mixed_precision.h"

typedef struct Args {
    const char *what;
} Args;

static const Option options[] = {
    {"WHAT", 0, OPT_OPTIONAL, offsetof(Args, what), .help = "layers, losses, optimizers, ...; without it, the lists there are"},
    OPTIONS_END,
};

typedef struct Item {
    const char *name, *help, *cost;
    const Rule *rule; /* NULL: it is none */
} Item;

static bool layer_item(int index, Item *item)
{
    if (index >= layer_type_count())
        return false;
    item->name = layer_type_row(index, &item->help);
    return true;
}

static bool instrument_item(int index, Item *item)
{
    if (index >= monitor_instrument_count())
        return false;
    item->name = monitor_instrument_row(index, &item->help, &item->cost);
    return true;
}

static bool precision_item(int index, Item *item)
{
    return mixed_precision_row(index, &item->name, &item->help);
}

static bool log_item(int index, Item *item)
{
    return foreign_format(index, &item->name, &item->help);
}

static bool init_item(int index, Item *item)
{
    if (!init_names[index])
        return false;
    *item = (Item){.name = init_names[index], .help = init_help[index]};
    return true;
}

static bool rule_item(int index, Item *item)
{
    if (index >= rule_count)
        return false;
    *item = (Item){.name = rule_table[index]->name, .help = rule_table[index]->summary, .rule = rule_table[index]};
    return true;
}

/* A table of pointers to rows with a name and a help. */
#define ITEMS_OF(function, table, count)                                                                                       \
    static bool function(int index, Item *item)                                                                                \
    {                                                                                                                          \
        if (index >= (count))                                                                                                  \
            return false;                                                                                                      \
        *item = (Item){.name = (table)[index]->name, .help = (table)[index]->help};                                            \
        return true;                                                                                                           \
    }
ITEMS_OF(loss_item, loss_table, loss_count)
ITEMS_OF(optimizer_item, optimizer_table, optimizer_count)
ITEMS_OF(schedule_item, schedule_table, schedule_count)
ITEMS_OF(data_item, data_reader_table, data_reader_count)
ITEMS_OF(plot_item, plot_table, plot_count)
ITEMS_OF(operator_item, op_table, op_count)
ITEMS_OF(format_item, check_format_table, check_format_count)
ITEMS_OF(command_item, command_table, command_count)

typedef struct List {
    const char *name, *help;
    bool (*item)(int index, Item *item); /* false behind the last one */
} List;

static const List lists[] = {
    {"layers", "layer types of a model", layer_item},
    {"losses", "what is minimised", loss_item},
    {"optimizers", "how weights are updated", optimizer_item},
    {"schedules", "how the learning rate moves", schedule_item},
    {"precisions", "number types of products", precision_item},
    {"inits", "how weights start", init_item},
    {"data", "sources of samples", data_item},
    {"instruments", "what is measured while training, and what it costs", instrument_item},
    {"plots", "pictures of a run", plot_item},
    {"rules", "what check diagnoses; gradtool explain RULE says more", rule_item},
    {"formats", "forms of check's report", format_item},
    {"logs", "other tools' logs that check reads", log_item},
    {"operators", "what models are computed with", operator_item},
    {"commands", "what gradtool does", command_item},
};
enum { LIST_COUNT = sizeof lists / sizeof *lists };

static bool list_item(int index, Item *item)
{
    if (index >= LIST_COUNT)
        return false;
    *item = (Item){.name = lists[index].name, .help = lists[index].help};
    return true;
}

static const List list_of_lists = {"lists", "", list_item};

static const List *find(const char *what, Error *err)
{
    const char *names[LIST_COUNT];
    if (!what)
        return &list_of_lists;
    for (int i = 0; i < LIST_COUNT; i++) {
        names[i] = lists[i].name;
        if (!strcmp(lists[i].name, what))
            return &lists[i];
    }
    error_add(err, "there is no list of `%s`", what);
    const char *nearest = text_nearest(what, names, LIST_COUNT);
    if (nearest)
        error_hint(err, "did you mean `%s`?", nearest);
    else
        error_hint(err, "gradtool list prints the lists there are");
    return NULL;
}

static void add_rule(Arena *arena, Json *row, const Rule *rule)
{
    document_add_string(arena, row, "severity", severity_name(rule->severity));
    document_add_string(arena, row, "stage", rule_stage_name(rule->stage));
    document_add_string(arena, row, "group", rule_group_name(rule->group));
    document_add_string(arena, row, "source", rule->source);
    Json *limits = document_add(arena, row, "limits", JSON_OBJECT);
    for (int i = 0; i < rule_limits(rule); i++)
        document_add_number(arena, limits, rule->limit[i].name, rule->limit[i].value);
}

static void print_document(Command *cmd, const List *list)
{
    Json *document = json_new(cmd->arena, JSON_ARRAY);
    Item item = {0};
    for (int i = 0; list->item(i, &item); i++) {
        Json *row = json_new(cmd->arena, JSON_OBJECT);
        document_add_string(cmd->arena, row, "name", item.name);
        document_add_string(cmd->arena, row, "help", item.help ? item.help : "");
        if (item.cost)
            document_add_string(cmd->arena, row, "cost", item.cost);
        if (item.rule)
            add_rule(cmd->arena, row, item.rule);
        json_add_item(document, row);
    }
    document_print(cmd->arena, document, cmd->out.stream);
}

static int list(Command *cmd, const void *parsed)
{
    const Args *args = parsed;
    const List *chosen = find(args->what, cmd->err);
    if (!chosen)
        return EXIT_FAILED;
    if (cmd->common.json) {
        print_document(cmd, chosen);
        return EXIT_HEALTHY;
    }
    Item item = {0};
    bool has_rules = chosen->item == rule_item;
    Table table = table_new(cmd->arena, has_rules ? "llllll" : "lll");
    for (int i = 0; chosen->item(i, &item); i++) {
        table_add(&table, item.name);
        if (has_rules) {
            table_add(&table, severity_name(item.rule->severity));
            table_add(&table, rule_stage_name(item.rule->stage));
        }
        table_add(&table, item.help ? item.help : "");
        table_add(&table, item.cost ? item.cost : "");
        if (has_rules)
            table_add(&table, item.rule->source);
    }
    Text text = text_new(cmd->arena);
    table_write(&table, &text);
    fputs(text.at, cmd->out.stream);
    return EXIT_HEALTHY;
}

const CommandRow cmd_list = {
    .name = "list",
    .help = "what there is: layers, losses, optimizers, data, instruments, ...",
    .options = options,
    .args_size = sizeof(Args),
    .run = list,
    .example = "gradtool list layers",
};
