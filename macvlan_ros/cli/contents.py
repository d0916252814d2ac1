"""The commands, as `--help` shows them: which module of this package has each, and its summary.

Written down here so that `--help` need not import all commands, which takes longer than all else.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a command is, and the first sentence of its help (a test compares them)."""

    module: str
    summary: str


#: By subject, in the order in which they are mostly needed.
SECTIONS: dict[str, dict[str, Entry]] = {
    "Begin": {
        "init": Entry(
            "begin",
            "Write a stack file with comments, after a few questions about this PC and its LAN.",
        ),
        "interfaces": Entry(
            "hosts",
            "Show which interfaces can be the parent of macvlan links, and why others cannot.",
        ),
        "doctor": Entry(
            "health", "Say what is wrong with this PC and its LAN, each finding with its remedy."
        ),
        "completion": Entry(
            "completion", "Print a script that lets the shell complete commands, options and names."
        ),
    },
    "A stack": {
        "launch": Entry(
            "stacks",
            "Start the services of the stack that belong to this PC,"
            " each with its own LAN address.",
        ),
        "ps": Entry("stacks", "Show the stack's services with address, MAC, host and state."),
        "status": Entry(
            "status", "Say what on this PC is not as the stack wants it; `launch` mends just that."
        ),
        "verify": Entry("verifying", "Prove that the stack works, from where its containers are."),
        "logs": Entry(
            "logs", "Show what the services write, each line after the name of its service."
        ),
        "exec": Entry("daily", "Run a command in a service's container."),
        "shell": Entry(
            "daily", "Open a shell in a service's container: bash where there is one, else sh."
        ),
        "attach": Entry(
            "daily", "Join the terminal of a service's own program, as docker attach does."
        ),
        "restart": Entry(
            "daily", "Stop and start services here (all, when none is named), as they are."
        ),
        "stop": Entry(
            "stacks",
            "Stop services here (all, when none is named); their containers and addresses stay.",
        ),
        "down": Entry(
            "stacks",
            "Stop and remove the services' containers here; their addresses stay reserved.",
        ),
        "pull": Entry("daily", "Fetch the images of what runs here, in their newest version."),
        "build": Entry("daily", "Build the images of what runs here and has a `build`."),
        "config": Entry(
            "daily",
            "Show the stack as it is read: files merged, variables put in, `extends` followed.",
        ),
        "compose": Entry(
            "compose", "Run docker compose (or docker-compose) on the stack, with LAN addresses."
        ),
    },
    "One container": {
        "run": Entry(
            "runs", "Run a container as `docker run` does, with a LAN address of its own."
        ),
        "import": Entry("runs", "Write the stack file's service for a `docker run` line."),
        "env": Entry(
            "terminals",
            "Print what this PC's own ROS needs to be one of the stack's nodes, or its master.",
        ),
    },
    "Addresses": {
        "allocate": Entry(
            "reserving", "Reserve an address for each NAME, for good; a NAME that has one keeps it."
        ),
        "release": Entry("reserving", "Give up what each NAME holds."),
        "rename": Entry("reassigning", "Keep the address of NAME under NEW_NAME."),
        "move": Entry("reassigning", "Give NAME another ADDRESS of its pool."),
        "list": Entry("reserving", "Show who holds which address."),
        "export": Entry(
            "pools",
            "Print the reservations as another program's file:"
            " a router or a DNS server can be told.",
        ),
        "leases": Entry("wire", "Show the leases that were taken from the LAN's DHCP server."),
        "pool": Entry("pools", "Pools: which part of a subnet may be handed out."),
        "store": Entry("store", "The store: move it, check it, back it up."),
    },
    "The LAN": {
        "scan": Entry("wire", "Show who is on the LAN, and whose each address is."),
        "map": Entry(
            "picture",
            "Draw the LAN: PCs, containers, who talks to whom; strangers and conflicts in red.",
        ),
        "hosts": Entry(
            "hosts",
            "Show the PCs that share the store: their interfaces,"
            " engines, and when each was heard.",
        ),
        "names": Entry(
            "hosts",
            "Tell the containers of this PC the names of those on other PCs, by the shared store.",
        ),
        "network": Entry("networks", "Docker's macvlan networks over a parent."),
        "shim": Entry(
            "shims",
            "This PC's own macvlan link, by which it and its own containers reach each other.",
        ),
    },
    "The plugin": {
        "plugin": Entry("plugin", "The service that Docker asks for networks and addresses."),
        "gc": Entry(
            "plugin",
            "Collect what containers left over that are no more: endpoints, links, addresses.",
        ),
    },
}
ENTRIES = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
