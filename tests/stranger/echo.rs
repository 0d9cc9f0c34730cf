//! Messages that repeat what was typed: never a value that may be a secret.

use std::fmt::Write as _;

use tieline::compile;
use tieline::connectors::Catalogue;
use tieline::diagnostic::Diagnostic;
use tieline::reporters::human::{self, Look};
use tieline::reporters::{concise, github, json};
use tieline::source::Sources;
use tieline::workspace::Workspace;
use tieline::world::System;

use super::data_key::ME;
use crate::secrets::{PROD, commit, quickstart};
use crate::support::Folder;

/// What is typed where a secret belongs: a text, and what readers of YAML take for something else.
const VALUES: [&str; 4] = ["Hq7Zk2Wm9Xv4Tj8R", "0774401991823", "1_882_551_330", "99663391744820157733911"];

/// What a person can do to `KEY: V` in a line of its own, four spaces in.
const LINES: &[&str] = &[
    "    KEY: V",
    "    KEY: !V",
    "    KEY: !V x",
    "    KEY: !x V",
    "    KEY: !!V x",
    "    KEY: !!int V",
    "    KEY: !!binary V",
    "    KEY: !<V> x",
    "    KEY: |V",
    "    KEY: >V",
    "    KEY: |\n      V",
    "    KEY: |\n  V",
    "    KEY: |\nV",
    "    KEY: |\n      V\n  V: x",
    "    KEY: >-\n    V",
    "    KEY: \"V",
    "    KEY: 'V",
    "    KEY: \"V\"V",
    "    KEY: \"a\n    V: b\"",
    "    KEY: \"a\nV\"",
    "    KEY: \"a\n  V\nb\" V",
    "    KEY: [V",
    "    KEY: {V",
    "    KEY: {V}",
    "    KEY: [V]",
    "    KEY: [a, V",
    "    KEY: {a: V}",
    "    KEY: {a: V",
    "    KEY: {a: [V, {b: V}], c: V}}",
    "    KEY: &V",
    "    KEY: &a V",
    "    KEY: &a !V",
    "    KEY: *V",
    "    KEY: V: x",
    "    KEY: a: V",
    "    KEY: @V",
    "    KEY: `V",
    "    KEY: %V",
    "    KEY: ,V",
    "    KEY: ]V",
    "    KEY: V # V",
    "    KEY: \"V\" # V",
    "    KEY: \"\\q V\"",
    "    KEY: \"\\u00 V",
    "    KEY:\tV",
    "    \tKEY: V",
    "\tKEY: V",
    "    KEY:V",
    "    KEY V",
    "    KEY = V",
    "    KEY\n    V",
    "    ? KEY\n    : V",
    "    ? KEY\n    V",
    "    \"KEY\": V",
    "    'KEY' : !V",
    "    \"KEY: V",
    "    KEY: ${{ V }}",
    "    KEY: ${{ V",
    "    KEY: ${{ 'V' | nope }}",
    "    KEY: ${{ V | int }}",
    "    KEY: ${{ secrets.X | default('V') }}",
    "    KEY: x${{ vars.nope ~ 'V' }}V",
    "    KEY: ${{ vars[\"V\"] }}",
    "    KEY: V\n    KEY: V",
    "    KEY: V\n      more: V",
    "    KEY: V\n  V",
    "    KEY: V\n V: x",
    "    KEY: V\n    - V",
    "    KEY: V\n<<<<<<< HEAD\n    KEY: V\n=======\n    KEY: !V\n>>>>>>> theirs",
    "<<<<<<< HEAD\n    KEY: V\n=======\n    KEY: V2\n>>>>>>> theirs",
    "    KEY: V\n---\n    KEY: V",
    "    KEY: V\n...\n    KEY: V",
    "    <<: *V",
    "    <<: {KEY: V}",
    "    KEY: {<<: V}",
    "    KEY: - V",
    "    KEY:\n    - V",
    "    KEY:\n    - !V",
    "    - KEY: V",
    "    KEY:\n        a: V\n      b: V",
    "    KEY: V\r    x: !V",
    "    KEY: V\0",
    "    KEY: V\u{85}: x",
    "    KEY: V\u{2028}x: [",
    "    KEY: V\u{7f}",
    "    \u{feff}KEY: V",
    "KEY: V",
    "KEY: !V",
    " KEY: V",
    "  KEY: V\n KEY: V",
    "         KEY: !V",
    "# KEY: V\n    KEY: {",
    "    KEY: # V\n      V: [",
    "    KEY: {$replace: V}",
    "    KEY: {$append: [V]}",
    "    KEY: {$remove: [V], x: V}",
    "    $remove: V",
    "    KEY: null V",
    "    KEY: ~V",
    "    KEY: yes",
    "    KEY: -V",
    "    KEY: V\n    KEY2: {V: V}",
];

/// What can be wrong elsewhere in a file, that has all of its text reported: before the place, and behind it.
const AROUND: &[(&str, &str)] = &[
    ("", ""),
    ("title: [\n", ""),
    ("title: \"x\n", ""),
    ("title: {a: b}\n", "\n  bad: indent\n"),
    ("", "\nowner: \"x"),
    ("", "\nowner: *nobody"),
    ("", "\n}\n"),
    ("\u{feff}", "\n\t\n"),
];

/// Documents with the line at `LINE`.
const LOGINS: &[&str] = &[
    "connector: http\nconfig:\n    base_url: https://api.acme.example\nauth:\n    mode: api_key\nLINE",
    "connector: postgresql\nauth:\n    mode: password\nLINE\n    username: reader\nconfig:\n    host: db\n    database: x",
    "connector: http\nconfig: {base_url: 'https://api.acme.example'}\nauth:\nLINE\n    mode: nonsense",
];

/// The same, of which a whole line is another document each.
const WHOLE: &[&str] = &[
    "{connector: http, config: {base_url: x}, auth: {mode: api_key, value: V}}",
    "{connector: http, config: {base_url: x}, auth: {mode: api_key, value: V",
    "{\"connector\": \"http\", \"auth\": {\"mode\": \"api_key\",\n\"value\": \"V\", \"x\": }",
    "{\n  \"connector\": \"http\",\n  \"auth\": {\n    \"mode\": \"api_key\",\n    \"value\": \"V\",\n  }\n",
    "connector: http\nauth: V",
    "connector: http\nauth: [V]",
    "connector: http\nauth: |\n  V",
    "connector: http\nauth: !V {}",
    "connector: http\nauth: &V {}",
    "connector: http\nauth: {mode: api_key, V}",
    "connector: http\nauth: {V}",
    "connector: http\nauth: {mode: api_key, value: V, value: V}",
    "connector: http\nauth: {mode: api_key, value: !V , x: y}",
    "connector: http\nauth: {mode: api_key, value: [V, !V x]}",
    "connector: http\nauth: {mode: api_key, value: \"a\n b V\" V}",
    "connector: http\nauth\n  mode: api_key\n  value: V",
    "connector: http\nauth {mode: api_key, value: V}",
    "connector: http\nauht:\n  mode: api_key\n  value: !V",
    "connector: http\nauht:\n  value: V\n  mode: [",
    "connector: http\nAUTH: {value: V}\ntitle: [",
    "connector: http\n? auth\n: {value: !V}",
    "connector: http\n\"\\x61uth\": {mode: api_key, value: !V}",
    "connector: http\n\"\\x61uth\": {mode: api_key, value: V}\ntitle: 012",
    "connector: http\nlabels: {x: &a V}\nauth: {mode: api_key, value: *a}",
    "connector: http\nlabels:\n  x: &a V\nauth:\n  mode: api_key\n  value: *a\ntitle: [\n",
    "connector: http\r\nauth:\r\n  mode: api_key\r\n  value: !V\r\n",
    "connector: http\rauth:\r  mode: api_key\r  value: !V\r",
    "connector: http\nconfig:\n  base_url: x\n  auth:\n    value: !V",
    "  connector: http\n  auth:\n    value: V\n title: x",
    "connector: http\nauth: {mode: api_key, value: ",
    "connector: sftp\nconfig: {host: h}\nauth:\n  mode: private_key\n  username: u\n  private_key: |\n    Proc-Type: 4,ENCRYPTED\n    V\nV\n",
];

/// What is secret by its name alone, in files without a login.
const NAMED: &[(&str, &str)] = &[
    ("environments/ENV/environment.yaml", "vars:\nLINE\n    region: eu"),
    ("environments/ENV/environment.yaml", "description: x\nvars: {region: eu}\ntarget:\nLINE"),
    ("environments/ENV/connections/finance.yaml", "config:\nLINE"),
    ("consumers/ENV.yaml", "kind: flow\nuses: [finance]\nsettings:\nLINE"),
];

/// What every format says of a workspace.
fn reported(folder: &Folder) -> String {
    let world = System::new(folder.path());
    let (workspace, told) = Workspace::read(&world).expect("a workspace");
    let (catalogue, _) = Catalogue::new(&workspace.connectors, &workspace.sources);
    let told = compile::check(&workspace, &catalogue, told);
    in_every_format(&told, &workspace.sources)
}

fn in_every_format(told: &[Diagnostic], sources: &Sources) -> String {
    let look = Look { color: false, unicode: true, width: 100 };
    let mut text = human::render(told, sources, 1, look).to_string();
    text += &concise::render(told, sources, "");
    text += &json::render(told, sources, json::Totals::default());
    // GitHub shows ten of a kind.
    told.chunks(9).for_each(|some| text += &github::render(some, sources, ""));
    text
}

/// The pieces of the values that are found in an output.
fn pieces(output: &str) -> Vec<&'static str> {
    let windows = |value: &'static str| (0..=value.len() - 6).map(move |at| &value[at..at + 6]);
    VALUES.into_iter().flat_map(windows).filter(|piece| output.contains(piece)).collect()
}

/// Fails with what leaks, and where it came from.
fn assert_silent(output: &str, what: &str) {
    let mut leaks = String::new();
    for line in output.lines().filter(|line| !pieces(line).is_empty()) {
        let _ = writeln!(leaks, "{}", line.chars().take(300).collect::<String>());
    }
    assert!(leaks.is_empty(), "{what}:\n{leaks}");
}

/// Every document with a login: malformed, one a file.
fn logins() -> Vec<String> {
    let mut all = Vec::new();
    for (at, value) in VALUES.iter().enumerate() {
        for (document, login) in LOGINS.iter().enumerate() {
            for (line, written) in LINES.iter().enumerate() {
                let key = ["value", "password", "blorp"][(line + document) % 3];
                let (before, behind) =
                    AROUND[if line % 3 == at % 3 { (line / 3 + document) % AROUND.len() } else { 0 }];
                let text = login.replace("LINE", &written.replace("KEY", key).replace('V', value));
                all.push(format!("{before}{text}{behind}"));
            }
        }
        all.extend(WHOLE.iter().map(|text| text.replace('V', value)));
    }
    all
}

fn base() -> Folder {
    Folder::base().with(".gitignore", "dist\n")
}

#[test]
fn a107_no_report_repeats_a_login_however_its_file_is_broken() {
    for (at, documents) in logins().chunks(450).enumerate() {
        let folder = base();
        for (index, text) in documents.iter().enumerate() {
            let kind = if (index + at) % 4 == 3 { "credentials" } else { "connections" };
            folder.put(&format!("{kind}/m{index:03}.yaml"), text);
        }
        assert_silent(&reported(&folder), &format!("chunk {at}"));
    }
}

/// The same in bytes that are not text, which have no place in a `str`.
#[test]
fn a107_no_report_repeats_what_stands_beside_bytes_that_are_not_text() {
    let folder = base();
    for (index, bytes) in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xfe\xff"].iter().enumerate()
    {
        let login = [b"connector: http\nauth:\n  value: ", VALUES[0].as_bytes()].concat();
        folder.put(&format!("connections/a{index}.yaml"), [&login, *bytes].concat());
        folder.put(&format!("connections/b{index}.yaml"), [*bytes, &login].concat());
        folder.put(&format!("connections/c{index}.yaml"), [&login[..20], *bytes, &login[20..]].concat());
    }
    let text = format!("connector: http\nauth:\n  value: {}", VALUES[0]);
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    folder.put("connections/u.yaml", [&b"\xff\xfe"[..], &utf16].concat());
    folder.put("connections/v.yaml", &utf16);
    assert_silent(&reported(&folder), "bytes");
}

#[test]
fn a107_no_report_repeats_what_is_secret_by_its_name() {
    for (at, (path, document)) in NAMED.iter().enumerate() {
        // An environment is compiled as a whole: few of them a workspace, and little in it.
        for value in VALUES {
            let folder = base();
            for (index, written) in LINES.iter().filter(|line| line.contains("KEY")).enumerate() {
                let key = ["api_token", "db_password", "X-Api-Key"][index % 3];
                let (before, behind) = AROUND[if index % 3 == 0 { (index / 3) % AROUND.len() } else { 0 }];
                let line = written.replace("KEY", key).replace('V', value);
                let text = format!("{before}{}{behind}", document.replace("LINE", &line));
                folder.put(&path.replace("ENV", &format!("e{index:03}")), text);
            }
            assert_silent(&reported(&folder), &format!("{at}: {path}"));
        }
    }
    let settings = "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\nvars:\nLINE\n";
    for (index, written) in LINES.iter().filter(|line| line.contains("KEY")).enumerate() {
        let line = written.replace("KEY", "api_token").replace('V', VALUES[index % 4]);
        let folder = Folder::empty().with("tieline.yaml", settings.replace("LINE", &line));
        assert_silent(&reported(&folder), written);
    }
}

/// What other commands print of broken files, and of plaintext that does compile but for that.
#[test]
fn a107_no_command_repeats_a_login() {
    let value = VALUES[0];
    let sound = format!(
        "connector: http\nconfig:\n  base_url: https://api.acme.example\n  headers:\n    X-Api-Key: {value}\n\
         auth:\n  mode: api_key\n  value: {value}   # was {value}\n"
    );
    let broken = format!("{sound}title: [\n");
    let odd = format!("connector: http\nauth:\n    value:   {value}\n    mode:   api_key\n    blorp: {value}\n");
    for text in [&sound, &broken, &odd] {
        let folder = base().with("connections/api.yaml", text).with("consumers/use.yaml", "kind: flow\nuses: [api]\n");
        folder.put("environments/dev/connections/api.yaml", format!("auth:\n  value: {value}\n"));
        for arguments in [
            &["validate"][..],
            &["validate", "--format", "github"],
            &["fmt", "--check"],
            &["fmt"],
            &["plan", "dev"],
            &["plan", "dev", "--format", "json"],
            &["plan", "dev", "--format", "markdown"],
            &["apply", "dev", "--yes"],
            &["render", "dev"],
            &["render", "dev", "api"],
            &["explain", "dev", "api"],
            &["explain", "dev", "api", "auth.value"],
            &["explain", "dev", "api", "auth.blorp"],
            &["explain", "dev", "api", "config.headers.X-Api-Key"],
            &["diff", "dev", "prod"],
            &["diff", "dev", "prod", "api"],
            &["list"],
            &["list", "--format", "json"],
            &["show", "api"],
            &["show", "consumer/use"],
            &["graph"],
            &["audit"],
            &["status"],
            &["secret", "list"],
            &["secret", "extract", "--dry-run"],
            &["mv", "api", "other/api", "--dry-run"],
            &["delete", "api", "--dry-run"],
            &["swap", "api", "landing", "--dry-run"],
            &["add", "http", "api2", "--dry-run"],
            &["add", "http", "api", "--dry-run"],
            &["mv", "api", "other/api"],
        ] {
            let run = folder.run(arguments);
            assert_silent(&format!("{}{}", run.stdout, run.stderr), &format!("{arguments:?}"));
        }
    }
}

/// What `validate` says of one connection.
fn human(text: &str) -> String {
    let run = base().with("connections/api.yaml", text).validate();
    assert_eq!(run.code, 1, "{}", run.stdout);
    run.stdout + &run.stderr
}

/// What the schema knows to be clear stays readable: else nobody could see what is wrong.
#[test]
fn a107_what_is_known_to_be_clear_is_still_shown() {
    let http = "connector: http\nconfig:\n  base_url: https://api.acme.example\n";
    let postgres = "connector: postgresql\nconfig:\n  host: db\n  database: x\n";
    for (text, shown) in [
        (
            format!("{postgres}auth: {{mode: pasword}}\n"),
            &["`auth.mode: pasword` is not a mode", "did you mean `password`?", "auth: {mode: pasword}"][..],
        ),
        (
            format!("{postgres}auth: {{mode: password, username: reader-of-all, password: hunter2}}\n"),
            &["auth: {mode: password, username: reader-of-all, password: ********}"],
        ),
        (
            format!("{http}auth:\n  mode: api_key\n  header: X Key\n  value: ${{{{ secrets.K | lower }}}}\n"),
            &["  header: X Key", "`auth.header` does not have the form it needs", "value: ${{ secrets.K | lower }}"],
        ),
        (
            format!("{http}auth:\n  mode: oauth2\n  grant: client-credentials\n  token_url: nowhere\n"),
            &["grant: client-credentials", "token_url: nowhere"],
        ),
        (
            format!("{http}auth: {{mode: bearer, token: '${{{{ secret.TOKEN }}}}'}}\n"),
            &["${{ secret.TOKEN }}", "`secret`"],
        ),
        (
            format!("{http}auth: {{mode: none}}\ntitel: An interface\n"),
            &["titel: An interface", "did you mean `title`?"],
        ),
        (format!("{http}  tiemout: 30\nauth: {{mode: none}}\n"), &["tiemout: 30", "did you mean `timeout`?"]),
        (format!("{http}auth: {{mode: none}}\ntitle: [\nowner: team\n"), &["title: ["]),
        (format!("{http}auth:\n  mode: none\n username: x\n"), &["not YAML", "username"]),
        (
            format!("{http}auth: {{mode: none}}\nlabels: {{tier: !x gold}}\n"),
            &["the tag `!x` has no meaning here", "{tier: !x gold}"],
        ),
        (format!("{http}  timeout: 1_0\nauth: {{mode: none}}\n"), &["timeout: 1_0", "quote it: '1_0'"]),
        (
            "connector: http\nbase_url: https://api.acme.example\nauth: {mode: none}\n".to_owned(),
            &["base_url: https://api.acme.example", "it belongs under `config`"],
        ),
    ] {
        let said = human(&text);
        for words in shown {
            assert!(said.contains(words), "{words} is missing from:\n{said}");
        }
    }
}

/// The cases as they were found.
#[test]
fn e11_what_is_typed_where_a_secret_belongs_is_in_no_report() {
    for (login, words) in [
        ("mode: api_key\n  value: !Hunter2", "a tag without a value behind it"),
        ("mode: api_key\n  value: |Hunter2", "not YAML"),
        ("mode: api_key\n  value: [Hunter2", "not YAML"),
        ("mode: basic\n  username: u\n  password: !Hunter2 x", "the tag has no meaning here"),
        ("mode: basic\n  username: u\n  password: |Hunter2", "not YAML"),
    ] {
        let text = format!("connector: http\nconfig: {{base_url: 'https://x.example'}}\nauth:\n  {login}\n");
        let folder = base().with("connections/api.yaml", text);
        for format in ["human", "json", "concise", "github"] {
            let run = folder.run(&["validate", "--format", format]);
            assert!(run.code == 1 && run.stdout.contains(words), "{format}: {}{}", run.stdout, run.stderr);
            assert!(!run.stdout.contains("Hunter2") && !run.stderr.contains("Hunter2"), "{format}: {}", run.stdout);
        }
    }
}

/// `{hunter2}`, a slip of `{{ }}`, is a map: its key may be the secret.
#[test]
fn e11_explain_has_one_row_for_a_secret_whatever_is_written_there() {
    for (auth, shown) in [
        ("{mode: basic, username: u, password: {Hunter2: x, b: [Hunter2]}}", "auth.password"),
        ("{mode: basic, username: u, password: {Hunter2}}", "auth.password"),
        ("{mode: api_key, value: [{Hunter2: {Hunter2: x}}]}", "auth.value"),
    ] {
        let text = format!("connector: http\nconfig: {{base_url: 'https://x.example'}}\nauth: {auth}\n");
        let folder = base().with("connections/api.yaml", text);
        let place = shown.replace('.', "/");
        for arguments in [
            &["explain", "dev", "api"][..],
            &["explain", "dev", "api", "auth"],
            &["explain", "dev", "api", shown],
            &["explain", "dev", "api", "--format", "json"],
            &["explain", "dev", "api", shown, "--format", "json"],
        ] {
            let run = folder.run(arguments);
            assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
            assert!(
                !run.stdout.contains("Hunter2") && !run.stderr.contains("Hunter2"),
                "{arguments:?}: {}",
                run.stdout
            );
            assert!(run.stdout.contains(shown) || run.stdout.contains(&place), "{arguments:?}: {}", run.stdout);
            assert_eq!(run.stdout.matches(shown).count() + run.stdout.matches(&place).count(), 1, "{}", run.stdout);
            assert!(run.stdout.contains("********"), "{arguments:?}: {}", run.stdout);
        }
        // A slip in the name is answered with no key below it.
        let near = folder.run(&["explain", "dev", "api", &format!("{shown}.Hunter")]);
        assert!(near.code == 64 && !near.stderr.contains("Hunter2"), "{}", near.stderr);
    }
}

/// `{hunter2}` again, in a secrets file: only names at its top are quoted.
#[test]
fn e11_a_key_below_a_name_of_a_secrets_file_is_in_no_message() {
    for lines in [
        "A: {Hunter2}\n",
        "A: {Hunter2: x}\n",
        "A: {b: {Hunter2: x}}\n",
        "A: [{Hunter2: x}]\n",
        "A: [{Hunter2: 'ENC[AES256_GCM,data:x,type:str]'}]\n",
        "\"A=Hunter2\": x\n",
        "A=Hunter2: x\n",
        "A: {\"b Hunter2\": {x: 012}}\n",
    ] {
        let shell = quickstart();
        shell.put("../foreign.yaml", lines);
        shell.ok(&["sops", "encrypt", "-i", "../foreign.yaml", "--age", ME]);
        commit(&shell, "first");
        for sealed in [true, false] {
            let text = if sealed { format!("{lines}{}", shell.read(PROD)) } else { lines.to_owned() };
            shell.put(PROD, &text);
            let mut said = String::new();
            let commands: &[&[&str]] = &[
                &["validate"],
                &["validate", "--format", "json"],
                &["validate", "--format", "concise"],
                &["validate", "--format", "github"],
                &["plan", "prod", "--against", "HEAD"],
                &["secret", "get", "A", "-e", "prod"],
                &["secret", "set", "NEW", "-e", "prod"],
                &["secret", "unset", "A", "-e", "prod"],
                &["secret", "list", "-e", "prod"],
                &["secret", "adopt", "-e", "prod", "--yes"],
                &["secret", "adopt", "../foreign.yaml", "-e", "prod", "--yes"],
                &["sops", "rotate", "-i", PROD],
                &["sops", "updatekeys", "--yes", PROD],
                &["recipients", "accept", "-e", "prod"],
                &["recipients", "check"],
                &["audit"],
                &["apply", "prod", "--yes"],
                &["merge-driver", PROD, PROD, PROD, PROD],
            ];
            for words in commands {
                let ended = shell.run_with(words, "kelp");
                let _ = write!(said, "{words:?} {}{}", ended.stdout, ended.stderr);
                shell.put(PROD, &text);
            }
            assert!(!said.contains("Hunter2"), "{lines}\n{said}");
            assert!(said.contains("`A"), "{lines}\n{said}");
        }
    }
}

/// A login in an address, and a value beside one: in settings too, where nothing is secret by its name.
#[test]
fn e11_no_snippet_shows_the_login_in_an_address() {
    let login = "Hq7zkwmxvtj";
    let environment = "environments/dev/environment.yaml";
    let cases: &[(&str, &str)] = &[
        (environment, "target: 's3://k:V@b/p'\n"),
        (environment, "target: {kind: object-store, url: 's3://k:V@b/p', x: y}\n"),
        (environment, "target: 's3://bucket/p?secret=V'\n"),
        (environment, "publish: {registry: 'https://u:V@h'}\n"),
        (environment, "publish: 'oci://u:V@h/x'\n"),
        (environment, "runbook: 'https://u:V@h'\n"),
        (environment, "vars: {a: 'postgres://u:V@h/d', 'a b': [}\n"),
        (environment, "secrets: {X: 'vault://u:V@h/p#f'}\n"),
        (environment, "secrets: {X: {from: 'vault://u:V@h/p#f', x: y}}\n"),
        (environment, "secrets: {X: {from: 'env:TIELINE_SECRET_X', default: V}}\n"),
        (environment, "secrets: {X: {from: 'vault://a/b#c', delivery: resolve, value: V}}\n"),
        (environment, "secrets: {X: {from: 'vault://a/b#c', value: {a: [V]}}}\n"),
        (environment, "description: see https://u:V@h/wiki\nnonsense: 1\n"),
        (environment, "secrets: V\n"),
        (environment, "secrets: [V]\n"),
        (environment, "secrets: [{X: V}]\n"),
        (environment, "vars: {a: 'u:V@h', 'a b': [}\n"),
        ("connections/x.yaml", "connector: postgresql\nconfig: {host: 'u:V@h', database: d}\nauth: {mode: none}\n"),
        ("connections/x.yaml", "connector: postgresql\nconfig:\n  host: u:V@h\n  database: d\nauth: {mode: none}\n"),
        ("consumers/x.yaml", "kind: flow\nuses: [finance]\nenv: {A: 'postgres://u:V@h/d', nonsense: [}\n"),
        ("consumers/x.yaml", "kind: flow\nuses: [finance]\nnv: {A: 'postgres://u:V@h/d'}\n"),
        ("credentials/x.yaml", "connectors: [http]\nrunbook: 'https://u:V@h'\nauth: {mode: none}\nx: 1\n"),
        (
            "connections/x.yaml",
            "connector: http\nconfig: {base_url: 'https://u:p/V@h', nonsense: 1}\nauth: {mode: none}\n",
        ),
        ("connections/x.yaml", "connector: http\nconfig: {base_url: 'https://V@h', nonsense: 1}\nauth: {mode: none}\n"),
        ("connections/x.yaml", "connector: http\nconfig: {base_url: 'https://h.example'}\nauth: {mode: V}\n"),
    ];
    for (path, text) in cases {
        let folder = base().with(path, text.replace('V', login));
        for format in ["human", "json", "concise", "github"] {
            let run = folder.run(&["validate", "--format", format]);
            assert_eq!(run.code, 1, "{text}{}{}", run.stdout, run.stderr);
            assert!(!run.stdout.contains(login) && !run.stderr.contains(login), "{format}: {text}{}", run.stdout);
        }
    }
    // What is near a mode is shown, and so is an address without a login.
    let text = "connector: http\nconfig: {base_url: 'https://h.example:8080/a@b', nonsense: 1}\nauth: {mode: bearr}\n";
    let run = base().with("connections/x.yaml", text).validate();
    for shown in ["`auth.mode: bearr` is not a mode of `http`", "'https://h.example:8080/a@b'"] {
        assert!(run.stderr.contains(shown) || run.stdout.contains(shown), "{shown}: {}{}", run.stdout, run.stderr);
    }
}

/// A value that was typed where the address of a store belongs: the file does not compile, and commands list it all the same.
#[test]
fn e11_no_command_shows_what_stands_in_the_place_of_an_address() {
    let login = "Hq7zkwmxvtj";
    for binding in ["Hq7zkwmxvtj", "{from: Hq7zkwmxvtj}", "'vault:Hq7zkwmxvtj'", "{value: Hq7zkwmxvtj}"] {
        let text = format!("vars: {{db_host: x}}\nsecrets:\n  WAREHOUSE_PASSWORD: {binding}\n");
        let folder = base().with("environments/dev/environment.yaml", text);
        for words in [
            &["secret", "list"][..],
            &["secret", "list", "--format", "json"],
            &["secret", "get", "WAREHOUSE_PASSWORD", "-e", "dev"],
            &["secret", "unset", "WAREHOUSE_PASSWORD", "-e", "dev"],
            &["audit"],
            &["validate"],
        ] {
            let run = folder.run(words);
            assert!(
                !run.stdout.contains(login) && !run.stderr.contains(login),
                "{binding} {words:?} {}{}",
                run.stdout,
                run.stderr
            );
        }
    }
    let text = "secrets: {WAREHOUSE_PASSWORD: 'vault://kv/a#b'}\n";
    let run = base().with("environments/dev/environment.yaml", text).run(&["secret", "list"]);
    assert!(run.stdout.contains("vault://kv/a#b"), "{}{}", run.stdout, run.stderr);
}
