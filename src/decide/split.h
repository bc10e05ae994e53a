/* Cutting a text in two where people would: between paragraphs, lines, sentences, words. */
#ifndef WEIR_DECIDE_SPLIT_H
#define WEIR_DECIDE_SPLIT_H

#include "weir/gguf.h"

/* Where the second half of a UTF-8 text of at least two characters begins: the best kind of border between a quarter and three quarters of
 * it, of these the one nearest to the middle. Above 0, below text.size, never inside a character. */
size_t split_point(struct weir_string text);

#endif
