/* Formats as patterns. */
#include <string.h>

#include "constrain/clock.h"
#include "constrain/expand.h"
#include "constrain/regex.h"

/* RFC 3339: 5.6 with the days of the months and leap years. Times are in clock.c. */
#define LEAP_YEAR "([0-9][0-9](0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
#define DATE                                                                                             \
    "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|" \
    "1[0-9]|2[0-8]))|" LEAP_YEAR "-02-29)"
#define DURATION_TIME "T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)"
#define DURATION \
    "P(([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)(" DURATION_TIME ")?|" DURATION_TIME "|[0-9]+W)"
#define LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define IPV4 OCTET "\\." OCTET "\\." OCTET "\\." OCTET
#define H16 "[0-9A-Fa-f]{1,4}"
#define LS32 "(" H16 ":" H16 "|" IPV4 ")"
/* RFC 3986, 3.2.2 */
#define IPV6                                                                                                     \
    "((" H16 ":){6}" LS32 "|::(" H16 ":){5}" LS32 "|(" H16 ")?::(" H16 ":){4}" LS32 "|((" H16 ":){0,1}" H16      \
    ")?::(" H16 ":){3}" LS32 "|((" H16 ":){0,2}" H16 ")?::(" H16 ":){2}" LS32 "|((" H16 ":){0,3}" H16 ")?::" H16 \
    ":" LS32 "|((" H16 ":){0,4}" H16 ")?::" LS32 "|((" H16 ":){0,5}" H16 ")?::" H16 "|((" H16 ":){0,6}" H16 ")?::)"
#define PERCENT "%[0-9A-Fa-f]{2}"
#define UNRESERVED "A-Za-z0-9._~\\-"
#define SUB_DELIMS "!$&'()*+,;="
#define PCHAR "([" UNRESERVED SUB_DELIMS ":@]|" PERCENT ")"
#define AUTHORITY                                                                                             \
    "(([" UNRESERVED SUB_DELIMS ":]|" PERCENT ")*@)?(\\[(" IPV6 "|[vV][0-9A-Fa-f]+\\.[" UNRESERVED SUB_DELIMS \
    ":]+)\\]|([" UNRESERVED SUB_DELIMS "]|" PERCENT ")*)(:[0-9]*)?"
#define SEGMENTS "(/" PCHAR "*)*"
#define TAIL "(\\?(" PCHAR "|[/?])*)?(#(" PCHAR "|[/?])*)?"
#define URI "[A-Za-z][A-Za-z0-9+.-]*:(//" AUTHORITY SEGMENTS "|/(" PCHAR "+" SEGMENTS ")?|" PCHAR "+" SEGMENTS "|)" TAIL
#define RELATIVE                                                                                                \
    "(//" AUTHORITY SEGMENTS "|/(" PCHAR "+" SEGMENTS ")?|([" UNRESERVED SUB_DELIMS "@]|" PERCENT ")+" SEGMENTS \
    "|)" TAIL
/* RFC 5321, 4.1.2: Local-part "@" ( Domain / address-literal ) */
#define ATEXT "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
#define QUOTED "\"([\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\x20-\\x7e])*\""
#define EMAIL "(" ATEXT "(\\." ATEXT ")*|" QUOTED ")@(" LABEL "(\\." LABEL ")*|\\[(" IPV4 "|[Ii][Pp][Vv]6:" IPV6 ")\\])"
#define POINTER "(/([^~/]|~[01])*)*"

static const struct {
    const char *name, *pattern; /* NULL: a draft defines it, but it is not enforced here */
} formats[] = {
    {"date-time", "^" DATE "[Tt]$"}, /* then a time */
    {"date", "^" DATE "$"},
    {"time", ""},
    {"duration", "^" DURATION "$"},
    {"email", "^" EMAIL "$"},
    {"hostname", "^" LABEL "(\\." LABEL ")*$"},
    {"ipv4", "^" IPV4 "$"},
    {"ip-address", "^" IPV4 "$"}, /* the name of draft 3 */
    {"ipv6", "^" IPV6 "$"},
    {"uuid", "^[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$"},
    {"uri", "^" URI "$"},
    {"uri-reference", "^(" URI "|" RELATIVE ")$"},
    {"json-pointer", "^" POINTER "$"},
    {"relative-json-pointer", "^(0|[1-9][0-9]*)(#|" POINTER ")$"},
    {"idn-email", NULL},
    {"idn-hostname", NULL},
    {"iri", NULL},
    {"iri-reference", NULL},
    {"uri-template", NULL},
    {"regex", NULL},
};

enum weir_status format_compile(const struct dfa_maker *maker, struct json_text name, const struct dfa **out,
                                bool *supported)
{
    *supported = true;
    *out = NULL;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const char *pattern = formats[i].pattern;
        if (!json_text_is(name, formats[i].name)) continue;
        *supported = pattern != NULL;
        if (!pattern) return WEIR_OK;
        if (json_text_is(name, "time")) return clock_time(maker, out);
        if (json_text_is(name, "date-time")) return clock_date_time(maker, pattern, out);
        return regex_compile(maker, (struct json_text){pattern, strlen(pattern)}, out, NULL);
    }
    return WEIR_OK;
}
