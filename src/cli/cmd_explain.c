/* cli/cmd_explain.c: one rule in full, from its row. */
#include <string.h>

#include "cli/command.h"
#include "cli/document.h"
#include "diagnose/rule.h"

enum { INDENT = 14, WIDEST = 110 };

typedef struct Args {
    const char *rule;
} Args;

static const Option options[] = {
    {"RULE", 0, OPT_ARGUMENT, offsetof(Args, rule), .help = "its name, as gradtool list rules prints it"},
    OPTIONS_END,
};

/* A paragraph behind its heading, in lines of at most `width` columns. */
static void add_paragraph(Text *text, const char *heading, const char *words, int width)
{
    text_printf(text, "%-*s", INDENT, heading);
    int column = INDENT;
    for (size_t length; *words; words += length + (words[length] == ' ')) {
        length = strcspn(words, " ");
        int columns = text_width(arena_strndup(text->arena, words, length));
        if (column > INDENT && column + 1 + columns > width) {
            text_printf(text, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            text_add_char(text, ' ');
            column++;
        }
        text_add_bytes(text, words, length);
        column += columns;
    }
    text_add_char(text, '\n');
}

static const char *explained(Arena *arena, const Rule *rule)
{
    Text text = text_new(arena);
    for (int i = 0; i < RULE_EXPLAINS && rule->explains[i]; i++)
        text_printf(&text, "%s%s", i ? ", " : "",
                    !strcmp(rule->explains[i], "*") ? "all that begins no earlier" : rule->explains[i]);
    return text.at;
}

static void print_text(Command *cmd, const Rule *rule)
{
    Text text = text_new(cmd->arena);
    int terminal = terminal_width(&cmd->out), width = terminal < WIDEST ? terminal : WIDEST;
    text_printf(&text, "%s%s%s: %s\n\n", terminal_bold(&cmd->out), rule->name, terminal_plain(&cmd->out), rule->summary);
    add_paragraph(&text, "severity",
                  arena_printf(cmd->arena, "%s (%s, %s)", severity_name(rule->severity), rule_group_name(rule->group),
                               rule_stage_name(rule->stage)),
                  width);
    add_paragraph(&text, "fires when", rule->definition, width);
    for (int i = 0; i < rule_limits(rule); i++)
        add_paragraph(&text, i ? "" : "limits",
                      arena_printf(cmd->arena, "%s = %g: %s", rule->limit[i].name, rule->limit[i].value, rule->limit[i].help),
                      width);
    add_paragraph(&text, "so", rule->consequence, width);
    add_paragraph(&text, "try", rule->remedy, width);
    if (rule->explains[0])
        add_paragraph(&text, "explains", explained(cmd->arena, rule), width);
    add_paragraph(&text, "false alarms", rule->false_alarms, width);
    add_paragraph(&text, "source", rule->source, width);
    text_printf(&text, "\nin a config   \"rules\": {\"%s\": \"off\"}", rule->name);
    if (rule->limit[0].name)
        text_printf(&text, " or {\"%s\": {\"severity\": \"%s\", \"%s\": %g}}", rule->name, severity_name(rule->severity),
                    rule->limit[0].name, rule->limit[0].value);
    text_add_char(&text, '\n');
    fputs(text.at, cmd->out.stream);
}

static void print_document(Command *cmd, const Rule *rule)
{
    Arena *arena = cmd->arena;
    Json *document = json_new(arena, JSON_OBJECT);
    document_add_string(arena, document, "rule", rule->name);
    document_add_string(arena, document, "severity", severity_name(rule->severity));
    document_add_string(arena, document, "group", rule_group_name(rule->group));
    document_add_string(arena, document, "stage", rule_stage_name(rule->stage));
    document_add_string(arena, document, "summary", rule->summary);
    document_add_string(arena, document, "definition", rule->definition);
    Json *limits = document_add(arena, document, "limits", JSON_ARRAY);
    for (int i = 0; i < rule_limits(rule); i++) {
        Json *limit = json_new(arena, JSON_OBJECT);
        document_add_string(arena, limit, "name", rule->limit[i].name);
        document_add_number(arena, limit, "value", rule->limit[i].value);
        document_add_string(arena, limit, "help", rule->limit[i].help);
        json_add_item(limits, limit);
    }
    document_add_string(arena, document, "consequence", rule->consequence);
    document_add_string(arena, document, "remedy", rule->remedy);
    Json *explains = document_add(arena, document, "explains", JSON_ARRAY);
    for (int i = 0; i < RULE_EXPLAINS && rule->explains[i]; i++)
        json_add_item(explains, json_new_string(arena, rule->explains[i]));
    document_add_string(arena, document, "false_alarms", rule->false_alarms);
    document_add_string(arena, document, "source", rule->source);
    document_print(arena, document, cmd->out.stream);
}

static int explain(Command *cmd, const void *parsed)
{
    const Args *args = parsed;
    const Rule *rule = rule_find(args->rule);
    if (!rule) {
        error_add(cmd->err, "there is no rule `%s`", args->rule);
        rule_suggest(args->rule, cmd->err);
        return EXIT_FAILED;
    }
    if (cmd->common.json)
        print_document(cmd, rule);
    else
        print_text(cmd, rule);
    return EXIT_HEALTHY;
}

const CommandRow cmd_explain = {
    .name = "explain",
    .help = "a rule in full: when it fires, what follows, what to change, where it is wrong",
    .options = options,
    .args_size = sizeof(Args),
    .run = explain,
    .example = "gradtool explain gradient-drift",
};
