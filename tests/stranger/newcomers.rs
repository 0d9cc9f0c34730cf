//! Environments of which nothing is deployed yet, that have the secrets of others.

use std::fs;

use serde_json::Value;

use super::retarget::{OWN, SENT, TOKEN, own};
use crate::secrets::{commit, git};
use crate::shell::{Shell, copy};

const EVIL: &str = "evil.example.com";

/// The example, applied to `prod`, and committed.
fn applied() -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.put(".gitignore", "dist\n*.txt\n");
    commit(&shell, "one");
    shell.ok(&["apply", "prod", "--yes"]);
    shell
}

fn put(shell: &Shell, path: &str, text: &str) {
    fs::create_dir_all(shell.folder.join(path).parent().unwrap()).unwrap();
    shell.put(path, text);
}

/// What is told of re-targeted secrets: instance, environment that has them, path, new value.
fn told(shell: &Shell, arguments: &[&str]) -> Vec<(String, String, String, String)> {
    let changes = changes(shell, arguments);
    let all = changes.iter().filter(|change| change["kind"] == "destination");
    let text = |change: &Value, key: &str| change[key].as_str().unwrap_or("-").to_owned();
    all.map(|c| (text(c, "instance"), text(c, "compared_environment"), text(c, "path"), text(c, "new"))).collect()
}

/// The environments of which it is not known where they send secrets.
fn unknown(shell: &Shell, arguments: &[&str]) -> Vec<String> {
    let human = shell.ok(&[&["plan"], arguments].concat()).stdout;
    let markdown = shell.ok(&[&["plan"], arguments, &["--format", "markdown"]].concat()).stdout;
    let (open, _) = markdown.split_once("<details>").unwrap();
    let changes = changes(shell, arguments);
    let all = changes.iter().filter(|change| change["kind"] == "unknown");
    let names: Vec<String> =
        all.map(|change| change["compared_environment"].as_str().unwrap_or("-").to_owned()).collect();
    for name in &names {
        let told = format!("not known: whether `{name}` sends secrets of this plan elsewhere");
        let told = if name == "-" { told.replace("`-` sends", "other environments send") } else { told };
        assert!(human.contains(&told) && open.contains(&told), "{human}\n{markdown}");
    }
    names
}

fn changes(shell: &Shell, arguments: &[&str]) -> Vec<Value> {
    let plan = shell.ok(&[&["plan"], arguments, &["--format", "json"]].concat()).stdout;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    plan["trust_changes"].as_array().unwrap().clone()
}

fn one(environment: &str) -> Vec<(String, String, String, String)> {
    vec![("warehouse".into(), environment.into(), "/config/host".into(), EVIL.into())]
}

/// Plans in every form, and the apply, show it; once it is deployed it is no change.
fn shows(shell: &Shell, scope: &[&str]) {
    assert_eq!(told(shell, scope), one("prod"));
    assert_eq!(told(shell, &[scope, &["--against", "HEAD"]].concat()), one("prod"));
    let line = SENT.replace("in use", "in use in `prod`");
    for against in [&[][..], &["--against", "HEAD"]] {
        let human = shell.ok(&[&["plan"], scope, against].concat()).stdout;
        assert!(
            human.contains(&format!("warehouse: {line}\n    config.host: \"warehouse.example.com\" -> \"{EVIL}\"")),
            "{human}"
        );
        let markdown = shell.ok(&[&["plan"], scope, against, &["--format", "markdown"]].concat()).stdout;
        let (open, _) = markdown.split_once("<details>").unwrap();
        assert!(
            open.contains("**credential re-targeted**: a secret in use in `prod`") && open.contains(EVIL),
            "{markdown}"
        );
    }
    commit(shell, "merged");
    let ended = shell.ok(&[&["apply", "--yes"], scope].concat());
    assert!(ended.stdout.contains(&line) && ended.stdout.contains(EVIL), "{ended:?}");
    assert!(told(shell, scope).is_empty());
    assert!(told(shell, &["prod"]).is_empty());
}

#[test]
fn e06_a_new_profile_is_held_against_its_environment() {
    let shell = applied();
    let path = "environments/prod/profiles/fast/connections/warehouse.yaml";
    put(&shell, path, "config: {host: warehouse.example.com}\n");
    put(&shell, "environments/prod/profiles/fast/profile.yaml", "inherit_secrets: true\n");
    assert!(told(&shell, &["prod", "--profile", "fast"]).is_empty());
    put(&shell, path, &format!("config: {{host: {EVIL}}}\n"));
    shows(&shell, &["prod", "--profile", "fast"]);
}

#[test]
fn e06_a_new_environment_is_held_against_what_it_extends() {
    let shell = applied();
    put(&shell, "environments/canary/environment.yaml", "extends: prod\n");
    assert!(told(&shell, &["canary"]).is_empty());
    put(&shell, "environments/canary/environment.yaml", &format!("extends: prod\nvars: {{db_host: {EVIL}}}\n"));
    shows(&shell, &["canary"]);
    // Deployed there, it is known to go there: from one that extends it in turn too.
    put(&shell, "environments/nightly/environment.yaml", "extends: canary\n");
    assert!(told(&shell, &["nightly"]).is_empty());
    // What is deployed of others is not looked at where nothing is new.
    fs::write(shell.folder.join("dist/environments/prod/head.json"), "damaged").unwrap();
    let ended = shell.ok(&["plan", "canary"]);
    assert!(ended.stderr.is_empty(), "{ended:?}");
    let ended = shell.ok(&["plan", "nightly"]);
    assert!(ended.stderr.is_empty(), "canary settles it: {ended:?}");
}

/// A text without the lines that have a word.
fn without(text: &str, word: &str) -> String {
    text.lines().filter(|line| !line.contains(word)).fold(String::new(), |text, line| text + line + "\n")
}

/// A key that nobody here knows.
const EVE: &str = "age1dhescgtlh7gtctlyal839a3prhhx5hm0j2ykwtswwk3nanvqkqlqwa9sf4";

fn canary(shell: &Shell, more: &str) {
    put(shell, "environments/canary/environment.yaml", &format!("extends: prod\nvars: {{db_host: {EVIL}}}\n{more}"));
}

/// What can't be read keeps nobody from a first apply, and is said in every form.
#[test]
fn e06_what_is_not_known_of_another_environment_is_a_trust_change() {
    let shell = applied();
    canary(&shell, "");
    assert!(unknown(&shell, &["canary"]).is_empty());
    let head = shell.read("dist/environments/prod/head.json");
    shell.put("dist/environments/prod/head.json", "damaged");
    assert_eq!(unknown(&shell, &["canary"]), ["prod"]);
    shell.put("dist/environments/prod/head.json", &head);
    // The operator does not let this machine read it.
    canary(&shell, "target: {path: out}\n");
    let narrow = unknown(&shell.again().with("TIELINE_TARGETS_ALLOW", "out"), &["canary"]);
    assert!(narrow.contains(&"prod".to_owned()), "{narrow:?}");
    // The branch sees to it that it can't be read where it says: it is read where it was.
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &format!("{settings}target: {{path: README.md}}\n"));
    shell.put("README.md", "x\n");
    assert_eq!(unknown(&shell, &["canary"]), ["prod"]);
    assert_eq!(told(&shell, &["canary"]), one("prod"));
    // A job without a memory that has the last commit alone knows of no others.
    shell.put("environments/prod/environment.yaml", &settings);
    commit(&shell, "canary");
    let from = format!("file://{}", shell.folder.display());
    let mut shallow = Shell::new();
    git(&shallow, &["clone", "-q", "--depth", "1", &from, "clone"]);
    shallow.folder = shallow.folder.join("clone");
    assert_eq!(unknown(&shallow, &["canary"]), ["-"]);
}

/// Whether the branch deletes it, has it go by another address, moves its target to a made-up head, or brings a crowd.
#[test]
fn e06_a_branch_does_not_choose_what_a_new_environment_is_held_against() {
    let settings = "vars: {db_host: warehouse.example.com}\nsecrets: {WAREHOUSE_PASSWORD: 'env:TIELINE_SECRET_A', HUBSPOT_TOKEN: 'env:TIELINE_SECRET_B'}\n";
    let shell = Shell::example("quickstart").with_demo_identity();
    let shell = shell.with("TIELINE_SECRET_A", "a").with("TIELINE_SECRET_B", "b");
    shell.put(".gitignore", "dist\n*.txt\n");
    fs::remove_file(shell.folder.join("environments/prod/secrets.sops.yaml")).unwrap();
    put(&shell, "environments/prod/environment.yaml", settings);
    commit(&shell, "one");
    shell.ok(&["apply", "prod", "--yes"]);
    let prod = || put(&shell, "environments/prod/environment.yaml", settings);
    let evil = settings.replace("warehouse.example.com", EVIL);
    put(&shell, "environments/canary/environment.yaml", &evil);
    let shows = |what: &str, base: &str| {
        for against in [&["canary"][..], &["canary", "--against", base]] {
            let told = told(&shell, against);
            assert!(told.contains(&one("prod")[0]), "{what} {against:?}: {told:?}");
        }
    };
    shows("control", "HEAD");
    put(&shell, "environments/prod/environment.yaml", &settings.replace("_SECRET_A", "_SECRET_C"));
    shows("another address", "HEAD");
    commit(&shell, "merged");
    shows("another address, committed", "HEAD^1");
    prod();
    fs::remove_dir_all(shell.folder.join("environments/prod")).unwrap();
    commit(&shell, "gone");
    shows("deleted", "HEAD~2");
    for at in 0..40 {
        put(&shell, &format!("environments/a{at}/environment.yaml"), settings);
    }
    commit(&shell, "a crowd");
    shows("a crowd", "HEAD~3");
    // Without a memory Git tells.
    assert!(told(&shell.again(), &["canary"]).contains(&one("prod")[0]));
}

/// What stands at a target that the branch names settles nothing of what is deployed.
#[test]
fn e06_a_made_up_head_of_another_environment_settles_nothing() {
    let shell = applied();
    let eve = Shell::example("quickstart").with_demo_identity();
    let settings = shell.read("environments/prod/environment.yaml");
    let moved = |text: &str| format!("{text}target: {{path: deploy}}\n");
    eve.put("environments/prod/environment.yaml", &moved(&settings.replace("warehouse.example.com", EVIL)));
    canary(&eve, "");
    eve.ok(&["apply", "prod", "--yes"]);
    canary(&eve, "target: {path: deploy}\n");
    put(&eve, "environments/aaa/environment.yaml", &eve.read("environments/canary/environment.yaml"));
    eve.ok(&["apply", "aaa", "--yes"]);
    copy(&eve.folder.join("deploy"), &shell.folder.join("deploy"));
    shell.put("environments/prod/environment.yaml", &moved(&settings));
    canary(&shell, "");
    put(&shell, "environments/aaa/environment.yaml", &eve.read("environments/canary/environment.yaml"));
    assert!(told(&shell, &["canary"]).contains(&one("prod")[0]));
    commit(&shell, "merged");
    assert!(told(&shell, &["canary"]).contains(&one("prod")[0]));
    assert!(told(&shell.again(), &["canary"]).contains(&one("prod")[0]));
}

#[test]
fn e06_a_secrets_file_without_a_scope_that_is_copied_is_held_against_where_it_was() {
    let shell = applied();
    let text = shell.read("environments/prod/secrets.sops.yaml");
    let unscoped = without(&text, "tieline_scope");
    shell.put("environments/prod/secrets.sops.yaml", &unscoped);
    commit(&shell, "stock");
    put(&shell, "environments/canary/environment.yaml", &format!("vars: {{db_host: {EVIL}}}\n"));
    shell.put("environments/canary/secrets.sops.yaml", &unscoped);
    for against in [&["canary"][..], &["canary", "--against", "HEAD"]] {
        assert!(told(&shell, against).contains(&one("prod")[0]), "{against:?}");
    }
}

#[test]
fn e06_who_can_open_the_secrets_of_another_environment_is_known_by_key() {
    let shell = applied();
    let apart = |shell: &Shell, more: &str| -> Vec<(String, Value, Value)> {
        put(shell, "environments/canary/environment.yaml", &format!("extends: prod\n{more}"));
        let mut all: Vec<Vec<_>> = Vec::new();
        for against in [&["canary"][..], &["canary", "--against", "HEAD"]] {
            let told = changes(shell, against).into_iter().filter(|change| change["kind"] == "apart");
            let one = |c: Value| {
                assert_eq!(c["compared_environment"], "prod");
                (c["path"].as_str().unwrap().to_owned(), c["old"].clone(), c["new"].clone())
            };
            all.push(told.map(one).collect());
        }
        assert_eq!(all[0], all[1]);
        all.remove(0)
    };
    assert!(apart(&shell, "").is_empty());
    let me = super::retarget::RECIPIENT;
    assert_eq!(
        apart(&shell, &format!("keys: {{me: {EVE}}}\n")),
        [("/recipients/me".into(), Value::from(me), Value::from(EVE))]
    );
    let human = shell.ok(&["plan", "canary"]).stdout;
    let line = format!("unlike `prod`, which has the same secrets: recipients.me: \"{me}\" -> \"{EVE}\"");
    assert!(human.split_whitespace().collect::<Vec<_>>().join(" ").contains(&line), "{human}");
    assert!(human.contains(&format!("me ({EVE}) can newly decrypt")), "{human}");
    let markdown = shell.ok(&["plan", "canary", "--format", "markdown"]).stdout;
    assert!(markdown.contains("unlike `prod`, which has the same secrets") && markdown.contains(EVE), "{markdown}");
    assert_eq!(
        apart(&shell, &format!("keys: {{eve: {EVE}}}\nrecipients: [me, eve]\n")),
        [("/recipients/eve".into(), Value::Null, Value::from(EVE))]
    );
    // By another name it is the same key.
    assert!(apart(&shell, &format!("keys: {{again: {me}}}\nrecipients: [again]\n")).is_empty());
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &format!("{settings}protected: true\n"));
    shell.ok(&["apply", "prod", "--yes"]);
    fs::remove_dir_all(shell.folder.join("environments/canary")).unwrap();
    commit(&shell, "protected");
    assert!(apart(&shell, "").is_empty());
    assert_eq!(apart(&shell, "protected: false\n"), [("/protected".into(), true.into(), false.into())]);
}

/// Whoever copies another workspace's secrets files and its id can open them here.
#[test]
fn e07_another_id_of_the_workspace_is_a_trust_change_and_deletes_nothing() {
    const OTHER: &str = "11111111-3c7e-4f0e-9d57-52f1c0de5eed";
    let shell = applied();
    let settings = shell.read("tieline.yaml");
    let id = settings.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let id = id.split_whitespace().next().unwrap().to_owned();
    shell.put("tieline.yaml", &settings.replace(&id, OTHER));
    // Their scope names the id; so these are of another workspace.
    for environment in ["dev", "prod"] {
        let path = format!("environments/{environment}/secrets.sops.yaml");
        shell.put(&path, &without(&shell.read(&path), "tieline_scope"));
    }
    let ids = |arguments: &[&str]| -> Vec<(Value, Value)> {
        let all = changes(&shell, arguments).into_iter().filter(|change| change["path"] == "/id");
        all.map(|change| (change["old"].clone(), change["new"].clone())).collect()
    };
    let expected = vec![(Value::from(&*id), Value::from(OTHER))];
    assert_eq!(ids(&["prod", "--against", "HEAD"]), expected);
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &format!("{settings}target: {{path: out}}\n"));
    assert_eq!(ids(&["prod"]), expected);
    let refused = shell.run(&["apply", "prod", "--yes"]);
    assert!(refused.code == 4 && refused.stderr.contains("--initial"), "{refused:?}");
    for path in ["connections/hubspot.yaml", "environments/prod/connections/hubspot.yaml"] {
        fs::remove_file(shell.folder.join(path)).ok();
    }
    for path in fs::read_dir(shell.folder.join("consumers")).unwrap() {
        let path = path.unwrap().path();
        fs::write(&path, without(&fs::read_to_string(&path).unwrap(), "hubspot")).unwrap();
    }
    let arguments = ["apply", "prod", "--yes", "--initial", "--allow-delete", "1"];
    let refused = shell.run(&arguments);
    assert!(refused.code == 4 && refused.stderr.contains("has another `id`"), "{refused:?}");
    commit(&shell, "merged");
    assert_eq!(ids(&["prod"]), expected);
}

#[test]
fn e06_a_new_exposure_is_held_against_its_environment() {
    let shell = applied();
    let settings = shell.read("tieline.yaml");
    shell.put("tieline.yaml", &format!("{settings}rules: {{exposes-organization: warning}}\n"));
    shell.put("connections/warehouse.yaml", &(shell.read("connections/warehouse.yaml") + "expose: [partner]\n"));
    shell.put("environments/prod/environment.yaml", &format!("vars: {{db_host: {EVIL}}}\n"));
    assert_eq!(told(&shell, &["prod", "--expose", "partner"]), one("prod"));
}

#[test]
fn e06_a_target_that_moves_as_well_hides_nothing() {
    let shell = applied();
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &format!("{settings}target: {{path: out}}\n"));
    put(&shell, "environments/canary/environment.yaml", &format!("extends: prod\nvars: {{db_host: {EVIL}}}\n"));
    assert_eq!(told(&shell, &["canary"]), one("prod"));
    // Typed targets are looked at before those of the workspace.
    assert_eq!(told(&shell, &["canary", "--target", "dist"]), one("prod"));
}

#[test]
fn e06_an_environment_that_takes_over_the_secrets_of_another_is_held_against_it() {
    let shell = applied();
    put(
        &shell,
        "environments/canary/environment.yaml",
        "vars: {db_host: canary.example.com}\nsecrets: {HUBSPOT_TOKEN: 'env:TIELINE_SECRET_A', WAREHOUSE_PASSWORD: 'env:TIELINE_SECRET_B'}\n",
    );
    let shell = shell.with("TIELINE_SECRET_A", "a").with("TIELINE_SECRET_B", "b");
    shell.ok(&["apply", "canary", "--yes"]);
    commit(&shell, "canary");
    put(&shell, "environments/canary/environment.yaml", &format!("extends: prod\nvars: {{db_host: {EVIL}}}\n"));
    for against in [&[][..], &["--against", "HEAD"]] {
        let told = told(&shell, &[&["canary"], against].concat());
        let prod = told.iter().find(|(instance, environment, ..)| instance == "warehouse" && environment == "prod");
        assert_eq!(prod.map(|(.., path, new)| (&**path, &**new)), Some(("/config/host", EVIL)), "{told:?}");
    }
}

/// Environments that share a layer, or bind a name to an address that another one has.
#[test]
fn e06_a_new_environment_is_held_against_all_that_have_its_secrets() {
    let shell = Shell::new();
    shell.put("tieline.yaml", "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n");
    put(&shell, "connectors/own.json", OWN);
    put(&shell, "connections/own.yaml", &own("{server: '${{ vars.server }}'}", TOKEN));
    let environment = |name: &str, text: &str| put(&shell, &format!("environments/{name}/environment.yaml"), text);
    environment("base", "secrets: {TOKEN: 'vault://kv/prod/db#password'}\nvars: {server: base}\n");
    environment("prod", "extends: base\nvars: {server: prod}\n");
    commit(&shell, "one");
    let told = |name: &str| -> Vec<String> {
        told(&shell, &[name, "--against", "HEAD"])
            .into_iter()
            .map(|(_, environment, _, new)| format!("{environment} {new}"))
            .collect()
    };
    environment("other", "extends: base\nvars: {server: evil}\n");
    assert_eq!(told("other"), ["base evil"]);
    for uri in ["vault://kv/prod/db#password", "vault://kv/data/prod/db#data", "vault://kv/prod/db?version=1#password"]
    {
        environment("other", &format!("secrets: {{TOKEN: '{uri}'}}\nvars: {{server: evil}}\n"));
        assert_eq!(told("other"), ["base evil"], "{uri}");
    }
    environment("other", "secrets: {TOKEN: 'vault://kv/prod/db#password'}\nvars: {server: base}\n");
    assert!(told("other").is_empty());
    environment("other", "secrets: {TOKEN: 'vault://kv/other/db#password'}\nvars: {server: evil}\n");
    assert!(told("other").is_empty());
}

/// What a secret goes through may have a login of its own, which nobody else has.
#[test]
fn e06_a_proxy_with_a_login_of_its_own_is_held_against_the_others_too() {
    let shell = Shell::new();
    shell.put("tieline.yaml", "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n");
    put(&shell, "connectors/own.json", OWN);
    put(&shell, "connections/own.yaml", &own("{registry: proxy}", TOKEN));
    put(&shell, "connections/proxy.yaml", &own("{server: '${{ vars.server }}'}", "{}"));
    let environment = |name: &str, text: &str| put(&shell, &format!("environments/{name}/environment.yaml"), text);
    environment("prod", "secrets: {TOKEN: 'vault://kv/prod/t#token'}\nvars: {server: p}\n");
    put(&shell, "environments/canary/connections/proxy.yaml", "auth: {token: '${{ secrets.PX }}'}\n");
    let canary = |address: &str| {
        environment(
            "canary",
            &format!(
                "secrets: {{TOKEN: 'vault://{address}', PX: 'vault://kv/canary/px#token'}}\nvars: {{server: evil}}\n"
            ),
        );
    };
    canary("kv/canary/t#token");
    commit(&shell, "one");
    let arguments = ["canary", "--against", "HEAD"];
    assert!(told(&shell, &arguments).is_empty());
    canary("kv/prod/t#token");
    assert_eq!(told(&shell, &arguments), [("proxy".into(), "prod".into(), "/config/server".into(), "evil".into())]);
}

/// A connection that goes for one apply, and comes back to another host.
#[test]
fn e06_a_secret_that_was_out_of_force_is_held_against_where_it_went() {
    let shell = applied();
    let of = |path: &str| shell.read(path);
    let (settings, connection) = (of("environments/prod/environment.yaml"), of("connections/warehouse.yaml"));
    shell.put("connections/warehouse.yaml", &format!("{connection}enabled: false\n"));
    shell.put("consumers/nightly-sync.yaml", &without(&of("consumers/nightly-sync.yaml"), "warehouse"));
    commit(&shell, "maintenance");
    shell.ok(&["apply", "prod", "--yes", "--allow-delete", "1"]);
    shell.put("connections/warehouse.yaml", &connection);
    assert!(told(&shell, &["prod"]).is_empty());
    shell.put("environments/prod/environment.yaml", &settings.replace("warehouse.example.com", EVIL));
    assert_eq!(told(&shell, &["prod"]), one("prod (serial 1)"));
}

/// Many environments of a branch push nothing of a deployed one out of a comment, and one that is gone is said.
#[test]
fn e06_a_comment_on_all_environments_says_first_what_counts() {
    let shell = applied();
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &settings.replace("warehouse.example.com", EVIL));
    for at in 100..360 {
        put(&shell, &format!("environments/e{at}/environment.yaml"), "extends: dev\n");
    }
    let all = ["plan", "--all", "--against", "HEAD", "--format"];
    let comment = || shell.ok(&[&all[..], &["markdown"]].concat()).stdout;
    let text = comment();
    let (open, _) = text.split_once("<details>").unwrap();
    assert!(open.contains("**tieline plan of `prod`") && open.contains(EVIL), "{open}");
    assert!(text.chars().count() <= 60_000 && text.contains("**No changes** in `dev`"), "{}", text.chars().count());
    fs::remove_dir_all(shell.folder.join("environments")).unwrap();
    git(&shell, &["checkout", "-q", "HEAD", "--", "environments/dev"]);
    assert!(comment().starts_with("⚠️ Environments that are gone:\n\n- `prod`: what is deployed"), "{}", comment());
    let json: Value = serde_json::from_str(&shell.ok(&[&all[..], &["json"]].concat()).stdout).unwrap();
    assert_eq!(json["gone"], serde_json::json!([{"environment": "prod", "protected": false}]));
}

/// One that did not compile keeps the others from being compared no longer, and is told of.
#[test]
fn e06_an_environment_that_does_not_compile_on_the_older_side_is_told_and_the_others_are_compared() {
    let shell = applied();
    let overlay = "environments/dev/connections/hubspot.yaml";
    put(&shell, overlay, "config: {nonsense: true}\n");
    commit(&shell, "broken");
    fs::remove_file(shell.folder.join(overlay)).unwrap();
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &settings.replace("warehouse.example.com", EVIL));
    let text = shell.ok(&["plan", "--all", "--against", "HEAD", "--format", "markdown"]).stdout;
    assert!(text.contains("`dev` sends secrets of this plan elsewhere: `it does not compile at HEAD"), "{text}");
    assert!(text.contains(EVIL), "{text}");
    assert_eq!(shell.run(&["plan", "dev", "--against", "HEAD"]).code, 1);
}
