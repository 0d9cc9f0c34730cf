//! The abuse cases of somebody else's pull request, by their ids.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use base64::Engine;

use tieline::world::{ReadError, System, World};

use crate::peers::{permitted, there};
use crate::support::{Folder, run, told};

/// The one connection that a case spoils.
const SPOILT: &str = "connections/orders.yaml";

fn spoilt(text: impl AsRef<[u8]>) -> Folder {
    Folder::base().with(SPOILT, text)
}

/// Asserts that exactly these codes come, and that it doesn't take long.
fn tells(folder: &Folder, codes: &[&str]) {
    let run = folder.validate();
    assert!(run.took < Duration::from_secs(5), "{:?}\n{}", run.took, run.stdout);
    assert_eq!(folder.codes(), codes, "{}", run.stdout);
}

/// The same with no more than 256 MiB of memory: what is refused only after it was made ends by a signal here.
fn tells_in_little_memory(folder: &Folder, codes: &[&str]) {
    let mut command = Command::new("sh");
    let line = format!("ulimit -d 262144; exec '{}' validate --format json", env!("CARGO_BIN_EXE_tieline"));
    let run = run({
        command.args(["-c", &line]).current_dir(folder.path());
        command
    });
    let report = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    let found: Vec<String> = told(&report).into_iter().map(|told| told.code).collect();
    assert_eq!(found, codes, "{}", run.stdout);
    assert!(run.took < Duration::from_secs(1), "{:?}", run.took);
}

#[test]
fn a01_an_alias_bomb_is_an_error_within_a_second() {
    let mut text = String::from("connector: http\nlabels:\n  l0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..30 {
        let below = format!("*l{}", level - 1);
        let _ = writeln!(text, "  l{level}: &l{level} [{}]", [below.as_str(); 9].join(", "));
    }
    let folder = spoilt(text);
    tells_in_little_memory(&folder, &["yaml-too-many-nodes"]);
}

#[test]
fn a01_every_anchor_of_an_anchor_counts() {
    // Quadratic rather than exponential: each anchor holds a copy of a large one.
    let mut text = String::from("connector: http\nlabels:\n");
    let _ = writeln!(text, "  a0: &a0 [{}]", "x, ".repeat(200));
    for level in 1..2000 {
        let _ = writeln!(text, "  a{level}: &a{level} [*a0, x]");
    }
    tells_in_little_memory(&spoilt(text), &["yaml-too-many-nodes"]);
}

#[test]
fn a02_deep_nesting_is_an_error_and_no_stack_overflow() {
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        tells(
            &spoilt(format!("connector: http\nlabels: {}{}\n", open.repeat(100_000), close.repeat(100_000))),
            &["yaml-too-deep"],
        );
        // Never closed.
        tells(&spoilt(format!("connector: http\nlabels: {}", open.repeat(100_000))), &["yaml-too-deep"]);
    }
    // 3,000 deep would be over the limit of bytes.
    let block: String = (0..2800).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    tells(&spoilt(block), &["yaml-too-deep"]);
    tells(&spoilt("- ".repeat(3000)), &["yaml-too-deep"]);
    let sealed = format!("A: {}\n", "[".repeat(100_000));
    tells(&Folder::base().with("environments/dev/secrets.sops.yaml", sealed), &["invalid-secrets-file"]);
    let schema = "{\"allOf\":[".repeat(30_000);
    tells(&Folder::base().with("connectors/billing.json", schema), &["invalid-connector-schema"]);
}

#[test]
fn a03_a_file_over_the_limit_is_refused_before_it_is_parsed() {
    // Valid YAML, and a syntax error in its first line: neither is looked at.
    let limit = 4 << 20;
    let text = format!("connector: [\n# {}\n", "x".repeat(limit));
    let folder = spoilt(&text);
    tells(&folder, &["too-large"]);
    insta::assert_snapshot!(folder.validate().stdout);
    // A sparse gigabyte costs no memory and no time.
    let file = fs::File::create(folder.path().join(SPOILT)).unwrap();
    file.set_len(1 << 30).unwrap();
    tells(&folder, &["too-large"]);
    let schema = format!("{{\"title\": \"{}\"}}", "x".repeat(1 << 20));
    tells(&Folder::base().with("connectors/billing.json", schema), &["too-large"]);
}

#[test]
fn a04_a_duplicate_key_shows_both_places() {
    let cases = [
        ("a: x\n  a: z", ["a", "a"]),
        ("a: x\n  \"a\": z", ["\"a\"", "a"]),
        ("'a': x\n  a: z", ["a", "'a'"]),
        ("\"\\x61\": x\n  a: z", ["a", "\"\\x61\""]),
        ("b\u{fc}ro: x\n  bu\u{308}ro: z", ["bu\u{308}ro", "b\u{fc}ro"]),
        ("? a\n  : x\n  a: z", ["a", "a"]),
    ];
    for (labels, places) in cases {
        let text = format!(
            "connector: mysql\nconfig:\n  host: a.example\n  database: a\n  params:\n    {}\ncredential: finance-db\n",
            labels.replace("\n  ", "\n    ")
        );
        let folder = spoilt(&text);
        let report = folder.json();
        let told = &report["diagnostics"];
        assert_eq!(told.as_array().unwrap().len(), 1, "{labels}: {told:#}");
        assert_eq!(told[0]["code"], "duplicate-key");
        let slice = |range: &serde_json::Value| {
            let byte = |end: &str| range[end]["byte"].as_u64().unwrap() as usize;
            text[byte("start")..byte("end")].to_owned()
        };
        assert_eq!([slice(&told[0]["range"]), slice(&told[0]["related"][0]["range"])], places);
    }
    // Many keys: found by another way than few.
    let many: String = (0..1000).map(|i| format!("  k{i}: x\n")).collect();
    tells(
        &spoilt(format!(
            "connector: s3\nlabels:\n{many}  k500: z\nauth: {{mode: default}}\nconfig: {{region: eu-central-1}}\n"
        )),
        &["duplicate-key"],
    );
}

#[test]
fn a06_an_anchor_within_itself_is_an_error() {
    tells(&spoilt("connector: s3\nlabels: &a\n  b: [*a]\n"), &["yaml-alias"]);
    tells(&spoilt("&a [*a]\n"), &["yaml-alias"]);
}

#[test]
fn a09_odd_bytes_are_told_or_read_the_same_everywhere() {
    let valid = "connector: s3\nconfig:\n  region: eu-central-1\nauth:\n  mode: default\n";
    let utf16 = |big: bool| -> Vec<u8> {
        let unit = |u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() };
        std::iter::once(0xfeff).chain(valid.encode_utf16()).flat_map(unit).collect()
    };
    tells(&spoilt(format!("\u{feff}{valid}")), &[]);
    tells(&spoilt(valid.replace('\n', "\r\n")), &[]);
    tells(&spoilt(format!("---\n{valid}...\n")), &[]);
    tells(&spoilt(valid.trim_end()), &[]);
    tells(&spoilt(format!("{valid}---\n{valid}")), &["yaml-documents"]);
    tells(&spoilt(format!("{valid}---\n")), &["yaml-documents"]);
    tells(&spoilt(utf16(false)), &["not-utf8"]);
    tells(&spoilt(utf16(true)), &["not-utf8"]);
    tells(&spoilt(valid.replace("eu-", "eu\0-")), &["control-character"]);
    tells(&spoilt(valid.replace("  region", "\tregion")), &["yaml-tab"]);
    tells(&spoilt(valid.replace("region: ", "region:\t")), &["yaml-tab"]);
    tells(&spoilt(format!("{valid}\u{feff}x: y\n")), &["control-character"]);
    for (mode, line) in [("lf", "\n"), ("crlf", "\r\n")] {
        let text = valid.replace("region", "regoin").replace('\n', line);
        let folder = spoilt(format!("\u{feff}{text}"));
        assert_eq!(folder.underlined(), ["regoin"], "{mode}");
        insta::assert_snapshot!("a09_bom_and_line_breaks", folder.validate().stdout);
    }
}

#[test]
fn a10_invalid_utf8_is_told_at_its_byte() {
    for (bytes, line, column) in [
        (&b"connector: s3\ntitle: M\xfcller\n"[..], 2, 9),
        (b"\xff\n", 1, 1),
        (b"title: \xc3\xa4\xc3", 1, 9),
        (b"a: \xed\xa0\x80", 1, 4),
    ] {
        let report = spoilt(bytes).json();
        let told = &report["diagnostics"][0];
        assert_eq!((told["code"].as_str(), report["diagnostics"].as_array().unwrap().len()), (Some("not-utf8"), 1));
        let start = &told["range"]["start"];
        assert_eq!((start["line"].as_u64(), start["column"].as_u64()), (Some(line), Some(column)), "{told:#}");
    }
    let folder = Folder::base();
    let odd: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"connections/m\xfcller.yaml");
    fs::write(folder.path().join(odd), "connector: s3\n").unwrap();
    tells(&folder, &["invalid-id"]);
}

/// What `/etc/passwd` begins with everywhere; no output may have it.
const FOREIGN: &str = "root:";

fn never_foreign(folder: &Folder, codes: &[&str]) {
    tells(folder, codes);
    for format in ["human", "json"] {
        let run = folder.run(&["validate", "--format", format]);
        assert!(!run.stdout.contains(FOREIGN) && !run.stderr.contains(FOREIGN), "{}", run.stdout);
    }
}

#[test]
fn a12_a_link_is_not_followed_to_a_file() {
    let places = [
        ("connections/orders.yaml", &["not-a-regular-file"][..]),
        ("credentials/orders.yaml", &["not-a-regular-file"]),
        ("consumers/orders.yaml", &["not-a-regular-file"]),
        ("connectors/orders.json", &["not-a-regular-file"]),
        ("environments/dev/secrets.sops.yaml", &["not-a-regular-file"]),
        ("environments/dev/connections/finance.yaml", &["not-a-regular-file"]),
    ];
    for (path, codes) in places {
        let folder = Folder::base();
        let link = folder.path().join(path);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink("/etc/passwd", &link).unwrap();
        never_foreign(&folder, codes);
    }
    for path in ["tieline.yaml", "environments/dev/environment.yaml"] {
        let folder = Folder::base();
        fs::remove_file(folder.path().join(path)).unwrap();
        symlink("/etc/passwd", folder.path().join(path)).unwrap();
        let codes = folder.codes();
        assert!(codes.contains(&"not-a-regular-file".to_owned()), "{path}: {codes:?}");
        assert!(!folder.validate().stdout.contains(FOREIGN));
    }
    // Within the workspace, dangling, and to itself: the same.
    for target in ["finance.yaml", "nowhere.yaml", "orders.yaml"] {
        let folder = Folder::base();
        symlink(target, folder.path().join(SPOILT)).unwrap();
        never_foreign(&folder, &["not-a-regular-file"]);
    }
    let folder = Folder::base();
    symlink("/etc/passwd", folder.path().join(SPOILT)).unwrap();
    insta::assert_snapshot!(folder.validate().stdout);
}

#[test]
fn a13_a_linked_folder_is_not_entered() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("orders.yaml"), "root:x:0\n").unwrap();
    for path in
        ["connections/orders", "connectors", "environments/stage", "environments/dev/credentials", "connections/a/b"]
    {
        let folder = Folder::base();
        let link = folder.path().join(path);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(outside.path(), &link).unwrap();
        never_foreign(&folder, &["not-a-regular-file"]);
    }
}

/// What a path must never be taken for, wherever one can be written.
const PATHS: &[&str] = &[
    "../outside",
    "a/../../outside",
    "/etc/passwd",
    "~/outside",
    "file:///etc/passwd",
    "..%2foutside",
    "%2e%2e/outside",
    "..\\outside",
    "\\\\host\\share",
    "C:/outside",
    "a\\0b",
    "./outside",
    "",
    ".",
    "..",
    "a//b",
];

#[test]
fn a14_no_path_leads_out_of_the_workspace() {
    let target = |path: &str| {
        let settings =
            fs::read_to_string(crate::support::root().join("fixtures/base/environments/dev/environment.yaml"));
        let settings = format!("{}target: {{kind: directory, path: \"{}\"}}\n", settings.unwrap(), escaped(path));
        Folder::base().with("environments/dev/environment.yaml", settings)
    };
    let extends = |path: &str| {
        let settings = format!("extends: \"{}\"\n", escaped(path));
        Folder::base().with("environments/prod/environment.yaml", settings)
    };
    let credential = |path: &str| {
        let config = "connector: mysql\nconfig: {host: db.acme.example, database: orders}\n";
        spoilt(format!("{config}credential: \"{}\"\n", escaped(path)))
    };
    let uses = |path: &str| {
        Folder::base().with("consumers/nightly.yaml", format!("kind: flow\nuses: [\"{}\"]\n", escaped(path)))
    };
    let key = |path: &str| {
        let config = "connector: s3\nconfig: {region: eu-central-1}\nauth: {mode: default}\n";
        spoilt(format!("{config}key: \"{}\"\n", escaped(path)))
    };
    for path in PATHS {
        never_foreign(&target(path), &["invalid-value"]);
        never_foreign(&extends(path), &["unknown-environment"]);
        never_foreign(&credential(path), &["unknown-credential"]);
        never_foreign(&uses(path), &["unknown-connection"]);
        never_foreign(&key(path), &["invalid-id"]);
    }
}

/// As a double-quoted YAML scalar has it.
fn escaped(path: &str) -> String {
    path.replace("\\0", "\0").replace('\\', "\\\\").replace('\0', "\\0")
}

#[test]
fn a15_an_error_shows_no_line_of_a_foreign_file() {
    // A schema that points at one, a connection that is one, a settings file that is one.
    let schema = r#"{"type": "object", "properties": {"config": {"$ref": "/etc/passwd"}}}"#;
    never_foreign(&Folder::base().with("connectors/orders.json", schema), &["invalid-connector-schema"]);
    never_foreign(&spoilt("connector: s3\nconfig: !include /etc/passwd\n"), &["yaml-tag"]);
    never_foreign(
        &spoilt(
            "connector: s3\nlabels: {passwd: \"${{ open('/etc/passwd') }}\"}\nconfig: {region: eu-central-1}\nauth: {mode: default}\n",
        ),
        &["invalid-expression"],
    );
    let linked = Folder::base();
    fs::create_dir(linked.path().join("connections/x")).unwrap();
    symlink("/etc/passwd", linked.path().join("connections/x/passwd.yaml")).unwrap();
    never_foreign(&linked, &["not-a-regular-file"]);
}

#[test]
fn a18_pipes_sockets_and_devices_are_refused_without_waiting() {
    let paths = ["connections/orders.yaml", "environments/dev/secrets.sops.yaml", "connectors/orders.json"];
    for path in paths {
        let folder = Folder::base();
        fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        assert!(Command::new("mkfifo").arg(folder.path().join(path)).status().unwrap().success());
        tells(&folder, &["not-a-regular-file"]);
    }
    let folder = Folder::base();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join(SPOILT)).unwrap();
    tells(&folder, &["not-a-regular-file"]);
    for device in ["/dev/zero", "/proc/self/environ", "/dev/stdin"] {
        let folder = Folder::base();
        symlink(device, folder.path().join(SPOILT)).unwrap();
        tells(&folder, &["not-a-regular-file"]);
    }
    // Devices as they are: to make one in a workspace is a right that few have.
    let devices = System::new("/dev");
    for device in ["zero", "null", "full", "random"] {
        assert_eq!(devices.read(device, 100), Err(ReadError::NotAFile), "{device}");
    }
    // A FIFO where the workspace file is wanted.
    let folder = Folder::empty();
    assert!(Command::new("mkfifo").arg(folder.path().join("tieline.yaml")).status().unwrap().success());
    assert_eq!(folder.codes(), ["not-a-regular-file"]);
}

#[test]
fn unreadable_files_are_told_by_their_path() {
    use std::os::unix::fs::PermissionsExt;
    let folder = spoilt("connector: s3\n");
    fs::set_permissions(folder.path().join(SPOILT), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(folder.path().join(SPOILT)).is_ok() {
        // Root reads everything: as somebody else then.
        let open = |path: &std::path::Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        open(folder.path());
        open(folder.path().parent().unwrap());
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        command.args([env!("CARGO_BIN_EXE_tieline"), "validate", "-C"]).arg(folder.path());
        let mut alone = Command::new("setpriv");
        if !permitted("setpriv", alone.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--", "true"])) {
            return;
        }
        let run = run(command);
        insta::assert_snapshot!("unreadable", run.stdout);
    } else {
        insta::assert_snapshot!("unreadable", folder.validate().stdout);
    }
}

/// References that would leave the file, in a connector schema.
const REFERENCES: &[&str] = &[
    "http://169.254.169.254/latest/meta-data/",
    "https://schemas.example.com/a.json",
    "http://localhost:1/a.json",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "/etc/passwd",
    "../../etc/passwd",
    "./other.json",
    "other.json#/$defs/a",
    "~/.ssh/id_ed25519",
    "..%2f..%2fetc/passwd",
    "data:application/json,{}",
    "urn:example:a",
    "ftp://example.com/a",
    "//169.254.169.254/a",
    "tieline:/connectors/other.json",
    "#/$defs/missing",
    "#missing",
];

#[test]
fn a28_a_schema_that_points_elsewhere_is_refused_offline() {
    let schema = |keyword: &str, target: &str| {
        format!(
            "{{\n  \"type\": \"object\",\n  \"properties\": {{\n    \"config\": {{\"{keyword}\": \"{target}\"}}\n  }}\n}}\n"
        )
    };
    let mut shown = String::new();
    for target in REFERENCES {
        for keyword in ["$ref", "$dynamicRef"] {
            let folder = Folder::base()
                .with("connectors/billing.json", schema(keyword, target))
                .with("connectors/other.json", "{}");
            never_foreign(&folder, &["invalid-connector-schema"]);
            if keyword == "$ref" {
                let report = folder.json();
                let _ = writeln!(shown, "{target}\n  {}", report["diagnostics"][0]["message"].as_str().unwrap());
            }
        }
    }
    insta::assert_snapshot!(shown);
    for text in [
        r#"{"$schema": "http://169.254.169.254/schema"}"#,
        r#"{"$id": "http://169.254.169.254/a", "properties": {"config": {"$ref": "b"}}}"#,
        r#"{"$id": "file:///etc/", "properties": {"config": {"$ref": "passwd"}}}"#,
    ] {
        never_foreign(&Folder::base().with("connectors/billing.json", text), &["invalid-connector-schema"]);
    }
}

#[test]
fn a61_validate_is_the_same_without_a_network() {
    let schema = r#"{"type": "object", "properties": {"config": {"$ref": "http://169.254.169.254/a.json"}}}"#;
    let folder = Folder::base().with("connectors/billing.json", schema);
    if !there("unshare", Command::new("unshare").arg("--version"))
        || !permitted("unshare", Command::new("unshare").args(["-rn", "true"]))
    {
        return;
    }
    let mut alone = Command::new("unshare");
    alone.args(["-rn", "--", env!("CARGO_BIN_EXE_tieline"), "validate"]).current_dir(folder.path());
    let alone = run(alone);
    let with = folder.validate();
    assert_eq!((alone.stdout, alone.code), (with.stdout, with.code));
}

#[test]
fn a29_a_schema_in_circles_ends() {
    // One that comes back to itself without entering a field says nothing of any value.
    for text in [
        r##"{"$ref": "#"}"##,
        r##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}"##,
    ] {
        let folder = Folder::base()
            .with("connectors/billing.json", text)
            .with(SPOILT, "connector: billing\nconfig: {host: db}\nauth: {mode: none}\n");
        tells(&folder, &["invalid-connector-schema"]);
    }
    let cases = [
        r##"{"properties": {"config": {"$ref": "#"}}, "additionalProperties": {"$ref": "#"}}"##,
        r##"{"type": "object", "properties": {"auth": {"$ref": "#"}, "config": {"type": "object"}}}"##,
    ];
    for text in cases {
        let folder = Folder::base()
            .with("connectors/billing.json", text)
            .with(SPOILT, "connector: billing\nconfig: {host: db}\nauth: {mode: none}\n");
        tells(&folder, &[]);
    }
    // Where the instance doesn't fit, the circle is walked again for what to say of it.
    let config =
        r##""config": {"type": "object", "additionalProperties": false, "properties": {"port": {"type": "integer"}}}"##;
    let cases = [
        (
            format!(r##"{{"type": "object", "properties": {{{config}, "auth": {{"type": "object"}}}}, "allOf": [{{"$ref": "#/$defs/a"}}], "$defs": {{"a": {{"allOf": [{{"$ref": "#/$defs/a"}}]}}}}}}"##),
            &["invalid-connector-schema"][..],
        ),
        (
            r##"{"type": "object", "properties": {"config": {"$ref": "#/$defs/a", "unevaluatedProperties": false}, "auth": {"type": "object"}},
                "$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}}"##.to_owned(),
            &["invalid-connector-schema"],
        ),
        (
            r##"{"type": "object", "properties": {"config": {"type": "object", "properties": {"port": {"type": "integer"}},
                "anyOf": [{"$ref": "#/properties/config"}, {"type": "string"}]}, "auth": {"type": "object"}}}"##.to_owned(),
            &["invalid-connector-schema"],
        ),
        (
            r##"{"type": "object", "allOf": [{"$ref": "#"}], "additionalProperties": false, "properties": {"config": {"type": "object"}}}"##.to_owned(),
            &["invalid-connector-schema"],
        ),
        (
            r##"{"type": "object", "additionalProperties": false, "allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}"##.to_owned(),
            &["invalid-connector-schema"],
        ),
        (
            r##"{"type": "object", "properties": {"config": {"$ref": "#/$defs/node"}, "auth": {"type": "object"}}, "$defs": {"node":
                {"type": "object", "properties": {"host": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}}, "additionalProperties": false}}}"##.to_owned(),
            &["schema", "unknown-key"],
        ),
    ];
    for (text, codes) in cases {
        let folder = Folder::base()
            .with("connectors/billing.json", &text)
            .with(SPOILT, "connector: billing\nconfig: {host: db, port: x}\nauth: {mode: none}\n");
        tells(&folder, codes);
    }
}

/// Never anywhere in the output, in no form.
const CANARY: &str = "kT7-Canary+pq/9Zw=Xx";

/// The forms in which a value leaks: as it is, percent-encoded, hexadecimal, base64 at each offset.
fn forms(secret: &str) -> Vec<String> {
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    let hex = secret.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    let url =
        secret.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") });
    let mut forms = vec![
        secret.to_owned(),
        secret[..8].to_owned(),
        secret[6..14].to_owned(),
        hex.clone(),
        hex.to_uppercase(),
        url.collect(),
    ];
    for offset in 0..3 {
        // The middle of the encoding is the same whatever stands before and behind.
        let text = engine.encode(format!("{}{secret}", "x".repeat(offset)));
        forms.push(text[4..text.len() - 4].to_owned());
    }
    forms.push(secret.chars().rev().collect());
    forms
}

fn leaks_nothing(what: &str, folder: &Folder) {
    for arguments in [&["validate"][..], &["validate", "--format", "json"]] {
        let run = folder.run(arguments);
        assert_eq!(run.code, 1, "{what}: nothing was told\n{}", run.stdout);
        for text in [&run.stdout, &run.stderr] {
            for form in forms(CANARY) {
                assert!(!text.contains(&form), "{what}: {arguments:?} shows {form:?}\n{text}");
            }
        }
    }
}

#[test]
fn a34_a_plaintext_secret_is_in_no_output() {
    let mysql = "connector: mysql\nconfig: {host: db.acme.example, database: orders}\n";
    let http = "connector: http\nconfig: {base_url: 'https://api.acme.example'}\n";
    let auth = |lines: &str| format!("{mysql}auth:\n  mode: password\n  username: orders\n{lines}");
    let quoted = format!("'{CANARY}'");
    let connections = [
        ("plain", auth(&format!("  password: {CANARY}\n"))),
        ("quoted", auth(&format!("  password: \"{CANARY}\"\n"))),
        ("block", auth(&format!("  password: |\n    first\n    {CANARY}\n"))),
        ("folded", auth(&format!("  password: >-\n    {CANARY}\n"))),
        ("next line", auth(&format!("  password:\n    {CANARY}\n"))),
        ("over lines", auth(&format!("  password: x\n    {CANARY}\n"))),
        ("flow", format!("{mysql}auth: {{mode: password, username: orders, password: {quoted}}}\n")),
        ("flow with a comma", format!("{mysql}auth: {{mode: password, username: orders, password: 'a,{CANARY}'}}\n")),
        ("JSON", format!("{{\"connector\":\"mysql\",\"auth\":{{\"mode\":\"password\",\"password\":\"{CANARY}\"}}}}\n")),
        ("number", auth("  password: 0123\n").replace("0123", CANARY)),
        ("map", auth(&format!("  password: {{a: {quoted}}}\n"))),
        ("list", auth(&format!("  password: [{quoted}]\n"))),
        ("misspelt field", auth(&format!("  passwort: {CANARY}\n"))),
        ("misspelt field, no near name", auth(&format!("  kennwort: {CANARY}\n"))),
        ("misspelt mode", auth(&format!("  password: {CANARY}\n")).replace("mode: password", "mode: pasword")),
        ("field of no name", format!("{http}auth: {{mode: api_key, value: {quoted}}}\n")),
        ("field of no name, misspelt mode", format!("{http}auth: {{mode: api_kee, value: {quoted}}}\n")),
        ("misspelt connector", auth(&format!("  password: {CANARY}\n")).replace("mysql", "mysqll")),
        ("beside an expression", auth(&format!("  password: {CANARY}${{{{ vars.unknown }}}}\n"))),
        ("behind an expression", auth(&format!("  password: ${{{{ vars.unknown }}}}{CANARY}\n"))),
        ("in an expression", auth(&format!("  password: ${{{{ {quoted} ~ vars.unknown }}}}\n"))),
        ("in a field of no name", format!("{http}auth: {{mode: api_key, value: \"{CANARY}${{{{ vars.unknown }}}}\"}}\n")),
        ("as a fallback", auth(&format!("  password: ${{{{ secrets.UNKNOWN | default({quoted}) }}}}\n"))),
        ("beside a secret", auth(&format!("  password: {CANARY}${{{{ secrets.UNKNOWN }}}}\n"))),
        ("never closed expression", auth(&format!("  password: ${{{{ secrets.X }}{CANARY}\n"))),
        ("duplicate", auth(&format!("  password: ${{{{ secrets.FINANCE_PASSWORD }}}}\n  password: {CANARY}\n"))),
        ("tag", auth(&format!("  password: !!binary {CANARY}\n"))),
        ("both logins", format!("{mysql}credential: finance-db\nauth: {{mode: password, password: {quoted}}}\n")),
        ("nested where it is not wanted", format!("{mysql}auth: {{credentials: {{password: {quoted}, key: {quoted}}}}}\n")),
        ("tunnel", mysql.replace("database: orders", &format!("database: orders, ssh_tunnel: {{host: bastion, username: a, auth: x, password: {quoted}}}"))),
        ("private key", auth("  password: ${{ secrets.FINANCE_PASSWORD }}\n").replace("mode: password", &format!("mode: client_certificate\n  private_key: |\n    -----BEGIN PRIVATE KEY-----\n    {CANARY}\n    -----END PRIVATE KEY-----"))),
    ];
    for (what, text) in connections {
        leaks_nothing(what, &spoilt(text));
    }
    let settings = |lines: &str| {
        Folder::base().with("environments/dev/environment.yaml", format!("vars: {{db_host: db.acme.example}}\n{lines}"))
    };
    leaks_nothing("binding", &settings(&format!("secrets:\n  FINANCE_PASSWORD: {CANARY}\n")));
    leaks_nothing("binding, no telling name", &settings(&format!("secrets:\n  FINANCE: {CANARY}\n")));
    leaks_nothing("binding as a map", &settings(&format!("secrets:\n  FINANCE: {{value: {quoted}}}\n")));
    leaks_nothing("binding from no store", &settings(&format!("secrets:\n  FINANCE: {{from: {quoted}}}\n")));
    leaks_nothing("binding as a list", &settings(&format!("secrets:\n  FINANCE: [{quoted}]\n")));
    let variable =
        format!("vars: {{db_host: db.acme.example, login: {quoted}}}\nsecrets: {{FINANCE_PASSWORD: 'env:X'}}\n");
    leaks_nothing(
        "variable",
        &Folder::base()
            .with("environments/dev/environment.yaml", variable)
            .with(SPOILT, auth("  password: ${{ vars.login }}\n")),
    );
    let credential = format!("auth: {{mode: password, username: finance, password: {quoted}}}\n");
    leaks_nothing("credential", &Folder::base().with("credentials/finance-db.yaml", credential));
    leaks_nothing(
        "private key of age",
        &settings(&format!("keys: {{ci: AGE-SECRET-KEY-1{}}}\n", CANARY.to_uppercase())),
    );
}

#[test]
fn a34_an_unencrypted_secrets_file_is_in_no_output() {
    let files = [
        ("clear", format!("ORDERS: {CANARY}\n")),
        ("quoted", format!("ORDERS: \"{CANARY}\"\n")),
        ("block", format!("ORDERS: |\n  a\n  {CANARY}\n")),
        ("nested", format!("orders:\n  password: {CANARY}\n")),
        ("list", format!("- {CANARY}\n")),
        ("text", format!("{CANARY}\n")),
        ("as a key", format!("{CANARY}: x\n")),
        ("broken", format!("ORDERS: \"{CANARY}\nOTHER: x: y\n")),
        ("broken later", format!("ORDERS: {CANARY}\nOTHER: [\n")),
        ("tab", format!("ORDERS:\n\t{CANARY}\n")),
        ("duplicate", format!("ORDERS: {CANARY}\nORDERS: {CANARY}\n")),
        ("comment", format!("# {CANARY}\nORDERS: x\n")),
        ("two documents", format!("ORDERS: x\n---\nOTHER: {CANARY}\n")),
        ("empty block", format!("ORDERS: {CANARY}\nsops: {{}}\n")),
        ("block of nonsense", format!("ORDERS: {CANARY}\nsops: {CANARY}\n")),
        ("alias", format!("ORDERS: &a {CANARY}\nOTHER: *b\n")),
        ("dotenv", format!("ORDERS={CANARY}\n")),
        ("JSON", format!("{{\"ORDERS\": \"{CANARY}\"}}\n")),
    ];
    for (what, text) in files {
        leaks_nothing(what, &Folder::base().with("environments/dev/secrets.sops.yaml", text));
    }
    let half = crate::support::sealed(
        &["ORDERS", "OTHER"],
        &["age1vr9l69vvtreuntmsvsu4keme3jwsa25plc4fcngeyfn9v64u2eqqjzhu3u"],
    );
    let line = half.lines().next().unwrap();
    let half = half.replace(line, &format!("ORDERS: {CANARY}"));
    leaks_nothing("one value in clear", &Folder::base().with("environments/dev/secrets.sops.yaml", half));
}

#[test]
fn a35_a_syntax_error_shows_no_value_behind_a_key_that_sounds_secret() {
    let texts = [
        ("colon", format!("password: {CANARY}: x\n")),
        ("open quote", format!("password: \"{CANARY}\nhost: db\n")),
        ("open quote over lines", format!("password: \"first\n  {CANARY}\nhost: db\n")),
        ("open quote to the end", format!("password: \"first\n  {CANARY}")),
        ("open single quote", format!("password: '{CANARY}\nhost: db\n")),
        ("next line", format!("password:\n  {CANARY}: x: y\n")),
        ("flow", format!("auth: {{password: {CANARY}, host: [}}\n")),
        ("second in a line", format!("auth: {{token: a, password: {CANARY}, host: [}}\n")),
        ("JSON", format!("{{\"password\":\"{CANARY}\" \"x\": 1}}\n")),
        ("no space", format!("config:\n  password:{CANARY}\n  host: x\n")),
        ("tab before", format!("auth:\n\tpassword: {CANARY}\n")),
        ("tab behind", format!("auth:\n  api_key:\t{CANARY}: x\n")),
        ("upper case", format!("DB_PASSWORD: {CANARY}: x\n")),
        ("camel case", format!("apiKey: {CANARY}: x\n")),
        ("at sign", format!("client_secret: @{CANARY}\n")),
        ("percent", format!("access_token: %{CANARY}\n")),
        ("backtick", format!("passphrase: `{CANARY}`\n")),
        ("bad escape", format!("password: \"\\q{CANARY}\"\n")),
        ("block", format!("private_key: |\n  {CANARY}\n x: y\n")),
        ("block with a wrong header", format!("private_key: |x\n  {CANARY}\n")),
        ("not UTF-8", format!("password: {CANARY}\u{1}\n")),
    ];
    for (what, text) in texts {
        leaks_nothing(what, &spoilt(&text));
        leaks_nothing(what, &Folder::base().with("credentials/orders.yaml", &text));
        leaks_nothing(what, &Folder::base().with("environments/dev/environment.yaml", &text));
        leaks_nothing(what, &Folder::base().with("tieline.yaml", &text));
    }
    let latin: Vec<u8> = [format!("password: {CANARY}").as_bytes(), b"\xfc: x\n"].concat();
    leaks_nothing("not UTF-8", &spoilt(latin));
}

#[test]
fn a46_nothing_in_a_file_or_its_name_acts_on_a_terminal() {
    let odd = "\u{1b}[31m\u{9b}\u{202e}\u{200b}\r";
    let folder = Folder::base().with(SPOILT, "connector: s3\n\"a\\e[31m\": x\nb\u{202e}c\u{200b}: x\n");
    folder.put(&format!("connections/x{odd}.yaml"), "connector: s3\n");
    folder.put("connections/\u{1b}]8;;http://evil\u{7}.yaml", "connector: s3\n");
    let run = folder.validate();
    for c in ['\u{1b}', '\u{9b}', '\u{202e}', '\u{200b}', '\r', '\u{7}'] {
        assert!(!run.stdout.contains(c) && !run.stderr.contains(c), "{c:?}\n{:?}", run.stdout);
    }
    insta::assert_snapshot!(run.stdout);
}
