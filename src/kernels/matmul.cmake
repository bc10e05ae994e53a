# quantised and float matrix products
target_sources(weir PRIVATE f16.c tiles.c ref/weight_block.c ref/dequantize.c ref/quantize.c ref/matmul.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(matmul_avx2 x86/matmul_avx2.c x86/matmul_float_avx2.c x86/quantize_avx2.c)
  set(matmul_avx512 x86/matmul_avx512vnni.c x86/matmul_float_avx512.c x86/quantize_avx512.c)
  target_sources(weir PRIVATE x86/matmul_strips.c ${matmul_avx2} ${matmul_avx512})
  # -O3 in every configuration: shift counts of the inlined kernels must become constants
  set_source_files_properties(${matmul_avx2} TARGET_DIRECTORY weir PROPERTIES COMPILE_OPTIONS "-O3;-mavx2;-mfma;-mf16c")
  set_source_files_properties(${matmul_avx512} TARGET_DIRECTORY weir PROPERTIES
    COMPILE_OPTIONS "-O3;-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512vnni;-mavx2;-mfma;-mf16c")
endif()
