"""Which hosts are told of the trace: those that were named, each exactly, and on request those that are near."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ..reading import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NO_HOSTS", "NamedHosts", "Propagate", "hosts_of"]

Propagate: TypeAlias = "bool | str | Iterable[str]"
"""Hosts in one text with commas between them, or one by one; ``True`` for this machine and private addresses."""

_NEAR = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/32",  # a client that connects there reaches its own machine, and so with ::
        "10.0.0.0/8",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::/128",
        "::1/128",
        "fc00::/7",
    )
)
"""This machine, and private networks (RFC 1918, RFC 4193). Not link-local addresses: clouds have services there."""

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NUMBER = re.compile(r"[0-9.]+|0x.*")
_ENTRY = re.compile(r"(?:(?P<name>[^:\[\]]+)|\[(?P<address>[^\[\]]+)\])(?::(?P<port>[0-9]{1,5}))?")
_NO_HOSTS = ("no", "none", "off", "on", "yes")

_TAKES = (
    "takes host names, such as vllm.internal or 10.0.0.5:8000, with commas between them, or true for this machine and "
    "private addresses"
)


@dataclass(frozen=True, slots=True)
class NamedHosts:
    """Hosts, each with the port that was named with it or ``None`` for all, and whether near addresses are in too."""

    named: frozenset[tuple[str, int | None]] = frozenset()
    near: bool = False

    def __bool__(self) -> bool:
        return self.near or bool(self.named)

    def include(self, host: str, port: int | None) -> bool:
        """Whether a host is one of them; as it stands in a URL, without brackets."""
        name = _normal(host)
        if (name, None) in self.named or (name, port) in self.named:
            return True
        return self.near and (name == "localhost" or _is_near(name))


def hosts_of(given: Propagate) -> tuple[NamedHosts, list[str]]:
    """Read host names, and return with them what is wrong with those that are none.

    ``true`` among them stands for this machine and private addresses, ``false`` and an empty one for nothing.
    """
    if isinstance(given, bool):
        return NamedHosts(near=given), []
    entries = given.split(",") if isinstance(given, str) else given
    named: set[tuple[str, int | None]] = set()
    near, wrong = False, []
    for entry in entries:
        text = entry.strip()
        if text.lower() in ("", "false"):
            continue
        if text.lower() == "true":
            near = True
        elif (host := _host_of(text)) is not None:
            named.add(host)
        else:
            wrong.append(f"{shown(text)} is not valid: it {_TAKES}.")
    return NamedHosts(frozenset(named), near), wrong


def _host_of(text: str) -> tuple[str, int | None] | None:
    """Return host and port of ``host``, ``host:port``, ``::1``, ``[::1]`` or ``[::1]:port``; ``None`` for all else."""
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    entry = _ENTRY.fullmatch(text)
    if entry is None:
        return None
    name, port = _normal(entry["name"] or entry["address"]), int(entry["port"]) if entry["port"] else None
    if port is not None and port not in range(1, 65536):
        return None
    if entry["address"] or _NUMBER.fullmatch(name):
        is_one = isinstance(_address(name), ipaddress.IPv6Address if entry["address"] else ipaddress.IPv4Address)
    else:
        is_one = _NAME.fullmatch(name) is not None and name not in _NO_HOSTS and _is_one_host(entry["name"], name)
    return (name, port) if is_one else None


def _is_one_host(written: str, name: str) -> bool:
    """Return whether a name that is not in ASCII is the same host to all clients.

    ``straße.example`` is ``strasse.example`` to Python (IDNA 2003), and another host to ``httpx`` (IDNA 2008). Such a
    name does not come back from ASCII as it was written.
    """
    return written.isascii() or name.encode("ascii").decode("idna") == written.lower().removesuffix(".")


def _normal(host: str) -> str:
    """Return a host as all its spellings are one: in small letters, without a last dot, in ASCII, short if IPv6."""
    name = host.lower().removesuffix(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return name
    address = _address(name)
    return name if address is None else str(address)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_near(name: str) -> bool:
    address = _address(name)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and any(address in network for network in _NEAR)


NO_HOSTS = NamedHosts()
