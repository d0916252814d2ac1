"""Packet filters: which frames the kernel hands to us, as classic BPF programs.

Everything else is dropped before it costs anything, so that a flood about other addresses never
reaches Python. Offsets are those of an Ethernet frame. Pure, save for `attach`.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

from netaddr import IPAddress, spanning_cidr

#: One instruction: code, jump if true, jump if false, operand (linux/filter.h).
Instruction: TypeAlias = tuple[int, int, int, int]

_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x20, 0x28, 0x30
_EQUAL, _ANY_BIT, _JUMP, _AND, _RETURN = 0x15, 0x45, 0x05, 0x54, 0x06
_SO_ATTACH_FILTER = 26
# The kernel strips a VLAN tag before it asks the filter, and tells of it only here: a frame of
# another VLAN is no answer on this LAN. (SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)
_VLAN_TAG_PRESENT = 0xFFFFF000 + 48
_KEEP: Instruction = (_RETURN, 0, 0, 2048)
_DROP: Instruction = (_RETURN, 0, 0, 0)
# A conditional jump reaches 255 instructions, and two lists must fit into one program.
_BLOCK = 200
_MOST = 1500

NOTHING: Sequence[Instruction] = (_DROP,)


def arp(
    *,
    claims: Collection[IPAddress],
    asked: Collection[IPAddress] = (),
    askers: Collection[IPAddress] = (),
) -> list[Instruction]:
    """ARP frames whose sender claims one of `claims`, and questions about one of `asked`.

    A question counts when its sender is 0.0.0.0 (a probe) or one of `askers`. A list that is too
    long for the kernel is widened to the prefix that spans it.
    """
    program = [*_untagged(0x0806), *_among(28, claims, [_KEEP])]
    if asked:
        question = [*_among(38, asked, [_KEEP]), _DROP]
        program += [(_LOAD_WORD, 0, 0, 28), *_match([0, *map(int, askers)], question)]
    return [*program, _DROP]


def neighbour_discovery(
    *, claims: Collection[IPAddress], asked: Collection[IPAddress] = ()
) -> list[Instruction]:
    """Neighbour advertisements for one of `claims`, solicitations about one of `asked`.

    Addresses are told apart by their last 32 bits; the few others that slip through are for the
    reader to drop.
    """
    program = [*_untagged(0x86DD), (_LOAD_BYTE, 0, 0, 20), (_EQUAL, 1, 0, 58), _DROP]
    program += [(_LOAD_BYTE, 0, 0, 54), *_match([136], [*_among(74, claims, [_KEEP]), _DROP])]
    if asked:
        program += [(_LOAD_BYTE, 0, 0, 54), *_match([135], [*_among(74, asked, [_KEEP]), _DROP])]
    return [*program, _DROP]


def udp_to(port: int) -> list[Instruction]:
    """Unfragmented IPv4 UDP datagrams to `port` (their IP header without options)."""
    return [
        *_untagged(0x0800),
        *((_LOAD_BYTE, 0, 0, 14), (_EQUAL, 1, 0, 0x45), _DROP),
        *((_LOAD_BYTE, 0, 0, 23), (_EQUAL, 1, 0, 17), _DROP),
        *((_LOAD_HALF, 0, 0, 20), (_ANY_BIT, 0, 1, 0x3FFF), _DROP),
        *((_LOAD_HALF, 0, 0, 36), (_EQUAL, 1, 0, port), _DROP),
        _KEEP,
    ]


def icmp6(kind: int) -> list[Instruction]:
    """ICMPv6 messages of one type (without extension headers)."""
    return [
        *_untagged(0x86DD),
        *((_LOAD_BYTE, 0, 0, 20), (_EQUAL, 1, 0, 58), _DROP),
        *((_LOAD_BYTE, 0, 0, 54), (_EQUAL, 1, 0, kind), _DROP),
        _KEEP,
    ]


def udp6_to(port: int) -> list[Instruction]:
    """IPv6 UDP datagrams to `port` (without extension headers)."""
    return [
        *_untagged(0x86DD),
        *((_LOAD_BYTE, 0, 0, 20), (_EQUAL, 1, 0, 17), _DROP),
        *((_LOAD_HALF, 0, 0, 56), (_EQUAL, 1, 0, port), _DROP),
        _KEEP,
    ]


def attach(sock: socket.socket, program: Sequence[Instruction]) -> None:
    """Let only what `program` keeps reach `sock`; it replaces the filter before. Raises OSError."""
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    pointer = struct.pack("HP", len(program), ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)


def _untagged(ethertype: int) -> list[Instruction]:
    return [
        *((_LOAD_WORD, 0, 0, _VLAN_TAG_PRESENT), (_EQUAL, 1, 0, 0), _DROP),
        *((_LOAD_HALF, 0, 0, 12), (_EQUAL, 1, 0, ethertype), _DROP),
    ]


def _among(
    offset: int, addresses: Collection[IPAddress], then: list[Instruction]
) -> list[Instruction]:
    """Load the word at `offset`; run `then` when it is the end of one of `addresses`."""
    load = (_LOAD_WORD, 0, 0, offset)
    if len(addresses) <= _MOST:
        return [load, *_match([int(one) & 0xFFFFFFFF for one in addresses], then)]
    span = spanning_cidr([min(addresses), max(addresses)])
    mask = int(span.netmask) & 0xFFFFFFFF
    network = int(span.network) & mask
    return [load, (_AND, 0, 0, mask), *_match([network], then)]


def _match(values: Iterable[int], then: list[Instruction]) -> list[Instruction]:
    """Run `then`, which ends the program, when the accumulator is one of `values`."""
    wanted = list(values)
    program: list[Instruction] = []
    for start in range(0, len(wanted), _BLOCK):
        block = wanted[start : start + _BLOCK]
        tests = [(_EQUAL, len(block) - i, 0, value) for i, value in enumerate(block)]
        program += [*tests, (_JUMP, 0, 0, len(then)), *then]
    return program
