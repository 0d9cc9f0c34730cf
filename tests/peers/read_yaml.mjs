// Reads YAML as the npm packages yaml and js-yaml do. node read_yaml.mjs MODULES < LINES > LINES, see read_yaml.py.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.argv[2]}/`);
const yaml = require("yaml");
const jsYaml = require("js-yaml");

// JavaScript has one kind of number: whether it was an integer is asked of Python's readers.
const told = (value) => {
  if (value === null || value === undefined) return { null: true };
  switch (typeof value) {
    case "boolean":
      return { bool: value };
    case "bigint":
      return { int: String(value) };
    case "number":
      return { number: String(value) };
    case "string":
      return { str: value };
  }
  if (Array.isArray(value)) return { list: value.map(told) };
  if (value instanceof Map) return { map: [...value].map(([key, item]) => [told(key), told(item)]) };
  if (Object.getPrototypeOf(value) === Object.prototype) {
    return { map: Object.entries(value).map(([key, item]) => [told(key), told(item)]) };
  }
  return { other: value.constructor?.name ?? "?" };
};

const readers = {
  yaml: (text) => {
    const document = yaml.parseDocument(text, { intAsBigInt: true, logLevel: "silent" });
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS({ mapAsMap: true, maxAliasCount: -1 });
  },
  "js-yaml": (text) => jsYaml.load(text),
};

for (const line of readFileSync(0, "utf8").trimEnd().split("\n")) {
  const text = JSON.parse(line);
  const answer = {};
  for (const [name, read] of Object.entries(readers)) {
    try {
      answer[name] = told(read(text));
    } catch {
      answer[name] = "refused";
    }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
