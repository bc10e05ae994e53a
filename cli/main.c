/* weir: finds the command and hands over. Each command is a file with its own parser; a new one is a file and a line here. */
#include <argp.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cli.h"
#include "output.h"

static const struct command *const commands[] = {
    &command_run,      &command_decide,   &command_classify,  &command_tune,   &command_certify,
    &command_eval,     &command_report,   &command_generate,  &command_chat,   &command_inspect,
    &command_tokenize, &command_template, &command_logits,    &command_bench,  &command_models,
    &command_pull,     &command_verify,   &command_constrain, &command_ledger, &command_feedback,
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* jansson's memory in this program. Building an object takes many small calls, and one that failed unseen would leave a member out of an
 * answer; reading one, jansson says "bad JSON" of what it had no memory for. So lack of memory ends the program here. */
static void *json_memory(size_t size)
{
    void *memory = malloc(size);
    if (memory) return memory;
    output_remove_temporaries();
    _exit(cli_nomem());
}

static int print_help(FILE *out)
{
    (void)fputs("Usage: weir COMMAND [OPTION...]\n\n"
                "Answers classification requests with a small local language model, with calibrated probabilities.\n\n",
                out);
    for (size_t i = 0; i < COMMANDS; i++) (void)fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    (void)fputs("  version    Print the version\n\n"
                "weir COMMAND --help tells the options of a command. Exit status: 0 done, 1 failed, 2 usage,\n"
                "3 done but some rows are errors, 4 refused.\n",
                out);
    return CLI_DONE;
}

static int print_version(void)
{
    (void)printf("weir %s\n", WEIR_VERSION);
    return cli_flush();
}

static int run_command(const struct command *command, int argc, char **argv)
{
    char name[32];
    (void)snprintf(name, sizeof name, "weir %s", command->name);
    argv[0] = name; /* what argp and getopt call the program */
    return command->run(argc, argv);
}

static int is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

int main(int argc, char **argv)
{
    (void)setlocale(LC_CTYPE, ""); /* tables measure UTF-8; numbers stay as in C */
    json_set_alloc_funcs(json_memory, free);
    argp_err_exit_status = CLI_USAGE;
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves is an error of write(2), so that temporary files are removed */
    if (argc < 2) {
        (void)print_help(stderr);
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (is_one_of(word, "--version", "-V", "version")) return print_version();
    if (is_one_of(word, "--help", "-h", "help")) {
        (void)print_help(stdout);
        return cli_flush();
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(word, commands[i]->name) == 0) return run_command(commands[i], argc - 1, argv + 1);
    }
    return cli_say(CLI_USAGE, "no command '%s' (weir --help lists them)", word);
}
