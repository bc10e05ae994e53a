/* Where a JSON value ends, byte by byte, in output that a matcher has accepted: so nothing here is checked.
 *
 *   START --"--> STRING ... --"--> DONE          \ in a string: ESCAPE, one byte
 *         --n t f--> LITERAL, left bytes --> DONE
 *         --digit, minus--> NUMBER --any other byte, which is not its own--> DONE
 *         --{ [--> INSIDE, depth 1 ... its bracket --> DONE      strings inside: STRING, ESCAPE at depth 1 and more */
#ifndef WEIR_DECIDE_JSON_SCAN_H
#define WEIR_DECIDE_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum json_scan_state {
    JSON_SCAN_START,
    JSON_SCAN_LITERAL,
    JSON_SCAN_NUMBER,
    JSON_SCAN_STRING,
    JSON_SCAN_ESCAPE,
    JSON_SCAN_INSIDE,
    JSON_SCAN_DONE
};

struct json_scan {
    enum json_scan_state state;
    uint32_t depth; /* open brackets */
    uint32_t left;  /* bytes of a literal */
};

/* Goes on with text[0..size), compact JSON; how many of its bytes belong to the value. Fewer than `size`, or JSON_SCAN_DONE: it has ended. */
size_t json_scan(struct json_scan *scan, const char *text, size_t size);

#endif
