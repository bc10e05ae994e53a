#include "cascade/window.h"

#include <string.h>

struct window window_make(uint64_t limit)
{
    return (struct window){.limit = limit, .newest = INT64_MIN};
}

/* Forgets the slots that the time has left behind. */
static void move_to(struct window *window, int64_t slot)
{
    if (window->newest == INT64_MIN || slot - window->newest >= WINDOW_SLOTS)
        memset(window->slots, 0, sizeof window->slots);
    else
        for (int64_t n = window->newest + 1; n <= slot; n++) window->slots[n % WINDOW_SLOTS] = 0;
    if (slot > window->newest) window->newest = slot;
}

int64_t window_wait_ms(struct window *window, int64_t now_ms, uint64_t amount)
{
    if (!window->limit) return 0;
    uint64_t sum = 0;
    move_to(window, now_ms / WINDOW_SLOT_MS);
    for (int i = 0; i < WINDOW_SLOTS; i++) sum += window->slots[i];
    if (amount > window->limit) amount = window->limit;
    if (sum + amount <= window->limit) return 0;
    int64_t oldest = window->newest - WINDOW_SLOTS + 1;
    for (int64_t n = oldest; n <= window->newest; n++) { /* slots before the first one ever used are 0 */
        sum -= window->slots[(n % WINDOW_SLOTS + WINDOW_SLOTS) % WINDOW_SLOTS];
        if (sum + amount <= window->limit) return (n + WINDOW_SLOTS) * WINDOW_SLOT_MS - now_ms;
    }
    return WINDOW_SLOT_MS; /* not reached: the empty window takes any amount up to the limit */
}

void window_add(struct window *window, int64_t now_ms, uint64_t amount)
{
    if (!window->limit) return;
    move_to(window, now_ms / WINDOW_SLOT_MS);
    window->slots[now_ms / WINDOW_SLOT_MS % WINDOW_SLOTS] += amount;
}

void window_correct(struct window *window, int64_t then_ms, uint64_t before, uint64_t after)
{
    int64_t slot = then_ms / WINDOW_SLOT_MS;
    if (!window->limit || slot <= window->newest - WINDOW_SLOTS) return;
    uint64_t *at = &window->slots[slot % WINDOW_SLOTS];
    *at = *at + after > before ? *at + after - before : 0;
}
