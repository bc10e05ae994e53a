/* weir ledger: finds the command about the ledger and hands over. */
#include "ledger.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"report", "Counts, cost, savings and latency by day, class and tier", ledger_report_run},
    {"show", "All that is known of a row", ledger_show_run},
    {"forget", "Remove rows, or their texts, for good", ledger_forget_run},
    {"retention", "How long rows and texts are kept", ledger_retention_run},
    {"check", "Read the whole file and add all money up again", ledger_check_run},
    {"reset-day", "Go on from today after the clock was ahead", ledger_reset_day_run},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int print_help(FILE *out)
{
    (void)fputs("Usage: weir ledger COMMAND [OPTION...]\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++) (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    (void)fputs("\nweir ledger COMMAND --help tells the options of a command.\n", out);
    return CLI_DONE;
}

static int run(int argc, char **argv)
{
    char name[48];
    if (argc < 2) {
        (void)print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        (void)print_help(stdout);
        return cli_flush();
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        (void)snprintf(name, sizeof name, "weir ledger %s", commands[i].name);
        argv[1] = name;
        return commands[i].run(argc - 1, argv + 1);
    }
    return cli_say(CLI_USAGE, "no command 'ledger %s' (weir ledger --help lists them)", argv[1]);
}

const struct command command_ledger = {"ledger", "What was decided and what it cost", run};
