//! Promise: a secret is in no output of any command and in no file of a bundle, in whatever spelling.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use tieline::sops::keygen;

use crate::shell::{Ended, Shell, tree};

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

/// Every command in every form, with what they end with at least once.
fn commands() -> Vec<Vec<&'static str>> {
    let both = ["hubspot", "warehouse"];
    let mut all = vec![
        vec!["validate"],
        vec!["validate", "--format", "json"],
        vec!["render", "prod"],
        vec!["render", "prod", "--format", "json"],
        vec!["list"],
        vec!["list", "-e", "prod", "--format", "json"],
        vec!["audit"],
        vec!["audit", "--format", "json"],
        vec!["audit", "--format", "csv"],
        vec!["recipients", "list"],
        vec!["recipients", "check"],
        vec!["codeowners"],
        vec!["secret", "extract", "--dry-run"],
        vec!["secret", "adopt", "-e", "prod", "--yes"],
        vec!["secret", "unset", "HUBSPOT_TOKEN", "-e", "prod"],
        vec!["sops", "updatekeys", "environments/prod/secrets.sops.yaml", "--age", "age1nonsense"],
        vec!["sops", "rotate", "environments/prod/secrets.sops.yaml"],
        vec!["secret", "list", "-e", "prod"],
        vec!["secret", "list", "-e", "prod", "--format", "json"],
        vec!["plan", "prod"],
        vec!["plan", "prod", "--format", "json"],
        vec!["plan", "prod", "--format", "markdown"],
        vec!["plan", "prod", "--format", "gitlab"],
        vec!["plan", "prod", "--out", "saved.plan"],
        vec!["plan", "--all", "--against", "HEAD", "--format", "json"],
        vec!["apply", "prod"],
        vec!["verify", "prod"],
        vec!["status"],
        vec!["status", "--format", "json"],
        vec!["history", "prod", "--format", "json"],
        vec!["rollback", "prod"],
        vec!["gc", "prod", "--dry-run"],
        vec!["bundle", "export", "prod", "b.tgz"],
        vec!["bundle", "inspect", "b.tgz"],
        vec!["bundle", "inspect", "b.tgz", "--format", "json"],
    ];
    for id in both {
        all.push(vec!["show", id]);
        all.push(vec!["show", id, "--format", "json"]);
        all.push(vec!["explain", "prod", id]);
        all.push(vec!["explain", "prod", id, "--format", "json"]);
    }
    for path in ["auth.access_token", "/auth/access_token", "auth", "title"] {
        all.push(vec!["explain", "prod", "hubspot", path]);
        all.push(vec!["explain", "prod", "hubspot", path, "--format", "json"]);
    }
    all
}

fn seen(secret: &str, arguments: &[&str], ended: &Ended) {
    absent(secret, ended.stdout.as_bytes(), &format!("stdout of {arguments:?}"));
    absent(secret, ended.stderr.as_bytes(), &format!("stderr of {arguments:?}"));
}

#[test]
fn a34_x06_x13_a_secret_of_prod_is_in_no_output_and_in_no_file() {
    let (secret, next) = (canary(), canary());
    let shell = Shell::example("quickstart").with_demo_identity().with("RUST_LOG", "trace").with("RUST_BACKTRACE", "1");
    crate::secrets::commit(&shell, "one");
    let all = |when: &str| {
        for arguments in commands() {
            let ended = shell.run(&arguments);
            assert!([0, 1, 2, 4, 64].contains(&ended.code), "{when}: {arguments:?} {ended:#?}");
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
    all("before the first apply");
    apply();
    all("deployed");
    // Another value, and one that goes through filters.
    set("HUBSPOT_TOKEN", &next);
    set("WAREHOUSE_PASSWORD", &secret);
    let credential = shell.read("credentials/warehouse-db.yaml");
    let credential = credential.replace(
        "${{ secrets.WAREHOUSE_PASSWORD }}",
        "x${{ secrets.WAREHOUSE_PASSWORD | b64encode }}-${{ secrets.WAREHOUSE_PASSWORD | urlencode | upper }}",
    );
    shell.put("credentials/warehouse-db.yaml", &credential);
    all("changed");
    apply();
    all("deployed again");
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
        let apply = vec!["apply", "prod", "--yes"];
        for arguments in commands().into_iter().chain([apply]) {
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
