#!/usr/bin/env python3
"""Answers the questions of a command on a pseudo-terminal, as a person does.

answer.py ANSWERS COMMAND...

A line of the file ANSWERS is a part of a question, a tab, and what is typed. The
questions must come in that order. What the command prints goes to standard
output; its exit status is returned, 99 where a question does not come in 60 s."""

import os
import pty
import select
import sys
import time


def main(answers, command):
    with open(answers, encoding="utf-8") as f:
        steps = [line.rstrip("\n").split("\t", 1) for line in f if line.strip()]
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    seen, end = "", time.monotonic() + 60
    while True:
        ready, _, _ = select.select([master], [], [], 1)
        if ready:
            try:
                data = os.read(master, 4096)
            except OSError:  # the command has closed its end
                data = b""
            if not data:
                break
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            seen += data.decode("utf-8", "replace")
        if steps and steps[0][0] in seen and seen.rstrip(" ").endswith(":"):
            os.write(master, steps.pop(0)[1].encode() + b"\n")
            seen, end = "", time.monotonic() + 60
        elif time.monotonic() > end:
            print(f"\nanswer.py: waited in vain for {steps[:1] or 'the end'}", file=sys.stderr)
            return 99
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
