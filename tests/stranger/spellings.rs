//! Other addresses of a secret that is in use: another spelling of the same one, an id instead of a name, a copy.

use super::retarget::{OWN, RECIPIENT, TOKEN, own, paths, reseal, retargeted, with_own, workspace};
use crate::secrets::commit;
use crate::shell::Shell;

const ARN: &str = "awssm://arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db";

/// Addresses that a store may take for the same secret.
const SPELLINGS: &[(&str, &str)] = &[
    ("vault://kv/prod/db#password", "vault://kv/data/prod/db#data"),
    ("vault://kv/prod/db#password", "vault://kv/data/prod/db#password"),
    ("vault://kv/team/db#password", "vault://kv/team/data/db#data"),
    ("vault://kv/prod/db#password", "vault://kv/prod/db#PASSWORD"),
    ("op://prod/db/password", "op://prod/db/login/password"),
    ("op://prod/db/password", "op://Prod/db/abcdefghijklmnopqrstuvwxy2"),
    ("op://prod/db/password", "op://abcdefghijklmnopqrstuvwxy2/zbcdefghijklmnopqrstuvwxy2/password"),
    ("op://abcdefghijklmnopqrstuvwxy2/db/password", "op://prod/db/password"),
    ("awssm://prod/db#password", "awssm://prod/db"),
    ("awssm://prod/db#password", "ARN#password"),
    ("awssm://prod/db", "ARN-AbCdEf"),
    ("file:run/db", "file:run/DB"),
];

fn addresses() -> Vec<(String, String)> {
    let whole = |uri: &str| uri.replace("ARN", ARN);
    SPELLINGS.iter().flat_map(|(a, b)| [(whole(a), whole(b)), (whole(b), whole(a))]).collect()
}

/// Binds names of `prod`.
fn bind(shell: &Shell, bindings: &[(&str, &str)]) {
    let lines: Vec<String> = bindings.iter().map(|(name, uri)| format!("  {name}: '{uri}'\n")).collect();
    shell.put("environments/prod/environment.yaml", &format!("secrets:\n{}", lines.concat()));
}

/// The connection `own`, whose token is at this address, committed.
fn bound(uri: &str) -> Shell {
    let shell = with_own("{server: a}", TOKEN);
    bind(&shell, &[("TOKEN", uri)]);
    commit(&shell, "bound");
    shell
}

fn told(shell: &Shell) -> Vec<String> {
    retargeted(shell).into_iter().map(|(instance, path)| format!("{instance} {path}")).collect()
}

#[test]
fn e06_a_stores_secret_at_any_other_address_counts_as_kept() {
    let others = [
        ("vault://kv/prod/db#password", "vault://kv/copy/db#pw"),
        ("vault://kv/prod/db#password", "env:TIELINE_SECRET_DB"),
        ("env:TIELINE_SECRET_DB", "env:TIELINE_SECRET_DATABASE"),
        ("op://prod/db/password", "awssm://prod/db"),
    ];
    let others = others.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    for (was, is) in addresses().into_iter().chain(others) {
        let shell = bound(&was);
        // Alone it goes where it went.
        bind(&shell, &[("TOKEN", &is)]);
        assert_eq!(paths(&shell), [""; 0], "{was} -> {is}");
        for (config, path) in [("{server: evil}", "/config/server"), ("{server: a, broker: evil}", "/config/broker")] {
            shell.put("connections/own.yaml", &own(config, TOKEN));
            assert_eq!(paths(&shell), [path], "{was} -> {is}");
        }
        // Under another name too, and in another field.
        bind(&shell, &[("NEW", &is)]);
        shell.put("connections/own.yaml", &own("{server: evil}", "{token: '${{ secrets.NEW }}'}"));
        assert_eq!(paths(&shell), ["/config/server"], "{was} -> {is}");
        shell.put("connections/own.yaml", &own("{server: a}", "{second: '${{ secrets.NEW }}'}"));
        assert!(paths(&shell).contains(&"/auth/second".to_owned()), "{was} -> {is}: {:?}", paths(&shell));
    }
}

/// A connection whose secret is sealed in a file that says nowhere where it belongs.
fn sealed() -> Shell {
    let shell = workspace(&[]);
    let settings =
        format!("tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\nkeys: {{me: {RECIPIENT}}}\nrecipients: [me]\n");
    shell.put("tieline.yaml", &settings);
    shell.put("connectors/own.json", OWN);
    reseal(&shell, &["TOKEN"], &[]);
    shell.put("connections/own.yaml", &own("{server: a}", TOKEN));
    commit(&shell, "one");
    shell
}

#[test]
fn e06_a_secret_that_comes_from_a_file_to_a_store_may_be_the_same() {
    let shell = sealed();
    bind(&shell, &[("COPY", "vault://kv/prod/db#password")]);
    let copied = |server: &str| own(&format!("{{server: {server}}}"), "{token: '${{ secrets.COPY }}'}");
    shell.put("connections/own.yaml", &copied("a"));
    assert_eq!(paths(&shell), [""; 0]);
    shell.put("connections/own.yaml", &copied("evil"));
    assert_eq!(paths(&shell), ["/config/server"]);
}

#[test]
fn e06_a_secret_that_arrives_is_known_by_every_spelling() {
    for (was, is) in addresses() {
        let shell = bound(&was);
        bind(&shell, &[("TOKEN", &was), ("NEW", &is)]);
        let new = |server: &str| own(&format!("{{server: {server}}}"), "{token: '${{ secrets.NEW }}'}");
        shell.put("connections/new.yaml", &new("evil"));
        assert_eq!(told(&shell), ["new /config/server"], "{was} -> {is}");
        // To where the secret goes already.
        shell.put("connections/new.yaml", &new("a"));
        assert_eq!(told(&shell), [""; 0], "{was} -> {is}");
    }
    // Another secret is another secret.
    let shell = bound("vault://kv/prod/db#password");
    bind(&shell, &[("TOKEN", "vault://kv/prod/db#password"), ("NEW", "vault://kv/prod/api#password")]);
    shell.put("connections/new.yaml", &own("{server: evil}", "{token: '${{ secrets.NEW }}'}"));
    assert_eq!(told(&shell), [""; 0]);
}

#[test]
fn e06_of_several_secrets_nobody_knows_which_one_came_to_another_address() {
    let shell = with_own("{server: a}", TOKEN);
    let both = "{token: '${{ secrets.TOKEN }}', second: '${{ secrets.SECOND }}'}";
    bind(&shell, &[("TOKEN", "op://prod/db/password"), ("SECOND", "op://prod/db/second")]);
    shell.put("connections/own.yaml", &own("{server: a, proxy_password: '${{ secrets.SECOND }}'}", TOKEN));
    commit(&shell, "two");
    // Into a field that the schema calls harmless.
    bind(&shell, &[("TOKEN", "op://prod/db/password"), ("SECOND", "op://prod/db/login/password")]);
    assert_eq!(paths(&shell), ["/config/proxy_password"]);
    shell.put("connections/own.yaml", &own("{server: a}", both));
    bind(&shell, &[("TOKEN", "op://prod/db/password"), ("SECOND", "op://prod/db/second")]);
    commit(&shell, "three");
    bind(&shell, &[("TOKEN", "op://prod/db/login/second"), ("SECOND", "op://prod/db/login/password")]);
    assert_eq!(paths(&shell), ["/auth/second", "/auth/token"]);
}

#[test]
fn e06_two_connections_that_swap_their_secrets_by_other_spellings_are_told() {
    let shell = with_own("{server: a}", TOKEN);
    shell.put("connections/two.yaml", &own("{server: b}", "{token: '${{ secrets.OTHER }}'}"));
    bind(&shell, &[("TOKEN", "op://prod/one/password"), ("OTHER", "op://prod/two/password")]);
    commit(&shell, "two");
    bind(&shell, &[("TOKEN", "op://prod/two/login/password"), ("OTHER", "op://prod/one/login/password")]);
    assert_eq!(told(&shell), ["own /config/server", "two /config/server"]);
}

#[test]
fn e06_what_a_secret_at_another_address_goes_through_is_held_to_the_same() {
    let shell = with_own("{registry: front}", TOKEN);
    bind(&shell, &[("TOKEN", "op://prod/db/password")]);
    let http = |url: &str| format!("connector: http\nconfig: {{base_url: '{url}'}}\nauth: {{mode: none}}\n");
    shell.put("connections/front.yaml", &http("https://front.example.com"));
    commit(&shell, "two");
    bind(&shell, &[("TOKEN", "op://prod/db/login/password")]);
    shell.put("connections/front.yaml", &http("https://evil.example"));
    assert_eq!(told(&shell), ["front /config/base_url"]);
}

/// A file that says nowhere where it belongs can be moved with its values: what is sealed in it is the same.
#[test]
fn e06_a_sealed_value_in_another_file_is_the_same_secret() {
    let shell = sealed();
    std::fs::create_dir_all(shell.folder.join("environments/base")).unwrap();
    shell.put("environments/base/environment.yaml", "description: base\n");
    shell.put("environments/prod/environment.yaml", "extends: base\n");
    let file = shell.read("environments/prod/secrets.sops.yaml");
    std::fs::remove_file(shell.folder.join("environments/prod/secrets.sops.yaml")).unwrap();
    shell.put("environments/base/secrets.sops.yaml", &file);
    assert_eq!(paths(&shell), [""; 0]);
    shell.put("connections/own.yaml", &own("{server: evil}", TOKEN));
    assert_eq!(paths(&shell), ["/config/server"]);
    // Copied into a profile, it is the environment's secret there.
    commit(&shell, "two");
    std::fs::create_dir_all(shell.folder.join("environments/prod/profiles/fast/connections")).unwrap();
    shell.put("environments/prod/profiles/fast/secrets.sops.yaml", &file);
    shell.put("environments/prod/profiles/fast/connections/own.yaml", "config: {server: worse}\n");
    let text = shell.ok(&["plan", "prod", "--profile", "fast", "--against", "HEAD"]).stdout;
    assert!(text.contains("a secret in use in `prod` could be sent elsewhere"), "{text}");
}
