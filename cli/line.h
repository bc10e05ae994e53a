/* Lines from a person or a pipe.
 *
 * On a terminal, in a build with libedit (WEIR_EDIT), lines can be edited and earlier ones fetched back; they are kept in a file of mode
 * 0600, $XDG_STATE_HOME/weir/chat_history (~/.local/state without XDG_STATE_HOME). Elsewhere lines are read as they are, and
 * without a prompt unless a person is typing. SIGINT is caught from line_open to line_close: it ends the reading of a line, and sets
 * line_interrupted. One reader at a time. */
#ifndef WEIR_CLI_LINE_H
#define WEIR_CLI_LINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { LINE_BYTES_MAX = 16 << 20 };

enum line_result {
    LINE_READ,
    LINE_END,         /* of the input */
    LINE_INTERRUPTED, /* Ctrl-C; *was_empty says whether something had been typed */
    LINE_FAILED       /* a complaint was printed */
};

struct line_editor; /* line_edit.c */

struct line_reader {
    bool is_person; /* a terminal on both sides: prompts and hints make sense */
    char in[4096];  /* plain lines: bytes in[in_at .. in_size) are read but not used */
    size_t in_at, in_size;
    struct line_editor *editor; /* NULL: plain lines */
    char *text;                 /* owned: the last line, without its end */
    size_t size, capacity;
    bool was_empty;
};

/* Set by SIGWINCH, which the editor catches. */
extern volatile sig_atomic_t line_resized;

/* Set by SIGINT; whoever acts on it sets it back to 0. */
extern volatile sig_atomic_t line_interrupted;

void line_open(struct line_reader *reader);
void line_close(struct line_reader *reader);

/* After an interrupt: drops what was typed ahead of it. */
void line_forget_input(struct line_reader *reader);

/* Bytes of standard input: as read(2), but SIGINT and SIGWINCH cannot fall between looking and waiting: -1 with EINTR when either
 * came. */
ssize_t line_input(char *bytes, size_t size);

/* Sets what a signal does; system calls that it interrupts go on, but for the waiting of line_input. */
void line_on_signal(int signal_number, void (*handler)(int));

/* Catches SIGINT again, after something else caught it (output.h does while a file is written). */
void line_catch_interrupts(void);

/* The next line into reader->text (valid until the next call), which ends in NUL. `prompt`: ASCII. */
enum line_result line_read(struct line_reader *reader, const char *prompt);

/* line_edit.c, when built with libedit. NULL: no editing is possible here (a terminal that does not say what it is, a locale of single
 * bytes). */
struct line_editor *line_editor_open(void);
void line_editor_close(struct line_editor *editor);
/* *text and *size are the editor's until the next call. */
enum line_result line_editor_read(struct line_editor *editor, const char *prompt, const char **text, size_t *size,
                                  bool *was_empty);

#endif
