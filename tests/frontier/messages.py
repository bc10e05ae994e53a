"""POST /v1/messages as Anthropic documents it: tools, structured outputs, streaming events, usage."""
import json

from brain import tokens_of
from chat import BadRequest, text_of


def prompt_of(body):
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise BadRequest("messages: at least one message is required", "messages")
    if not isinstance(body.get("max_tokens"), int):
        raise BadRequest("max_tokens: Field required", "max_tokens")
    return "\n".join([text_of(body.get("system") or "")] + [text_of(m.get("content")) for m in body["messages"]])


def tool_of(body):
    """The tool that must be called, or None."""
    choice = body.get("tool_choice") or {}
    for tool in body.get("tools") or []:
        if choice.get("type") == "any" or (choice.get("type") == "tool" and choice.get("name") == tool["name"]):
            return tool
    return None


def schema_of(body):
    """The schema of structured outputs, which stands under output_config.format (or output_format, its older place)."""
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return wanted.get("schema") if wanted.get("type") == "json_schema" else None


def block_of(brain, number, body, fault):
    prompt = prompt_of(body)
    tool, schema = tool_of(body), schema_of(body)
    if tool:
        given = {"unasked": True} if fault == "wrong_shape" else brain.fill(tool["input_schema"], prompt)
        return {"type": "tool_use", "id": f"toolu_{number:08d}", "name": tool["name"], "input": given}
    if fault == "wrong_shape":
        return {"type": "text", "text": '{"unasked": true}' if schema else "none of the things asked for"}
    return {"type": "text", "text": json.dumps(brain.fill(schema, prompt), ensure_ascii=False) if schema else brain.plain(prompt)}


def usage_of(body, block, fault):
    spent_in = tokens_of(prompt_of(body) + json.dumps(body.get("tools") or ""))
    spent_out = tokens_of(block.get("text") or json.dumps(block.get("input")))
    if fault == "wrong_usage":
        spent_in, spent_out = spent_in * 1000 + 10**6, spent_out * 1000 + 10**6
    return {"input_tokens": spent_in, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": spent_out,
            "service_tier": "standard"}


def message(brain, number, body, fault):
    block = block_of(brain, number, body, fault)
    usage = usage_of(body, block, fault)
    reason = "tool_use" if block["type"] == "tool_use" else "end_turn"
    if fault == "refusal":
        block, reason = {"type": "text", "text": ""}, "refusal"
    if fault == "length" or usage["output_tokens"] > body["max_tokens"] and fault != "wrong_usage":
        reason = "max_tokens"
        if block["type"] == "text":
            block["text"] = block["text"][:max(1, len(block["text"]) // 2)]
        else:
            block["input"] = {}
    reply = {"id": f"msg_{number:08d}", "type": "message", "role": "assistant", "model": body["model"], "content": [block],
             "stop_reason": reason, "stop_sequence": None, "usage": usage}
    if fault == "no_usage":
        del reply["usage"]
    return reply


async def stream(brain, number, body, fault, reply, cut):
    whole = message(brain, number, body, fault)
    block, usage = whole["content"][0], whole.get("usage")
    start = {**whole, "content": [], "stop_reason": None}
    if usage:
        start["usage"] = {**usage, "output_tokens": 1}
    await reply.start_stream()
    await reply.event({"type": "message_start", "message": start}, "message_start")
    is_tool = block["type"] == "tool_use"
    empty = {**block, "input": {}} if is_tool else {"type": "text", "text": ""}
    await reply.event({"type": "content_block_start", "index": 0, "content_block": empty}, "content_block_start")
    await reply.event({"type": "ping"}, "ping")
    text = json.dumps(block["input"], ensure_ascii=False) if is_tool else block["text"]
    for at in range(0, len(text), 6):
        piece = text[at:at + 6]
        delta = {"type": "input_json_delta", "partial_json": piece} if is_tool else {"type": "text_delta", "text": piece}
        await reply.event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")
        if cut:
            raise cut
    await reply.event({"type": "content_block_stop", "index": 0}, "content_block_stop")
    end = {"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None}}
    if usage:
        end["usage"] = {"output_tokens": usage["output_tokens"]}
    await reply.event(end, "message_delta")
    await reply.event({"type": "message_stop"}, "message_stop")
    await reply.end_stream()


def error(status, text, number=0):
    kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 413: "request_too_large",
             429: "rate_limit_error", 500: "api_error", 504: "timeout_error", 529: "overloaded_error"}
    return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": text}, "request_id": f"req_{number:08d}"}
