//! Promise: what is published to a registry is what is in force, found again by its digest; and a tag that somebody moved is
//! told, not covered.

use std::process::Command;
use std::sync::OnceLock;

use crate::peers::{Server, there};
use crate::shell::{Ended, Shell, feed};
use tieline::bundle::Digest;

/// Debian's registry, shared by the tests of this run; `HOST:PORT`.
fn registry() -> Option<&'static str> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let start = || {
        there("docker-registry", Command::new("docker-registry").arg("--version"))
            .then(|| Server::start("registry.py", &[]))?
    };
    let server = SERVER.get_or_init(start).as_ref()?;
    Some(server.address.strip_prefix("http://").unwrap())
}

/// The quickstart, applied, published to a repository of its own.
fn applied(host: &str) -> (Shell, String) {
    let repository = format!("{host}/team/{}", uuid::Uuid::new_v4());
    let shell = Shell::example("quickstart").with_demo_identity();
    let settings = shell.read("environments/prod/environment.yaml");
    shell.put("environments/prod/environment.yaml", &format!("{settings}publish: {{oci: '{repository}'}}\n"));
    shell.ok(&["apply", "prod", "--yes"]);
    (shell, repository)
}

/// A request to the registry, as any HTTP client makes it: the body.
fn get(url: &str, accept: &str) -> Vec<u8> {
    let mut response = ureq::get(url).header("Accept", accept).call().unwrap();
    response.body_mut().read_to_vec().unwrap()
}

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

#[test]
fn n07_what_is_in_force_is_published_as_flux_reads_it_and_once() {
    let Some(host) = registry() else { return };
    let (shell, repository) = applied(host);
    let name = repository.split_once('/').unwrap().1;
    let publish = ["publish", "prod", "--registry", host];
    let unpublished = shell.run(&[&publish[..], &["--check"]].concat());
    assert_eq!(unpublished.code, 5, "{unpublished:?}");
    let first = shell.ok(&publish);
    assert!(first.stderr.contains("published: serial 1 of prod"), "{first:?}");
    let pinned = first.stdout.trim().to_owned();
    let digest = pinned.split_once('@').unwrap().1;
    // As a runtime pulls it.
    let manifest = get(&format!("http://{host}/v2/{name}/manifests/prod"), IMAGE);
    assert_eq!(Digest::of(&manifest).as_str(), digest);
    let image: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(image["layers"][0]["mediaType"], "application/vnd.cncf.flux.content.v1.tar+gzip");
    assert_eq!(image["config"]["mediaType"], "application/vnd.cncf.flux.config.v1+json");
    let layer = image["layers"][0]["digest"].as_str().unwrap();
    let bytes = get(&format!("http://{host}/v2/{name}/blobs/{layer}"), "*/*");
    let file = shell.everything().join("b.tgz");
    shell.ok(&["bundle", "export", "prod", file.to_str().unwrap()]);
    assert!(bytes == std::fs::read(&file).unwrap(), "the layer is the archive");
    // Twice is once; another machine makes the same artifact.
    let again = shell.ok(&publish);
    assert!(again.stderr.contains("nothing to do") && again.stdout.trim() == pinned, "{again:?}");
    shell.ok(&[&publish[..], &["--check"]].concat());
    shell.put("connections/hubspot.yaml", &shell.read("connections/hubspot.yaml").replace("retries: 5", "retries: 4"));
    shell.ok(&["apply", "prod", "--yes"]);
    let behind = shell.run(&[&publish[..], &["--check"]].concat());
    assert_eq!(behind.code, 5, "{behind:?}");
    assert!(shell.ok(&publish).stderr.contains("published: serial 2"));
    // What was pinned is still what it was.
    assert!(get(&format!("http://{host}/v2/{name}/manifests/{digest}"), IMAGE) == manifest);
}

#[test]
fn n07_skopeo_or_another_client_copies_it() {
    let Some(host) = registry() else { return };
    if !there("skopeo", Command::new("skopeo").arg("--version")) {
        return;
    }
    let (shell, repository) = applied(host);
    shell.ok(&["publish", "prod", "--registry", host]);
    let mut command = shell.command("skopeo");
    command.args([
        "--insecure-policy",
        "copy",
        "--src-tls-verify=false",
        &format!("docker://{repository}:prod"),
        "dir:out",
    ]);
    assert_eq!(feed(&mut command, "").code, 0);
}

#[test]
fn a76_a_tag_that_was_moved_is_told_and_not_covered() {
    let Some(host) = registry() else { return };
    let (shell, repository) = applied(host);
    let name = repository.split_once('/').unwrap().1;
    let publish = |shell: &Shell| -> Ended { shell.run(&["publish", "prod", "--registry", host]) };
    assert_eq!(publish(&shell).code, 0);
    let url = format!("http://{host}/v2/{name}/manifests/prod");
    let ours = get(&url, IMAGE);
    let put = |bytes: &[u8]| _ = ureq::put(&url).header("Content-Type", IMAGE).send(bytes).unwrap();
    // An artifact of somebody else.
    let mut image: serde_json::Value = serde_json::from_slice(&ours).unwrap();
    image["annotations"] = serde_json::json!({});
    put(image.to_string().as_bytes());
    let moved = publish(&shell);
    assert_eq!(moved.code, 5, "{moved:?}");
    assert!(moved.stderr.contains("look at who moved the tag"), "{moved:?}");
    // A bundle that says that it is ours, and never was in force.
    let mut image: serde_json::Value = serde_json::from_slice(&ours).unwrap();
    image["annotations"]["tieline.manifest"] = Digest::of(b"forged").as_str().into();
    put(image.to_string().as_bytes());
    let forged = publish(&shell);
    assert!(forged.code == 5 && forged.stderr.contains("never had"), "{forged:?}");
    // Another environment's.
    image["annotations"]["tieline.environment"] = "x/dev".into();
    put(image.to_string().as_bytes());
    assert!(publish(&shell).stderr.contains("another workspace or environment"));
    // An older one of our own is brought up to date.
    put(&ours);
    shell.put("connections/hubspot.yaml", &shell.read("connections/hubspot.yaml").replace("retries: 5", "retries: 4"));
    shell.ok(&["apply", "prod", "--yes"]);
    assert!(publish(&shell).stderr.contains("published: serial 2"));
}

#[test]
fn a76_the_registry_is_the_operators_choice() {
    let (shell, _) = applied("registry.example.com");
    let other = shell.run(&["publish", "prod", "--registry", "other.example.com"]);
    assert_eq!(other.code, 4, "{other:?}");
    assert!(
        other.stderr.contains("published to `registry.example.com`, and `other.example.com` is allowed"),
        "{other:?}"
    );
    let none = shell.run(&["publish", "prod"]);
    assert_eq!(none.code, 64, "{none:?}");
    let dev = shell.run(&["publish", "dev", "--registry", "x"]);
    assert!(dev.stderr.contains("`dev` is published nowhere"), "{dev:?}");
}

/// A registry that gives back other bytes than it was given.
#[test]
fn a76_a_registry_that_gives_back_something_else_is_found_out() {
    let Some(host) = registry() else { return };
    let Some(proxy) = Server::start("lying_registry.py", &[host]) else { return };
    let lying = proxy.address.strip_prefix("http://").unwrap().to_owned();
    let (shell, _) = applied(&lying);
    let ended = shell.run(&["publish", "prod", "--registry", &lying]);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("the registry gives back another"), "{ended:?}");
}

/// A tag has neither `@` nor `+`.
#[test]
fn n07_exposures_and_profiles_have_tags_of_their_own() {
    let Some(host) = registry() else { return };
    let (shell, repository) = applied(host);
    let name = repository.split_once('/').unwrap().1;
    let open =
        "connector: http\nexpose: [public]\nconfig: {base_url: 'https://open.example.com'}\nauth: {mode: none}\n";
    shell.put("connections/open.yaml", open);
    std::fs::create_dir_all(shell.folder.join("environments/prod/profiles/fast")).unwrap();
    shell.put(
        "environments/prod/profiles/fast/profile.yaml",
        "inherit_secrets: true\nvars: {db_host: fast.example.com}\n",
    );
    for (more, tag) in [(["--expose", "public"], "prod--public"), (["--profile", "fast"], "prod_fast")] {
        shell.ok(&[&["apply", "prod", "--yes"][..], &more].concat());
        let published = shell.ok(&[&["publish", "prod", "--registry", host][..], &more].concat());
        assert!(published.stderr.contains(&format!(":{tag}")), "{published:?}");
        assert!(!get(&format!("http://{host}/v2/{name}/manifests/{tag}"), IMAGE).is_empty());
    }
}

/// `gc --keep` takes the manifest that the tag points to: who has looked at the artifact covers it by its digest.
#[test]
fn n07_a_tag_whose_serial_is_not_kept_is_covered_by_its_digest() {
    let Some(host) = registry() else { return };
    let (shell, _) = applied(host);
    let publish = ["publish", "prod", "--registry", host];
    shell.ok(&publish);
    for retries in ["4", "3"] {
        let text = shell.read("connections/hubspot.yaml");
        let at = text.find("retries: ").unwrap() + "retries: ".len();
        shell.put("connections/hubspot.yaml", &format!("{}{retries}{}", &text[..at], &text[at + 1..]));
        shell.ok(&["apply", "prod", "--yes"]);
    }
    let head: serde_json::Value = serde_json::from_str(&shell.read("dist/environments/prod/head.json")).unwrap();
    let kept = head["manifest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    for file in std::fs::read_dir(shell.folder.join("dist/manifests")).unwrap().map(|file| file.unwrap().path()) {
        if !file.to_str().unwrap().contains(&kept) {
            std::fs::remove_file(file).unwrap();
        }
    }
    let ended = shell.run(&publish);
    assert!(ended.code == 5 && ended.stderr.contains("whether `gc --keep` took that serial"), "{ended:?}");
    let (_, digest) = ended.stderr.split_once("`--replace ").unwrap();
    let digest = digest.split('`').next().unwrap();
    assert_eq!(shell.run(&[&publish[..], &["--replace", &format!("sha256:{}", "0".repeat(64))]].concat()).code, 5);
    let published = shell.ok(&[&publish[..], &["--replace", digest]].concat());
    assert!(published.stderr.contains("published: serial 3"), "{published:?}");
    // Nor can one go back that far, which is no damage.
    let back = shell.run(&["rollback", "prod", "1", "--yes"]);
    assert!(back.code == 64 && back.stderr.contains("is not kept any more"), "{back:?}");
}
