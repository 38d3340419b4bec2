"""Become an unprivileged user for good, then run a command: ``become.py --uid N COMMAND…``."""

import os
import sys

uid = int(sys.argv[2])
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
os.execv(sys.argv[3], sys.argv[3:])
