//! Promise: a secret is in no output of any command and in no file of a bundle, in whatever spelling.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use tieline::sops::keygen;

use crate::shell::{Ended, Shell, feed, tree};

/// 24 random characters, a few of which change when they are quoted, encoded or put into a URL.
fn canary() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).unwrap();
    let mut text: String = bytes.iter().map(|b| char::from(ALPHABET[usize::from(b % 64)])).collect();
    for (at, special) in [(5, "/"), (11, "+"), (17, "&"), (21, "%")] {
        text.replace_range(at..=at, special);
    }
    text
}

/// How a text may show up, each with a name for the message. Long enough parts count as the whole.
fn spellings(secret: &str) -> Vec<(String, String)> {
    let mut all = vec![
        ("in clear".to_owned(), secret.to_owned()),
        ("its first half".to_owned(), secret[..12].to_owned()),
        ("its second half".to_owned(), secret[12..].to_owned()),
        ("reversed".to_owned(), secret.chars().rev().collect()),
    ];
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    all.push(("as hex".to_owned(), hex.clone()));
    all.push(("as upper-case hex".to_owned(), hex.to_uppercase()));
    let escaped = |upper: bool| -> String {
        let one = |b: u8| match b {
            b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
            b if upper => format!("%{b:02X}"),
            b => format!("%{b:02x}"),
        };
        secret.bytes().map(one).collect()
    };
    all.push(("URL-encoded".to_owned(), escaped(true)));
    all.push(("URL-encoded in lower case".to_owned(), escaped(false)));
    // Within a longer text, base64 looks one of three ways; what depends on the neighbours is cut off.
    for offset in 0..3 {
        let inner = &secret.as_bytes()[(3 - offset) % 3..];
        let inner = &inner[..inner.len() - inner.len() % 3];
        all.push((format!("as base64 at offset {offset}"), STANDARD_NO_PAD.encode(inner)));
        all.push((format!("as URL-safe base64 at offset {offset}"), URL_SAFE_NO_PAD.encode(inner)));
    }
    all
}

fn absent(secret: &str, bytes: &[u8], place: &str) {
    let text = String::from_utf8_lossy(bytes);
    for (name, spelling) in spellings(secret) {
        assert!(!text.contains(&spelling), "{place} holds the secret {name}");
    }
}

#[test]
fn the_spellings_are_what_encoders_make() {
    let secret = canary();
    for lead in ["", "x", "xy", "xyz"] {
        let text = STANDARD_NO_PAD.encode(format!("{lead}{secret}tail"));
        assert!(spellings(&secret).iter().any(|(_, s)| s.len() > 20 && text.contains(s.as_str())), "{lead}");
    }
    assert!(std::panic::catch_unwind(|| absent(&secret, format!("-{secret}-").as_bytes(), "here")).is_err());
}

/// Every command in every form that changes nothing in the workspace, with what it ends with once something is deployed.
const READERS: &[(&str, &[i32])] = &[
    ("validate", &[0]),
    ("validate --format json", &[0]),
    ("render prod", &[0]),
    ("render prod --format json", &[0]),
    ("list", &[0]),
    ("list -e prod --format json", &[0]),
    ("show hubspot", &[0]),
    ("show hubspot --format json", &[0]),
    ("show warehouse", &[0]),
    ("show warehouse --format json", &[0]),
    ("explain prod hubspot", &[0]),
    ("explain prod hubspot --format json", &[0]),
    ("explain prod warehouse", &[0]),
    ("explain prod warehouse --format json", &[0]),
    ("explain prod hubspot auth.access_token", &[0]),
    ("explain prod hubspot auth.access_token --format json", &[0]),
    ("explain prod hubspot /auth/access_token", &[0]),
    ("explain prod hubspot auth", &[0]),
    ("explain prod hubspot title", &[0]),
    ("diff prod dev", &[0]),
    ("diff prod dev --format json", &[0]),
    ("graph", &[0]),
    ("graph --format dot", &[0]),
    ("rule list", &[0]),
    ("rule show plaintext-secret", &[0]),
    ("connector list", &[0]),
    ("connector show hubspot", &[0]),
    ("connector schema hubspot", &[0]),
    ("fmt --check", &[0]),
    ("swap warehouse hubspot --dry-run", &[1]),
    // What is overdue or not accepted on this machine is something to look at.
    ("audit", &[0, 1]),
    ("audit --format json", &[0, 1]),
    ("audit --format csv", &[0, 1]),
    ("audit --history", &[0, 1]),
    ("recipients list", &[0]),
    ("recipients check", &[0]),
    ("codeowners", &[1]),
    ("secret extract --dry-run", &[0]),
    ("secret adopt -e prod --yes", &[0]),
    ("secret unset HUBSPOT_TOKEN -e prod", &[4]),
    ("secret list -e prod", &[0]),
    ("secret list -e prod --format json", &[0]),
    ("sops updatekeys environments/prod/secrets.sops.yaml --age age1nonsense", &[64]),
    ("sops rotate environments/prod/secrets.sops.yaml", &[0]),
    ("plan prod", &[0]),
    ("plan prod --format json", &[0]),
    ("plan prod --format markdown", &[0]),
    ("plan prod --format gitlab", &[0]),
    ("plan prod --out saved.plan", &[0]),
    ("plan --all --against HEAD --format json", &[0]),
    ("apply prod", &[64]),
    ("verify prod", &[0]),
    ("verify prod --as nightly-sync", &[0, 1]),
    ("status", &[0]),
    ("status --format json", &[0]),
    ("history prod --format json", &[0]),
    ("rollback prod", &[64]),
    ("gc prod --dry-run", &[0]),
    ("bundle export prod b.tgz", &[0]),
    ("bundle inspect b.tgz", &[0]),
    ("bundle inspect b.tgz --format json", &[0]),
    ("publish prod --registry 127.0.0.1:1", &[1]),
];

/// Those that write, each in a copy of its own.
const WRITERS: &[(&str, &[i32])] = &[
    ("init fresh", &[0]),
    ("add http new", &[0]),
    ("mv hubspot other", &[0]),
    ("delete hubspot", &[1]),
    ("fmt", &[0]),
    ("secret set HUBSPOT_TOKEN -e prod --generate", &[0]),
    ("secret rotate WAREHOUSE_PASSWORD -e prod --generate", &[0]),
    ("secret edit -e prod", &[0]),
    ("secret extract", &[0]),
    ("recipients add me", &[0]),
    ("recipients remove me", &[4]),
    ("recipients accept -e prod --yes", &[0]),
    (
        "sops encrypt connections/hubspot.yaml --age age1a0x6eajntke5z7mpvxzzgw9w2yr5calfjc7d2l7j77zwzuve6deq95t35s",
        &[0],
    ),
    ("sops set environments/prod/secrets.sops.yaml [\"NEW\"]", &[0]),
    ("sops updatekeys environments/prod/secrets.sops.yaml -y", &[0]),
    ("sops rotate -i environments/prod/secrets.sops.yaml", &[0]),
    ("merge-driver --install", &[0]),
    ("keygen --output ../key.txt", &[0]),
    ("gc prod --yes", &[0]),
    ("apply prod --yes --reseal", &[0]),
];

/// What prints the value that was asked for, on stdout and nowhere else.
const ASKED: &[&str] =
    &["secret get HUBSPOT_TOKEN -e prod", "sops decrypt environments/prod/secrets.sops.yaml", "bundle open b.tgz"];

/// Commands that open nothing and read no target: once is enough.
fn is_static(line: &str) -> bool {
    ["rule", "connector", "graph", "fmt", "swap", "codeowners", "recipients", "diff"].contains(&words(line)[0])
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn e2_10_every_command_is_looked_at() {
    let lines: Vec<&str> = READERS.iter().chain(WRITERS).map(|(line, _)| *line).chain(ASKED.iter().copied()).collect();
    for (leaf, _) in crate::stranger::encoding::leaves() {
        let has = lines.iter().any(|line| **line == leaf || line.starts_with(&format!("{leaf} ")));
        assert!(has, "no secret is looked for in what `tieline {leaf}` prints");
    }
}

fn seen(secret: &str, arguments: &[&str], ended: &Ended) {
    absent(secret, ended.stdout.as_bytes(), &format!("stdout of {arguments:?}"));
    absent(secret, ended.stderr.as_bytes(), &format!("stderr of {arguments:?}"));
    // A command that there is not says nothing of any secret either.
    assert!(!ended.stderr.contains("Usage:"), "{arguments:?}: {ended:#?}");
}

/// Another shell with a copy of everything, and a terminal's editor that changes nothing.
fn fork(shell: &Shell) -> Shell {
    let fork = Shell::new();
    let mut copy = shell.command("cp");
    assert_eq!(feed(copy.arg("-a").arg(shell.folder.join(".")).arg(&fork.folder), "").code, 0);
    let key = fork.folder.join("demo-identity.txt");
    fork.with("SOPS_AGE_KEY_FILE", key.to_str().unwrap()).with("EDITOR", "true").with("RUST_LOG", "trace")
}

#[test]
fn a34_x06_x13_a_secret_of_prod_is_in_no_output_and_in_no_file() {
    let (secret, next) = (canary(), canary());
    let shell = Shell::example("quickstart").with_demo_identity().with("RUST_LOG", "trace").with("RUST_BACKTRACE", "1");
    crate::secrets::commit(&shell, "one");
    let all = |when: &str, deployed: bool| {
        for (line, codes) in READERS.iter().filter(|(line, _)| when == "deployed" || !is_static(line)) {
            let arguments = words(line);
            let ended = shell.run(&arguments);
            let expected = if deployed { codes.contains(&ended.code) } else { [0, 1, 4, 64].contains(&ended.code) };
            assert!(expected, "{when}: {arguments:?} {ended:#?}");
            seen(&secret, &arguments, &ended);
            seen(&next, &arguments, &ended);
        }
        for (path, bytes) in tree(shell.everything()) {
            absent(&secret, &bytes, &format!("{when}: {path}"));
            absent(&next, &bytes, &format!("{when}: {path}"));
        }
    };
    let set = |name: &str, value: &str| {
        let arguments = ["secret", "set", name, "-e", "prod"];
        let ended = shell.run_with(&arguments, value);
        assert_eq!(ended.code, 0, "{ended:#?}");
        seen(value, &arguments, &ended);
    };
    let apply = || {
        let ended = shell.ok(&["apply", "prod", "--yes"]);
        seen(&secret, &["apply"], &ended);
        seen(&next, &["apply"], &ended);
    };
    set("HUBSPOT_TOKEN", &secret);
    all("before the first apply", false);
    apply();
    all("deployed", true);
    // Another value, and one that goes through filters.
    set("HUBSPOT_TOKEN", &next);
    set("WAREHOUSE_PASSWORD", &secret);
    let credential = shell.read("credentials/warehouse-db.yaml");
    let credential = credential.replace(
        "${{ secrets.WAREHOUSE_PASSWORD }}",
        "x${{ secrets.WAREHOUSE_PASSWORD | b64encode }}-${{ secrets.WAREHOUSE_PASSWORD | urlencode | upper }}",
    );
    shell.put("credentials/warehouse-db.yaml", &credential);
    all("changed", false);
    apply();
    all("deployed again", true);
    for (line, codes) in WRITERS {
        let (shell, arguments) = (fork(&shell), words(line));
        let ended = shell.run_with(&arguments, "\"a value\"");
        assert!(codes.contains(&ended.code), "{arguments:?} {ended:#?}");
        for value in [&secret, &next] {
            seen(value, &arguments, &ended);
            tree(shell.everything()).iter().for_each(|(path, bytes)| absent(value, bytes, &format!("{line}: {path}")));
        }
    }
    for line in ASKED {
        let (shell, arguments) = (fork(&shell), words(line));
        let ended = shell.ok(&arguments);
        absent(&next, ended.stderr.as_bytes(), line);
        assert!(ended.stdout.contains(&next), "{line}: {ended:#?}");
    }
}

#[test]
fn a34_a_secret_is_in_no_message_when_things_go_wrong() {
    let secret = canary();
    let shell = Shell::example("quickstart").with_demo_identity();
    assert_eq!(shell.run_with(&["secret", "set", "HUBSPOT_TOKEN", "-e", "prod"], &secret).code, 0);
    shell.ok(&["apply", "prod", "--yes"]);
    let hubspot = shell.read("connections/hubspot.yaml");
    let reference = "${{ secrets.HUBSPOT_TOKEN }}";
    let sealed = shell.read("environments/prod/secrets.sops.yaml");
    let breaks: Vec<(&str, String)> = vec![
        // In a clear field, in a condition, as another type than the schema wants.
        ("connections/hubspot.yaml", hubspot.replace("HubSpot (", &format!("HubSpot {reference} ("))),
        ("connections/hubspot.yaml", hubspot.replace(reference, "${{ 'a' if secrets.HUBSPOT_TOKEN else 'b' }}")),
        (
            "connections/hubspot.yaml",
            hubspot.replace("number_of_api_call_retries: 5", &format!("portal_id: {reference}")),
        ),
        // Typed in clear where a secret belongs: under a key of another mode, in a list, in a broken file.
        ("connections/hubspot.yaml", hubspot.replace(reference, &format!("'{secret}'"))),
        ("connections/hubspot.yaml", hubspot.replace(reference, &format!("['{secret}']"))),
        ("connections/hubspot.yaml", hubspot.replace(reference, &format!("${{{{ '{secret}' }}}}"))),
        // Beside a reference, around it or within its expression.
        ("connections/hubspot.yaml", hubspot.replace(reference, &format!("'{secret}-{reference}-{secret}'"))),
        (
            "connections/hubspot.yaml",
            hubspot.replace("secrets.HUBSPOT_TOKEN", &format!("secrets.X | default('{secret}')")),
        ),
        // Cut off, changed, without its MAC.
        ("environments/prod/secrets.sops.yaml", sealed[..sealed.len() / 2].to_owned()),
        ("environments/prod/secrets.sops.yaml", sealed.replace("data:", "data:A")),
        ("environments/prod/secrets.sops.yaml", sealed.replace("    mac: ", "    cam: ")),
    ];
    for (path, text) in breaks {
        let before = shell.read(path);
        assert_ne!(before, text, "{path}");
        shell.put(path, &text);
        let mut failed = 0;
        let lines = READERS.iter().map(|(line, _)| *line).filter(|line| !is_static(line)).chain(["apply prod --yes"]);
        for arguments in lines.map(words) {
            let ended = shell.run(&arguments);
            seen(&secret, &arguments, &ended);
            failed += usize::from(ended.code != 0);
        }
        // Text beside a reference is allowed; `apply` without `--yes` fails in any case.
        assert!(failed > 1 || text.contains(&format!("{reference}-")), "{path}: {text}");
        shell.put(path, &before);
    }
    // With a key that opens nothing, and with something that is no key.
    let (other, _) = keygen();
    for identity in [other.expose().as_str(), "AGE-SECRET-KEY-1NONSENSE", secret.as_str()] {
        let shell = Shell::example("quickstart").with("SOPS_AGE_KEY", identity);
        for arguments in [vec!["apply", "prod", "--yes"], vec!["verify", "prod"]] {
            let ended = shell.run(&arguments);
            assert_ne!(ended.code, 0);
            assert!(!ended.stderr.contains(identity) && !ended.stdout.contains(identity), "{arguments:?} {ended:#?}");
        }
    }
}
