"""POST /v1/decisions (OpenAI Decisions) and POST /v1/systemone (TypeSafe System One): typed questions, probabilities, no text."""
import json

from brain import tokens_of
from chat import BadRequest


def plain(value):
    """Content is a text, or an array or object whose texts count."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n".join(plain(part) for key, part in value.items() if key not in ("type", "role"))
    if isinstance(value, list):
        return "\n".join(plain(part) for part in value)
    return "" if value is None else json.dumps(value)


def score_levels(brain, text, levels):
    _, probabilities = brain.choose(text, [str(i) for i in range(levels)])
    return [probabilities[str(i)] for i in range(levels)]


def decision_answer(brain, text, question, fault):
    """One answer of /v1/decisions."""
    name, kind = question.get("name"), question.get("type")
    if fault == "refusal":
        return {"type": "refusal", "name": name}
    if kind == "predicate":
        return {"type": "predicate", "name": name, "probability": brain.choose(text, ["yes", "no"])[1]["yes"]}
    if kind == "choice":
        values = [choice["value"] for choice in question["choices"]]
        value, probabilities = brain.choose(text, values)
        if fault == "wrong_shape":
            value, probabilities = "unasked", {"unasked": 1.0}
        listed = [{"value": v, "probability": p} for v, p in probabilities.items()]
        return {"type": "choice", "name": name, "choice": value, "confidence": probabilities[value], "probabilities": listed}
    if kind == "score":
        levels = question["levels"]
        shares = score_levels(brain, text, len(levels))
        listed = [{"value": i, "label": level.get("label") or str(i), "probability": p} for i, (level, p) in enumerate(zip(levels, shares))]
        return {"type": "score", "name": name, "score": sum(i * p for i, p in enumerate(shares)), "confidence": max(shares), "probabilities": listed}
    raise BadRequest(f"Invalid value: '{kind}'. Supported values are: 'predicate', 'choice', and 'score'.", "questions[].type")


def decisions(brain, number, body, fault):
    questions = body.get("questions")
    if not isinstance(questions, list) or not 1 <= len(questions) <= 400:
        raise BadRequest("Expected 1 to 400 questions.", "questions")
    text = plain(body.get("input"))
    spent = tokens_of(text + json.dumps(questions)) * (1000 if fault == "wrong_usage" else 1)
    usage = {"input_tokens": spent, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 0,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": spent}
    reply = {"model": body["model"], "answers": [decision_answer(brain, text, q, fault) for q in questions], "usage": usage}
    if fault == "no_usage":
        del reply["usage"]
    return reply


def systemone_answer(brain, text, question, fault):
    kind = question.get("type")
    if kind == "noul":
        return {"type": "noul", "noul": brain.choose(text, ["yes", "no"])[1]["yes"]}
    if kind == "choice":
        choice, probabilities = brain.choose(text, list(question["criteria"]))
        if fault == "wrong_shape":
            choice, probabilities = "unasked", {"unasked": 1.0}
        return {"type": "choice", "choice": choice, "confidence": probabilities[choice], "probabilities": probabilities}
    if kind == "score":
        shares = score_levels(brain, text, len(question["criteria"]))
        return {"type": "score", "score": sum(i * p for i, p in enumerate(shares)), "confidence": max(shares),
                "legend": {str(i): level for i, level in enumerate(question["criteria"])},
                "probabilities": {str(i): p for i, p in enumerate(shares)}}
    raise BadRequest(f"Input tag '{kind}' does not match any of the expected tags: 'noul', 'choice', 'score'", "questions")


def systemone(brain, number, body, fault):
    questions = body.get("questions")
    if not isinstance(questions, dict) or not questions:
        raise BadRequest("Field required", "questions")
    text = plain(body.get("state"))
    spent = tokens_of(text + json.dumps(questions)) * (1000 if fault == "wrong_usage" else 1)
    answers = {name: systemone_answer(brain, text, question, fault) for name, question in questions.items()}
    reply = {"model": body["model"], "answers": answers, "usage": {"input_tokens": spent, "output_tokens": len(answers)}}
    if fault == "no_usage":
        del reply["usage"]
    return reply
