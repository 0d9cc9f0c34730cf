//! Each kind of fault that a schema finds, in its words: what is underlined, what is told, what helps.

use crate::support::Folder;

const LAB: &str = r##"{"type": "object", "required": ["config"], "properties": {
  "config": {"type": "object", "unevaluatedProperties": false, "required": ["needed", "choice", "plain", "sample"], "properties": {
    "port": {"type": "integer", "minimum": 1, "maximum": 10, "description": "The port that is used"},
    "low": {"type": "integer", "minimum": 1},
    "ratio": {"type": "number", "exclusiveMinimum": 0},
    "ratio2": {"type": "number", "exclusiveMaximum": 1},
    "name": {"type": "string", "minLength": 3},
    "tag": {"type": "string", "minLength": 1},
    "short": {"type": "string", "maxLength": 2},
    "few": {"type": "array", "minItems": 2},
    "many": {"type": "array", "maxItems": 1},
    "twice": {"type": "array", "uniqueItems": true},
    "step": {"type": "integer", "multipleOf": 5},
    "thin": {"type": "object", "minProperties": 1},
    "thick": {"type": "object", "maxProperties": 1},
    "form": {"type": "string", "pattern": "^a+$", "description": "Letters a", "examples": ["aaa"]},
    "form2": {"type": "string", "pattern": "^a+$"},
    "fixed": {"const": "x"},
    "two": {"enum": ["aaaa", "bbbb"], "description": "Either of them"},
    "three": {"enum": ["aaaa", "bbbb", "cccc"], "description": "One of them"},
    "text": {"type": "string", "description": "Any text"},
    "text2": {"type": "string"},
    "void": {"type": "string", "examples": ["y"]},
    "void2": {"type": "string"},
    "has": {"type": "array", "contains": {"const": 1}},
    "never": false,
    "not": {"not": {"const": 5}},
    "one": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "anyof": {"anyOf": [{"type": "string"}, {"type": "boolean"}]},
    "tls": {"oneOf": [
      {"type": "object", "properties": {"mode": {"const": "a"}}},
      {"type": "object", "properties": {"mode": {"const": "b"}, "y": {"type": "integer"}}}
    ]},
    "keys": {"type": "object", "propertyNames": {"pattern": "^a"}},
    "kind": {"type": ["string", "integer"]},
    "spelled": {"type": "integer"},
    "needed": {"type": "string", "description": "What it is"},
    "choice": {"enum": ["u", "v"]},
    "plain": {"type": "string"},
    "sample": {"type": "string", "examples": ["s1"], "x-alias": ["probe"]},
    "tags": {"type": "array", "items": {"type": "string"}},
    "tls2": {"oneOf": [
      {"type": "object", "properties": {"mode": {"const": "a"}, "x": {"type": "integer"}}},
      {"type": "object", "properties": {"mode": {"const": "b"}, "y": {"type": "integer"}, "w": {"type": "integer"}}}
    ]},
    "door_code": {"type": "string", "writeOnly": true},
    "bare": {"type": "object", "additionalProperties": false},
    "door_password": {"type": "integer", "minimum": 5, "writeOnly": false},
    "free": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 5}}
  }},
  "auth": {"type": "object", "unevaluatedProperties": false, "required": ["mode", "password"], "properties": {"mode": {"enum": ["password", "none"], "description": "How it logs in"}, "password": {"type": "string", "writeOnly": true}}}
}}"##;

/// Everything wrong, one fault a line.
const WRONG: &str = r##"connector: lab
config:
  port: 11
  low: 0
  ratio: 0
  ratio2: 1.0
  name: ab
  tag: ''
  short: abc
  few: [1]
  many: [1, 2]
  twice: [1, 1]
  step: 6
  thin: {}
  thick: {a: 1, b: 2}
  form: b ${x}
  form2: b
  fixed: z
  two: aaab
  three: zzzzzzzz
  text: 5
  text2: [x]
  void2:
  has: [2]
  never: 1
  not: 5
  one: [1]
  anyof: 5
  tls: {mode: b, y: z}
  keys: {b: 1}
  kind: 0.5
  spelled: '7'
  prot: 1
  tags: [null]
  tls2: {mode: b, x: q, y: z, w: z}
  dor_code: otter-hunter-9
  bare: {x: 1}
  door_password: 1
  free: {api_token: 1, note: 2}
auth: {mode: password}
"##;

/// Misspelt, given by expressions, or in a login of which nobody knows the mode.
const MISSPELT: &str = r##"connector: lab
config:
  choice: u
  plain: x
  neded: x
  PROBE: 1
  low: ${{ vars.nope }}
  name: ${{ vars.big }}
  text: ${{ secrets.A }}
  free: {host: '${{ secrets.A }}', api_token: '${{ vars.low }}', note: '${{ vars.api_token }}'}
  door_password: otter-hunter-2
  prot: ${{ secrets.A }}
auth: {mode: pasword, passwrod: otter, zzzzzzzzzzz: kelp}
"##;

/// What stands at the wrong place, and what another layer overrides.
const MISPLACED: &str = r##"connector: lab
port: 5
door_code: otter-hunter-3
password: ${{ secrets.A }}
auth: {mode: password}
config: {needed: x, choice: w, plain: x, sample: x, keys: {a1: 1}, tls: {mode: c}, has: [1], kind: 5, one: x, anyof: true, text: 0.5, text2: true, low: 3}
"##;

/// Keys without a value, which may be one themselves.
const BARE: &str = r##"connector: lab
config: {needed: x, choice: u, plain: x, sample: x, zzzzzzzzzz}
auth: {mode: password, hunter2hunter2, passwrd}
"##;

/// More to choose from than is listed.
const WIDE: &str = r##"{"type": "object", "required": ["auth"], "properties": {
  "config": {"type": "object", "required": ["size"], "properties": {"size": {"enum": ["m01", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12", "m13"]}}},
  "auth": {"type": "object", "properties": {"mode": {"enum": ["m01", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12", "m13"]}}}
}}"##;

const OVERLAY: &str = "config: {low: 0, step: '15', twice: [1, 2], text2: 7}\n";

const TOLD: &str = r##"c:2 [config] missing-key: `lab` needs `config.choice`; add `choice: …`, one of `u`, `v`
c:2 [config] missing-key: `lab` needs `config.needed`; add `needed: …` (what it is)
c:2 [config] missing-key: `lab` needs `config.plain`; add `plain: …`
c:2 [config] missing-key: `lab` needs `config.sample`; add it, for example `sample: s1`
c:3 [11] schema: `config.port` must be at most 10, found 11; the port that is used
c:4 [0] schema: `config.low` must be at least 1, found 0
c:5 [0] schema: `config.ratio` must be more than 0, found 0
c:6 [1.0] schema: `config.ratio2` must be less than 1, found 1
c:7 [ab] schema: `config.name` must have at least 3 characters
c:8 [''] schema: `config.tag` is empty
c:9 [abc] schema: `config.short` must have at most 2 characters
c:10 [[1]] schema: `config.few` must have at least 2 items
c:11 [[1, 2]] schema: `config.many` must have at most 1 items
c:12 [[1, 1]] schema: `config.twice` has an item twice
c:13 [6] schema: `config.step` must be a multiple of 5, found 6
c:14 [{}] schema: `config.thin` must have at least 1 keys
c:15 [{a: 1, b: 2}] schema: `config.thick` must have at most 1 keys
c:16 [b ${x}] schema: `config.form` does not have the form it needs; an expression is written ${{ vars.NAME }}; letters a; for example `aaa`
c:17 [b] schema: `config.form2` does not have the form it needs
c:18 [z] schema: `config.fixed` must be `x`, found `z`
c:19 [aaab] schema: `config.two` can't be `aaab`; did you mean `aaaa`? (either of them)
c:20 [zzzzzzzz] schema: `config.three` can't be `zzzzzzzz`; one of `aaaa`, `bbbb`, `cccc`
c:21 [5] schema: `config.text` is a string, this is an integer; quote it: '5'
c:22 [[x]] schema: `config.text2` is a string, this is a list
c:23 [] schema: `config.void2` has no value; write a value, or delete the line
c:24 [[2]] schema: `config.has` lacks an item that it needs
c:25 [1] schema: `config.never` has no place here; remove it
c:26 [5] schema: `config.not` can't be this value
c:27 [[1]] schema: `config.one` is a string, this is a list
c:28 [5] schema: `config.anyof` is a string, this is an integer; quote it: '5'
c:29 [z] schema: `config.tls.y` is an integer, this is a string
c:30 [{b: 1}] schema: a key of `config.keys` does not have the form it needs
c:31 [0.5] schema: `config.kind` is an integer or a string, this is a number
c:32 ['7'] string-for-integer: `config.spelled` is an integer, written as a string; remove the quotes
c:33 [prot] unknown-key: unknown field `config.prot`; fields here: `anyof`, `bare`, `choice`, `door_code`, `door_password`, `few`, `fixed`, `form`, `form2`, `free`, `has`, `keys` and 29 more
c:34 [null] schema: `config.tags.0` has no value; write a value, or delete the line
c:35 [z] schema: `config.tls2.y` is an integer, this is a string
c:35 [z] schema: `config.tls2.w` is an integer, this is a string
c:36 [dor_code] unknown-key: unknown field `config.dor_code`; did you mean `door_code`?
c:37 [{x: 1}] schema: `config.bare` has no place here; remove it
c:38 [1] schema: `config.door_password` must be at least 5, found 1
c:39 [1] schema: `config.free.api_token` must be at least 5, found an integer
c:39 [2] schema: `config.free.note` must be at least 5, found 2
c:40 [auth] missing-key: mode `password` of `lab` needs `auth.password`; add `password: ${{ secrets.PASSWORD }}`
d:5 [neded] unknown-key: unknown field `config.neded`; did you mean `needed`?
d:6 [PROBE] unknown-key: unknown field `config.PROBE`; did you mean `sample`?
d:7 [nope] undefined-name: `vars.nope` is not defined; `vars` has `big`, `low`, `api_token`
d:9 [${{ secrets.A }}] secret-in-clear: the secret `A` in `config.text`, which is not a secret field; what stands here is shown in plans and records: use `vars`, or put the secret into a field that is secret
d:10 ['${{ secrets.A }}'] secret-in-clear: the secret `A` in `config.free.host`, which is not a secret field; what stands here is shown in plans and records: use `vars`, or put the secret into a field that is secret
d:10 ['${{ vars.low }}'] secret-named-value: the name of `config.free.api_token` says secret, and its value stands here in clear; if it was ever committed, rotate it. Then `tieline secret set API_TOKEN -e ENV` and write ${{ secrets.API_TOKEN }} in a field of `auth`, for no secret can stand here; if it is not a secret, say why on its line: `# tieline: allow secret-named-value REASON`
d:11 [otter-hunter-2] schema: `config.door_password` is an integer, this is a string
d:12 [prot] unknown-key: unknown field `config.prot`; did you mean `port`?
d:13 [pasword] schema: `auth.mode: pasword` is not a mode of `lab`; did you mean `password`? modes: `password`, `none`
d:13 [passwrod] unknown-key: unknown field `auth.passwrod` (mode `pasword`); did you mean `password`?
d:13 [zzzzzzzzzzz] unknown-key: unknown field `auth.zzzzzzzzzzz` (mode `pasword`); fields here: `mode`, `password`
e:2 [port] unknown-key: unknown key `port` in a connection; it belongs under `config`: indent it there
e:3 [door_code] unknown-key: unknown key `door_code` in a connection; it belongs under `config`: indent it there
e:4 [password] unknown-key: unknown key `password` in a connection; it belongs under `auth`: indent it there
e:6 [w] schema: `config.choice` can't be `w`; did you mean `u`?
e:6 [{mode: c}] schema: `config.tls` has none of the forms that it can have
e:6 [0.5] schema: `config.text` is a string, this is a number; quote it: '0.5'
f:2 [zzzzzzzzzz] unknown-key: unknown field `config.zzzzzzzzzz`; fields here: `anyof`, `bare`, `choice`, `door_code`, `door_password`, `few`, `fixed`, `form`, `form2`, `free`, `has`, `keys` and 29 more
f:3 [hunter2hunter2] unknown-key: unknown field below `auth` (mode `password`); fields here: `mode`, `password`
f:3 [passwrd] unknown-key: unknown field `auth.passwrd` (mode `password`); did you mean `password`?
g:2 [zzzzzzzz] schema: `config.size` can't be `zzzzzzzz`; one of `m01`, `m02`, `m03`, `m04`, `m05`, `m06`, `m07`, `m08`, `m09`, `m10`, `m11`, `m12` and 1 more
g:3 [m1] schema: `auth.mode: m1` is not a mode of `wide`; did you mean `m01`? modes: `m01`, `m02`, `m03`, `m04`, `m05`, `m06`, `m07`, `m08`, `m09`, `m10`, `m11`, `m12` and 1 more
h:1 [wide] missing-key: the connection has neither `auth` nor `credential`; choose a mode: `auth: {mode: …}` with `m01`, `m02`, `m03`, `m04`, `m05`, `m06`, `m07`, `m08`, `m09`, `m10`, `m11`, `m12` and 1 more; or link a `credential`
h:2 [config] missing-key: `wide` needs `config.size`; add `size: …`, one of `m01`, `m02`, `m03`, `m04`, `m05`, `m06`, `m07`, `m08`, `m09`, `m10`, `m11`, `m12` and 1 more
o:1 [0] schema: `config.low` must be at least 1, found 0
o:1 ['15'] string-for-integer: `config.step` is an integer, written as a string; remove the quotes
o:1 [7] schema: `config.text2` is a string, this is an integer; quote it: '7'
vars:2 [99] schema: `config.name` is a string, this is an integer; quote it: '99'
vars:2 [1] schema: `config.free.api_token` must be at least 5, found an integer
vars:2 [2] schema: `config.free.note` must be at least 5, found an integer
"##;

/// One run tells all of it, each once; what could be a secret is not quoted.
#[test]
fn e2_11_what_does_not_fit_a_schema_is_told_in_words_that_fit_the_fault() {
    let folder = Folder::bare()
        .with("connectors/lab.json", LAB)
        .with("environments/dev/environment.yaml", "secrets: {A: 'env:A'}\nvars: {big: 99, low: 1, api_token: 2}\n")
        .with("connectors/wide.json", WIDE)
        .with("connections/c.yaml", WRONG)
        .with("connections/d.yaml", MISSPELT)
        .with("connections/e.yaml", MISPLACED)
        .with("connections/f.yaml", BARE)
        .with("connections/g.yaml", "connector: wide\nconfig: {size: zzzzzzzz}\nauth: {mode: m1}\n")
        .with("connections/h.yaml", "connector: wide\nconfig: {}\n")
        .with("environments/dev/connections/e.yaml", OVERLAY);
    let report = folder.json();
    let mut told = String::new();
    for (one, part) in report["diagnostics"].as_array().unwrap().iter().zip(folder.underlined()) {
        let file = match one["file"].as_str().unwrap() {
            "environments/dev/environment.yaml" => "vars",
            "environments/dev/connections/e.yaml" => "o",
            path => path.trim_start_matches("connections/").trim_end_matches(".yaml"),
        };
        let text = |key: &str| one[key].as_str().map(str::to_owned);
        let help = text("help").map(|help| format!("; {help}")).unwrap_or_default();
        let (line, part) = (&one["range"]["start"]["line"], part.trim());
        let part = part.lines().next().unwrap_or_default();
        told += &format!("{file}:{line} [{part}] {}: {}{help}\n", text("code").unwrap(), text("message").unwrap());
    }
    assert!(told == TOLD, "{told}");
    let shown = folder.validate().stdout;
    assert!(!shown.contains("otter") && !shown.contains("kelp"), "{shown}");
    assert!(shown.contains("the value that it overrides"), "{shown}");
    // What a schema knows to be clear is shown, whatever its name; what it doesn't know is not.
    assert!(shown.contains("door_password: 1") && shown.contains("api_token: ********, note: 2"), "{shown}");
}
