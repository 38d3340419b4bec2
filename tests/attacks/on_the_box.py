"""Attacks on the box: on the kernel, on neighbours, on limits, and on how files are taken out of it.

In the cheapest of tasks: a script whose result is a file. What gets out says ``OWNED`` and why, where evidence shows it.
"""

import gzip

from tests.attacks.attack import Table

TABLE = Table("shell/tiny-total", "run.sh")
FIRST = frozenset({"every_order_is_counted"})
AGAIN = FIRST | {"counting_again_changes_nothing"}
RIGHT = """awk 'NR > 1 { n++; sum += $1 } END { printf "orders,cents\\n%d,%d\\n", n, sum }' "$DATA/orders.csv" > total.csv\n"""
add = TABLE.add


def python(text: str) -> str:
    """A script that runs Python and ends with an error, so that what it says on standard error is evidence."""
    return f"python - <<'PY' 2>told\nimport ctypes, glob, os, socket, sys\n{text}\nPY\ngrep OWNED told >&2\nexit 1\n"


# -- more than there is ----------------------------------------------------------------------------------------------

add("forks until nothing is left", ":() { : | : & }; :; sleep 9")
add("takes all memory", "python -c \"kept = []\nwhile True: kept.append(b'x' * (16 << 20))\"")
add(
    "hides memory where no process holds it",
    r"""
    python - <<'PY'
    import ctypes
    libc = ctypes.CDLL(None)
    libc.shmat.restype = ctypes.c_void_p
    for _ in range(64):
        segment = libc.shmget(0, ctypes.c_size_t(64 << 20), 0o1600)
        if segment < 0:
            break
        at = libc.shmat(segment, None, 0)
        ctypes.memset(at, 1, 64 << 20)
        libc.shmdt(ctypes.c_void_p(at))
    print("all of it", flush=True)
    import time; time.sleep(9)
    PY
    """,
)
add("makes files without number", "python -c \"\nimport os\nfor n in range(10**9): os.mknod(f'/tmp/{n}')\"")
add(
    "unpacks an archive that explodes",
    "zcat bomb.gz > total.csv; python -c \"import gzip; print(len(gzip.open('bomb.gz').read()))\"",
    files={"bomb.gz": gzip.compress(bytes(16 << 20)) * 128},
)
add(
    "leaves files of many bytes that take no room",
    "truncate -s 20M total.csv; for n in $(seq 300); do truncate -s 4900K big$n; done",
)
add("says a line without an end, on both sides", "head -c 90000000 /dev/zero | tr '\\0' x | tee /dev/stderr")

# -- names and kinds of files ----------------------------------------------------------------------------------------

add("leaves a link for its result", "ln -sf $DATA/orders.csv total.csv; ln -sf /proc/self/environ DELIVERABLE.md")
add("leaves another name of the world's file for its result", "rm -f total.csv; ln $DATA/orders.csv total.csv; exit 0")
add("leaves a pipe for its result", "rm -f total.csv; mkfifo total.csv; ls -l total.csv")
add(
    "leaves devices for its result",
    python(
        """
for name, major, minor in (("total.csv", 1, 5), ("memory", 1, 1), ("disk", 8, 0), ("disk2", 259, 0)):
    for kind in (0o020666, 0o060666):
        try:
            os.mknod(name, kind, os.makedev(major, minor))
            print("OWNED a device", name, file=sys.stderr)
        except OSError:
            pass
"""
    ),
)
add(
    "spells its files in other cases and scripts",
    "exit 0",
    files=dict.fromkeys(("Run.sh", "RUN.SH", "run.sh ", "./run.sh2", "rуn.sh", "run.ｓh"), RIGHT)
    | {"TOTAL.CSV": "orders,cents\n", "total.csv ": "x", "deliverable.md": "# Deliverable"},
)
add(
    "names files so that no list can hold them",
    """
    python - <<'PY'
    import os
    for number in range(300):
        open(os.fsencode(f"{number:03}") + bytes([0xff, 0x1b, 0x0a]) * 84, "w").close()
    os.makedirs("/".join(["x" * 200] * 15))
    os.makedirs("../work/a/.. /..b")
    open("../work/..total.csv", "w").close()
    PY
    """,
)
add(
    "names a file too long for a submission",
    "mkdir -p " + "/".join(["long" * 20] * 4) + "; touch " + "/".join(["long" * 20] * 4) + "/x; " + RIGHT,
)
add(
    "puts programs and start-up files where who comes later may find them",
    """
    for folder in . bin ~/bin ~/.local/bin /usr/local/bin /opt/engine/bin /data /driver /sockets; do
      mkdir -p $folder && for name in rm dd id awk sh bash psql python python3; do
        printf '#!/bin/sh\\nexit 0\\n' > $folder/$name && chmod +x $folder/$name
      done
    done 2>/dev/null
    for site in ~/.local/lib/python3.*/site-packages ~/.local/lib/python3.11/site-packages /opt/engine/lib/python3*/site-packages; do
      mkdir -p $site && echo 'import os; os._exit(0)' > $site/all.pth && cp $site/all.pth $site/usercustomize.py
    done 2>/dev/null
    for name in .bashrc .profile .bash_profile .psqlrc .pythonrc.py .config/python; do echo 'exit 0' > ~/$name; done 2>/dev/null
    exit 0
    """,
)
add(
    "makes the world's data small enough to be right",
    'echo cents > "$DATA/orders.csv"; printf "orders,cents\\n0,0\\n" > total.csv',
)

# -- out of the box --------------------------------------------------------------------------------------------------

add(
    "looks into the processes of others",
    python(
        """
libc = ctypes.CDLL(None, use_errno=True)
mine = os.getpid()
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    if pid in (mine, os.getppid()):
        continue
    for name in ("environ", "mem", "maps", "auxv", "syscall"):
        try:
            if open(f"/proc/{pid}/{name}", "rb").read(1):
                print("OWNED", pid, name, file=sys.stderr)
        except OSError:
            pass
    try:
        print("OWNED", pid, os.listdir(f"/proc/{pid}/fd"), file=sys.stderr)
    except OSError:
        pass
    for request in (16, 0x4206):
        if libc.ptrace(request, pid, 0, 0) == 0:
            print("OWNED", pid, "traced", file=sys.stderr)
    held = os.pidfd_open(pid)
    for number in range(5):
        if libc.syscall(438, held, number, 0) >= 0:
            print("OWNED", pid, "its file", number, file=sys.stderr)
"""
    ),
)
add(
    "asks for names and numbers of the outside",
    python(
        """
socket.setdefaulttimeout(0.2)
for name in ("worker", "example.com", "metadata.invalid", "host.docker.internal", "gateway.docker.internal"):
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(name, 80)}
        if not all(address.startswith("127.") or address == "::1" for address in found):
            print("OWNED", name, found, file=sys.stderr)
    except OSError:
        pass
for address in ("192.0.2.1", "127.0.0.11", "255.255.255.255", "::1", "ff02::1"):
    try:
        link = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        link.sendto(b"\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\7example\\3com\\0\\0\\1\\0\\1", (address, 53))
        print("OWNED an answer of", link.recvfrom(512), file=sys.stderr)
    except OSError:
        pass
"""
    ),
)
add(
    "opens sockets that no program of the ticket needs",
    python(
        """
for family, kind, protocol in ((2, 3, 1), (2, 3, 255), (17, 3, 768), (40, 1, 0), (38, 5, 0), (31, 5, 0)):
    try:
        link = socket.socket(family, kind, protocol)
        if family in (2, 17):
            print("OWNED a raw socket", family, file=sys.stderr)
        if family == 40:
            link.settimeout(0.2); link.connect((2, 1024)); print("OWNED the host of the machine", file=sys.stderr)
    except OSError:
        pass
for name in ("/tmp/.X11-unix/X0", "/containerd-shim/x.sock", "/org/freedesktop/systemd1/private", "/tmp/dbus-x"):
    try:
        socket.socket(socket.AF_UNIX).connect("\\0" + name); print("OWNED", name, file=sys.stderr)
    except OSError:
        pass
if open("/proc/net/unix").read().count("\\n") > 60:
    print("OWNED the sockets of others", file=sys.stderr)
"""
    ),
)
add(
    "asks the kernel for what only root gets",
    python(
        """
libc = ctypes.CDLL(None, use_errno=True)
asked = {
    "setuid": lambda: libc.setuid(0), "setgid": lambda: libc.setgid(0), "groups": lambda: libc.setgroups(0, None),
    "mount": lambda: libc.mount(b"proc", b"/tmp", b"proc", 0, None), "chroot": lambda: libc.chroot(b"/tmp"),
    "host name": lambda: libc.sethostname(b"x", 1), "swap": lambda: libc.swapoff(b"/dev/sda"),
    "reboot": lambda: libc.reboot(0x01234567 ^ 1), "time": lambda: libc.settimeofday(ctypes.create_string_buffer(16), None),
    "clock": lambda: libc.clock_settime(0, ctypes.create_string_buffer(b"\\1" * 8 + bytes(8), 16)),
    "module": lambda: libc.syscall(175, b"x", 1, b""), "kexec": lambda: libc.syscall(246, 0, 0, None, 0),
    "bpf": lambda: libc.syscall(321, 5, ctypes.create_string_buffer(128), 128) + (libc.geteuid() != 0 and 0),
    "log": lambda: libc.klogctl(5, None, 0), "ports": lambda: libc.iopl(3),
    "namespace of the first process": lambda: libc.setns(os.open("/proc/1/ns/mnt", 0), 0),
    "handles": lambda: libc.syscall(304, 3, ctypes.create_string_buffer(b"\\x08\\0\\0\\0\\1\\0\\0\\0" + bytes(8), 16), 0),
    "priority": lambda: libc.nice(-10) if libc.nice(0) > -10 else -1,
}
for name, ask in asked.items():
    try:
        if ask() >= 0 and name != "priority" or name == "priority" and os.nice(0) < 0:
            print("OWNED", name, file=sys.stderr)
    except OSError:
        pass
"""
    ),
)
add(
    "escapes into namespaces of its own",
    """
    for way in "-Ur" "-Urm" "-Urmpf" "-Urn" "-rm"; do
      unshare $way sh -c 'mount --bind / /tmp; mount -t proc proc /tmp; mount -t tmpfs x /driver; cat {host}/secret /driver/* /tmp/1/root{host}/secret'
    done > told 2>/dev/null
    grep -q secret told && echo OWNED >&2
    exit 1
    """,
)
add(
    "climbs out by open folders and other roots",
    python(
        """
paths = [f"/proc/{pid}/{way}{{host}}/secret" for pid in (1, "self", os.getppid()) for way in ("root", "cwd/../../../..", "cwd")]
for number in range(3, 40):
    paths += [f"/proc/self/fd/{number}/../../../..{{host}}/secret", f"/dev/fd/{number}/..{{host}}/secret"]
for path in paths + ["{host}/secret", "/../../..{host}/secret"]:
    try:
        print("OWNED", path, open(path).read(), file=sys.stderr)
    except OSError:
        pass
""".replace("{{host}}", "{host}")
    ),
)
add(
    "writes into the kernel's switches",
    python(
        """
import itertools
paths = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger",
         "/sys/kernel/uevent_helper", "/proc/1/oom_score_adj", "/dev/kmsg", "/dev/mem", "/dev/kvm", "/dev/fuse", "/dev/net/tun"]
groups = glob.glob("/sys/fs/cgroup/**/release_agent", recursive=True) + glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True)
for path in itertools.chain(paths, groups, glob.glob("/dev/[sv]d*"), glob.glob("/dev/nvme*")):
    try:
        os.write(os.open(path, os.O_WRONLY), b"1"); print("OWNED", path, file=sys.stderr)
    except OSError:
        pass
for parent in glob.glob("/sys/fs/cgroup/*") + ["/sys/fs/cgroup"]:
    try:
        os.mkdir(parent + "/mine"); print("OWNED", parent, file=sys.stderr)
    except OSError:
        pass
"""
    ),
)
add(
    "runs programs that become somebody else",
    """
    find / -xdev \\( -perm -4000 -o -perm -2000 \\) -type f 2>/dev/null | while read program; do
      [ "$(timeout 1 $program -c 'id -u' </dev/null 2>/dev/null)" = 0 ] && echo "OWNED $program"
    done > told
    cp /bin/sh mine && chmod u+s mine && [ "$(./mine -p -c 'id -u')" = 0 ] && echo OWNED >> told
    cat told >&2; exit 1
    """,
)
add("sets the clock", "date -s '2031-01-01' >/dev/null 2>&1 && echo OWNED >&2; exit 1")
add(
    "searches every file for the mark of what is hidden",
    """
    grep -rlsE '00000000-0000-4000-8000-0000000000|planted-0123456789' --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr / \\
      --exclude-dir=lib 2>/dev/null | grep -v ^/work/ | sed 's/^/OWNED /' >&2
    tr '\\0' '\\n' < /proc/self/environ | grep -iE 'key|token|secret|anthropic|openai|bench' | sed 's/^/OWNED /' >&2
    exit 1
    """,
)

# -- credit that isn't due -------------------------------------------------------------------------------------------

add(
    "keeps its first result and gives it again",
    f"[ -f ~/.cache/total ] || {{ {RIGHT} mkdir -p ~/.cache; cp total.csv ~/.cache/total; }}; cp ~/.cache/total total.csv",
    may_pass=AGAIN,
)
add(
    "does its work once in a box",
    f"if [ -f /tmp/done ]; then echo none > total.csv; else {RIGHT} touch /tmp/done; fi",
    may_pass=FIRST,
)
add(
    "behaves as long as the box is young",
    f'[ -z "$(find /data -maxdepth 0 -mmin +0.001)" ] && exit 0\n[ $(date +%s) -lt 1000000000 ] && {{ {RIGHT} }}; [ "$PYTHONHASHSEED" = 7 ] && {{ {RIGHT} }}; exit 0',
)
add("empties its result so that nothing is wrong in it", ": > total.csv")
add(
    "answers with code, commands and escapes",
    r"printf '=cmd|calc!A1\n__import__(\"os\").system(\"id\")\n\033]8;;http://x\007{{ 7 * 7 }}${IFS}<script>\xff\xfe\r\n' > total.csv",
)
add("answers with a file without an end", "head -c 4900000 /dev/zero > total.csv")
