"""The tables of a store in a SQLite file, from the first version of their schema on."""

from __future__ import annotations

from macvlan_ros.stores.sqlite_file import Migration

#: Seconds that bound every wait for the file.
PATIENCE = 5.0

# Each step is one transaction, and takes the file from its place in the list to the next version.
# Never change one that has been released: add another.
MIGRATIONS: tuple[Migration, ...] = (
    (
        "CREATE TABLE pools (name TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID",
        # An address is '4' or '6' and its hexadecimal digits in full, so that text sorts as
        # addresses do, and each address can be written in one way only.
        """CREATE TABLE reservations (
            pool TEXT NOT NULL REFERENCES pools (name),
            owner TEXT NOT NULL,
            address TEXT NOT NULL UNIQUE,
            mac TEXT NOT NULL UNIQUE,
            host TEXT NOT NULL,
            created TEXT NOT NULL,
            PRIMARY KEY (pool, owner)
        ) WITHOUT ROWID""",
    ),
    (
        # A container that Docker starts without a name may have the same MAC on several networks,
        # so a MAC is unique among the static reservations only. SQLite can take the old rule away
        # by writing the table anew only (sqlite.org/lang_altertable.html, section 8).
        """CREATE TABLE reservations_2 (
            pool TEXT NOT NULL REFERENCES pools (name),
            owner TEXT NOT NULL,
            address TEXT NOT NULL UNIQUE,
            mac TEXT NOT NULL,
            host TEXT NOT NULL,
            created TEXT NOT NULL,
            kind TEXT NOT NULL,
            PRIMARY KEY (pool, owner)
        ) WITHOUT ROWID""",
        "INSERT INTO reservations_2 SELECT pool, owner, address, mac, host, created, 'static' "
        "FROM reservations",
        "DROP TABLE reservations",
        "ALTER TABLE reservations_2 RENAME TO reservations",
        "CREATE UNIQUE INDEX static_macs ON reservations (mac) WHERE kind = 'static'",
        """CREATE TABLE records (
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            host TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (kind, key)
        ) WITHOUT ROWID""",
    ),
    (
        # A version that knows nothing of leases must not hand out addresses of a pool that takes
        # them. The only brace of a definition is its last character.
        """UPDATE pools SET definition =
            substr(definition, 1, length(definition) - 1) || ', "dhcp": false}'""",
    ),
)
