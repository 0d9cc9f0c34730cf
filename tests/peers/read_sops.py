"""Reads sops files that are sealed with age, independently of tieline: pyrage, cryptography and PyYAML alone.

python read_sops.py IDENTITY < PATHS > JSON-LINES

One line of JSON for each path: the data of the first document, or {"error": …}. The MAC is verified. Numbers are told
apart: {"int": "5"}, {"float": "5"}, so that nothing is lost on the way.
"""

import base64
import decimal
import hashlib
import json
import re
import sys

import pyrage
import yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ENC = re.compile(r"^ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]$", re.S)


def unseal(text, key, aad):
    data, iv, tag, kind = ENC.match(text).groups()
    data, iv, tag = (base64.b64decode(part, validate=True) for part in (data, iv, tag))
    assert len(iv) == 32 and len(tag) == 16
    # AESGCM takes such nonces, too; the long way shows the parts.
    decryptor = Cipher(algorithms.AES(key), modes.GCM(iv, tag)).decryptor()
    decryptor.authenticate_additional_data(aad.encode())
    return decryptor.update(data) + decryptor.finalize(), kind


def float_text(number):
    """Shortest digits, no exponent, no trailing .0: what Go's 'f' format with precision -1 gives."""
    if number == 0:
        return "-0" if str(number).startswith("-") else "0"
    text = format(decimal.Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def rule_of(block):
    rules = [k for k in block if k.endswith(("_suffix", "_regex"))]
    assert len(rules) == 1, rules
    name, text = rules[0], block[rules[0]]
    if name.endswith("_suffix"):
        return name.startswith("encrypted"), lambda key: key.endswith(text)
    return name.startswith("encrypted"), lambda key: re.search(text, key) is not None


class Reader:
    def __init__(self, block, key):
        self.key = key
        self.encrypted, self.matches = rule_of(block)
        self.hash = hashlib.sha512()
        self.only = block.get("mac_only_encrypted", False)
        if self.only:
            self.hash.update(hashlib.sha256(b"sops").digest())

    def walk(self, value, path, matched):
        if isinstance(value, dict):
            return {"map": [[k, self.walk(v, path + [k], matched or self.matches(k))] for k, v in value.items()]}
        if isinstance(value, list):
            return {"list": [self.walk(v, path, matched) for v in value]}
        demanded = matched == self.encrypted
        if value is None:
            return None
        if demanded and value != "":
            raw, kind = unseal(value, self.key, ":".join(path) + ":")
        elif isinstance(value, bool):
            raw, kind = str(value).encode(), "bool"
        elif isinstance(value, int):
            raw, kind = str(value).encode(), "int"
        elif isinstance(value, float):
            raw, kind = float_text(value).encode(), "float"
        else:
            assert isinstance(value, str), type(value)
            raw, kind = value.encode(), "str"
        if demanded or not self.only:
            self.hash.update(raw)
        text = raw.decode()
        if kind == "str":
            return {"str": text}
        if kind == "bool":
            return {"bool": text == "True"}
        return {kind: text}


def read(text, identity):
    document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    block = document.pop("sops")
    assert block["version"]
    key = None
    for entry in block["age"]:
        try:
            key = pyrage.decrypt(entry["enc"].encode(), [identity])
        except pyrage.DecryptError:
            pass
    assert key is not None and len(key) == 32
    AESGCM(key)
    reader = Reader(block, key)
    data = reader.walk(document, [], False)
    mac, _ = unseal(block["mac"], key, block["lastmodified"])
    assert mac.decode() == reader.hash.hexdigest().upper(), "MAC mismatch"
    return data


def main():
    identity = pyrage.x25519.Identity.from_str(sys.argv[1])
    for path in sys.stdin.read().splitlines():
        try:
            with open(path, encoding="utf-8") as file:
                result = read(file.read(), identity)
        except Exception as error:  # told to the test, which fails
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result))


main()
