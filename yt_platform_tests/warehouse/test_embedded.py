"""The embedded server against real processes, files and clients, as nothing less shows who is let in and what survives.

Run by root, the server is another account's; run by a user, that user's. Each test asserts what holds for its runner.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import adbc_driver_postgresql.dbapi
import psutil
import psycopg
import psycopg2
import pytest
import sqlalchemy

from yt_platform.outage import outage
from yt_platform.settings import Settings
from yt_platform.warehouse.databases import Databases
from yt_platform.warehouse.embedded import keeper as embedded_keeper
from yt_platform.warehouse.embedded.keeper import command_line, is_suspended, postmaster_file, run_as
from yt_platform.warehouse.embedded.server import EmbeddedPostgres, EmbeddedPostgresError
from yt_platform.warehouse.pgpass import role_password
from yt_platform_tests.conftest import reachable_folder

ROOT = Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0
OUTSIDE = Path("/var/lib/yt-platform")

# Prints the URL once the server answers, then holds its lease until its input ends.
CLIENT = """
import sys
from pathlib import Path
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.acquire()
print(server.url("postgres"), flush=True)
sys.stdin.read()
"""

# Prints the paths of its input that it may read, write or look into.
LET_IN = """
while IFS= read -r path; do
    if [ -r "$path" ] || [ -w "$path" ] || [ -x "$path" ]; then echo "$path"; fi
done
"""


@pytest.fixture(scope="module")
def module_home() -> Iterator[Path]:
    with reachable_folder() as folder:
        yield folder / "home"


@pytest.fixture
def home(module_home: Path) -> Iterator[Path]:
    """A home whose cluster the tests of this module share, with no server running before or after."""
    yield module_home
    EmbeddedPostgres(module_home).stop()


@pytest.fixture
def fresh_home() -> Iterator[Path]:
    """A home that does not exist yet."""
    with reachable_folder() as folder:
        yield folder / "home"
        EmbeddedPostgres(folder / "home").stop()


@contextlib.contextmanager
def _client(home: Path, script: str = CLIENT, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _url(client: subprocess.Popen[str]) -> str:
    assert client.stdout is not None
    line = client.stdout.readline().strip()
    assert line.startswith("postgresql://"), "the client ended before its server answered"
    return line


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "did not happen within a minute"
        time.sleep(0.05)


def _answer(url: str, query: str = "SELECT 42") -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row
    return row[0]


def _execute(url: str, *statements: str) -> None:
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement)


def _data(home: Path) -> Path:
    return home / "postgres" / "data"


def _outside(home: Path) -> Path:
    return OUTSIDE / hashlib.sha256(bytes(home.resolve())).hexdigest()[:12]


def _postmaster(home: Path) -> int:
    return int(postmaster_file(_data(home))[0])


def _socket_folder(home: Path) -> str:
    """Root's server names it by its own folder."""
    return postmaster_file(_data(home))[4].replace(embedded_keeper.HERE, str(_data(home)))


def _has_keeper(home: Path) -> bool:
    with (home / "postgres" / "keeper.lock").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _keeper(home: Path) -> int:
    found = [
        pid
        for pid in psutil.pids()
        if embedded_keeper.__file__ in command_line(pid) and str(home / "postgres") in command_line(pid)
    ]
    assert len(found) == 1
    return found[0]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _remove_outside(home: Path) -> None:
    """Remove the copy of programs that a server started by root keeps outside a home."""
    EmbeddedPostgres(home).stop()
    shutil.rmtree(_outside(home), ignore_errors=True)
    with contextlib.suppress(OSError):
        OUTSIDE.rmdir()  # only if nothing of another home is in it


def test_every_client_reads_the_url_whatever_the_path_holds(fresh_home: Path) -> None:
    """Real drivers and psql, because each of them parses URLs and password files in its own way."""
    home = fresh_home / 'a b\'c+d%e$HOME,"f"&g=h\\ü'
    with EmbeddedPostgres(home) as server:
        url = server.url("postgres")
        assert role_password(home / "postgres" / "pgpass", "youtube") not in url
        assert _answer(url) == 42
        with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 42")
            assert cursor.fetchone() == (42,)
        with adbc_driver_postgresql.dbapi.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 42")
            assert cursor.fetchone() == (42,)
        engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT 42")).scalar() == 42
        engine.dispose()
        psql = [server.bin_dir / "psql", url, "-Atc", "SELECT 42"]
        assert subprocess.run(psql, capture_output=True, text=True, check=True).stdout == "42\n"
        sockets = Path(_socket_folder(home))
        if IS_ROOT:
            assert sockets == _data(home) / "run"
            return
        assert sockets.parent == Path("/tmp")  # a comma would end the host for libpq
        assert _answer(psycopg.conninfo.make_conninfo(url, host=str(sockets))) == 42
    sockets.rmdir()


def test_nobody_gets_in_without_the_password(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real connections over TCP and socket: a rule of trust anywhere would let them in."""
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with EmbeddedPostgres(home) as server:
        port = psycopg.conninfo.conninfo_to_dict(server.url("postgres"))["port"]
        for host in ("127.0.0.1", _socket_folder(home)):
            for user in ("youtube", "postgres", "nobody"):
                target = {"host": host, "port": port, "user": user, "dbname": "postgres", "passfile": "/nonexistent"}
                with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                    psycopg.connect(**target, password="wrong")
                with pytest.raises(psycopg.OperationalError, match="no password supplied"):
                    psycopg.connect(**target)
        methods = "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules"
        assert _answer(server.url("postgres"), methods) == ["scram-sha-256"]


def test_a_further_role_logs_in_by_a_password_file_of_its_own(home: Path) -> None:
    """By a real login: who is given the reader's file once found the superuser's password in it."""
    with EmbeddedPostgres(home) as server:
        file = home / "reader.pgpass"
        password = role_password(file, "reader")
        assert role_password(file, "reader") == password
        _execute(server.url("postgres"), f"CREATE ROLE reader LOGIN PASSWORD '{password}'")
        assert _answer(server.url("postgres", "reader", file), "SELECT current_user") == "reader"


def test_secrets_stay_in_a_file_of_the_callers(home: Path) -> None:
    """On the files themselves: a password in a log is found by whoever may read logs."""
    with EmbeddedPostgres(home) as server:
        password = role_password(home / "postgres" / "pgpass", "youtube")
        with pytest.raises(psycopg.errors.DuplicateObject):
            _execute(server.url("postgres"), f"CREATE ROLE youtube PASSWORD '{password}'")
        state, data = home / "postgres", _data(home)
        pgpass = state / "pgpass"
        assert (_mode(home), _mode(state)) == (0o700, 0o700)
        assert (_mode(pgpass), pgpass.stat().st_uid) == (0o600, os.geteuid())
        assert [_mode(state / name) for name in ("lock", "keeper.lock", "leases", "data")] == [
            0o600,
            0o600,
            0o700,
            0o700,
        ]
        assert [_mode(data / name) for name in ("server.conf", "log", "run")] == [0o600, 0o700, 0o700]
        logs = list((data / "log").iterdir())
        assert logs
        for file in [*logs, state / "start.log", state / "keeper.log", data / "server.conf"]:
            assert password not in file.read_text()
        assert all(_mode(log) == 0o600 for log in logs)


@pytest.mark.skipif(not IS_ROOT, reason="only root can be other users")
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_no_other_user_reaches_a_lock_a_password_a_socket_or_a_row(fresh_home: Path, umask: int) -> None:
    """As a real user of the machine: who can open a lock can hold it and stop every command."""
    before = os.umask(umask)
    try:
        with EmbeddedPostgres(fresh_home):
            paths = [fresh_home, *fresh_home.rglob("*")]
            assert [path for path in paths if _mode(path) & 0o077 and not path.is_socket()] == []
            names = "".join(f"{path}\n" for path in ["/", *paths])  # one process for all: there are a thousand
            seen = subprocess.run(
                ["sh", "-c", LET_IN],
                input=names,
                user="nobody",
                group="nogroup",
                extra_groups=[],
                capture_output=True,
                text=True,
                check=True,
            )
            assert seen.stdout == "/\n"
    finally:
        os.umask(before)


@pytest.mark.skipif(not IS_ROOT, reason="only root's server has an account of its own")
def test_roots_server_has_an_account_of_its_own_and_takes_older_homes_over(fresh_home: Path) -> None:
    """A home as commit 9529093 made it for root: open, its cluster nobody's, log and configuration beside that."""
    account = pwd.getpwnam("yt-platform")
    with EmbeddedPostgres(fresh_home) as server:
        url = server.url("postgres")
        _execute(url, "CREATE TABLE kept AS SELECT 42 AS n")
        assert Path(f"/proc/{_postmaster(fresh_home)}").stat().st_uid == account.pw_uid
    state, data = fresh_home / "postgres", _data(fresh_home)
    for path in (data / "log", data / "server.conf"):
        path.rename(state / path.name)
    for path in [data, *data.rglob("*"), state / "log", *(state / "log").iterdir()]:
        os.chown(path, 65534, 65534)
    (fresh_home / "forgotten.json").touch(mode=0o644)
    for folder in (fresh_home, state):
        folder.chmod(0o755)
    with EmbeddedPostgres(fresh_home) as server:
        assert server.url("postgres") == url
        assert _answer(url, "SELECT n FROM kept") == 42
        assert Path(f"/proc/{_postmaster(fresh_home)}").stat().st_uid == account.pw_uid
        assert {path.stat().st_uid for path in [data, *data.rglob("*")]} == {account.pw_uid}
        assert [_mode(path) for path in (fresh_home, state, fresh_home / "forgotten.json")] == [0o700, 0o700, 0o600]


def test_settings_are_the_ones_in_force(home: Path) -> None:
    """Asked of the server, as a setting can be lost to a file read later or to an environment variable."""
    wanted = {
        "shared_buffers": "256MB",
        "work_mem": "32MB",
        "maintenance_work_mem": "256MB",
        "wal_level": "minimal",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "max_connections": "120",
        "TimeZone": "UTC",
        "fsync": "on",
        "synchronous_commit": "on",
        "huge_pages": "off",
        "dynamic_shared_memory_type": "posix",
        "listen_addresses": "127.0.0.1",
        "server_encoding": "UTF8",
        "data_checksums": "on",
    }
    with EmbeddedPostgres(home) as server, psycopg.connect(server.url("postgres")) as connection:
        found = dict(connection.execute("SELECT name, current_setting(name) FROM pg_settings").fetchall())
        locale = connection.execute("SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'template1'")
        assert {name: found[name] for name in wanted} == wanted
        assert locale.fetchone() == ("b", "C.UTF-8")


def test_the_callers_environment_stays_with_the_caller(fresh_home: Path) -> None:
    """A whole start with a secret and hostile variables: the secret must not reach processes of another account."""
    hostile = {"PGDATA": "/nonexistent", "PGPORT": "1", "LC_ALL": "xx_XX.UTF-8", "YT_YOUTUBE_API_KEY": "secret"}
    with _client(fresh_home, **hostile) as client:
        assert _answer(_url(client)) == 42
        for pid in (_postmaster(fresh_home), _keeper(fresh_home)):
            assert "secret" not in Path(f"/proc/{pid}/environ").read_text()


def test_leases_are_counted_within_a_process_and_between(home: Path) -> None:
    """Real processes, because a lease belongs to one."""
    first, second = EmbeddedPostgres(home), EmbeddedPostgres(home)
    first.acquire()
    first.acquire()
    first.release()
    assert first.running()
    second.acquire()
    first.release()
    first.release()  # holds none: another's lease is not its to give back
    assert first.running()
    with _client(home) as client:
        url = _url(client)
        second.release()
        assert _answer(url) == 42
        client.communicate()
        assert client.returncode == 0
        assert not first.running()


def test_a_forked_child_does_not_give_its_parents_lease_back(home: Path) -> None:
    """A real fork whose child runs the exit handlers it inherited."""
    script = CLIENT.replace("print(", "import os\nif os.fork() == 0:\n    sys.exit()\nos.wait()\nprint(")
    with _client(home, script) as client:
        assert _answer(_url(client)) == 42


def test_the_server_goes_with_a_killed_client(home: Path) -> None:
    """kill -9 of a real client, left unreaped: a zombie still has a pid and a start time."""
    with _client(home) as client:
        _url(client)
        client.kill()
        _eventually(lambda: not EmbeddedPostgres(home).running())
    _eventually(lambda: not _has_keeper(home))
    assert not list((home / "postgres" / "leases").iterdir())
    assert (home / "postgres" / "keeper.log").read_text() == ""


def test_a_killed_keeper_is_replaced(home: Path) -> None:
    """kill -9 of the real keeper: the next client brings a new one, which then sees both clients killed."""
    with _client(home) as client, _client(home) as other:
        _url(client)
        _url(other)
        os.kill(_keeper(home), signal.SIGKILL)
        _eventually(lambda: not _has_keeper(home))
        with EmbeddedPostgres(home):
            assert _has_keeper(home)
    _eventually(lambda: not EmbeddedPostgres(home).running())


def test_a_pid_used_again_is_no_lease(home: Path) -> None:
    """A lease file of a live pid with another start, as an earlier process of that pid left it."""
    server = EmbeddedPostgres(home)
    server.acquire()
    (home / "postgres" / "leases" / f"{os.getpid()}-1.00000000-forged").touch()
    (home / "postgres" / "leases" / "1-1.00000000-forged").touch()
    server.release()
    assert not server.running()


def test_a_kept_server_outlives_its_clients_until_stopped(fresh_home: Path) -> None:
    """Real processes end around it. The output of the one that starts it must close: nothing else may hold it open."""
    script = CLIENT.replace("server.acquire()", "server.keep()")
    subprocess.run([sys.executable, "-c", script, fresh_home], cwd=ROOT, input=b"", capture_output=True, check=True)
    postmaster = _postmaster(fresh_home)
    server = EmbeddedPostgres(fresh_home)
    with _client(fresh_home) as client:
        _url(client)
        with pytest.raises(EmbeddedPostgresError, match=f"used by process {client.pid}\n"):
            server.stop()
        client.kill()
        _eventually(lambda: not list((fresh_home / "postgres" / "leases").iterdir()))  # so the keeper has looked
    with server:
        assert _answer(server.url("postgres")) == 42
    assert server.running()
    assert _postmaster(fresh_home) == postmaster
    server.stop()
    assert not server.running()
    server.stop()


def test_committed_rows_survive_a_killed_postmaster(home: Path) -> None:
    """kill -9 while a session is busy and so outlives its postmaster: a second server beside it would ruin the data."""
    with EmbeddedPostgres(home) as server:
        url = server.url("postgres")
        _execute(url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        with contextlib.closing(psycopg.connect(url, autocommit=True)) as busy:
            session = Path(f"/proc/{busy.info.backend_pid}/cmdline")
            busy.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
            os.kill(_postmaster(home), signal.SIGKILL)
            _eventually(lambda: not server.running())
            assert session.read_text().startswith("postgres: yt_")
            with server:
                assert not session.exists() or not session.read_text()  # gone, or a zombie where nobody reaps
                assert _answer(server.url("postgres"), "SELECT count(*) FROM kept") == 1000
    assert not server.running()


def test_stale_lock_files_may_name_another_server(home: Path, fresh_home: Path) -> None:
    """The files as a killed postmaster leaves them, its pid now another server's: PostgreSQL would refuse to start."""
    with EmbeddedPostgres(fresh_home), EmbeddedPostgres(home) as server:
        sockets = Path(_socket_folder(home))
        os.kill(_postmaster(home), signal.SIGKILL)
        _eventually(lambda: not server.running())
        for stale in (_data(home) / "postmaster.pid", *sockets.glob(".s.PGSQL.*.lock")):
            stale.write_text("\n".join([str(_postmaster(fresh_home)), *stale.read_text().splitlines()[1:], ""]))
        with server:
            assert _answer(server.url("postgres")) == 42
        assert EmbeddedPostgres(fresh_home).running()


def test_two_processes_may_start_it_at_once(fresh_home: Path) -> None:
    """Real processes race from nothing: one cluster, one server, one keeper, and it lasts as long as either."""
    with _client(fresh_home) as one, _client(fresh_home) as other:
        assert _url(one) == _url(other)
        one.kill()
        one.wait()
        with EmbeddedPostgres(fresh_home) as server:
            assert _answer(server.url("postgres")) == 42
        other.communicate()
        assert not EmbeddedPostgres(fresh_home).running()


def test_an_interrupted_initdb_is_made_anew(fresh_home: Path) -> None:
    """A client killed while its initdb works, and goes on working: what that made must never pass for a cluster."""
    with _client(fresh_home) as client:
        _eventually(lambda: any(fresh_home.glob("postgres/new-*/data/*")))
        client.kill()
        client.wait()
        assert not (fresh_home / "postgres" / "data").exists()
    with EmbeddedPostgres(fresh_home) as server:
        assert _answer(server.url("postgres")) == 42
    unfinished = f"{fresh_home}/postgres/new-"
    _eventually(lambda: not any(unfinished in " ".join(command_line(pid)) for pid in psutil.pids()))
    with EmbeddedPostgres(fresh_home):
        assert not list(fresh_home.glob("postgres/new-*"))


def test_a_cluster_of_another_major_version_is_refused(home: Path) -> None:
    """On real files: the message must come before PostgreSQL's own, which does not say what to do."""
    with EmbeddedPostgres(home):
        pass
    version = _data(home) / "PG_VERSION"
    version.write_text("16\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match=r"version 16, and the server is version 18(.|\n)*remedy: dump"):
            EmbeddedPostgres(home).acquire()
    finally:
        version.write_text("18\n")
    assert not list((home / "postgres" / "leases").iterdir())


def test_a_data_directory_in_use_by_another_server_is_refused(home: Path) -> None:
    """A real second server, started by hand on our files: it is named, not joined and not stopped."""
    ours = EmbeddedPostgres(home)
    with ours:
        pass
    data = _data(home)
    account = (data.stat().st_uid, data.stat().st_gid) if IS_ROOT else None
    options = "-c listen_addresses= -k run"
    run_as(account, [ours.bin_dir / "pg_ctl", "start", "-o", options], None, data)
    try:
        with pytest.raises(EmbeddedPostgresError, match=f"in use by another(.|\n)*process {_postmaster(home)}\n"):
            ours.acquire()
        assert not ours.running()
        ours.stop()
        assert postmaster_file(data)
    finally:
        run_as(account, [ours.bin_dir / "pg_ctl", "stop", "-m", "fast"], None, data)


def test_files_that_are_no_cluster_are_refused_and_left_alone(fresh_home: Path) -> None:
    """On real files, which might be someone's only copy of something."""
    stray = fresh_home / "postgres" / "data" / "stray"
    stray.parent.mkdir(parents=True)
    stray.touch()
    if IS_ROOT:
        os.chown(stray.parent, 65534, 65534)
    with pytest.raises(EmbeddedPostgresError, match="no PostgreSQL cluster"):
        EmbeddedPostgres(fresh_home).acquire()
    assert stray.exists()


def test_a_lost_password_is_said_before_anybody_is_locked_out(home: Path) -> None:
    """On real files: made anew silently, the password would not be the one the cluster knows."""
    server = EmbeddedPostgres(home)
    with server:
        pass
    pgpass = home / "postgres" / "pgpass"
    saved = pgpass.rename(home / "saved")
    try:
        with pytest.raises(EmbeddedPostgresError, match="password of the embedded PostgreSQL is lost"):
            server.acquire()
    finally:
        saved.rename(pgpass)


def test_a_server_that_does_not_start_says_why(home: Path) -> None:
    """A real failure, as what PostgreSQL says of it is spread over two files."""
    server = EmbeddedPostgres(home)
    with server:
        password = role_password(home / "postgres" / "pgpass", "youtube")
    rules = _data(home) / "pg_hba.conf"
    good = rules.read_text()
    rules.write_text("nonsense\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match=r'invalid connection type "nonsense"') as caught:
            server.acquire()
    finally:
        rules.write_text(good)
    assert password not in str(caught.value)
    assert not server.running()


def test_a_home_that_cannot_be_written_is_an_error_that_says_so(tmp_path: Path) -> None:
    """On a real file in the way, which stops root too."""
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match=r"Not a directory(.|\n)*remedy: .*YT_HOME"):
        EmbeddedPostgres(tmp_path / "file" / "home").acquire()


def test_url_needs_a_running_server(home: Path, tmp_path: Path) -> None:
    """On real homes: one that never had a server, and one whose server has stopped."""
    with EmbeddedPostgres(home):
        pass
    with pytest.raises(EmbeddedPostgresError, match="accepts no connections"):
        EmbeddedPostgres(home).url("postgres")
    with pytest.raises(EmbeddedPostgresError, match="never started"):
        EmbeddedPostgres(tmp_path / "none").url("postgres")
    assert not (tmp_path / "none").exists()


def test_the_port_is_kept_unless_it_is_taken(home: Path) -> None:
    """Real sockets: a BI tool's connection should outlast a restart, and a taken port must not stop the server."""
    server = EmbeddedPostgres(home)
    with server:
        first = server.url("postgres")
    port = int(str(psycopg.conninfo.conninfo_to_dict(first)["port"]))
    with socket.create_server(("127.0.0.1", port)), server:
        second = server.url("postgres")
        assert second != first
        assert _answer(second) == 42
    with server:
        assert server.url("postgres") == second


def test_old_logs_are_removed(home: Path) -> None:
    """The real keeper does it, while the server runs."""
    with EmbeddedPostgres(home):
        log = _data(home) / "log"
        for minute in range(10, 20):
            (log / f"server-20200101-00{minute}00.log").touch()
        _eventually(lambda: len(list(log.iterdir())) <= 5)
        assert max(log.iterdir()).name > "server-2021"


@pytest.mark.skipif(IS_ROOT, reason="root's server names its socket by a short path of its own")
def test_a_long_path_gets_its_socket_elsewhere(fresh_home: Path, tmp_path: Path) -> None:
    """A real socket: the kernel allows its path 107 bytes. In /tmp the name may be another's, and then is not used."""
    home = fresh_home / ("long" * 30)
    server = EmbeddedPostgres(home)
    with server:
        folder = Path(_socket_folder(home))
        port = psycopg.conninfo.conninfo_to_dict(server.url("postgres"))["port"]
        passfile = home / "postgres" / "pgpass"
        assert _answer(f"host={folder} port={port} user=youtube dbname=postgres passfile={passfile}") == 42
        assert (_mode(folder), folder.stat().st_uid) == (0o700, _data(home).stat().st_uid)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedPostgresError, match="is not a folder of user"):
            server.acquire()
    finally:
        folder.unlink()


def test_it_runs_unprivileged_and_changes_no_folder_above(fresh_home: Path) -> None:
    """Real accounts and modes. The wheel's own starter made every folder above 755 when run by root."""
    above = [path.lstat() for path in fresh_home.parents]
    umask = os.umask(0o027)
    try:
        fresh_home.mkdir(mode=0o755)
        fresh_home.chmod(0o755)
        with EmbeddedPostgres(fresh_home):
            owner = Path(f"/proc/{_postmaster(fresh_home)}").stat().st_uid
            assert owner == _data(fresh_home).stat().st_uid
            assert (owner != 0) if IS_ROOT else (owner == os.geteuid())
            assert _data(fresh_home) == fresh_home / "postgres" / "data"
    finally:
        os.umask(umask)
    for path, before in zip(fresh_home.parents, above, strict=True):
        after = path.lstat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_home_and_a_wheel_closed_to_others_work(tmp_path: Path) -> None:
    """As in a clone under root's home: real folders of mode 700 above home and wheel, and a umask to match."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    site, home = closed / "site", closed / "home"
    site.mkdir()
    package = EmbeddedPostgres(home).bin_dir.parents[1]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        (site / folder.name).symlink_to(folder)
    try:
        with _client(home, "import os\nos.umask(0o077)\n" + CLIENT, PYTHONPATH=str(site)) as client:
            assert _answer(_url(client)) == 42
            program = Path(f"/proc/{_postmaster(home)}/cmdline").read_text().split("\0")[0]
            assert not IS_ROOT or Path(program).is_relative_to(_outside(home))
            assert _data(home).exists()
            client.communicate()
        with EmbeddedPostgres(home) as server:  # now by the wheel of this environment, which may be open
            assert _answer(server.url("postgres")) == 42
        assert (_mode(closed), _mode(tmp_path)) == (0o700, 0o700)
    finally:
        _remove_outside(home)


def test_a_killed_server_that_somebody_uses_is_told_without_starting_it(home: Path) -> None:
    """With a real client that holds its lease, as `up` does: `status` once waited a minute for it."""
    server, settings = EmbeddedPostgres(home), Settings(home=home, _env_file=None)
    with _client(home) as client:
        _url(client)
        assert outage(settings) is None
        os.kill(_postmaster(home), signal.SIGKILL)
        _eventually(lambda: not server.running())
        told = outage(settings)
        assert told
        assert told["broken"][0]["reason"].startswith(f"it does not run, although process {client.pid} uses it")
        assert (told["database"]["answers"], told["database"]["up"]) == (False, False)
        assert told["database"]["log"]
        assert not server.running()
    assert outage(settings) is None  # nobody uses it: whoever needs it starts it


def test_a_server_that_takes_connections_and_says_nothing_is_told_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yt_platform.warehouse.databases.ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/youtube"
        assert Databases(tmp_path, url).unanswered() == "it does not answer within 0.2 seconds"


def test_a_server_that_a_signal_has_stopped_is_told_at_once(home: Path) -> None:
    with EmbeddedPostgres(home):
        server = _postmaster(home)
        os.kill(server, signal.SIGSTOP)
        try:
            _eventually(lambda: is_suspended(server))
            told = outage(Settings(home=home, _env_file=None))
            assert told
            assert f"kill -CONT {server}" in told["broken"][0]["reason"]
        finally:
            os.kill(server, signal.SIGCONT)


def test_a_killed_server_is_revived_where_another_program_has_taken_its_port(home: Path) -> None:
    """`up` kept the old address for good, and `status` said that nothing is broken."""
    databases = Databases(home)
    with databases.open() as before:
        assert databases.revived() == before
        port = urlsplit(before.warehouse).port or 0
        os.kill(_postmaster(home), signal.SIGKILL)
        with _listening(port):
            after = databases.revived()
            assert urlsplit(after.warehouse).port != port
            assert _answer(EmbeddedPostgres(home).url("postgres")) == 42
            assert databases.revived() == after


@contextlib.contextmanager
def _listening(port: int) -> Iterator[None]:
    """Another program on the port of a server that was killed, once the last of its processes has ended."""
    _eventually(lambda: _is_refused(port))
    with socket.create_server(("127.0.0.1", port)):
        yield


def _is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
