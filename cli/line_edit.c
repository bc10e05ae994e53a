/* Line editing and history through libedit. Signals stay with line.c: the function that reads characters sees EINTR, so that Ctrl-C
 * gives the line up and a new width of the window redraws it. */
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "cli.h"
#include "line.h"
#include "state_path.h"

enum { HISTORY_LINES_MAX = 1000 };

struct line_editor {
    EditLine *edit;
    History *history;
    char *path; /* of the history; owned; NULL: none is kept */
    const char *prompt;
    mbstate_t state;
    char held; /* with has_held: read, but belongs after a character that was cut short */
    bool has_held;
};

static void note_resize(int signal_number)
{
    (void)signal_number;
    line_resized = 1;
}

static char *prompt_of(EditLine *edit)
{
    struct line_editor *editor = NULL;
    (void)el_get(edit, EL_CLIENTDATA, &editor);
    static char text[64];
    (void)snprintf(text, sizeof text, "%s", editor->prompt);
    return text;
}

/* Ctrl-D typed while an answer was being written, and the terminal not yet ours, comes as NUL (the line discipline's mark of an end). */
static wchar_t end_typed_ahead(EditLine *edit)
{
    const LineInfo *line = el_line(edit);
    return line->lastchar == line->buffer ? L'\x04' : L'\0';
}

/* One character: 1, at the end 0, when the line is given up -1. */
static int read_character(EditLine *edit, wchar_t *out)
{
    struct line_editor *editor = NULL;
    (void)el_get(edit, EL_CLIENTDATA, &editor);
    for (;;) {
        char byte = editor->held;
        ssize_t n = editor->has_held ? 1 : line_input(&byte, 1);
        editor->has_held = false;
        if (n == 0) return 0;
        if (n < 0 && (errno != EINTR || line_interrupted)) return -1;
        if (line_resized) {
            line_resized = 0;
            el_resize(edit);
            (void)el_set(edit, EL_REFRESH);
        }
        if (n < 0) continue;
        bool was_begun = !mbsinit(&editor->state);
        size_t made = mbrtowc(out, &byte, 1, &editor->state);
        if (made == (size_t)-2) continue; /* the beginning of a character */
        if (made == (size_t)-1) {
            editor->state = (mbstate_t){0};
            *out = L'\xFFFD';
            editor->has_held = was_begun; /* what is wrong is the character before: this may be the line's end */
            editor->held = byte;
        }
        if (*out == L'\0') *out = end_typed_ahead(edit);
        return 1;
    }
}

/* ---- history ---- */

/* mkdir of every folder of the path, mode 0700. */
static bool make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        bool good = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!good) return false;
    }
    return true;
}

/* Whole or not at all: another chat may be reading it. */
static bool save_history(const struct line_editor *editor)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.%ld", editor->path, (long)getpid()) < 0) return false;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    HistEvent event;
    bool good = file && fchmod(fd, 0600) == 0 && history(editor->history, &event, H_SAVE_FP, file) != -1;
    if (file)
        good = fclose(file) == 0 && good;
    else if (fd >= 0)
        (void)close(fd);
    good = good && rename(temporary, editor->path) == 0;
    if (!good) (void)unlink(temporary);
    free(temporary);
    return good;
}

static void open_history(struct line_editor *editor)
{
    HistEvent event;
    editor->history = history_init();
    if (!editor->history) return;
    (void)history(editor->history, &event, H_SETSIZE, HISTORY_LINES_MAX);
    (void)history(editor->history, &event, H_SETUNIQUE, 1);
    (void)el_set(editor->edit, EL_HIST, history, editor->history);
    (void)state_path("chat_history", &editor->path); /* without memory none is kept, as without a place */
    if (editor->path) (void)history(editor->history, &event, H_LOAD, editor->path); /* a first time has none */
}

static void close_history(struct line_editor *editor)
{
    if (editor->path && (!make_folders(editor->path) || !save_history(editor)))
        (void)cli_say(CLI_FAILED, "the lines typed could not be kept: %s: %s", editor->path, strerror(errno));
    free(editor->path);
    if (editor->history) history_end(editor->history);
}

/* ---- the editor ---- */

struct line_editor *line_editor_open(void)
{
    const char *terminal = getenv("TERM");
    if (MB_CUR_MAX == 1 || !terminal || strcmp(terminal, "dumb") == 0) return NULL;
    struct line_editor *editor = calloc(1, sizeof *editor);
    if (editor) editor->edit = el_init("weir", stdin, stdout, stderr);
    if (!editor || !editor->edit) {
        free(editor);
        return NULL;
    }
    (void)el_set(editor->edit, EL_CLIENTDATA, editor);
    (void)el_set(editor->edit, EL_PROMPT, prompt_of);
    (void)el_set(editor->edit, EL_EDITOR, "emacs");
    (void)el_set(editor->edit, EL_SIGNAL, 0);
    /* Ctrl-C makes the system drop what the terminal has not shown yet, which may be what we answer to Ctrl-C: keep it */
    (void)el_set(editor->edit, EL_SETTY, "-d", "+noflsh", NULL);
    (void)el_set(editor->edit, EL_SETTY, "-x", "+noflsh", NULL);
    (void)el_set(editor->edit, EL_GETCFN, read_character);
    (void)el_set(editor->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    open_history(editor);
    line_on_signal(SIGWINCH, note_resize);
    return editor;
}

void line_editor_close(struct line_editor *editor)
{
    if (!editor) return;
    line_on_signal(SIGWINCH, SIG_DFL);
    close_history(editor);
    el_end(editor->edit);
    free(editor);
}

static void remember(struct line_editor *editor, const char *line)
{
    HistEvent event;
    if (editor->history) (void)history(editor->history, &event, H_ENTER, line);
}

enum line_result line_editor_read(struct line_editor *editor, const char *prompt, const char **text, size_t *size,
                                  bool *was_empty)
{
    int count = 0;
    editor->prompt = prompt;
    editor->state = (mbstate_t){0};
    editor->has_held = false;
    (void)el_set(editor->edit, EL_PREP_TERM, 1); /* before the prompt invites to type; el_gets would do it after */
    if (line_resized) el_resize(editor->edit);
    line_resized = 0;
    const char *line = el_gets(editor->edit, &count);
    if (line_interrupted) {
        const LineInfo *info = el_line(editor->edit);
        *was_empty = info->lastchar == info->buffer;
        el_reset(editor->edit);
        (void)fputc('\n', stdout);
        (void)fflush(stdout);
        return LINE_INTERRUPTED;
    }
    if (!line || count <= 0) {
        (void)fputc('\n', stdout);
        return LINE_END;
    }
    if (line[0] != '\n') remember(editor, line);
    *text = line;
    *size = (size_t)count - (line[count - 1] == '\n');
    return LINE_READ;
}
