"""Hosts on this machine as network namespaces, whose links can be cut silently."""

import os
import pathlib
import shutil
import subprocess

NETWORK = "10.77.0."
ETC = pathlib.Path("/etc/netns")  # what `ip netns exec` shows in place of files in /etc


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


def why_unavailable():
    """Why no namespaces can be made here; empty if they can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    if not shutil.which("ip"):
        return "ip (iproute2) is needed"
    name = f"m{os.getpid()}try"
    try:
        ip("netns", "add", name)
        ip("netns", "exec", name, "true")  # also needs mounts
    except subprocess.CalledProcessError as error:
        return error.stderr.strip()
    finally:
        ip("netns", "del", name, check=False)
    return ""


class Host:
    """One namespace, with one address."""

    def __init__(self, number, prefix):
        self.number = number
        self.space = f"{prefix}h{number}"
        self.plug = f"p{number}"  # its end at the bridge
        self.ip = f"{NETWORK}{number}"

    def port(self):
        return 7100

    def inside(self, arguments):
        return ["ip", "netns", "exec", self.space, *arguments]


class Network:
    """Hosts 1 to `count`, and one for a name server that all of them ask. The machine's own interfaces are not changed;
    remove() deletes everything."""

    def __init__(self, count):
        self.prefix = f"m{os.getpid()}"
        self.switch = f"{self.prefix}sw"
        *self.hosts, self.name_host = [Host(number, self.prefix) for number in range(1, count + 2)]
        self.cuts = set()  # (number of the sender, number of the receiver)
        try:
            self._build()
        except BaseException:
            self.remove()
            raise

    def _build(self):
        ip("netns", "add", self.switch)
        for bridge in ("br0", "br1"):
            ip("-n", self.switch, "link", "add", bridge, "type", "bridge")
            ip("-n", self.switch, "link", "set", bridge, "up")
        for host in [*self.hosts, self.name_host]:
            self._write_etc(host)
            ip("netns", "add", host.space)
            ip("-n", self.switch, "link", "add", host.plug, "type", "veth", "peer", "name", "eth0",
               "netns", host.space)
            ip("-n", self.switch, "link", "set", host.plug, "master", "br0", "up")
            ip("-n", host.space, "addr", "add", f"{host.ip}/24", "dev", "eth0")
            ip("-n", host.space, "link", "set", "eth0", "up")
            ip("-n", host.space, "link", "set", "lo", "up")
            # By default, the rule for local addresses is the first one; the rules of cuts must precede it.
            ip("-n", host.space, "rule", "add", "pref", "100", "lookup", "local")
            ip("-n", host.space, "rule", "del", "pref", "0")

    def _write_etc(self, host):
        folder = ETC / host.space
        folder.mkdir(parents=True)
        (folder / "resolv.conf").write_text(f"nameserver {self.name_host.ip}\n", encoding="utf-8")
        (folder / "nsswitch.conf").write_text("hosts: files dns\n", encoding="utf-8")

    def cut(self, sender, receiver):
        """Drops everything from the sender to the receiver, without an error at either."""
        self._rule("add", sender, receiver)
        self.cuts.add((sender.number, receiver.number))

    def mend(self, sender, receiver):
        self._rule("del", sender, receiver)
        self.cuts.discard((sender.number, receiver.number))

    def _rule(self, verb, sender, receiver):
        ip("-n", receiver.space, "rule", verb, "from", sender.ip, "iif", "eth0", "blackhole", "pref", "1")

    def close_port(self, host, port):
        """Drops what other hosts send to this TCP port."""
        self._port_rule("add", host, port)

    def open_port(self, host, port):
        self._port_rule("del", host, port)

    def _port_rule(self, verb, host, port):
        ip("-n", host.space, "rule", verb, "iif", "eth0", "ipproto", "tcp", "dport", str(port),
           "blackhole", "pref", "1")

    def split(self, hosts):
        """Cuts all links between these hosts and the others at the same moment."""
        self._move(hosts, "br1")

    def heal(self, hosts):
        self._move(hosts, "br0")

    def _move(self, hosts, bridge):
        lines = "".join(f"link set {host.plug} master {bridge}\n" for host in hosts)
        subprocess.run(["ip", "-n", self.switch, "-batch", "-"], input=lines, text=True, check=True)

    def remove(self):
        for space in [host.space for host in [*self.hosts, self.name_host]] + [self.switch]:
            ip("netns", "del", space, check=False)
            shutil.rmtree(ETC / space, ignore_errors=True)
