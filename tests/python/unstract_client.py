"""Unstract's own published client against `jobdeck demo --serve`: it must see what it sees against the real backend.

Not run by `cargo test`. By hand, with Python 3.11 or newer:

    python3 -m venv /tmp/unstract && /tmp/unstract/bin/pip install unstract-client==1.7.1
    cargo build
    /tmp/unstract/bin/python tests/python/unstract_client.py target/debug/jobdeck

It starts `jobdeck demo --serve` itself, sends an execution without waiting, polls it to its end (PENDING and EXECUTING
with 422, the result once with 200, then 406 "Result already acknowledged"), sends another one and waits for it in the
POST, polls an execution of the batch, and tries a wrong key and an unknown deployment. Exit code 0: all as expected.
"""

import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from unstract.api_deployments.client import APIDeploymentsClient


def main(jobdeck: str) -> None:
    command = [jobdeck, "demo", "--serve", "--seed", "11", "--speed", "2"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        jobs_file = tomllib.loads(read_jobs_file(demo))
        url = jobs_file["services"]["claims"]["url"]
        with tempfile.TemporaryDirectory() as folder:
            document = Path(folder, "loss-notice.pdf")
            document.write_bytes(b"%PDF-1.4 a test")
            send_and_poll(url, str(document))
            send_and_wait(url, str(document))
            refused(url, str(document))
        poll_of_the_batch(jobs_file)
    finally:
        demo.terminate()
        demo.wait()
    print("all as expected")


def send_and_poll(url: str, document: str) -> None:
    client = client_of(url)
    sent = client.structure_file([document], timeout=-1, include_metadata=True)
    tell("POST, timeout -1", sent)
    assert sent["status_code"] == 200 and sent["pending"], sent
    assert sent["execution_status"] == "PENDING" and not sent["error"], sent
    seen = []
    while True:
        polled = client.check_execution_status(
            sent["status_check_api_endpoint"],
            include_metadata=True,
            include_metrics=True,
        )
        seen.append((polled["status_code"], polled["execution_status"]))
        tell("GET", polled)
        if not polled["pending"]:
            break
        assert polled["status_code"] == 422, polled
        time.sleep(0.4)
    assert (422, "PENDING") in seen and (422, "EXECUTING") in seen, seen
    assert seen[-1] == (200, "COMPLETED"), seen
    (file,) = polled["extraction_result"]
    assert file["file"] == "loss-notice.pdf" and file["status"] == "Success", file
    assert file["result"]["output"]["claim_number"].startswith("C-"), file
    assert file["result"]["metadata"]["extraction_llm"] and file["result"]["metrics"], file
    assert file["metadata"]["usage"]["cost_in_dollars"] > 0, file
    for _ in range(2):
        again = client.check_execution_status(sent["status_check_api_endpoint"])
        tell("GET again", again)
        assert again["status_code"] == 406 and not again["pending"], again
        assert again["error"] == "Result already acknowledged", again
        assert again["execution_status"] == "COMPLETED" and again["extraction_result"] == "", again


def send_and_wait(url: str, document: str) -> None:
    client = client_of(url)
    done = client.structure_file([document, document], timeout=60)
    tell("POST, timeout 60", done)
    assert done["status_code"] == 200 and not done["pending"], done
    assert done["execution_status"] == "COMPLETED", done
    assert [file["file"] for file in done["extraction_result"]] == ["loss-notice.pdf"] * 2, done
    assert "metadata" not in done["extraction_result"][0]["result"], done


def refused(url: str, document: str) -> None:
    wrong = client_of(url, key="wrong").structure_file([document], timeout=-1)
    tell("POST, wrong key", wrong)
    assert wrong["status_code"] == 401 and wrong["error"] == "Unauthorized", wrong
    lost = client_of(url.replace("claims-intake", "no-such-api")).structure_file([document], timeout=-1)
    tell("POST, unknown API", lost)
    assert lost["status_code"] == 404 and lost["error"] == "API not found", lost
    none = client_of(url).check_execution_status("?execution_id=11111111-2222-4333-8444-555555555555")
    tell("GET, unknown execution", none)
    assert none["status_code"] == 404 and none["error"].endswith("does not exist."), none


def poll_of_the_batch(jobs_file: dict) -> None:
    """Executions of the batch that are still running: each to its end."""
    for job in [job for job in jobs_file["jobs"] if job["service"] == "invoices"][:4]:
        client = client_of(jobs_file["services"]["invoices"]["url"])
        seen = []
        while True:
            polled = client.check_execution_status(f"?execution_id={job['id']}", include_metadata=True)
            seen.append((polled["status_code"], polled["execution_status"]))
            if not polled["pending"]:
                break
            time.sleep(0.5)
        polls = len(seen)
        print(f"{job['name']}: {sorted(set(seen))} in {polls} polls", flush=True)
        assert client.check_execution_status(f"?execution_id={job['id']}")["status_code"] == 406


def client_of(url: str, key: str = "demo") -> APIDeploymentsClient:
    return APIDeploymentsClient(
        api_url=url, api_key=key, logging_level="ERROR", initial_delay=0.2, max_delay=1.0, jitter=0.1
    )


def read_jobs_file(demo: subprocess.Popen) -> str:
    """stdout stays open after the file: it is whole when the last of forty jobs has its last key."""
    text = ""
    for line in demo.stdout:
        text += line.decode()
        if text.count("[[jobs]]") == 40 and line.startswith(b"tags"):
            return text
    raise SystemExit("jobdeck demo --serve printed no jobs file")


def tell(step: str, answer: dict) -> None:
    result = answer["extraction_result"]
    if isinstance(result, list):
        result = f"{len(result)} file(s), {[file['status'] for file in result]}"
    shown = {**answer, "extraction_result": result}
    print(f"{step}: {shown}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: unstract_client.py PATH_OF_JOBDECK")
    main(sys.argv[1])
