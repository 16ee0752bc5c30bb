"""The three machines and the balancer of docs/how-to/several-nodes.md, as sets of processes.

Their configuration is the page's own, with other addresses, folders and passwords.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from fixtures.postgresql_cluster import as_user, children, die_with_parent, runs, wait_for
from fixtures.programs import program
from fixtures.timing import LONG
from peers.ours import COMMAND, ENVIRONMENT
from peers.processes import Peer, ports_of_servers, wait_until_listening

PROGRAMS = ("etcd", "patroni", "haproxy", "postgres", "pg_rewind")
"""The programs of the machines, besides dicomquest."""

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "several-nodes.md"
SECTION = "## Three nodes with HAProxy and Patroni"
NAMES = ("db1", "db2", "db3")
PASSWORD = "not-a-secret"
_SERVICES = {"postgresql": 5432, "patroni": 8008, "etcd": 2379, "etcd peer": 2380, "dicom": 104}


def block_of_page(beginning: str) -> str:
    """The block with this beginning in the page's section."""
    section = PAGE.read_text(encoding="utf-8").split(f"{SECTION}\n")[1].split("\n## ")[0]
    blocks: list[str] = re.findall(r"^```\w*\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    [found] = [block for block in blocks if block.startswith(beginning)]
    return found


@dataclass(eq=False)
class Machine:
    """One of the three machines: its processes by service, in the order of their start."""

    name: str
    folder: Path
    ports: dict[str, int]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def node(self) -> Peer:
        """The machine's ``dicomquest serve``."""
        return Peer("127.0.0.1", self.ports["dicom"], "NODE")

    def log(self, service: str) -> Path:
        return self.folder / f"{service}.log"

    def run(
        self, service: str, command: Sequence[str], environment: dict[str, str], **options: Any
    ) -> None:
        with self.log(service).open("ab") as output:
            self.running[service] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=environment, start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  it takes no lock
                **options,
            )  # fmt: skip
        wait_until_listening(self.running[service], self.ports[service], self.log(service))

    def kill(self) -> None:
        """End all processes at once, as a power cut does."""
        own = [process.pid for process in self.running.values()] + self._database_server()
        pids = [pid for each in own for pid in (each, *children(each))]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.running.values():
            process.wait(LONG)
        self.running.clear()
        wait_for(lambda: not any(map(runs, pids)), f"the processes of {self.name} end")

    def _database_server(self) -> list[int]:
        """PostgreSQL, which Patroni starts as nobody's child."""
        files = self.folder.glob("postgresql/**/postmaster.pid")
        return [int(file.read_text().split()[0]) for file in files]


class Machines:
    """All three machines and their balancer; DICOM clients talk to ``peer``."""

    def __init__(self, folder: Path) -> None:
        """``folder`` has a short path, for its sockets, and the server's user may enter it."""
        self.folder = folder
        ports = iter(ports_of_servers(len(NAMES) * len(_SERVICES) + 1))
        self.peer = Peer("127.0.0.1", next(ports), "NODE")
        self.all = [
            Machine(name, folder / name, {each: next(ports) for each in _SERVICES})
            for name in NAMES
        ]
        for machine in self.all:
            machine.folder.mkdir()
            if as_user():
                shutil.chown(machine.folder, as_user()["user"])
        self._passwords = folder / "pgpass"
        self._passwords.write_text(f"*:*:*:*:{PASSWORD}\n")
        self._passwords.chmod(0o600)
        self._environment = {**ENVIRONMENT, "PGPASSFILE": str(self._passwords)}
        self._balancer: subprocess.Popen[bytes] | None = None

    def _here(self, text: str) -> str:
        """A text of the page with the addresses and folders of this run."""
        for machine in self.all:
            for service, port in _SERVICES.items():
                host = machine.name.replace("db", "node") if service == "dicom" else machine.name
                text = text.replace(f"{host}.example:{port}", f"127.0.0.1:{machine.ports[service]}")
        for old, new in {
            "bind :104": f"bind {self.peer.host}:{self.peer.port}",
            "/usr/lib/postgresql/15/bin": str(Path(program("postgres")).resolve().parent),
            "10.0.0.0/24": "127.0.0.1/32",
            "local all postgres peer": "local all postgres trust",
            "/srv/dicom": str(self.folder / "store"),
            '"..."': f'"{PASSWORD}"',
        }.items():
            text = text.replace(old, new)
        left = re.search(r"\S*(\.example|0\.0\.0\.0|/var/|/srv/)\S*", text)
        assert left is None, f"the page has {left[0]}, which this test does not know"
        return text

    def _own(self, text: str, machine: Machine) -> str:
        """A text that the page has for its first machine, adapted to another one."""
        text = re.sub(r"(name:? )db1\b", rf"\1{machine.name}", text)
        text = re.sub(
            r"(connect_address: |advertise-client-urls http://|advertise-peer-urls http://)db1",
            rf"\1{machine.name}",
            text,
        )
        for service, port in _SERVICES.items():
            text = re.sub(
                rf"0\.0\.0\.0(:| --port ){port}\b", rf"127.0.0.1\g<1>{machine.ports[service]}", text
            )
        text = text.replace("/var/run/postgresql", str(machine.folder)).replace(
            "/var/lib/", f"{machine.folder}/"
        )
        return self._here(text)

    def _arguments(self, beginning: str, machine: Machine) -> list[str]:
        """A command of the page, without its name."""
        words = self._own(block_of_page(beginning), machine).replace("\\\n", " ").split()
        return [word.strip("'") for word in words[1:]]

    def start_database(self) -> None:
        """Start etcd and Patroni everywhere, and wait for a primary and two replicas."""
        for machine in self.all:
            self._start_etcd(machine)
        for machine in self.all:
            self._start_patroni(machine)
        self.wait_for_members(3)

    def start_nodes(self) -> None:
        """Start ``dicomquest serve`` on each machine, and the balancer before them."""
        for machine in self.all:
            self._start_node(machine)
        file = self.folder / "haproxy.cfg"
        file.write_text(self._here(block_of_page("defaults")))
        with (self.folder / "haproxy.log").open("wb") as output:
            self._balancer = subprocess.Popen(
                [program("haproxy"), "-db", "-f", str(file)], stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,  # noqa: PLW1509  it takes no lock
            )  # fmt: skip
        wait_until_listening(self._balancer, self.peer.port, self.folder / "haproxy.log")

    def restart(self, machine: Machine) -> None:
        """Start a machine's services after a power cut, and wait until it has joined the others."""
        self._start_etcd(machine)
        self._start_patroni(machine)
        self._start_node(machine)
        self.wait_for_members(3)

    def stop(self) -> None:
        """End everything."""
        if self._balancer is not None:
            self._balancer.kill()
            self._balancer.wait(LONG)
        for machine in self.all:
            machine.kill()

    def _start_etcd(self, machine: Machine) -> None:
        arguments = self._arguments("etcd", machine)
        machine.run("etcd", [program("etcd"), *arguments], ENVIRONMENT, **as_user())

    def _start_patroni(self, machine: Machine) -> None:
        file = machine.folder / "dicom.yml"
        file.write_text(self._own(block_of_page("scope:"), machine))
        # Patroni keeps its passwords in the home of the user, who is another one here.
        environment = {**ENVIRONMENT, "HOME": str(machine.folder)}
        machine.run("patroni", [program("patroni"), str(file)], environment, **as_user())

    def _start_node(self, machine: Machine) -> None:
        arguments = self._arguments("dicomquest serve", machine)
        machine.run("dicom", [*COMMAND, *arguments, "--aet", "NODE"], self._environment)

    def ends_of_logs(self) -> str:
        """The last log lines of each process."""
        logs = sorted(self.folder.glob("**/*.log"))
        return "\n".join(f"--- {log}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)

    def members(self) -> list[dict[str, Any]]:
        """The database servers as Patroni sees them; none if Patroni does not answer."""
        for machine in self.all:
            url = f"http://127.0.0.1:{machine.ports['patroni']}/cluster"
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(url, timeout=LONG) as response,
            ):
                found: list[dict[str, Any]] = json.load(response)["members"]
                return found
        return []

    def wait_for_members(self, count: int) -> None:
        """Wait for so many servers: a primary, one synchronous replica, and others."""

        def are_there() -> bool:
            up = [
                each["role"] for each in self.members() if each["state"] in {"running", "streaming"}
            ]
            return len(up) == count and {"leader", "sync_standby"} <= set(up)

        wait_for(are_there, f"{count} database servers run", deadline=12 * LONG)

    def primary(self) -> Machine:
        """The machine whose database server takes writes."""
        [leader] = [each["name"] for each in self.members() if each["role"] == "leader"]
        return self.all[NAMES.index(leader)]

    def url(self) -> str:
        """The index, as the page gives it to ``--index``."""
        arguments = self._arguments("dicomquest serve", self.all[0])
        return arguments[arguments.index("--index") + 1].replace(
            "dicomquest@", f"dicomquest:{PASSWORD}@"
        )

    def create_index(self) -> None:
        """Make the role and the database; the page's commands would ask for a password."""
        machine = self.primary()
        address = f"host={machine.folder} port={machine.ports['postgresql']} user=postgres"
        with psycopg.connect(f"{address} dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE ROLE dicomquest LOGIN PASSWORD '{PASSWORD}'".encode())
            connection.execute(
                "CREATE DATABASE dicom ENCODING 'UTF8' TEMPLATE template0 OWNER dicomquest"
            )
        with psycopg.connect(f"{address} dbname=dicom", autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_trgm")


@contextlib.contextmanager
def three_machines() -> Iterator[Machines]:
    """Run the machines for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="dq-ha-"))
    folder.chmod(0o755)
    machines = Machines(folder)
    try:
        yield machines
    except BaseException as error:
        error.add_note(machines.ends_of_logs())
        raise
    finally:
        machines.stop()
        shutil.rmtree(folder, ignore_errors=True)
