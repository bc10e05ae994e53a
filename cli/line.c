#include "line.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"

volatile sig_atomic_t line_interrupted, line_resized;

static void note_interrupt(int signal_number)
{
    (void)signal_number;
    line_interrupted = 1;
}

/* SA_RESTART: a terminal that takes its time must not cut a write short. Waiting for input ends all the same: ppoll is never restarted. */
void line_on_signal(int signal_number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(signal_number, &action, NULL);
}

void line_catch_interrupts(void)
{
    line_on_signal(SIGINT, note_interrupt);
}

void line_forget_input(struct line_reader *reader)
{
    reader->in_at = reader->in_size;
    (void)tcflush(STDIN_FILENO, TCIFLUSH); /* fails where there is no terminal: a pipe's lines stay */
}

void line_open(struct line_reader *reader)
{
    *reader = (struct line_reader){.is_person = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)};
    line_interrupted = 0;
    line_catch_interrupts();
#ifdef WEIR_HAVE_EDIT
    if (reader->is_person) reader->editor = line_editor_open();
#endif
}

void line_close(struct line_reader *reader)
{
#ifdef WEIR_HAVE_EDIT
    line_editor_close(reader->editor);
#endif
    free(reader->text);
    line_on_signal(SIGINT, SIG_DFL);
    *reader = (struct line_reader){.text = NULL};
}

ssize_t line_input(char *bytes, size_t size)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    sigset_t held, before;
    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGINT);
    (void)sigaddset(&held, SIGWINCH);
    (void)sigprocmask(SIG_BLOCK, &held, &before);
    int ready = line_interrupted || line_resized ? -1 : ppoll(&input, 1, NULL, &before); /* signals come here alone */
    int reason = line_interrupted || line_resized ? EINTR : errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (ready > 0) return read(STDIN_FILENO, bytes, size);
    errno = reason;
    return -1;
}

/* Room for `size` bytes and a NUL. Complains. */
static bool reserve(struct line_reader *reader, size_t size)
{
    if (size > LINE_BYTES_MAX) {
        (void)cli_say(CLI_FAILED, "a line of more than %d bytes", LINE_BYTES_MAX);
        return false;
    }
    if (size < reader->capacity) return true;
    size_t capacity = size < 256 ? 512 : 2 * size;
    char *text = realloc(reader->text, capacity);
    if (!text) {
        (void)cli_nomem();
        return false;
    }
    reader->text = text;
    reader->capacity = capacity;
    return true;
}

/* The next byte, EOF at the end, or when nothing could be read with errno other than 0. */
static int next_byte(struct line_reader *reader)
{
    errno = 0;
    if (reader->in_at == reader->in_size) {
        ssize_t n = line_input(reader->in, sizeof reader->in);
        if (n <= 0) return EOF;
        reader->in_at = 0;
        reader->in_size = (size_t)n;
        errno = 0;
    }
    return (unsigned char)reader->in[reader->in_at++];
}

/* Why there is no more: the end, Ctrl-C, a failure; LINE_READ to try again. */
static enum line_result why_no_byte(void)
{
    if (errno == 0) return LINE_END;
    line_resized = 0;
    if (errno == EINTR) return line_interrupted ? LINE_INTERRUPTED : LINE_READ;
    (void)cli_say(CLI_FAILED, "cannot read standard input: %s", strerror(errno));
    return LINE_FAILED;
}

static enum line_result read_plain(struct line_reader *reader)
{
    reader->size = 0;
    for (;;) {
        int c = next_byte(reader);
        if (c == '\n') break;
        if (c == EOF) {
            enum line_result why = why_no_byte();
            if (why == LINE_END && reader->size) break;
            if (why != LINE_READ) return why;
            continue;
        }
        if (!reserve(reader, reader->size + 1)) return LINE_FAILED;
        reader->text[reader->size++] = (char)c;
    }
    if (!reserve(reader, reader->size)) return LINE_FAILED;
    if (reader->size && reader->text[reader->size - 1] == '\r') reader->size--;
    reader->text[reader->size] = 0;
    return LINE_READ;
}

#ifdef WEIR_HAVE_EDIT
static enum line_result read_edited(struct line_reader *reader, const char *prompt)
{
    const char *text = NULL;
    size_t size = 0;
    enum line_result result = line_editor_read(reader->editor, prompt, &text, &size, &reader->was_empty);
    if (result != LINE_READ) return result;
    if (!reserve(reader, size)) return LINE_FAILED;
    memcpy(reader->text, text, size);
    reader->size = size;
    reader->text[size] = 0;
    return LINE_READ;
}
#endif

static enum line_result read_line(struct line_reader *reader, const char *prompt)
{
#ifdef WEIR_HAVE_EDIT
    if (reader->editor) return read_edited(reader, prompt);
#endif
    if (reader->is_person) {
        (void)fputs(prompt, stdout);
        (void)fflush(stdout);
    }
    return read_plain(reader);
}

enum line_result line_read(struct line_reader *reader, const char *prompt)
{
    reader->was_empty = true;
    enum line_result result = read_line(reader, prompt);
    if (result == LINE_INTERRUPTED) line_forget_input(reader);
    return result;
}
