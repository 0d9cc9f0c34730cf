"""Reads YAML as PyYAML, libyaml and ruamel.yaml do, for comparison with tieline.

python read_yaml.py < LINES > LINES

Each line of the input is a JSON string: one document. Each line of the output is a JSON object: reader -> the value, or
"refused". Scalars keep their type: {"int": "5"}, {"float": "5.0"}, {"str": "x"}, {"bool": true}, {"null": true}; what no
file of ours may hold is {"other": "date"}. Maps are lists of pairs.
"""

import json
import sys

import ruamel.yaml
import yaml


def told(value):
    if value is None:
        return {"null": True}
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, str):
        return {"str": value}
    if isinstance(value, dict):
        return {"map": [[told(key), told(item)] for key, item in value.items()]}
    if isinstance(value, list):
        return {"list": [told(item) for item in value]}
    return {"other": type(value).__name__}


RUAMEL = ruamel.yaml.YAML(typ="safe", pure=True)

READERS = {
    "PyYAML": lambda text: yaml.load(text, Loader=yaml.SafeLoader),
    "libyaml": lambda text: yaml.load(text, Loader=yaml.CSafeLoader),
    "ruamel": RUAMEL.load,
}


def main():
    sys.setrecursionlimit(10_000)
    for line in sys.stdin.read().rstrip("\n").split("\n"):
        text = json.loads(line)
        answer = {}
        for name, load in READERS.items():
            try:
                answer[name] = told(load(text))
            except Exception:  # the reader does not take it: that is an answer
                answer[name] = "refused"
        print(json.dumps(answer))


main()
