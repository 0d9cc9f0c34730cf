//! Promise: a signature is one that `ssh-keygen -Y verify` checks, by a key that people have already; and once bundles are
//! signed, nothing unsigned slips in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::peers::there;
use crate::shell::{Ended, Shell, feed};

/// ssh-keygen of OpenSSH.
fn ssh() -> bool {
    there("ssh-keygen", Command::new("sh").args(["-c", "command -v ssh-keygen"]))
}

/// A new key of this type, under a passphrase or none, and a file that allows it.
fn key(shell: &Shell, name: &str, kind: &[&str], passphrase: &str) -> (PathBuf, PathBuf) {
    let path = shell.everything().join(name);
    let mut command = shell.command("ssh-keygen");
    command.args(["-q", "-N", passphrase, "-C", "ops@acme.example", "-f"]).arg(&path).arg("-t").args(kind);
    assert_eq!(feed(&mut command, "").code, 0);
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    let allowed = shell.everything().join(format!("{name}.allowed"));
    fs::write(&allowed, format!("ops@acme.example namespaces=\"tieline-bundle\" {public}")).unwrap();
    (path, allowed)
}

fn quickstart() -> Shell {
    Shell::example("quickstart").with_demo_identity()
}

/// The manifest in force and its signature.
fn in_force(shell: &Shell) -> (PathBuf, PathBuf) {
    let head: serde_json::Value = serde_json::from_str(&shell.read("dist/environments/prod/head.json")).unwrap();
    let hex = head["manifest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let manifest = shell.folder.join(format!("dist/manifests/{hex}.json"));
    (manifest.clone(), manifest.with_extension("json.sig"))
}

fn stock_verify(shell: &Shell, allowed: &Path) -> Ended {
    let (manifest, signature) = in_force(shell);
    let mut command = shell.command("ssh-keygen");
    command.args(["-Y", "verify", "-n", "tieline-bundle", "-I", "ops@acme.example", "-f"]).arg(allowed);
    command.arg("-s").arg(signature);
    feed(&mut command, &fs::read_to_string(manifest).unwrap())
}

fn change(shell: &Shell, retries: u8) {
    let text = shell.read("connections/hubspot.yaml");
    let at = text.find("retries: ").unwrap() + "retries: ".len();
    shell.put("connections/hubspot.yaml", &format!("{}{retries}{}", &text[..at], &text[at + 1..]));
}

#[test]
fn n07_ssh_keygen_verifies_what_every_ordinary_kind_of_key_signed() {
    if !ssh() {
        return;
    }
    for kind in [vec!["ed25519"], vec!["ecdsa", "-b", "256"], vec!["ecdsa", "-b", "384"], vec!["rsa", "-b", "2048"]] {
        let shell = quickstart();
        let (key, allowed) = key(&shell, "key", &kind, "");
        shell.ok(&["apply", "prod", "--yes", "--sign", key.to_str().unwrap()]);
        let stock = stock_verify(&shell, &allowed);
        assert_eq!(stock.code, 0, "{kind:?}: {stock:?}");
        let ours = shell.ok(&["verify", "prod", "--allowed-signers", allowed.to_str().unwrap()]).stdout;
        assert!(ours.starts_with("signed by ops@acme.example (SHA256:"), "{kind:?}: {ours}");
        // Stock signatures are ours too.
        let (manifest, signature) = in_force(&shell);
        fs::remove_file(&signature).unwrap();
        let mut command = shell.command("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", "tieline-bundle", "-f"]).arg(&key).arg(&manifest);
        assert_eq!(feed(&mut command, "").code, 0);
        shell.ok(&["verify", "prod", "--allowed-signers", allowed.to_str().unwrap()]);
    }
}

#[test]
fn a74_an_unsigned_or_foreign_manifest_is_refused_where_a_signature_is_asked_for() {
    if !ssh() {
        return;
    }
    let shell = quickstart();
    let (mine, allowed) = key(&shell, "mine", &["ed25519"], "");
    let (other, _) = key(&shell, "other", &["ed25519"], "");
    let verify = || shell.run(&["verify", "prod", "--allowed-signers", allowed.to_str().unwrap()]);
    shell.ok(&["apply", "prod", "--yes"]);
    let unsigned = verify();
    assert_eq!(unsigned.code, 5, "{unsigned:?}");
    assert!(unsigned.stderr.contains("the bundle is not signed"), "{unsigned:?}");
    // That is a change, and asked about like one.
    let asked = shell.run(&["apply", "prod", "--sign", mine.to_str().unwrap()]);
    assert!(asked.code == 64 && asked.stderr.contains("there is nobody to ask"), "{asked:?}");
    // Nobody vouched for these objects: a signature is put on new ones alone.
    let signed = shell.ok(&["apply", "prod", "--yes", "--sign", mine.to_str().unwrap()]);
    assert!(signed.stderr.contains("every connection is sealed anew: nobody vouches"), "{signed:?}");
    assert!(signed.stderr.contains("2 objects sealed, 0 carried over"), "{signed:?}");
    assert_eq!(verify().code, 0);
    // From a signed one, what is the same is carried over; and nothing new means nothing to do, and no key.
    let keyless = shell.again().run(&["apply", "prod", "--sign", mine.to_str().unwrap()]);
    assert!(keyless.code == 0 && keyless.stderr.contains("nothing to do"), "{keyless:?}");
    assert!(shell.ok(&["apply", "prod", "--yes", "--sign", mine.to_str().unwrap()]).stderr.contains("nothing to do"));
    change(&shell, 4);
    let carried = shell.ok(&["apply", "prod", "--yes", "--sign", mine.to_str().unwrap()]);
    assert!(carried.stderr.contains("1 object sealed, 1 carried over"), "{carried:?}");
    // To stop signing is said.
    change(&shell, 3);
    let bare = shell.run(&["apply", "prod"]);
    assert!(bare.stderr.contains("is signed, and the next one would not be"), "{bare:?}");
    // Another key's signature counts for nothing.
    let other = shell.ok(&["apply", "prod", "--yes", "--sign", other.to_str().unwrap()]);
    assert!(other.stderr.contains("2 objects sealed, 0 carried over"), "{other:?}");
    let foreign = verify();
    assert_eq!(foreign.code, 5, "{foreign:?}");
    assert!(foreign.stderr.contains("is not an allowed signer"), "{foreign:?}");
    // A manifest that was changed under its signature.
    shell.ok(&["apply", "prod", "--yes", "--sign", mine.to_str().unwrap()]);
    let (manifest, signature) = in_force(&shell);
    let older = fs::read_dir(manifest.parent().unwrap()).unwrap().map(|e| e.unwrap().path());
    let older = older.filter(|path| path.extension().is_some_and(|e| e == "sig") && *path != signature).max().unwrap();
    fs::copy(older, &signature).unwrap();
    let swapped = verify();
    assert_eq!(swapped.code, 5, "{swapped:?}");
    // A rollback to what nobody vouched for can't be signed.
    let back = shell.run(&["rollback", "prod", "1", "--yes", "--sign", mine.to_str().unwrap()]);
    assert_eq!(back.code, 5, "{back:?}");
    assert!(
        back.stderr.contains("serial 1 can't be signed with") && back.stderr.contains("it is not signed"),
        "{back:?}"
    );
}

/// One's own key says nothing of what others put in force: what follows it is signed all the same. Where somebody says who may
/// sign, it is refused.
#[test]
fn e2_11_what_follows_what_another_one_applied_is_signed() {
    if !ssh() {
        return;
    }
    let shell = quickstart();
    let (mine, allowed) = key(&shell, "mine", &["ed25519"], "");
    let (mine, allowed) = (mine.to_str().unwrap(), allowed.to_str().unwrap());
    shell.ok(&["apply", "prod", "--yes", "--sign", mine]);
    change(&shell, 4);
    shell.ok(&["apply", "prod", "--yes"]);
    // Somebody who remembers nothing of it.
    let other = shell.again().with_demo_identity();
    let refused = other.run(&["rollback", "prod", "1", "--yes", "--sign", mine, "--allowed-signers", allowed]);
    assert!(refused.code == 5 && refused.stderr.contains("serial 2"), "{refused:?}");
    other.ok(&["rollback", "prod", "1", "--yes", "--sign", mine]);
    shell.ok(&["verify", "prod", "--allowed-signers", allowed]);
    // And so it is with an apply.
    shell.ok(&["apply", "prod", "--yes"]);
    change(&shell, 3);
    let third = shell.again().with_demo_identity();
    let refused = third.run(&["apply", "prod", "--yes", "--sign", mine, "--allowed-signers", allowed]);
    assert!(refused.code == 5 && refused.stderr.contains("serial 4"), "{refused:?}");
    third.ok(&["apply", "prod", "--yes", "--sign", mine]);
    shell.ok(&["verify", "prod", "--allowed-signers", allowed]);
}

/// An agent with a key in it; it ends with the value.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn n07_a_key_of_an_agent_signs_and_one_under_a_passphrase_says_what_it_needs() {
    if !ssh() || !there("ssh-agent", Command::new("sh").args(["-c", "command -v ssh-agent && command -v ssh-add"])) {
        return;
    }
    let shell = quickstart();
    let (locked, allowed) = key(&shell, "locked", &["ed25519"], "open sesame");
    let refused = shell.run(&["apply", "prod", "--yes", "--sign", locked.to_str().unwrap()]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("has a passphrase") && refused.stderr.contains("ssh-add"), "{refused:?}");
    assert!(!shell.folder.join("dist").exists());
    let socket = shell.everything().join("agent");
    let mut command = shell.command("ssh-agent");
    let _agent = Agent(command.args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().unwrap());
    while !socket.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // The same key without a passphrase, for the agent.
    let open = shell.everything().join("open");
    fs::copy(&locked, &open).unwrap();
    let mut command = shell.command("ssh-keygen");
    assert_eq!(feed(command.args(["-q", "-p", "-P", "open sesame", "-N", "", "-f"]).arg(&open), "").code, 0);
    let mut command = shell.command("ssh-add");
    assert_eq!(feed(command.env("SSH_AUTH_SOCK", &socket).arg("-q").arg(&open), "").code, 0);
    let shell = shell.with("SSH_AUTH_SOCK", socket.to_str().unwrap());
    for path in [locked.with_extension("pub"), locked] {
        shell.ok(&["apply", "prod", "--yes", "--reseal", "--sign", path.to_str().unwrap()]);
        assert_eq!(stock_verify(&shell, &allowed).code, 0);
    }
}

#[test]
fn what_is_no_key_is_told_and_not_quoted() {
    let shell = quickstart();
    let path = shell.everything().join("key");
    fs::write(&path, "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----\n").unwrap();
    let refused = shell.run(&["apply", "prod", "--yes", "--sign", path.to_str().unwrap()]);
    assert!(refused.code == 1 && refused.stderr.contains("no key in the format of OpenSSH"), "{refused:?}");
    assert!(!refused.stderr.contains("canary"), "{refused:?}");
    let absent = shell.run(&["apply", "prod", "--yes", "--sign", "/nowhere"]);
    assert!(absent.stderr.contains("there is no key `/nowhere`"), "{absent:?}");
}
