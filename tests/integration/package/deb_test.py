#!/usr/bin/env python3
"""Installs, uses and removes the Debian packages on a copy of this system that is gone afterwards.

usage: deb_test.py PACKAGE.deb...     as root; exit status 77 where the kernel does not let it

The copy is an overlay over the root of this system, in namespaces of its own for mounts, processes and network. So the
packages' own scripts run, as they would anywhere, and what is left behind at the end is what the overlay has.
"""

import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
NODES = {"a": "127.0.0.1:7100", "b": "127.0.0.1:7200", "c": "127.0.0.1:7300"}
PATIENCE = 60  # seconds
CONFIG = pathlib.Path("/etc/muster/musterd.toml")
KEYS = pathlib.Path("/etc/muster/keys")
PACKAGES = ("muster", "libmuster-dev", "python3-muster")
# What installing and removing any package changes.
ALWAYS_CHANGED = ("/var/lib/dpkg", "/var/log", "/var/cache", "/var/lib/systemd", "/run", "/tmp", "/proc", "/dev",
                  "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/.pwd.lock", "/etc/subuid",
                  "/etc/subgid", "/etc/ld.so.cache", "/packages", "/sources")


def run(*command, check=True, **how):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **how)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def as_muster(*command):
    return ["setpriv", "--reuid", "muster", "--regid", "muster", "--clear-groups", *command]


def until(predicate, what):
    end = time.monotonic() + PATIENCE
    while not predicate():
        assert time.monotonic() < end, f"in vain for {PATIENCE} s: {what}"
        time.sleep(0.05)


def files_of(package):
    return [path for path in run("dpkg", "-L", package).splitlines() if os.path.isfile(path)]


class Packages(unittest.TestCase):
    """One story, in the order of the names."""

    def start_nodes(self):
        nodes = []
        for name, address in NODES.items():
            command = ["musterd", "--config", str(CONFIG), "--name", name, "--listen", address]
            for seed in NODES.values():
                command += ["--seed", seed]
            nodes.append(subprocess.Popen(as_muster(*command), stderr=subprocess.DEVNULL))
            self.addCleanup(nodes[-1].kill)
        until(lambda: run("muster", "nodes", check=False).count("alive") == 3, "three nodes that see each other")
        return nodes

    def test_1_install(self):
        run("dpkg", "-i", *ARGUMENTS)
        user = pwd.getpwnam("muster")
        self.assertTrue(user.pw_shell.endswith("nologin"))
        about = KEYS.stat()
        self.assertEqual((about.st_mode & 0o777, about.st_uid, about.st_gid), (0o700, user.pw_uid, user.pw_gid))
        self.assertEqual(run("dpkg", "--verify", *PACKAGES), "")
        for package in PACKAGES:
            for path in files_of(package):
                self.assertEqual((os.stat(path).st_uid, os.stat(path).st_mode & 0o022), (0, 0), path)
        self.assertIn(str(CONFIG), run("dpkg-query", "-W", "-f", "${Conffiles}", "muster"))

    def test_2_what_is_there(self):
        names = "\n".join(files_of("muster"))
        for part in ("/usr/bin/musterd", "/usr/bin/muster", "man1/muster.1.gz", "man8/musterd.8.gz",
                     "completions/muster", "completions/musterd", "OPERATING.md", "copyright", "systemd/system/musterd",
                     "sysusers.d/muster.conf"):
            self.assertIn(part, names)
        for program, section in (("musterd", "8"), ("muster", "1")):
            self.assertIn("NAME", run("man", "-P", "cat", section, program))
            self.assertRegex(run(program, "--version"), r"\d+\.\d+\.\d+")
            completed = run("bash", "-c", f"source /usr/share/bash-completion/completions/{program}; complete -p")
            self.assertIn(program, completed)
        unit = pathlib.Path("/usr/lib/systemd/system/musterd.service")
        self.assertIn(f"ExecStart=/usr/bin/musterd --config {CONFIG}", unit.read_text())
        if shutil.which("systemd-analyze"):
            run("systemd-analyze", "verify", "--man=no", unit)

    def test_3_three_nodes_and_workers_in_each_language(self):
        nodes = self.start_nodes()
        listener = subprocess.Popen(["muster", "--node", NODES["b"], "--json", "join", "orders", "open", "--visible",
                                     "--for", "2"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(listener.kill)
        self.assertIn("joined", listener.stdout.readline())
        self.assertIn("1", run("muster", "--node", NODES["c"], "notify", "created", "orders", "open", "7", "--wait"))
        program = "import muster; w = muster.Worker.connect(['%s'])\n" \
                  "print(w.notify_created(('orders', 'open'), 8, wait=True).delivered); w.close()" % NODES["a"]
        self.assertEqual(run("/usr/bin/python3", "-c", program).strip(), "1")
        told = listener.communicate(timeout=PATIENCE)[0]
        self.assertIn("7", told)
        self.assertEqual(listener.returncode, 0)
        for node in nodes:
            node.terminate()
            self.assertEqual(node.wait(PATIENCE), 0)

    def test_4_a_program_is_built_with_the_library(self):
        flags = run("pkg-config", "--cflags", "--libs", "muster").split()
        with tempfile.TemporaryDirectory() as folder:
            program = f"{folder}/headers"
            run("c++", "-std=c++20", "-o", program, SOURCES / "headers.cpp", *flags)
            run(program)

    def test_5_again_keeps_what_the_operator_wrote(self):
        text = CONFIG.read_text() + '\nlog_format = "json"\n'
        CONFIG.write_text(text)
        key = KEYS / "a.key"
        run(*as_muster("muster", "keygen", "a", "--dir", str(KEYS)))
        run("dpkg", "-i", *ARGUMENTS)
        self.assertEqual(CONFIG.read_text(), text)
        run("dpkg", "-r", *PACKAGES)
        self.assertFalse(os.path.exists("/usr/bin/musterd"))
        self.assertEqual(CONFIG.read_text(), text)
        run("dpkg", "-P", *PACKAGES)
        self.assertFalse(CONFIG.exists())
        self.assertTrue(key.exists(), "nobody may destroy a key")
        pwd.getpwnam("muster")
        shutil.rmtree(KEYS)

    def test_6_nothing_is_left(self):
        run("dpkg", "-i", *ARGUMENTS)
        run("dpkg", "-P", *PACKAGES)
        self.assertRaises(KeyError, pwd.getpwnam, "muster")
        upper = pathlib.Path("/upper-of-the-overlay")
        left = ["/" + str(path.relative_to(upper)) for path in upper.rglob("*") if not path.is_dir()]
        left = [path for path in left if os.path.exists(path) and not path.startswith(ALWAYS_CHANGED)]
        self.assertEqual(left, [])
        for folder in (CONFIG.parent, "/usr/include/muster", "/usr/lib/python3/dist-packages/muster"):
            self.assertFalse(os.path.exists(folder), folder)


def inside(folder):
    """In namespaces of its own: makes the overlay, and goes on in it."""
    root = folder / "root"
    run("mount", "-t", "tmpfs", "tmpfs", folder)
    for name in ("upper", "work", "root"):
        (folder / name).mkdir()
    run("mount", "-t", "overlay", "overlay", "-o",
        f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work", root)
    for name in ("packages", "sources", "upper-of-the-overlay"):
        (root / name).mkdir()
    packages = [shutil.copy(package, root / "packages") for package in sys.argv[2:]]
    shutil.copytree(HERE / "outside", root / "sources", dirs_exist_ok=True)
    shutil.copy(__file__, root / "sources/deb_test.py")
    run("mount", "--bind", folder / "upper", root / "upper-of-the-overlay")
    run("mount", "-t", "proc", "proc", root / "proc")
    run("mount", "--rbind", "/dev", root / "dev")
    run("mount", "-t", "tmpfs", "tmpfs", root / "tmp")
    run("mount", "-t", "tmpfs", "tmpfs", root / "run")
    run("ip", "link", "set", "lo", "up")
    os.chroot(root)
    os.chdir("/")
    os.environ.update({"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/tmp",
                       "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    os.execv("/usr/bin/python3", ["python3", "-B", "/sources/deb_test.py", "--in-copy",
                                  *[f"/packages/{pathlib.Path(package).name}" for package in packages]])


def lint(packages):
    """lintian's complaints, which are shown; its errors count."""
    if not shutil.which("lintian"):
        return print("lintian is not installed: left out")
    text = run("lintian", "--allow-root", "--tag-display-limit", "0", *packages, check=False)
    print(text.strip() or "lintian has nothing to say")
    if re.search(r"^E: ", text, re.MULTILINE):
        sys.exit("lintian found errors")


def main():
    with tempfile.TemporaryDirectory() as folder:
        apart = ["unshare", "--mount", "--net", "--pid", "--fork"]
        if os.geteuid() != 0 or subprocess.run([*apart, "true"], capture_output=True).returncode != 0:
            print("SKIPPED: this needs root, and namespaces")
            sys.exit(77)
        packages = [str(pathlib.Path(package).resolve()) for package in sys.argv[1:]]
        status = subprocess.run([*apart, sys.executable, "-B", __file__, folder, *packages]).returncode
    if status == 0:
        lint(packages)
    sys.exit(status)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("--h"):
        sys.exit(__doc__)
    if sys.argv[1] == "--in-copy":
        ARGUMENTS, SOURCES = sys.argv[2:], pathlib.Path("/sources")
        unittest.main(argv=sys.argv[:1], verbosity=2)
    elif sys.argv[1].endswith(".deb"):
        main()
    else:
        inside(pathlib.Path(sys.argv[1]))
