# norms, activation functions, rope, attention
target_sources(weir PRIVATE ref/norm.c ref/activation.c ref/rope.c ref/attention.c ref/ops.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(ops_avx2 x86/ops_avx2.c x86/attention_avx2.c)
  set(ops_avx512 x86/ops_avx512.c x86/attention_avx512.c)
  target_sources(weir PRIVATE ${ops_avx2} ${ops_avx512})
  set_source_files_properties(${ops_avx2} TARGET_DIRECTORY weir PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c")
  set_source_files_properties(${ops_avx512} TARGET_DIRECTORY weir PROPERTIES
    COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx2;-mfma;-mf16c")
endif()
