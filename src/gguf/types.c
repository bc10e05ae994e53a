/* The tables of metadata value types and tensor element types. */
#include "gguf/gguf_internal.h"

size_t gguf_scalar_bytes(enum weir_gguf_value_type type)
{
    switch (type) {
    case WEIR_GGUF_U8:
    case WEIR_GGUF_I8:
    case WEIR_GGUF_BOOL:
        return 1;
    case WEIR_GGUF_U16:
    case WEIR_GGUF_I16:
        return 2;
    case WEIR_GGUF_U32:
    case WEIR_GGUF_I32:
    case WEIR_GGUF_F32:
        return 4;
    case WEIR_GGUF_U64:
    case WEIR_GGUF_I64:
    case WEIR_GGUF_F64:
        return 8;
    case WEIR_GGUF_STRING:
    case WEIR_GGUF_ARRAY:
        return 0;
    }
    return 0;
}

const char *weir_gguf_value_type_name(enum weir_gguf_value_type type)
{
    static const char *const names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                        "bool", "string", "array", "u64", "i64", "f64"};
    return (size_t)type < sizeof names / sizeof *names ? names[type] : "unknown";
}

struct type_shape {
    const char *name;
    size_t weights, bytes; /* of a block */
};

static struct type_shape type_shape(enum weir_tensor_type type)
{
    switch (type) {
#define CASE_SHAPE(name, number, weights, bytes) \
    case WEIR_TENSOR_##name:                     \
        return (struct type_shape){#name, weights, bytes};
        WEIR_TENSOR_TYPE_MAP(CASE_SHAPE)
#undef CASE_SHAPE
    }
    return (struct type_shape){0};
}

const char *weir_tensor_type_name(enum weir_tensor_type type)
{
    return type_shape(type).name;
}

size_t weir_tensor_type_block_weights(enum weir_tensor_type type)
{
    return type_shape(type).weights;
}

size_t weir_tensor_type_block_bytes(enum weir_tensor_type type)
{
    return type_shape(type).bytes;
}
