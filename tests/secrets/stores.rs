//! Secret stores: asked by `apply` alone, for what the operator allows, with real protocols at the other end.

use std::fs;

use super::quickstart;
use crate::peers::Server;
use crate::shell::{Ended, Shell};

const VALUE: &str = "Zk7/tr0ub4dor+stored";

/// A workspace whose production takes its secrets from these addresses.
fn bound(token: &str, password: &str) -> Shell {
    let shell = quickstart();
    fs::remove_file(shell.folder.join("environments/prod/secrets.sops.yaml")).unwrap();
    let settings = shell.read("environments/prod/environment.yaml");
    let quoted = |text: &str| if text.starts_with('{') { text.to_owned() } else { format!("'{text}'") };
    let secrets = format!("secrets:\n  HUBSPOT_TOKEN: {}\n  WAREHOUSE_PASSWORD: {}\n", quoted(token), quoted(password));
    shell.put("environments/prod/environment.yaml", &format!("{settings}{secrets}"));
    shell
}

/// The value that was sealed for hubspot.
fn sealed(shell: &Shell) -> String {
    let object = "dist/environments/prod/current/connections/hubspot.yaml";
    shell.ok(&["sops", "decrypt", object, "--extract", "[\"auth\"][\"access_token\"]"]).stdout
}

fn silent(ended: &Ended) {
    assert!(!ended.stdout.contains("tr0ub4dor") && !ended.stderr.contains("tr0ub4dor"), "{ended:#?}");
}

fn refused(shell: &Shell, told: &str) -> Ended {
    let ended = shell.run(&["apply", "prod", "--yes"]);
    assert_eq!(ended.code, 1, "{ended:#?}");
    assert!(ended.stderr.contains(told), "{told}\n{}", ended.stderr);
    assert!(!shell.folder.join("dist/environments/prod/head.json").exists(), "nothing was applied");
    silent(&ended);
    ended
}

/// A58, A61: nothing in the repository can make `validate` or `plan` ask, nor `apply` without the operator.
#[test]
fn x19_a58_stores_are_asked_by_apply_alone_and_only_if_the_operator_allows_it() {
    let shell = bound("env:TIELINE_SECRET_TOKEN", "env:PATH");
    for command in [vec!["validate"], vec!["plan", "prod"], vec!["render", "prod"], vec!["secret", "list"]] {
        shell.ok(&command);
    }
    let ended = refused(&shell, "the operator does not allow it: TIELINE_SECRETS_ALLOW is `env:TIELINE_SECRET_*`");
    assert!(ended.stderr.contains("env:PATH") && !ended.stderr.contains("/usr/bin"), "{ended:#?}");
    let shell = bound("env:TIELINE_SECRET_TOKEN", "env:TIELINE_SECRET_OTHER").with("TIELINE_SECRET_TOKEN", VALUE);
    refused(&shell, "env:TIELINE_SECRET_OTHER: the variable is not set, or empty");
    let shell = shell.with("TIELINE_SECRET_OTHER", "x");
    shell.ok(&["apply", "prod", "--yes"]);
    assert_eq!(sealed(&shell), VALUE);
}

#[test]
fn x19_a_file_is_below_the_workspace_or_the_operators_folder_and_no_link() {
    let shell = bound("file:run/token", "file:run/password");
    let mounted = shell.everything().join("mounted");
    fs::create_dir_all(mounted.join("run")).unwrap();
    fs::write(mounted.join("run/token"), format!("{VALUE}\n")).unwrap();
    fs::write(mounted.join("run/password"), "-----BEGIN\nx\n-----END\n").unwrap();
    let shell = shell.with("TIELINE_SECRETS_ALLOW", "file:run/*");
    refused(&shell, "file:run/token: there is no such file");
    let shell = shell.with("TIELINE_SECRETS_ROOT", mounted.to_str().unwrap());
    shell.ok(&["apply", "prod", "--yes"]);
    assert_eq!(sealed(&shell), VALUE, "an editor's line break is not part of it");
    #[cfg(unix)]
    {
        let outside = shell.everything().join("outside");
        fs::write(&outside, "stolen").unwrap();
        fs::remove_file(mounted.join("run/token")).unwrap();
        std::os::unix::fs::symlink(&outside, mounted.join("run/token")).unwrap();
        let ended = shell.run(&["apply", "prod", "--yes"]);
        assert!(ended.stderr.contains("not a regular file, or behind a link"), "{ended:#?}");
    }
}

/// A branch chooses the path: what a checkout leaves in the clone's settings, and what tools keep for themselves, is no secret.
#[test]
fn a57_no_file_of_the_workspace_that_is_not_a_secret_is_read_as_one() {
    let shell = bound("file:.netrc", "env:TIELINE_SECRET_P").with("TIELINE_SECRET_P", "x");
    let shell = shell.with("TIELINE_SECRETS_ALLOW", "*");
    shell.put(".netrc", "machine a login b password kelp");
    refused(&shell, "file:.netrc: a hidden file of the workspace is not read as a secret");
    let settings = shell.read("environments/prod/environment.yaml");
    for (path, told) in [
        ("a/.cache/token", "a hidden file of the workspace"),
        ("tieline.yaml", "a document of the workspace"),
        ("environments/dev/secrets.sops.yaml", "a document of the workspace"),
        ("Connections/x.yaml", "a document of the workspace"),
        ("old.sops.yaml", "a document of the workspace"),
        ("demo-identity.txt", "an identity that opens secrets"),
    ] {
        shell.put("environments/prod/environment.yaml", &settings.replace("file:.netrc", &format!("file:{path}")));
        refused(&shell, told);
    }
    // Git's own is no address at all, wherever the operator's folder is.
    for path in [".git/config", ".GIT/config", "sub/.git/config", ".git-credentials", ".gitconfig"] {
        shell.put("environments/prod/environment.yaml", &settings.replace("file:.netrc", &format!("file:{path}")));
        let ended = shell.run(&["validate"]);
        assert!(ended.code == 1 && ended.stdout.contains("what begins with `.git` is Git's own"), "{path} {ended:#?}");
    }
    // The operator's folder holds what the operator put there: mounts of Kubernetes begin with two dots.
    let mounted = shell.everything().join("mounted/..data");
    fs::create_dir_all(&mounted).unwrap();
    fs::write(mounted.join("token"), VALUE).unwrap();
    let shell = shell.with("TIELINE_SECRETS_ROOT", mounted.parent().unwrap().to_str().unwrap());
    shell.put("environments/prod/environment.yaml", &settings.replace("file:.netrc", "file:..data/token"));
    shell.ok(&["apply", "prod", "--yes"]);
    assert_eq!(sealed(&shell), VALUE);
}

/// Whatever the path of an address makes of it, what is sealed is a text that stands in a field.
#[test]
fn e06_peer_no_envelope_of_a_store_is_taken_for_a_secret() {
    let Some(server) = Server::start("kv.py", &[VALUE]) else { return };
    let with = |uri: &str, server: &Server| {
        bound(uri, "env:TIELINE_SECRET_P")
            .with("TIELINE_SECRET_P", "x")
            .with("VAULT_ADDR", &server.address)
            .with("VAULT_TOKEN", "hvs.root-of-the-test")
            .with("TIELINE_SECRETS_ALLOW", "*")
    };
    for (uri, told) in [
        ("vault://kv/data/prod/db#data", "an engine of version 1 is not asked for what begins with `data/`"),
        ("vault://kv/data/prod/db#metadata", "an engine of version 1 is not asked"),
        ("vault://kv/metadata/prod/db#data", "an engine of version 1 is not asked"),
        ("vault://team/kv/data/prod/db#data", "the field `data` is an object (name a field that holds a text)"),
        ("vault://kv/prod/nested#object", "the field `object` is an object"),
        ("vault://kv/prod/nested#list", "the field `list` is a list"),
    ] {
        refused(&with(uri, &server), told);
    }
    assert!(!server.asked().iter().any(|line| line.starts_with("GET /v1/kv/data/prod/db ")));
    let Some(server) = Server::start("kv.py", &[VALUE]) else { return };
    for (uri, value) in [("vault://kv/prod/nested#number", "5"), ("vault://kv/prod/nested#true", "true")] {
        let shell = with(uri, &server);
        shell.ok(&["apply", "prod", "--yes"]);
        assert_eq!(sealed(&shell), value);
    }
}

#[test]
fn x19_peer_vault_of_both_versions() {
    let Some(server) = Server::start("kv.py", &[VALUE]) else { return };
    let shell = bound("vault://kv/prod/db#password", "vault://old/prod/api#key")
        .with("VAULT_ADDR", &server.address)
        .with("VAULT_TOKEN", "hvs.root-of-the-test")
        .with("VAULT_NAMESPACE", "team")
        .with("TIELINE_SECRETS_ALLOW", "vault://kv/prod/* vault://old/*");
    let ended = shell.ok(&["apply", "prod", "--yes"]);
    silent(&ended);
    assert_eq!(sealed(&shell), VALUE);
    let asked = server.asked();
    for wanted in ["GET /v1/kv/data/prod/db team", "GET /v1/old/prod/api team"] {
        assert_eq!(asked.iter().filter(|line| *line == wanted).count(), 1, "{asked:?}");
    }
}

/// Each resource is asked for once, whatever uses it; two fields of one are one request.
#[test]
fn x19_peer_vault_is_asked_once_for_two_fields() {
    let Some(server) = Server::start("kv.py", &[VALUE]) else { return };
    let shell = bound("vault://kv/prod/db#password", "vault://kv/prod/db#user")
        .with("VAULT_ADDR", &server.address)
        .with("VAULT_TOKEN", "hvs.root-of-the-test")
        .with("TIELINE_SECRETS_ALLOW", "vault://*");
    shell.ok(&["apply", "prod", "--yes"]);
    assert_eq!(server.asked(), ["GET /v1/kv/data/prod/db -"]);
}

/// A43: what a store says when it refuses may quote the value; we say what kind of refusal it was.
#[test]
fn a43_a_stores_refusal_is_told_without_its_words() {
    let Some(server) = Server::start("kv.py", &[VALUE]) else { return };
    for (uri, token, told) in [
        ("vault://kv/prod/forbidden#password", "hvs.root-of-the-test", "permission denied"),
        ("vault://kv/prod/db#password", "hvs.another", "permission denied"),
        ("vault://kv/prod/none#password", "hvs.root-of-the-test", "nothing is there"),
        ("vault://kv/prod/gone?version=1#password", "hvs.root-of-the-test", "nothing is there"),
        (
            "vault://kv/prod/db#passwort",
            "hvs.root-of-the-test",
            "there is no field `passwort` (did you mean `#password`?)",
        ),
        ("vault://kv/prod/large#password", "hvs.root-of-the-test", "the answer has more than 4 MiB"),
    ] {
        let shell = bound(uri, "env:TIELINE_SECRET_P")
            .with("TIELINE_SECRET_P", "x")
            .with("VAULT_ADDR", &server.address)
            .with("VAULT_TOKEN", token)
            .with("TIELINE_SECRETS_ALLOW", "*");
        let ended = refused(&shell, told);
        assert!(!ended.stderr.contains(token), "A42: {ended:#?}");
    }
    let shell = bound("vault://kv/prod/db?version=1#password", "vault://kv/prod/flaky#password")
        .with("VAULT_ADDR", &server.address)
        .with("VAULT_TOKEN", "hvs.root-of-the-test")
        .with("TIELINE_SECRETS_ALLOW", "*");
    // A server that fails twice is asked a third time.
    shell.ok(&["apply", "prod", "--yes"]);
    assert_eq!(sealed(&shell), "an older one");
}

/// A63: no redirect, no proxy of the environment, no endpoint that hands out credentials, no unencrypted one elsewhere.
#[test]
fn a63_a42_a_store_leads_nowhere_else() {
    let Some(server) = Server::start("kv.py", &[VALUE]) else { return };
    let base = |uri: &str| {
        bound(uri, "env:TIELINE_SECRET_P")
            .with("TIELINE_SECRET_P", "x")
            .with("VAULT_TOKEN", "hvs.root-of-the-test")
            .with("TIELINE_SECRETS_ALLOW", "*")
    };
    let shell = base("vault://kv/prod/moved#password").with("VAULT_ADDR", &server.address);
    refused(&shell, "a redirect, which is not followed");
    let shell = base("vault://kv/prod/db#password").with("VAULT_ADDR", &server.address);
    let shell = shell.with("HTTP_PROXY", "http://127.0.0.1:1").with("http_proxy", "http://127.0.0.1:1");
    shell.ok(&["apply", "prod", "--yes"]);
    for (address, told) in [
        ("http://169.254.169.254", "the endpoint is none of a secret store"),
        ("http://vault.example.com:8200", "the endpoint is not encrypted"),
        ("https://ana:pw@vault.example.com", "the endpoint holds a user"),
        ("http://127.0.0.1:1", "nobody answers there"),
    ] {
        let shell = base("vault://kv/prod/db#password").with("VAULT_ADDR", address);
        let ended = shell.run(&["apply", "prod", "--yes"]);
        assert_eq!(ended.code, 1, "{ended:#?}");
        assert!(ended.stderr.contains(told) || address.ends_with(":1"), "{told}\n{ended:#?}");
        assert!(!ended.stderr.contains("hvs.root"), "{ended:#?}");
    }
    assert!(server.asked().iter().all(|line| line.starts_with("GET /v1/kv/data/prod/")));
}

/// A63: a certificate that nobody vouches for is refused; the operator's own file is believed, the repository has no say.
#[test]
fn a63_peer_vault_over_tls_is_believed_by_its_certificate_alone() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("store.pem");
    let Some(server) = Server::start("kv.py", &[VALUE, certificate.to_str().unwrap()]) else { return };
    let shell = bound("vault://kv/prod/db#password", "vault://kv/prod/db#user")
        .with("VAULT_ADDR", &server.address)
        .with("VAULT_TOKEN", "hvs.root-of-the-test")
        .with("VAULT_SKIP_VERIFY", "true")
        .with("TIELINE_SECRETS_ALLOW", "vault://*");
    refused(&shell, "the server's certificate is not trusted");
    let shell = shell.with("VAULT_CACERT", certificate.to_str().unwrap());
    shell.ok(&["apply", "prod", "--yes"]);
    assert_eq!(sealed(&shell), VALUE);
}

#[test]
fn x19_peer_secrets_manager_as_moto_has_it() {
    let Some(server) = Server::start("secrets_manager.py", &[VALUE]) else { return };
    let with = |token: &str, password: &str| {
        bound(token, password)
            .with("AWS_ENDPOINT_URL", &server.address)
            .with("AWS_REGION", "eu-central-1")
            .with("AWS_ACCESS_KEY_ID", "testing")
            .with("AWS_SECRET_ACCESS_KEY", "testing")
            .with("TIELINE_SECRETS_ALLOW", "awssm://prod/*")
    };
    let shell = with("awssm://prod/plain", "awssm://prod/db#password");
    let ended = shell.ok(&["apply", "prod", "--yes"]);
    silent(&ended);
    assert_eq!(sealed(&shell), VALUE);
    let shell = with("awssm://prod/db?stage=AWSPREVIOUS#password", "awssm://prod/plain");
    shell.ok(&["apply", "prod", "--yes"]);
    assert_eq!(sealed(&shell), "an older one");
    for (uri, told) in [
        ("awssm://prod/none", "there is no such secret"),
        ("awssm://prod/gone", "marked for deletion"),
        ("awssm://prod/binary", "the secret is binary"),
        ("awssm://prod/plain#field", "what is there is no JSON object"),
        ("awssm://dev/plain", "the operator does not allow it"),
    ] {
        refused(&with(uri, "awssm://prod/plain"), told);
    }
}

#[test]
fn x19_a58_a_program_runs_only_if_the_operator_names_it() {
    let shell = bound("op://team/hubspot/token", "op://team/db/password").with("TIELINE_SECRETS_ALLOW", "op://team/*");
    shell.put("op", &format!("#!/bin/sh\necho \"$@\" >> asked\nprintf %s '{VALUE}'\n"));
    let program = shell.folder.join("op");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let ended = refused(&shell, "no program is allowed to run");
    assert!(ended.stderr.contains("TIELINE_SECRETS_OP=op"), "{ended:#?}");
    assert!(!shell.folder.join("asked").exists());
    let shell = shell.with("TIELINE_SECRETS_OP", program.to_str().unwrap());
    shell.ok(&["apply", "prod", "--yes"]);
    assert_eq!(sealed(&shell), VALUE);
    let mut asked: Vec<String> = shell.read("asked").lines().map(str::to_owned).collect();
    asked.sort();
    assert_eq!(asked, ["read --no-newline -- op://team/db/password", "read --no-newline -- op://team/hubspot/token"]);
    shell.put("op", "#!/bin/sh\necho secret-in-an-error >&2\nexit 1\n");
    assert_eq!(shell.run(&["apply", "prod", "--yes"]).code, 1);
}

/// `delivery: reference` seals the address: no store is asked, and the runtime reads it.
#[test]
fn x19_by_reference_the_address_is_delivered_and_nobody_is_asked() {
    let shell = bound("{from: 'vault://kv/prod/db#token', delivery: reference}", "env:TIELINE_SECRET_P");
    let shell = shell.with("TIELINE_SECRET_P", "x");
    let rendered = shell.ok(&["render", "prod", "hubspot"]).stdout;
    assert!(rendered.contains("delivery: reference"), "{rendered}");
    shell.ok(&["apply", "prod", "--yes"]);
    assert_eq!(sealed(&shell), "vault://kv/prod/db#token");
    assert!(shell.ok(&["plan", "prod"]).stdout.contains("warehouse"), "an external value may have changed");
    // Nothing can be made of a value that nobody reads.
    super::edit(
        &shell,
        "connections/hubspot.yaml",
        "${{ secrets.HUBSPOT_TOKEN }}",
        "Bearer ${{ secrets.HUBSPOT_TOKEN }}",
    );
    let told = shell.run(&["validate"]);
    assert_eq!(told.code, 1);
    assert!(told.stdout.contains("`HUBSPOT_TOKEN` is delivered by reference"), "{told:#?}");
}
