/* Statements to output. Scopes are those of jinja2: `for`, `with`, macros and block assignments open one, `if` does not. */
#include <string.h>

#include "base/error.h"
#include "task/template_internal.h"

/* How a body ended. Passed up as a status beside enum weir_status so that loops can see it. */
enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

static enum weir_status run_body(struct tpl_run *r, const struct tpl_node *body, enum flow *flow);

enum weir_status tpl_bind(struct tpl_run *r, struct tpl_scope *scope, struct tpl_text name, struct tpl_value value)
{
    for (struct tpl_binding *b = scope->first; b; b = b->next) {
        if (!tpl_text_equal(b->name, name)) continue;
        b->value = value;
        return WEIR_OK;
    }
    struct tpl_binding *binding = tpl_alloc(&r->arena, 1, sizeof *binding);
    if (!binding) return tpl_nomem(r);
    *binding = (struct tpl_binding){.name = name, .value = value, .next = scope->first};
    scope->first = binding;
    return WEIR_OK;
}

/* A new scope inside `parent`, in the arena because a macro may outlive the call. */
static struct tpl_scope *new_scope(struct tpl_run *r, struct tpl_scope *parent)
{
    struct tpl_scope *scope = tpl_alloc(&r->arena, 1, sizeof *scope);
    if (scope) scope->parent = parent;
    return scope;
}

static enum weir_status print(struct tpl_run *r, const struct tpl_value *value)
{
    struct tpl_text text = {0};
    enum weir_status status = tpl_str(r, value, &text);
    if (status) return status;
    if (r->out->size + text.size > TEMPLATE_OUTPUT_BYTES_MAX)
        return tpl_fail(r, WEIR_ERR_LIMIT, "the output has more than %d bytes", TEMPLATE_OUTPUT_BYTES_MAX);
    return tpl_add(r->out, text) ? WEIR_OK : tpl_nomem(r);
}

/* Runs `body` into a text of its own. */
static enum weir_status capture(struct tpl_run *r, const struct tpl_node *body, struct tpl_scope *scope,
                                struct tpl_text *out)
{
    struct tpl_builder builder = {.arena = &r->arena}, *old_out = r->out;
    struct tpl_scope *old_scope = r->scope;
    enum flow flow = FLOW_ON;
    r->out = &builder;
    r->scope = scope;
    enum weir_status status = run_body(r, body, &flow);
    r->out = old_out;
    r->scope = old_scope;
    if (!status && flow != FLOW_ON)
        status = tpl_fail(r, WEIR_ERR_UNSUPPORTED, "`break` or `continue` out of a macro or a block is not supported");
    if (!status) *out = tpl_built(&builder);
    return status;
}

static enum weir_status assign_one(struct tpl_run *r, const struct tpl_node *target, struct tpl_value value)
{
    if (target->kind == TPL_E_NAME) return tpl_bind(r, r->scope, target->name, value);
    struct tpl_value object;
    enum weir_status status = tpl_eval(r, target->a, &object);
    if (status) return status;
    if (object.type != TPL_NAMESPACE)
        return tpl_fail(r, WEIR_ERR_INVALID, "cannot assign attribute on non-namespace object");
    return tpl_dict_set(r, object.as.dict, tpl_string(target->name), value);
}

static enum weir_status assign(struct tpl_run *r, const struct tpl_node *target, struct tpl_value value)
{
    if (target->kind != TPL_E_TUPLE) return assign_one(r, target, value);
    struct tpl_list *items = NULL;
    enum weir_status status = tpl_iterate(r, &value, &items);
    size_t i = 0;
    const struct tpl_node *name = target->list;
    for (; !status && name && i < items->count; name = name->next, i++) status = assign_one(r, name, items->items[i]);
    if (!status && (name || i < items->count))
        status = tpl_fail(r, WEIR_ERR_INVALID, "the number of values to unpack differs from that of the names");
    return status;
}

/* A chain of filters whose innermost operand is missing, over `value`: the filters are unwound from the outside. */
static enum weir_status filter_chain(struct tpl_run *r, const struct tpl_node *chain, struct tpl_value *value)
{
    enum weir_status status = tpl_enter(r);
    if (status) return status;
    if (chain->a) status = filter_chain(r, chain->a, value);
    struct tpl_args args;
    if (!status) status = tpl_eval_args(r, chain->list, &args);
    struct tpl_value result = {0};
    if (!status) status = tpl_filter(r, chain->name, value, &args, &result);
    if (!status) *value = result;
    tpl_leave(r);
    return status;
}

/* `{% set x %}...{% endset %}` and `{% filter f %}...{% endfilter %}`. */
static enum weir_status run_block(struct tpl_run *r, const struct tpl_node *node)
{
    struct tpl_text text = {0};
    struct tpl_scope *scope = new_scope(r, r->scope);
    if (!scope) return tpl_nomem(r);
    enum weir_status status = capture(r, node->list, scope, &text);
    if (status) return status;
    struct tpl_value value = tpl_string(text);
    if (node->b) status = filter_chain(r, node->b, &value);
    if (status) return status;
    return node->kind == TPL_S_FILTER ? print(r, &value) : assign(r, node->a, value);
}

static enum weir_status run_if(struct tpl_run *r, const struct tpl_node *node, enum flow *flow)
{
    for (;;) {
        struct tpl_value condition;
        enum weir_status status = tpl_eval(r, node->a, &condition);
        if (status) return status;
        if (tpl_truth(&condition)) return run_body(r, node->list, flow);
        const struct tpl_node *other = node->other;
        if (!other) return WEIR_OK;
        if (other->kind != TPL_S_IF || other->next) return run_body(r, other, flow);
        node = other;
    }
}

/* The items of the loop: those for which the condition holds, evaluated with the target bound. */
static enum weir_status loop_items(struct tpl_run *r, const struct tpl_node *node, struct tpl_list **out)
{
    struct tpl_value iterable;
    struct tpl_list *items = NULL;
    enum weir_status status = tpl_eval(r, node->b, &iterable);
    if (!status) status = tpl_iterate(r, &iterable, &items);
    if (status || !node->c) {
        if (!status) *out = items;
        return status;
    }
    struct tpl_scope *outer = r->scope;
    size_t kept = 0;
    for (size_t i = 0; !status && i < items->count; i++) {
        struct tpl_value condition;
        r->scope = new_scope(r, outer);
        status = r->scope ? assign(r, node->a, items->items[i]) : tpl_nomem(r);
        if (!status) status = tpl_eval(r, node->c, &condition);
        if (!status && tpl_truth(&condition)) items->items[kept++] = items->items[i];
    }
    r->scope = outer;
    items->count = kept;
    *out = items;
    return status;
}

static enum weir_status run_for(struct tpl_run *r, const struct tpl_node *node, enum flow *outer_flow)
{
    struct tpl_list *items = NULL;
    enum weir_status status = loop_items(r, node, &items);
    if (status) return status;
    if (items->count == 0) return run_body(r, node->other, outer_flow);
    struct tpl_loop *loop = tpl_alloc(&r->arena, 1, sizeof *loop);
    if (!loop) return tpl_nomem(r);
    *loop = (struct tpl_loop){.items = items};
    struct tpl_scope *outer = r->scope;
    for (enum flow flow = FLOW_ON; !status && flow != FLOW_BREAK && loop->index0 < items->count; loop->index0++) {
        flow = FLOW_ON;
        r->scope = new_scope(r, outer);
        status = r->scope
                     ? tpl_bind(r, r->scope, TPL_TEXT("loop"), (struct tpl_value){.type = TPL_LOOP, .as.loop = loop})
                     : tpl_nomem(r);
        if (!status) status = assign(r, node->a, items->items[loop->index0]);
        if (!status) status = run_body(r, node->list, &flow);
    }
    r->scope = outer;
    return status;
}

static enum weir_status run_macro(struct tpl_run *r, const struct tpl_node *node)
{
    struct tpl_macro *macro = tpl_alloc(&r->arena, 1, sizeof *macro);
    if (!macro) return tpl_nomem(r);
    *macro = (struct tpl_macro){.node = node, .scope = r->scope};
    return tpl_bind(r, r->scope, node->name, (struct tpl_value){.type = TPL_MACRO, .as.macro = macro});
}

/* Binds the parameters: by position, then by name, then defaults (evaluated in the macro's scope), then undefined. */
static enum weir_status bind_params(struct tpl_run *r, const struct tpl_macro *macro, const struct tpl_args *args)
{
    size_t used = 0, named = 0;
    for (const struct tpl_node *param = macro->node->params; param; param = param->next, used++) {
        struct tpl_value value;
        enum weir_status status = WEIR_OK;
        bool given = used < args->count;
        if (given) value = args->values[used];
        for (size_t i = 0; i < args->n_named; i++) {
            if (!tpl_text_equal(args->names[i], param->name)) continue;
            if (given)
                return tpl_fail(r, WEIR_ERR_INVALID, "a macro got two values for '%.*s'", (int)param->name.size,
                                param->name.data);
            value = args->named[i];
            given = true;
            named++;
        }
        if (!given)
            status = param->a ? tpl_eval(r, param->a, &value)
                              : tpl_undefined(r, &value, "parameter '%.*s' was not provided", (int)param->name.size,
                                              param->name.data);
        if (!status) status = tpl_bind(r, r->scope, param->name, value);
        if (status) return status;
    }
    if (args->count > used) return tpl_fail(r, WEIR_ERR_INVALID, "a macro takes not more than %zu argument(s)", used);
    for (size_t i = 0; named < args->n_named && i < args->n_named; i++) {
        if (!tpl_text_is(args->names[i], "caller")) continue;
        named++;
        enum weir_status status = tpl_bind(r, r->scope, args->names[i], args->named[i]);
        if (status) return status;
    }
    if (named < args->n_named) return tpl_fail(r, WEIR_ERR_INVALID, "a macro takes no such keyword argument");
    return WEIR_OK;
}

enum weir_status tpl_macro_call(struct tpl_run *r, const struct tpl_macro *macro, const struct tpl_args *args,
                                struct tpl_value *out)
{
    struct tpl_scope *old = r->scope, *scope = new_scope(r, macro->scope);
    struct tpl_text text = {0};
    if (!scope) return tpl_nomem(r);
    r->scope = scope;
    enum weir_status status = bind_params(r, macro, args);
    if (!status) status = capture(r, macro->node->list, scope, &text);
    r->scope = old;
    if (!status) *out = tpl_string(text);
    return status;
}

/* `{% call(x) f(y) %}body{% endcall %}`: f is called with the body as the macro `caller`. */
static enum weir_status run_call(struct tpl_run *r, const struct tpl_node *node)
{
    struct tpl_value callee, result;
    struct tpl_args args;
    struct tpl_macro *caller = tpl_alloc(&r->arena, 1, sizeof *caller);
    if (!caller) return tpl_nomem(r);
    *caller = (struct tpl_macro){.node = node, .scope = r->scope};
    enum weir_status status = tpl_eval(r, node->a->a, &callee);
    if (!status) status = tpl_eval_args(r, node->a->list, &args);
    if (status) return status;
    struct tpl_text *names = tpl_alloc(&r->arena, args.n_named + 1, sizeof *names);
    struct tpl_value *named = tpl_alloc(&r->arena, args.n_named + 1, sizeof *named);
    if (!names || !named) return tpl_nomem(r);
    if (args.n_named) {
        memcpy(names, args.names, args.n_named * sizeof *names);
        memcpy(named, args.named, args.n_named * sizeof *named);
    }
    names[args.n_named] = TPL_TEXT("caller");
    named[args.n_named++] = (struct tpl_value){.type = TPL_MACRO, .as.macro = caller};
    args.names = names;
    args.named = named;
    status = tpl_call(r, &callee, &args, &result);
    return status ? status : print(r, &result);
}

/* `with` (its values are evaluated outside the new scope) and `generation`. */
static enum weir_status run_scope(struct tpl_run *r, const struct tpl_node *node, enum flow *flow)
{
    struct tpl_scope *outer = r->scope, *scope = new_scope(r, outer);
    if (!scope) return tpl_nomem(r);
    enum weir_status status = WEIR_OK;
    for (const struct tpl_node *param = node->params; !status && param; param = param->next) {
        struct tpl_value value;
        status = tpl_eval(r, param->a, &value);
        if (!status) status = tpl_bind(r, scope, param->name, value);
    }
    r->scope = scope;
    if (!status) status = run_body(r, node->list, flow);
    r->scope = outer;
    return status;
}

static enum weir_status run_statement(struct tpl_run *r, const struct tpl_node *node, enum flow *flow)
{
    struct tpl_value value;
    enum weir_status status;
    r->place = node->place;
    switch (node->kind) {
    case TPL_S_DATA:
        value = tpl_string(node->name);
        return print(r, &value);
    case TPL_S_PRINT:
        status = tpl_eval(r, node->a, &value);
        return status ? status : print(r, &value);
    case TPL_S_IF:
        return run_if(r, node, flow);
    case TPL_S_FOR:
        return run_for(r, node, flow);
    case TPL_S_SET:
        status = tpl_eval(r, node->b, &value);
        r->place = node->place;
        return status ? status : assign(r, node->a, value);
    case TPL_S_SETBLOCK:
    case TPL_S_FILTER:
        return run_block(r, node);
    case TPL_S_MACRO:
        return run_macro(r, node);
    case TPL_S_CALL:
        return run_call(r, node);
    case TPL_S_SCOPE:
    case TPL_S_WITH:
        return run_scope(r, node, flow);
    case TPL_S_BREAK:
    case TPL_S_CONTINUE:
        *flow = node->kind == TPL_S_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
        return WEIR_OK;
    default:
        return tpl_fail(r, WEIR_ERR_FORMAT, "not a statement");
    }
}

static enum weir_status run_body(struct tpl_run *r, const struct tpl_node *body, enum flow *flow)
{
    enum weir_status status = tpl_enter(r);
    if (status) return status;
    for (const struct tpl_node *node = body; !status && *flow == FLOW_ON && node; node = node->next) {
        status = tpl_step(r, 0);
        if (!status) status = run_statement(r, node, flow);
    }
    tpl_leave(r);
    return status;
}

enum weir_status tpl_run_body(struct tpl_run *r, const struct tpl_node *body)
{
    enum flow flow = FLOW_ON;
    enum weir_status status = run_body(r, body, &flow);
    if (!status && flow != FLOW_ON) status = tpl_fail(r, WEIR_ERR_FORMAT, "`break` or `continue` outside a loop");
    return status;
}
