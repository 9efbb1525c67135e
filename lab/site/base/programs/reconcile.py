#!/usr/bin/python3
"""reconcile {swarm|service} PLAN: make Docker what the plan says, then wait until it is so. Doing it twice does nothing.

Swarm secrets cannot change, so each is named after its content: a renewed secret is a new one, and the service that wants it is made anew.
"""

import hashlib
import io
import json
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

SECONDS = 110.0
DIGEST = "cc-ci.plan"
pause = threading.Event().wait


def docker(*words, stdin=None, check=True):
    """Run one docker command; its output, or None if it failed and may."""
    done = subprocess.run(["docker", *words], input=stdin, capture_output=True, check=False)
    if done.returncode == 0:
        return done.stdout.decode().strip()
    if check:
        raise SystemExit(f"docker {' '.join(words[:2])}: {done.stderr.decode().strip()}")
    return None


def until(what, probe):
    """Ask until the probe says True; anything else is what it saw."""
    deadline = time.monotonic() + SECONDS
    while (seen := probe()) is not True:
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {SECONDS:.0f} s for {what}; last seen: {seen}")
        pause(0.1)


def skeleton():
    """A root file system with nothing in it but the places where the machine's own folders are mounted."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("usr", "nix", "nix/store", "etc", "run", "tmp", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name in ("bin", "lib", "lib64", "sbin"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(entry)
    return buffer.getvalue()


def swarm(plan):
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}") == "inactive":
        # A swarm of one talks to itself: its address may change with the next lease, this one does not.
        docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377")
    until("the swarm to be active", lambda: docker("node", "ls", "--format", "{{.Status}}", check=False) == "Ready" or "not ready")
    if docker("network", "inspect", plan["network"], check=False) is None:
        docker("network", "create", "--driver", "overlay", plan["network"])
    if docker("image", "inspect", plan["image"], check=False) is None:
        docker("import", "-", plan["image"], stdin=skeleton())


def wanted_secrets(plan):
    """Target name to swarm secret name and file."""
    stack = plan["name"].partition("_")[0]
    wanted = {}
    for target, file in plan.get("secrets", {}).items():
        try:
            content = Path(file).read_bytes()
        except OSError as problem:
            raise SystemExit(f"secret {target}: cannot read {file}: {problem.strerror}") from None
        wanted[target] = (f"{stack}_{target}_v{hashlib.sha256(content).hexdigest()[:12]}", file)
    return wanted


def creation(plan, secrets):
    """The words behind `docker service create`."""
    words = ["--name", plan["name"], "--network", plan["network"], "--endpoint-mode", "dnsrr", "--restart-delay", "500ms", "--stop-grace-period", "3s"]
    for target, (name, _) in secrets.items():
        words += ["--secret", f"source={name},target={target}"]
    for key, value in plan.get("environment", {}).items():
        words += ["--env", f"{key}={value}"]
    for folder in plan["mounts"]:
        words += ["--mount", f"type=bind,source={folder},destination={folder},readonly"]
    for port in plan.get("ports", []):
        words += ["--publish", f"mode=host,target={port},published={port}"]
    return [*words, "--no-resolve-image", plan["image"], *plan["command"]]


def service(plan):
    secrets = wanted_secrets(plan)
    words = creation(plan, secrets)
    digest = hashlib.sha256(json.dumps(words).encode()).hexdigest()
    current = docker("service", "inspect", "--format", "{{index .Spec.Labels \"" + DIGEST + "\"}}", plan["name"], check=False)
    if current != digest:
        existing = set(docker("secret", "ls", "--format", "{{.Name}}").split())
        for name, file in secrets.values():
            if name not in existing:
                docker("secret", "create", name, file)
        if current is not None:
            docker("service", "rm", plan["name"])
        docker("service", "create", "--detach", "--quiet", "--label", f"{DIGEST}={digest}", *words)
        drop_old_secrets(plan, {name for name, _ in secrets.values()})
    until(f"service {plan['name']} to run", lambda: running(plan["name"]))
    if "serves" in plan:
        until(f"{plan['name']} to serve its certificate", lambda: serving(plan["serves"]["host"], plan["serves"]["certificate"]))


def drop_old_secrets(plan, wanted):
    """Earlier versions go as soon as no task holds them; one that is still held goes next time."""
    stack = plan["name"].partition("_")[0] + "_"
    for name in docker("secret", "ls", "--format", "{{.Name}}").split():
        if name.startswith(stack) and name not in wanted:
            docker("secret", "rm", name, check=False)


def running(name):
    format_ = "{{.CurrentState}} {{.Error}}"
    tasks = docker("service", "ps", "--filter", "desired-state=running", "--format", format_, name).splitlines()
    return True if any(task.startswith("Running") for task in tasks) else " / ".join(tasks) or "no task"


def serving(host, certificate):
    """Whether a TLS client that asks for `host` is shown the leaf that the file begins with: Traefik answers with one of its own until it has ours."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # whose it is does not matter here, which it is does
    wanted = ssl.PEM_cert_to_DER_cert(Path(certificate).read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
    try:
        with socket.create_connection(("127.0.0.1", 443), timeout=2) as link, context.wrap_socket(link, server_hostname=host) as shown:
            return shown.getpeercert(binary_form=True) == wanted or "another certificate"
    except OSError as problem:
        return str(problem)


{"swarm": swarm, "service": service}[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()))
