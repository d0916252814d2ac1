"""Commands for the first minutes: init."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from netaddr import IPNetwork, IPRange

from macvlan_ros import addresses, notation
from macvlan_ros.cli.common import (
    Rehearsed,
    dry_run_option,
    host_option,
    no_probe_option,
    open_app,
    quiet_option,
    shared_options,
)
from macvlan_ros.errors import Conflict, DockerDown, Forbidden, InvalidRequest, MacvlanRosError
from macvlan_ros.launching import drafting
from macvlan_ros.launching.drafting import Draft, DraftService
from macvlan_ros.report import Report, range_text
from macvlan_ros.stack.yamlfile import is_there
from macvlan_ros.whole_file import write_whole

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.models.links import Link
    from macvlan_ros.wire.dhcp import Offer

T = TypeVar("T")

_OPTION = re.compile(r"^--(range |service .*?: )")


@click.command()
@click.option(
    "-f",
    "--file",
    "path",
    default="compose.yaml",
    show_default=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The file to write.",
)
@click.option("-y", "--yes", is_flag=True, help="Ask nothing; take what was found out.")
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME=IMAGE[@HOST]",
    help="A service, and the PC that it belongs to [this one].",
)
@click.option("--master", metavar="NAME", help="The service that runs roscore.")
@click.option("--range", "handed_out", metavar="FROM-TO|CIDR", help="What may be handed out.")
@click.option("--parent", metavar="LINK", help="Interface: name, MAC or subnet.")
@host_option
@no_probe_option
@quiet_option("Ask nothing and say nothing but errors.")
@dry_run_option
@shared_options
@click.pass_context
def init(
    context: click.Context,
    *,
    path: Path,
    yes: bool,
    services: tuple[str, ...],
    master: str | None,
    handed_out: str | None,
    parent: str | None,
) -> None:
    """Write a stack file with comments, after a few questions about this PC and its LAN.

    What can be read off this PC is proposed: its interface, a part of the LAN's subnet, and the
    containers that run here with --network host. The LAN is asked for its DHCP server, which must
    not hand out the same addresses. Options answer questions in advance.
    """
    _refuse_a_second_one(context, path)
    app, report = open_app(context)
    yes = yes or report.quiet or report.as_json
    if not yes and not sys.stdin.isatty():
        raise InvalidRequest("init asks questions, and there is no terminal; take --yes")
    link = _parent(app, parent, ask=not yes)
    found = drafting.parse_services(services, here=app.settings.host_name)
    ranges = _ranges(app, report, link, handed_out, ask=not yes)
    running = {} if found else _running(app, report)
    if not found:
        found = _services(running, app.settings.host_name, ask=not yes)
    taken_over = [one.name for one in found if running.get(one.name) == one.image]
    names = [service.name for service in found]
    master = _master(names, master, ask=not yes)
    hosts = _parents([service.host for service in found], link, here=app.settings.host_name)
    text = drafting.render(Draft(link, ranges, found, master, hosts))
    if isinstance(app, Rehearsed):
        app.changes.append(f"write {path}")
        report.text("" if report.as_json else text)
        return
    _write(path, text)
    if report.as_json:
        report.json({"file": str(path), "services": names, "master": master or None})
    elif not report.quiet:
        if taken_over:
            report.note(
                "of what runs here, names and images were taken over, and nothing else (all of a"
                " line: macvlan-ros import -- docker run …); remove it before the launch, with:"
                f" docker rm -f {' '.join(taken_over)}"
            )
        report.line(f"wrote {path}; read it once, then: macvlan-ros launch")


def _refuse_a_second_one(context: click.Context, path: Path) -> None:
    """Raises Conflict where a stack file is there already that the new one would stand before."""
    from macvlan_ros.stack import files

    found = [name for name in files.NAMES if (path.parent / name).exists()]
    named = context.get_parameter_source("path") is not click.core.ParameterSource.DEFAULT
    if is_there(path) or (found and not named):
        there = path if is_there(path) else found[0]
        raise Conflict(
            f"{there} is there already, and macvlan-ros launch takes it as it stands; edit it,"
            " or write another one with: init -f FILE"
        )


def _parent(app: App, said: str | None, *, ask: bool) -> Link:
    """The interface to the LAN; it is asked for where several could be it."""
    able = [] if said or not ask else [link for link in app.links.links() if not link.objection]
    if len(able) < 2:
        return app.parent(said or "")
    click.echo("These interfaces could carry the containers:", err=True)
    for link in able:
        click.echo(f"  {link.name}: {', '.join(map(str, link.addresses))}", err=True)
    name: str = click.prompt(
        "Which of them is on the LAN of the robot's PCs?",
        default=next((link.name for link in able if link.chosen), None),
        type=click.Choice([link.name for link in able]),
        err=True,
    )
    return app.parent(name)


def _ranges(app: App, report: Report, link: Link, said: str | None, *, ask: bool) -> IPRange:
    subnet = _subnet(link)

    def checked(text: str) -> IPRange:
        wanted = notation.parse_range(text)
        gateway = link.gateway if link.gateway and link.gateway in subnet else None
        notation.parse_pool("new", subnet=subnet, ranges=[wanted], gateway=gateway)
        return wanted

    proposed = range_text(addresses.default_range(subnet))
    if said or not ask:
        return checked(said or proposed)
    click.echo(f"{link.name} is on the LAN {subnet}; its router: {link.gateway or '-'}", err=True)
    offers = _offers(app, report, subnet)
    question = "Which addresses may be handed out? None that your router hands out itself"
    ranges = _ask(question, checked, default=proposed)
    taken = next((offer for offer in offers if offer.address in ranges), None)
    if taken is not None:
        report.note(
            f"the DHCP server {taken.server} hands out addresses of these: it just offered"
            f" {taken.address}; choose others, or end its range below them"
        )
        ranges = _ask(question, checked, default=range_text(ranges))
    return ranges


def _offers(app: App, report: Report, subnet: IPNetwork) -> Sequence[Offer]:
    """What the LAN's DHCP servers offer, unless nobody is to be asked, or can be."""
    if app.settings.probe == "none":
        return ()
    try:
        return app.scout.offers(subnet, progress=report.progress)
    except MacvlanRosError as error:
        report.note(f"the LAN was not asked for its DHCP server: {error}")
        return ()


def _subnet(link: Link) -> IPNetwork:
    """The LAN's, IPv4 first; a parent has one."""
    found = [each.cidr for each in link.addresses if not each.ip.is_link_local()]
    return min(found, key=lambda each: each.version)


def _ask(text: str, reader: Callable[[str], T], *, default: str | None = None) -> T:
    """Ask until the reader is content."""

    def read(answer: str) -> T:
        try:
            return reader(answer.strip())
        except MacvlanRosError as error:
            # nobody has written the option that it is about
            raise click.UsageError(_OPTION.sub("", str(error))) from error

    answer: T = click.prompt(text, default=default, value_proc=read, err=True)
    return answer


def _running(app: App, report: Report) -> Mapping[str, str]:
    """The images of the containers that run here on the host's network, by name."""
    try:
        return app.engine.on_the_hosts_network()
    except (DockerDown, Forbidden) as error:
        report.note(f"which containers run here was not looked at: {error}")
        return {}


def _services(running: Mapping[str, str], here: str, *, ask: bool) -> list[DraftService]:
    found = [DraftService(name, image, here) for name, image in running.items()]
    if not ask:
        return found or [DraftService("robot", "my/ros-image", here)]
    if found:
        click.echo("These run here with --network host:", err=True)
        for one in found:
            click.echo(f"  {one.name} ({one.image})", err=True)
        if not click.confirm("Make services of them?", default=True, err=True):
            found = []
    while True:
        more = _ask_service(here, taken=[one.name for one in found])
        if more is None:
            return found
        found.append(more)


def _ask_service(here: str, *, taken: Sequence[str]) -> DraftService | None:
    """Another service; None when there is none any more."""

    def checked(text: str) -> str:
        return drafting.check_service(text, taken) if text or not taken else ""

    if taken:
        name = _ask("Another service's name (Enter: no more)", checked, default="")
    else:
        name = _ask("A service's name", checked)
    if not name:
        return None

    def service(image: str) -> DraftService:
        return drafting.parse_service(f"{name}={image}", here=here)

    one = _ask("  its image", service)
    host = _ask("  the PC that it belongs to, by hostname", notation.check_name, default=one.host)
    return replace(one, host=host)


def _master(names: Sequence[str], said: str | None, *, ask: bool) -> str:
    if said is None:
        likely = drafting.likely_master(names)
        return _ask_master(names, likely) if ask else likely
    if said not in names:
        raise InvalidRequest(
            f"--master {said}: no service has this name; there are: {', '.join(names)}"
        )
    return said


def _ask_master(names: Sequence[str], proposed: str) -> str:
    answer: str = click.prompt(
        "Which of them runs roscore? (none: it is a PC's, or all are ROS 2)",
        default=proposed or "none",
        type=click.Choice([*names, "none"]),
        err=True,
    )
    return "" if answer == "none" else answer


def _parents(hosts: Sequence[str], link: Link, *, here: str) -> dict[str, str]:
    """The parent of each host: this one's by name, the others' by the LAN that they share."""
    lan = str(_subnet(link))
    return {name: link.name if name == here else lan for name in hosts if name}


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text, new=True)
    except FileExistsError:
        raise Conflict(f"{path} was made meanwhile; write another one with: init -f FILE") from None


COMMANDS = (init,)
