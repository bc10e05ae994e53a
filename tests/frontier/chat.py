"""POST /v1/chat/completions as OpenAI documents it: structured outputs, tools, log-probabilities, streaming, usage."""
import json
import math

from brain import tokens_of


class BadRequest(Exception):
    """The request is wrong: (message, param)."""


def text_of(content):
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or [])


def prompt_of(body):
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise BadRequest("'messages' must be a non-empty array.", "messages")
    return "\n".join(text_of(message.get("content")) for message in body["messages"])


def schema_of(body):
    """(schema, tool name): of structured outputs, or of a tool that must be called; (None, None) for free text."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return wanted["json_schema"]["schema"], None
    choice = body.get("tool_choice")
    for tool in body.get("tools") or []:
        name = tool["function"]["name"]
        if choice == "required" or (isinstance(choice, dict) and choice["function"]["name"] == name):
            return tool["function"].get("parameters", {"type": "object"}), name
    return None, None


def content_of(brain, body, fault):
    prompt = prompt_of(body)
    schema, tool = schema_of(body)
    if fault == "wrong_shape":
        return json.dumps({"unasked": True}) if schema else "none of the things asked for", tool
    return (json.dumps(brain.fill(schema, prompt), ensure_ascii=False) if schema else brain.plain(prompt)), tool


def logprob(token, probability):
    return {"token": token, "logprob": math.log(probability), "bytes": list(token.encode()), "top_logprobs": []}


def enumeration(schema):
    """The first enumeration in a schema, or None."""
    if isinstance(schema, dict):
        if "enum" in schema:
            return schema["enum"]
        schema = list(schema.values())
    parts = schema if isinstance(schema, list) else []
    return next((found for found in map(enumeration, parts) if found), None)


def logprobs_of(brain, body, content):
    """The whole answer as one token, with the probabilities of the choices as its alternatives."""
    if not body.get("logprobs"):
        return None
    labels = sorted(set(brain.gold.values()))
    prompt = prompt_of(body)
    choices = enumeration(schema_of(body)[0]) or [label for label in labels if label in prompt] or labels
    choice, probabilities = brain.choose(prompt, choices)
    first = logprob(content, probabilities[choice])
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])[:body.get("top_logprobs") or 0]
    first["top_logprobs"] = [{k: v for k, v in logprob(c, p).items() if k != "top_logprobs"} for c, p in ranked]
    return {"content": [first], "refusal": None}


def usage_of(body, content, fault):
    spent_in, spent_out = tokens_of(prompt_of(body)), tokens_of(content)
    if fault == "wrong_usage":
        spent_in, spent_out = spent_in * 1000 + 10**6, spent_out * 1000 + 10**6
    return {"prompt_tokens": spent_in, "completion_tokens": spent_out, "total_tokens": spent_in + spent_out,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}}


def message_of(content, tool, fault):
    if fault == "refusal":
        return {"role": "assistant", "content": None, "refusal": "I'm sorry, I can't help with that."}
    if tool:
        call = {"id": "call_1", "type": "function", "function": {"name": tool, "arguments": content}}
        return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}
    return {"role": "assistant", "content": content, "refusal": None}


def cut_short(content, body, fault):
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if fault == "length" or (limit and tokens_of(content) > limit):
        return content[:max(1, len(content) // 2)], "length"
    return content, "stop"


def completion(brain, number, body, fault):
    content, tool = content_of(brain, body, fault)
    content, reason = cut_short(content, body, fault)
    choice = {"index": 0, "message": message_of(content, tool, fault), "logprobs": logprobs_of(brain, body, content),
              "finish_reason": "tool_calls" if tool and reason == "stop" else reason}
    reply = {"id": f"chatcmpl-{number:08d}", "object": "chat.completion", "created": 1790000000 + number, "model": body["model"],
             "choices": [choice], "usage": usage_of(body, content, fault), "service_tier": "default"}
    if fault == "no_usage":
        del reply["usage"]
    return reply


async def stream(brain, number, body, fault, reply, cut):
    """Chunks of a few characters; `cut` breaks the connection after the first ones."""
    whole = completion(brain, number, body, fault)
    choice = whole["choices"][0]
    head = {"id": whole["id"], "object": "chat.completion.chunk", "created": whole["created"], "model": whole["model"]}

    def chunk(delta, reason=None):
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}

    await reply.start_stream()
    await reply.event(chunk({"role": "assistant", "content": ""}))
    call = (choice["message"].get("tool_calls") or [None])[0]
    part = "refusal" if choice["message"]["refusal"] else "content"
    text = call["function"]["arguments"] if call else choice["message"][part] or ""
    for at in range(0, len(text), 6):
        piece = text[at:at + 6]
        if call:
            function = {"arguments": piece} if at else {"name": call["function"]["name"], "arguments": piece}
            first = {} if at else {"id": call["id"], "type": "function"}
            delta = {"tool_calls": [{"index": 0, **first, "function": function}]}
        else:
            delta = {part: piece}
        await reply.event(chunk(delta))
        if cut:
            raise cut
    await reply.event(chunk({}, choice["finish_reason"]))
    if (body.get("stream_options") or {}).get("include_usage") and "usage" in whole:
        await reply.event({**head, "choices": [], "usage": whole["usage"]})
    await reply.event("[DONE]")
    await reply.end_stream()


def error(status, message, kind=None, param=None, code=None):
    kinds = {401: "invalid_request_error", 400: "invalid_request_error", 429: "requests", 404: "invalid_request_error"}
    return {"error": {"message": message, "type": kind or kinds.get(status, "server_error"), "param": param, "code": code}}
