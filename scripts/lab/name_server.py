"""A name server for tests: it answers, is slow, or says nothing.

usage: name_server.py ADDRESS NAME=ADDRESS...
"""

import socket
import struct
import sys
import threading
import time

A, AAAA = 1, 28
NO_SUCH_NAME = 3


class NameServer:
    """Answers for the names of `zone`, {name: [address, ...]}, and that all others do not exist."""

    def __init__(self, address, zone=None):
        self.zone = zone or {}
        self.is_silent = False
        self.silent_names = set()
        self.delay = 0.0  # seconds
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))

    def serve(self):
        while True:
            query, sender = self._socket.recvfrom(4096)
            threading.Thread(target=self._answer, args=(query, sender), daemon=True).start()

    def _answer(self, query, sender):
        time.sleep(self.delay)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name = ".".join(labels).lower()
        if self.is_silent or name in self.silent_names:
            return
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        addresses = self.zone.get(name)
        records = [self._record(kind, address) for address in addresses or []
                   if kind == (AAAA if ":" in address else A)]
        flags = 0x8180 | (NO_SUCH_NAME if addresses is None else 0)
        head = query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
        self._socket.sendto(head + query[12:at + 5] + b"".join(records), sender)

    @staticmethod
    def _record(kind, address):
        packed = socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, address)
        return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(packed)) + packed


if __name__ == "__main__":
    names = dict(word.split("=", 1) for word in sys.argv[2:])
    server = NameServer(sys.argv[1], {name: [address] for name, address in names.items()})
    print("ready", flush=True)
    server.serve()
