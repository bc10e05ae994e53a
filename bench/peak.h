/* The most this machine can do, measured in the same run as what is compared with it. */
#ifndef WEIR_BENCH_PEAK_H
#define WEIR_BENCH_PEAK_H

/* Multiply-accumulates a second of one thread that runs nothing but int8 dot products on registers (vpdpbusd where the CPU has
 * it on 512 bits, else vpmaddubsw + vpmaddwd + vpaddd on 256), over about a millisecond. 0 on other CPUs. */
double peak_int8_macs(void);

#endif
