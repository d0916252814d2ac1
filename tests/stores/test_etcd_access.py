"""Who is let into an etcd: users, tokens, certificates; and no password where it can be read."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from macvlan_ros import settings
from macvlan_ros.errors import Forbidden, InvalidRequest, MacvlanRosError, StoreDown
from macvlan_ros.models.pools import Record
from macvlan_ros.notation import parse_pool
from macvlan_ros.opening import open_for
from macvlan_ros.stores import open_store
from macvlan_ros.stores.access import EtcdAccess
from macvlan_ros.stores.copied import CopiedStore
from macvlan_ros.stores.etcd import EtcdStore
from macvlan_ros.stores.etcd_address import parse_url
from macvlan_ros.stores.picture import Picture
from tests.stores.etcd_server import Etcd, running

pytestmark = pytest.mark.alone

LAB = parse_pool("lab", subnet="10.0.0.0/24")
PASSWORD = "s3cret/w@rd:x"
ROBOT = EtcdAccess(user="robot", password=PASSWORD)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """An etcd that asks for a password; `robot` may use /robots/ alone. Tokens last 2 seconds."""
    folder = tmp_path_factory.mktemp("guarded")
    with running(folder, options=["--auth-token-ttl", "2"]) as etcd:
        etcd.ctl("user", "add", "root:rootpw")
        etcd.ctl("user", "grant-role", "root", "root")
        etcd.ctl("role", "add", "robots")
        grant = ["role", "grant-permission", "robots", "readwrite", "/robots/", "--prefix=true"]
        etcd.ctl(*grant)
        etcd.ctl("user", "add", f"robot:{PASSWORD}")
        etcd.ctl("user", "grant-role", "robot", "robots")
        etcd.ctl("auth", "enable")
        yield etcd


def said(url: str, access: EtcdAccess, kind: type[MacvlanRosError]) -> str:
    """The error's sentence, which never has the password in it."""
    with pytest.raises(kind) as caught, closing(EtcdStore(url, access)) as store:
        store.add_pool(LAB)
    assert PASSWORD not in repr(caught.value)
    return str(caught.value)


# -- users -----------------------------------------------------------------------------------------


def test_the_right_password_opens_its_prefix(guarded: Etcd) -> None:
    with closing(EtcdStore(guarded.url("robots"), ROBOT)) as store:
        store.add_pool(LAB)
        assert store.pools() == (LAB,)
        assert store.inspect() == ()


def test_the_user_may_stand_in_the_url(guarded: Etcd) -> None:
    url = guarded.url("robots").replace("etcd://", "etcd://robot@")
    with closing(EtcdStore(url, EtcdAccess(password=PASSWORD))) as store:
        assert store.add_pool(LAB) == LAB


def test_a_token_that_ran_out_is_renewed(guarded: Etcd) -> None:
    with closing(EtcdStore(guarded.url("robots"), ROBOT)) as store:
        store.add_pool(LAB)
        time.sleep(4)
        assert store.pools() == (LAB,)


def test_a_token_that_etcd_forgot_is_renewed(guarded: Etcd) -> None:
    with closing(EtcdStore(guarded.url("robots"), ROBOT)) as store:
        store.add_pool(LAB)
        guarded.members[0].kill()
        guarded.start()
        assert store.pools() == (LAB,)


def test_a_wrong_password_is_said(guarded: Etcd) -> None:
    access = replace(ROBOT, password=PASSWORD + "x")
    text = said(guarded.url("robots"), access, Forbidden)
    assert "does not know the user with this password" in text
    assert "MACVLAN_ROS_ETCD_PASSWORD" in text


def test_no_user_is_said(guarded: Etcd) -> None:
    text = said(guarded.url("robots"), EtcdAccess(), Forbidden)
    assert "asks for a user; set MACVLAN_ROS_ETCD_USER" in text


def test_a_prefix_without_rights_is_said_with_the_command(guarded: Etcd) -> None:
    text = said(guarded.url("others"), ROBOT, Forbidden)
    assert "no right to /others/" in text
    assert "grant-permission ROLE readwrite /others/ --prefix=true" in text


def test_a_user_for_an_etcd_without_users_is_fine(etcd_url: str) -> None:
    with closing(EtcdStore(etcd_url, ROBOT)) as store:
        assert store.add_pool(LAB) == LAB


def test_the_picture_is_kept_with_a_token_that_is_renewed(guarded: Etcd, tmp_path: Path) -> None:
    url = guarded.url("robots")
    found = settings.Settings(
        store=url, host="qtpc", etcd_copy=str(tmp_path), etcd_user="robot", etcd_password=PASSWORD
    )
    store = open_for(found, note=lambda _: None)
    assert isinstance(store, CopiedStore)
    picture = Picture(store, lasts=0.5, pause=0.1)
    with closing(store), closing(EtcdStore(url, ROBOT)) as other:
        picture.start()
        for number in range(4):
            record = other.remember(Record("use", f"picture{number}", "qtrp", ""))
            end = time.monotonic() + 10
            key = store.space.record_key("use", record.key)
            while store.file.get(key) is None:
                assert time.monotonic() < end
                time.sleep(0.02)
            time.sleep(1)
        picture.stop()


# -- passwords -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", [f"etcd://robot:{PASSWORD}@127.0.0.1:1/x", f"foo://robot:{PASSWORD}@127.0.0.1"]
)
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        open_store(url)
    assert "s3cret" not in str(caught.value)
    assert "w@rd" not in str(caught.value)


def test_a_password_in_the_url_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidRequest, match=r"robot:\*\*\*@a/x: .* process list .*PASSWORD_FILE"):
        open_store("etcd://robot:secret@a/x")


def test_a_password_shows_nowhere_in_the_settings(tmp_path: Path) -> None:
    environ = {"MACVLAN_ROS_ETCD_USER": "robot", "MACVLAN_ROS_ETCD_PASSWORD": PASSWORD}
    found = settings.load(environ, tmp_path / "absent")
    assert found.access == ROBOT
    assert PASSWORD not in repr(found) + repr(found.access)


def test_a_password_is_read_from_its_file(tmp_path: Path, guarded: Etcd) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    environ = {"MACVLAN_ROS_ETCD_USER": "robot", "MACVLAN_ROS_ETCD_PASSWORD_FILE": str(file)}
    access = settings.load(environ, tmp_path / "absent").access
    with closing(EtcdStore(guarded.url("robots"), access)) as store:
        assert store.add_pool(LAB) == LAB


@pytest.mark.parametrize(("text", "words"), [(None, "No such file"), ("", "is empty")])
def test_a_password_file_that_is_no_use_is_named(
    tmp_path: Path, text: str | None, words: str
) -> None:
    file = tmp_path / "password"
    if text is not None:
        file.write_text(text)
    access = EtcdAccess(user="robot", password_file=str(file))
    with pytest.raises(InvalidRequest, match=words) as caught:
        EtcdStore("etcd://127.0.0.1", access)
    assert str(file) in str(caught.value)


# -- the URL ---------------------------------------------------------------------------------------


def test_a_url_names_members_and_prefix() -> None:
    found = parse_url("etcd://a,b:1234,[fd00::1]:99,[::1]/deep/lab/")
    assert [str(member) for member in found.members] == [
        "a:2379",
        "b:1234",
        "[fd00::1]:99",
        "[::1]:2379",
    ]
    assert (found.prefix, found.tls) == ("/deep/lab/", False)
    assert parse_url("etcds://a").prefix == "/macvlan-ros/"
    assert parse_url("etcds://a").tls


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("etcd://", "no member's address"),
        ("etcd://a,,b", "no member's address"),
        ("etcd://a:x", "'x' is no port"),
        ("etcd://a:70000", "'70000' is no port"),
        ("etcd://a b", "no member's address"),
        ("etcd://@a", "no user before the @"),
        ("etcd://a/x?tls=1", "no prefix"),
        ("etcd:a", "unknown kind 'etcd'"),
    ],
)
def test_a_wrong_url_is_said_with_an_example(url: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        open_store(url)
    assert "etcd://192.168.50.10:2379" in str(caught.value)


# -- certificates ----------------------------------------------------------------------------------


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca = folder / "ca.pem"
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._new = new
        self._run(
            "req",
            "-x509",
            *new,
            "-days",
            "2",
            "-subj",
            "/CN=lab",
            keyout="ca-key.pem",
            out="ca.pem",
        )

    def sign(self, name: str, *, days: int = 2) -> tuple[Path, Path]:
        """Certificate and key for 127.0.0.1, good for so many days from now (or until then)."""
        extensions = self._folder / f"{name}.ext"
        extensions.write_text("subjectAltName=IP:127.0.0.1\n")
        self._run(
            "req", *self._new, "-subj", f"/CN={name}", keyout=f"{name}-key.pem", out=f"{name}.csr"
        )
        issuer = ["-CA", str(self.ca), "-CAkey", f"{self._folder}/ca-key.pem", "-CAcreateserial"]
        request = ["-in", f"{self._folder}/{name}.csr", "-extfile", str(extensions)]
        self._run("x509", "-req", "-days", str(days), *issuer, *request, out=f"{name}.pem")
        return self._folder / f"{name}.pem", self._folder / f"{name}-key.pem"

    def _run(self, *words: str, out: str, keyout: str = "") -> None:
        command = ["openssl", *words, "-out", f"{self._folder}/{out}"]
        command += ["-keyout", f"{self._folder}/{keyout}"] if keyout else []
        subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def secured(authority: Authority, name: str, *, days: int = 2) -> list[str]:
    cert, key = authority.sign(name, days=days)
    return ["--cert-file", str(cert), "--key-file", str(key)]


def test_tls_with_certificates_on_both_sides(tmp_path: Path, authority: Authority) -> None:
    options = [*secured(authority, "both"), "--client-cert-auth", "--trusted-ca-file"]
    cert, key = authority.sign("client")
    access = EtcdAccess(ca=str(authority.ca), cert=str(cert), key=str(key))
    with running(tmp_path, options=[*options, str(authority.ca)]) as etcd:
        url = etcd.url("lab", scheme="etcds")
        with closing(EtcdStore(url, access)) as store:
            store.add_pool(LAB)
            assert store.pools() == (LAB,)
        text = said(url, EtcdAccess(ca=str(authority.ca)), StoreDown)
        assert "it does not take this PC's certificate (MACVLAN_ROS_ETCD_CERT)" in text
        old_cert, old_key = authority.sign("old-client", days=-1)
        text = said(url, replace(access, cert=str(old_cert), key=str(old_key)), StoreDown)
        assert "this PC's certificate" in text
        assert "its certificate is not to be trusted" in said(url, EtcdAccess(), StoreDown)
        text = said(etcd.url("lab"), EtcdAccess(), StoreDown)
        assert "if it speaks TLS, write etcds://" in text


def test_an_expired_certificate_is_named_as_such(tmp_path: Path, authority: Authority) -> None:
    with running(tmp_path, options=secured(authority, "expired", days=-1)) as etcd:
        access = EtcdAccess(ca=str(authority.ca))
        text = said(etcd.url("lab", scheme="etcds"), access, StoreDown)
    assert f"{etcd.members[0].client}: its certificate has expired" in text


def test_tls_with_an_etcd_that_speaks_none_is_said(etcd: Etcd) -> None:
    text = said(etcd.url("lab", scheme="etcds"), EtcdAccess(), StoreDown)
    assert "if it speaks none, write etcd://" in text


def test_tls_files_for_a_plain_url_are_refused(authority: Authority) -> None:
    with pytest.raises(InvalidRequest, match=r"MACVLAN_ROS_ETCD_CA is set; write etcds://"):
        EtcdStore("etcd://a", EtcdAccess(ca=str(authority.ca)))


@pytest.mark.parametrize("kind", ["ca", "cert"])
def test_a_tls_file_that_is_no_use_is_named(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file.pem"
    for text, words in ((None, "No such file"), ("nonsense", "not PEM")):
        if text:
            file.write_text(text)
        access = EtcdAccess(ca=str(file)) if kind == "ca" else EtcdAccess(cert=str(file))
        with pytest.raises(InvalidRequest, match=words) as caught:
            EtcdStore("etcds://a", access)
        assert str(file) in str(caught.value)
