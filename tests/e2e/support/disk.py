"""A file layer under a server (disk.c): what loss of power at any moment leaves of its data folder, and a disk that is full."""

import pathlib
import struct
import subprocess

HERE = pathlib.Path(__file__).parent
RECORD = struct.Struct("<cQQI")


class Disk:
    """The layer for the server that keeps its data in `data_dir`; its files go into `folder`."""

    def __init__(self, data_dir, folder):
        folder.mkdir(parents=True, exist_ok=True)
        library = folder / "disk.so"
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O2", "-o", library, HERE / "disk.c", "-ldl"], check=True)
        self.data_dir = pathlib.Path(data_dir).absolute()
        self.log, self._full = folder / "disk.log", folder / "full"
        self.env = {
            "LD_PRELOAD": str(library), "DISK_FOLDER": str(self.data_dir),
            "DISK_LOG": str(self.log), "DISK_FULL": str(self._full),
        }

    def fill(self):
        """From now on no write and no new file succeeds."""
        self._full.touch()

    def make_room(self):
        self._full.unlink()

    def records(self):
        """What happened so far: kind, inode, number and bytes of each record."""
        log, at, found = self.log.read_bytes(), 0, []
        while at + RECORD.size <= len(log):
            kind, inode, number, length = RECORD.unpack_from(log, at)
            at += RECORD.size
            found.append((kind.decode(), inode, number, log[at:at + length]))
            at += length
        return found


class Node:
    """A file or a folder: what is on the disk itself, and what was written since."""

    def __init__(self, is_folder):
        self.is_folder = is_folder
        self.durable = b""
        self.pending = []
        # How many changes are on the disk.
        self.forced = 0

    def content(self, writes, torn=None):
        """With the first `writes` pending changes, the last of them only up to `torn` of its bytes."""
        content = bytearray(self.durable)
        for n, (offset, data) in enumerate(self.pending[:writes]):
            if data is None:
                content[offset:] = b"\0" * max(0, offset - len(content))
                continue
            if torn is not None and n == writes - 1:
                data = data[:int(torn * len(data))]
            content[len(content):] = b"\0" * max(0, offset - len(content))
            content[offset:offset + len(data)] = data
        return bytes(content)


class PowerLoss:
    """Follows the records of a disk, and makes the folder as it would be if power failed now.

    Nothing is taken for granted that was not forced: a file's content by fsync of the file, its name by fsync of its folder.
    """

    def __init__(self, data_dir):
        self.root = str(data_dir)
        self.nodes = {}
        self.names, self.durable_names = {}, {self.root: Node(True)}
        # Changes of names that were not forced, in order: number, name, node or None.
        self.pending_names, self.name_changes = [], 0
        self.syncs = {}

    def follow(self, record):
        kind, inode, number, data = record
        if kind in "cm":
            node = self.nodes[inode] = Node(kind == "m")
            self._name(data.decode(), node)
        elif kind == "r":
            source, target = data.decode().split("\0")
            self._move(source, target)
        elif kind == "u":
            self._name(data.decode(), None)
        elif kind == "s":
            if node := self.nodes.get(inode):
                self.syncs[number] = (node, node.forced + len(node.pending), self.name_changes)
        elif kind == "S":
            if number in self.syncs:
                self._force(*self.syncs.pop(number))
        elif inode in self.nodes:
            self.nodes[inode].pending.append((number, data if kind == "w" else None))

    def _name(self, path, node):
        if node:
            self.names[path] = node
        else:
            self.names.pop(path, None)
        self.name_changes += 1
        self.pending_names.append((self.name_changes, path, node))

    def _move(self, source, target):
        moved = [path for path in self.names if path == source or path.startswith(source + "/")]
        for path in moved:
            node = self.names[path]
            self._name(path, None)
            self._name(target + path[len(source):], node)

    def _force(self, node, changes, names):
        """What was asked for when this many changes of the node, and of all names, had been made."""
        if not node.is_folder:
            writes = max(0, changes - node.forced)
            node.durable, node.pending = node.content(writes), node.pending[writes:]
            node.forced += writes
            return
        folder = next((path for path, found in self.names.items() if found is node), None)
        kept = []
        for number, path, what in self.pending_names:
            if number <= names and path.rpartition("/")[0] == folder:
                self._apply(self.durable_names, path, what)
            else:
                kept.append((number, path, what))
        self.pending_names = kept

    @staticmethod
    def _apply(names, path, node):
        if node:
            names[path] = node
        else:
            names.pop(path, None)

    def write(self, folder, dice=None, everything=False):
        """Makes the folder: only what was forced, or by `dice` some of the rest too, or everything, as SIGKILL leaves it."""
        names = dict(self.durable_names)
        share = len(self.pending_names) if everything else dice.randint(0, len(self.pending_names)) if dice else 0
        for _, path, node in self.pending_names[:share]:
            self._apply(names, path, node)
        folder.mkdir(parents=True)
        for path, node in sorted(names.items()):
            target = folder / path[len(self.root):].lstrip("/")
            if path == self.root or not target.parent.is_dir() or target.name == "lock":
                continue
            if node.is_folder:
                target.mkdir(exist_ok=True)
                continue
            writes = len(node.pending) if everything else dice.randint(0, len(node.pending)) if dice else 0
            target.write_bytes(node.content(writes, dice.random() if dice and writes else None))
        # Shared memory of SQLite, which is made anew.
        for file in folder.glob("*-shm"):
            file.unlink()
