#!/usr/bin/env python3
"""A plugin for age, as C2SP's age-plugin.md describes them: `age-plugin-tide` on the path. It hides file keys behind a pad
that everybody can read here, so it protects nothing: it shows that programs of this kind are called as they should be.

Without arguments it prints a recipient and an identity of its own.
"""

import base64
import sys

PAD = bytes(range(1, 17))
LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32(prefix, data):
    """BIP 173."""

    def polymod(values):
        check = 1
        for value in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for bit, word in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= word if top >> bit & 1 else 0
        return check

    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    words = [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)]
    head = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    mod = polymod(head + words + [0] * 6) ^ 1
    words += [mod >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(LETTERS[word] for word in words)


def stanzas():
    """What age sends, up to `done`."""
    head, body = None, ""
    for line in sys.stdin:
        line = line.rstrip("\n")
        if line.startswith("-> "):
            head, body = line[3:].split(" "), ""
            continue
        body += line
        if len(line) < 64:
            yield head, base64.b64decode(body + "=" * (-len(body) % 4))
            if head[0] == "done":
                return


def send(head, body=b""):
    text = base64.b64encode(body).decode().rstrip("=")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    if not lines or len(lines[-1]) == 64:
        lines.append("")
    sys.stdout.write("-> " + " ".join(head) + "\n" + "\n".join(lines) + "\n")
    sys.stdout.flush()


def answer():
    sys.stdin.readline(), sys.stdin.readline()


def hide(key):
    return bytes(a ^ b for a, b in zip(key, PAD))


def main():
    phase = sys.argv[1] if len(sys.argv) > 1 else ""
    if not phase:
        print(bech32("age1tide", b"a shore"))
        print(bech32("age-plugin-tide-", b"a shore").upper())
    elif phase == "--age-plugin=recipient-v1":
        keys = [body for head, body in stanzas() if head[0] == "wrap-file-key"]
        for index, key in enumerate(keys):
            send(["recipient-stanza", str(index), "tide", "low"], hide(key))
            answer()
        send(["done"])
    elif phase == "--age-plugin=identity-v1":
        found = [(head, body) for head, body in stanzas() if head[0] == "recipient-stanza" and head[2] == "tide"]
        for head, body in found:
            send(["file-key", head[1]], hide(body))
            answer()
        send(["done"])


main()
