/* The machine that reads output bytes: threads of frames over a program.
 *
 * A thread is a stack: the value being read on top, the containers around it below, each already in the state it will be in when
 * the value above it has ended. Several threads run side by side where shapes overlap (anyOf); a thread that cannot take a byte is dropped,
 * equal ones become one. Links below the top are immutable and shared, so a fork costs one frame.
 *
 *   VALUE --first byte--> LITERAL | NUMBER | STRING | ARRAY | OBJECT --last byte--> the frame below
 *   ARRAY:  OPEN --value--> AFTER --,--> COMMA --value--> AFTER ... ] ends it in OPEN and AFTER
 *   OBJECT: OPEN --"--> KEY --"--> COLON --:--> (VALUE above) AFTER --,--> COMMA --"--> KEY ... } ends it in OPEN and AFTER
 *   END is below everything: nothing more but white space. */
#ifndef WEIR_CONSTRAIN_MACHINE_H
#define WEIR_CONSTRAIN_MACHINE_H

#include "constrain/program.h"

enum {
    MACHINE_THREADS_MAX = 1000,
    MACHINE_DEPTH_MAX = 500,
    MACHINE_LINK_BYTES_MAX = 64 << 20, /* of one matcher */
};

enum frame_kind { FRAME_END, FRAME_VALUE, FRAME_LITERAL, FRAME_NUMBER, FRAME_STRING, FRAME_ARRAY, FRAME_OBJECT };
enum frame_mode { MODE_OPEN, MODE_KEY, MODE_COLON, MODE_AFTER, MODE_COMMA };

/* A character of a string that has begun and not ended. */
enum partial {
    PARTIAL_NONE,
    PARTIAL_UTF8,   /* `left` bytes are missing, bits holds those read; total is `size` */
    PARTIAL_ESCAPE, /* after a backslash */
    PARTIAL_HEX,    /* after \u: `left` digits are missing */
    PARTIAL_LOW,    /* after a high surrogate, whose low ten bits are bits >> 16: a backslash is next */
    PARTIAL_LOW_U,  /* then u */
    PARTIAL_LOW_HEX /* then four digits, `left` of them missing, the read ones in the low 16 bits */
};

/* No padding: frames are compared and hashed as bytes. */
struct frame {
    const void *shape; /* NUMBER: dfa; STRING, ARRAY, OBJECT: their shapes */
    uint32_t state; /* VALUE: node; LITERAL: type bit; NUMBER, STRING, KEY: of the automaton; COLON: the key's label */
    uint32_t count; /* LITERAL: bytes read; STRING: code points; ARRAY: items; OBJECT: members */
    uint32_t place; /* ARRAY: counts of contains; OBJECT: the next name's index */
    uint32_t seen;  /* OBJECT: bit e: need e is served */
    uint32_t bits;  /* of a partial character */
    uint8_t kind, mode, partial;
    uint8_t left : 4, size : 4;
};
_Static_assert(sizeof(struct frame) == 32, "no padding");

struct link {
    struct frame frame;
    const struct link *below; /* NULL: none */
    uint32_t depth;
};

struct thread {
    struct frame top;
    const struct link *below;
};

struct thread_set {
    struct thread *threads; /* owned, by free() */
    uint32_t count, capacity;
};

struct machine {
    const struct program *program;
    bool compact;
    struct arena links;
    enum weir_status status; /* the first failure; then nothing moves any more */
};

/* One thread at the beginning. false: no memory. */
bool machine_start(struct machine *m, struct thread_set *out);
/* The threads of `from` that can take the byte, after it, into `to` (emptied first). m->status tells about failures. */
void machine_step(struct machine *m, const struct thread_set *from, uint8_t byte, struct thread_set *to);
bool machine_is_complete(const struct thread_set *set);
void thread_set_free(struct thread_set *set);
bool thread_set_copy(struct thread_set *to, const struct thread_set *from);

/* The only code point that can come next in the string or key whose frame is *f; UINT32_MAX: none, several, or the end. */
uint32_t frame_only_code(const struct frame *f);

/* Which keys may come next in an object: names low..high, and others. */
struct key_window {
    uint32_t low, high; /* low > high: no names */
    bool rest;
};
struct key_window object_window(const struct object_shape *o, const struct frame *f);
bool object_reaches(const struct object_shape *o, uint32_t state, const struct key_window *w);

/* The window of a key's frame; nothing for a string's. It holds until the key has ended. */
struct key_window frame_window(const struct frame *f);
const struct dfa *frame_language(const struct frame *f);

enum read_result { READ_DEAD, READ_ON, READ_CLOSED };
/* One byte of a string or key whose frame is *f. *f is spoilt unless the result is READ_ON. */
enum read_result string_read(struct frame *f, const struct key_window *w, uint8_t byte);

static inline bool frame_in_text(const struct frame *f)
{
    return f->kind == FRAME_STRING || (f->kind == FRAME_OBJECT && f->mode == MODE_KEY);
}

uint32_t array_count_after(const struct array_shape *a, uint32_t counts, uint32_t subset);
bool array_counts_good(const struct array_shape *a, uint32_t counts);

#endif
