#include "cascade/breaker.h"

struct breaker breaker_make(uint32_t failures_max, uint32_t wait_ms)
{
    return (struct breaker){.failures_max = failures_max, .wait_ms = wait_ms, .circuit = WEIR_CIRCUIT_CLOSED};
}

bool breaker_allows(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->circuit == WEIR_CIRCUIT_CLOSED) return true;
    if (breaker->circuit == WEIR_CIRCUIT_OPEN && now_ms - breaker->opened_ms >= breaker->wait_ms)
        breaker->circuit = WEIR_CIRCUIT_HALF_OPEN;
    if (breaker->circuit == WEIR_CIRCUIT_OPEN || breaker->is_trying) return false;
    breaker->is_trying = true;
    return true;
}

void breaker_succeeded(struct breaker *breaker)
{
    breaker->circuit = WEIR_CIRCUIT_CLOSED;
    breaker->failures = 0;
    breaker->is_trying = false;
}

void breaker_failed(struct breaker *breaker, int64_t now_ms)
{
    bool was_trial = breaker->circuit == WEIR_CIRCUIT_HALF_OPEN;
    breaker->is_trying = false;
    if (breaker->circuit == WEIR_CIRCUIT_OPEN) return; /* a straggler from before it opened */
    if (!was_trial && ++breaker->failures < breaker->failures_max) return;
    breaker->circuit = WEIR_CIRCUIT_OPEN;
    breaker->opened_ms = now_ms;
    breaker->failures = 0;
}

void breaker_undecided(struct breaker *breaker)
{
    breaker->is_trying = false;
}
