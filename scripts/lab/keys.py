"""Keys for all nodes and workers of a lab, made by the command line tool."""

import os
import subprocess


class Keys:
    """A folder of trusted keys. A `muster` started from here uses the key of WORKER."""

    WORKER = "w"

    def __init__(self, lab, nodes):
        self.lab = lab
        self.folder = os.path.join(lab.directory, "keys")
        for role in ("nodes", "workers", "observers", "operators"):
            os.makedirs(os.path.join(self.folder, role))
        for name in nodes:
            self.trust("nodes", name)
        self.trust("workers", self.WORKER)
        os.environ["MUSTER_KEY"] = self.key(self.WORKER)
        os.environ["MUSTER_KEYS"] = self.folder

    def key(self, name):
        return os.path.join(self.folder, f"{name}.key")

    def make(self, name):
        """Makes an untrusted pair; returns its public file."""
        subprocess.run([self.lab.muster, "keygen", name, "--dir", self.folder], check=True, stdout=subprocess.DEVNULL)
        return os.path.join(self.folder, f"{name}.pub")

    def trust(self, role, name):
        os.rename(self.make(name), os.path.join(self.folder, role, f"{name}.pub"))

    def options(self, name):
        """The options of a node with this name."""
        return ["--key", self.key(name), "--keys", self.folder]
