"""Errors: what went wrong, and what to do next, in one sentence.

Every error that a user can meet is a `MacvlanRosError`. Its message names what is wrong, where,
and the remedy; its class gives the exit code of the command line. It is caught in two places
only: the click group, and the plugin's server.
"""


class MacvlanRosError(Exception):
    """Base of all errors; `exit_code` is what the process ends with."""

    exit_code = 1


class InvalidRequest(MacvlanRosError):
    """What was asked makes no sense as it stands."""

    exit_code = 2


class StackFileError(InvalidRequest):
    """A stack file is wrong; the message names file, service and key."""


class BadSubnet(InvalidRequest):
    """A subnet, range, exclusion, gateway or address does not parse or does not fit."""


class BadParent(InvalidRequest):
    """An interface exists but cannot carry macvlan links; the message gives the reason."""


class NotFound(MacvlanRosError):
    """What was named does not exist."""

    exit_code = 3


class PoolNotFound(NotFound):
    """No pool of that name."""


class ParentNotFound(NotFound):
    """No interface of that name."""


class ServiceNotFound(NotFound):
    """No service of that name in the stack."""


class NetworkNotFound(NotFound):
    """No Docker network of that name."""


class ImageNotFound(NotFound):
    """The engine has no such image and could not pull it."""


class DeviceNotFound(NotFound):
    """A device that a service asks for is not on this host."""


class Conflict(MacvlanRosError):
    """What was asked contradicts what stands."""

    exit_code = 4


class AddressInUse(Conflict):
    """Somebody else holds the address."""


class PoolOverlap(Conflict):
    """Two pools would hand out the same addresses."""


class NetworkDiffers(Conflict):
    """A Docker network of that name exists and is not what was asked for."""


class ContainerConflict(Conflict):
    """A container of that name exists and is not ours to touch."""


class PoolExhausted(MacvlanRosError):
    """No address is left in the pool."""

    exit_code = 5


class Unavailable(MacvlanRosError):
    """Something that is needed does not answer or does not let us."""

    exit_code = 6


class StoreDown(Unavailable):
    """The store cannot be read or written: locked, corrupt, from a newer version, away."""


class StoreAway(StoreDown):
    """The store is elsewhere, and nobody there answers now; it may be back in a moment."""


class DockerDown(Unavailable):
    """The Docker Engine cannot be reached."""


class EngineRefused(Unavailable):
    """The Docker Engine answered with an error of its own."""


class Forbidden(Unavailable):
    """The user lacks the right; the message says to what, and how to get it."""


class KernelRefused(Unavailable):
    """The kernel refused a change of links, addresses or routes; `errno` is its reason."""

    def __init__(self, message: str, errno: int) -> None:
        super().__init__(message)
        self.errno = errno
