//! Folders in which hostile bytes stand in everything that may hold text.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use super::HOSTILE;
use crate::peers::there;
use crate::secrets::git;
use crate::shell::{Shell, feed};
use crate::support::files;

/// The secrets of prod.
pub(super) const SEALED: &str = "environments/prod/secrets.sops.yaml";

/// A folder that commands run in copies of.
pub(super) struct Scene {
    pub(super) shell: Shell,
}

/// Hostile text as a double-quoted scalar of YAML, and a string of JSON but for its longest escapes.
pub(super) fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if u32::from(c) > 0xffff => format!("\\U{:08x}", u32::from(c)),
        c if c.is_ascii_graphic() || c == ' ' => c.to_string(),
        c => format!("\\u{:04x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

/// Hostile text that may stand in a YAML file as it is.
fn soft() -> String {
    HOSTILE.chars().filter(|c| !c.is_control() && !matches!(*c, '\u{2028}' | '\u{feff}')).collect()
}

fn put(shell: &Shell, path: &str, text: &str) {
    std::fs::create_dir_all(shell.folder.join(path).parent().unwrap()).unwrap();
    shell.put(path, text);
}

fn copy_all(from: &Path, to: &Path) {
    for path in files(from) {
        std::fs::create_dir_all(to.join(&path).parent().unwrap()).unwrap();
        std::fs::copy(from.join(&path), to.join(&path)).unwrap();
    }
}

/// A commit by somebody with a hostile name, address and message.
fn commit(shell: &Shell) {
    let branch: String = std::iter::once('b').chain(soft().chars().filter(|c| !c.is_ascii())).collect();
    assert_eq!(git(shell, &["init", "-q", "--template=", "-b", &branch]).code, 0, "{branch:?}");
    git(shell, &["add", "-A"]);
    let mut command = shell.command("git");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), format!("eve{HOSTILE}").replace('\n', " "));
        command.env(format!("GIT_{who}_EMAIL"), format!("eve{HOSTILE}").replace('\n', " "));
    }
    let ended = feed(command.args(["commit", "-q", "-m", HOSTILE]), "");
    assert_eq!(ended.code, 0, "{ended:#?}");
}

impl Scene {
    /// The quickstart, deployed, committed, with all files that rows name.
    pub(super) fn quickstart() -> Self {
        let shell = Shell::example("quickstart").with_demo_identity();
        put(
            &shell,
            "connections/spoken.yaml",
            "connector: http\nconfig: {base_url: 'https://a.example'}\nauth: {mode: none}\n",
        );
        let scene = Self { shell };
        scene.deploy();
        scene
    }

    /// Hostile text in everything that compiles.
    pub(super) fn speaking() -> Self {
        let scene = Self::quickstart();
        let (shell, bad) = (&scene.shell, quoted(HOSTILE));
        let more = |path: &str, text: &str| shell.put(path, &format!("{}{text}", shell.read(path)));
        let json = serde_json::to_string(HOSTILE).unwrap();
        put(
            shell,
            "connectors/spoken.json",
            &format!(
                "{{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"title\": {json}, \"description\": {json}, \"type\": \"object\", \
             \"required\": [\"config\", \"auth\"], \"additionalProperties\": false, \"properties\": {{\"config\": {{\"type\": \"object\", \
             \"additionalProperties\": {{\"type\": \"string\"}}, \"properties\": {{\"text\": {{\"type\": \"string\", \"description\": {json}, \
             \"examples\": [{json}], \"default\": {json}}}}}}}, \"auth\": {{\"type\": \"object\", \"required\": [\"mode\"], \
             \"properties\": {{\"mode\": {{\"const\": \"none\", \"description\": {json}}}}}, \"additionalProperties\": false}}}}}}"
            ),
        );
        put(
            shell,
            "connections/spoken.yaml",
            &format!(
                "connector: spoken\ntitle: {bad}\ndescription: {bad}\nlabels: {{a: {bad}}}\n# tieline: allow hidden-character {}\n\
             config: {{text: {bad}, {bad}: {bad}}}\nauth: {{mode: none}}\n",
                soft()
            ),
        );
        put(
            shell,
            "environments/dev/connections/spoken.yaml",
            &format!("title: {bad}\nconfig: {{text: \"dev\\x1b\"}}\n"),
        );
        put(
            shell,
            "consumers/spoken.yaml",
            &format!(
                "kind: {bad}\ntitle: {bad}\ndescription: {bad}\nsettings: {{{bad}: {bad}}}\nuses:\n  - {{slot: {bad}, connection: spoken}}\n"
            ),
        );
        more(
            "credentials/warehouse-db.yaml",
            &format!("description: {bad}\nrunbook: {bad}\nrotated: '2020-01-01'\nrotate_every: 90d\n"),
        );
        more("environments/prod/environment.yaml", &format!("  spoken: {bad}\n"));
        more(
            "tieline.yaml",
            &format!(
                "vars: {{a: {bad}}}\npolicy:\n  - {{name: {bad}, require: {}, message: {bad}, level: warning}}\n",
                quoted("connection.owner == '\u{1b}[31m'")
            ),
        );
        shell.put("tieline.yaml", &shell.read("tieline.yaml").replace("name: quickstart", &format!("name: {bad}")));
        scene.deploy();
        more("connections/hubspot.yaml", &format!("description: {bad}\n"));
        shell.put("connections/spoken.yaml", &shell.read("connections/spoken.yaml").replace("text: \"x", "text: \"y"));
        commit(shell);
        scene
    }

    /// Hostile text in everything that does not.
    pub(super) fn broken() -> Self {
        let scene = Self::quickstart();
        let (shell, bad) = (&scene.shell, quoted(HOSTILE));
        let name = HOSTILE.replace('/', "");
        let more = |path: &str, text: &str| shell.put(path, &format!("{}{text}", shell.read(path)));
        more(
            "connections/hubspot.yaml",
            &format!("{bad}: {bad}\nowner: {bad}\nkey: {bad}\nscope: {bad}\nexpose: [{bad}]\n"),
        );
        put(shell, "connections/raw.yaml", &format!("connector: http\ntitle: {HOSTILE}\n"));
        put(
            shell,
            "connections/soft.yaml",
            &format!("connector: http{0}\n# tieline: allow {0}\ntitle: {0}\n{0}: 1\n", soft()),
        );
        put(shell, "connections/unknown.yaml", &format!("connector: {bad}\ncredential: {bad}\nauth: {bad}\n"));
        put(
            shell,
            "connections/expression.yaml",
            "connector: http\ntitle: \"${{ vars.a\\x1b[31m }}${{ 'x\\x9b' | nope }}\"\n",
        );
        put(shell, &format!("connections/{name}.yaml"), "a: b\n");
        put(shell, &format!("connections/{name}/a.yml"), "a: b\n");
        put(shell, &format!("environments/{name}/environment.yaml"), "a: b\n");
        put(shell, &format!("environments/prod/{name}.yaml"), "a: b\n");
        put(shell, &format!("customers/globex/environments/{name}/environment.yaml"), "a: b\n");
        put(shell, &format!("connectors/{name}.json"), "{}");
        let json = serde_json::to_string(HOSTILE).unwrap();
        put(
            shell,
            "connectors/bad.json",
            &format!("{{{json}: {json}, \"type\": {json}, \"$ref\": {json}, \"pattern\": {json}}}"),
        );
        put(
            shell,
            "customers/globex/customer.yaml",
            &format!("environments: [{bad}]\nconnections: [{bad}]\nrecipients: [{bad}]\n"),
        );
        put(
            shell,
            "consumers/bad.yaml",
            &format!(
                "kind: a\nenvironments: [{bad}]\nuses: [{bad}, {{slot: {bad}, connection: spoken, accepts: [{bad}]}}]\nrecipients: [{bad}]\n"
            ),
        );
        put(
            shell,
            "environments/new/environment.yaml",
            &format!(
                "extends: {bad}\nkeys: {{{bad}: {bad}}}\nsecrets: {{{bad}: {bad}}}\ntarget: {{path: {bad}}}\npublish: {bad}\nguards: {{{bad}: 1}}\n"
            ),
        );
        put(shell, "environments/dev/connections/nothing.yaml", &format!("config: {{{bad}: null}}\n"));
        more(
            "tieline.yaml",
            &format!(
                "handles: {{{bad}: {bad}}}\nrules: {{{bad}: error, naming: {{level: {bad}, pattern: {bad}}}}}\n\
             policy: [{{name: {bad}, require: {bad}, when: {bad}, level: {bad}, environments: [{bad}]}}]\n"
            ),
        );
        put(
            shell,
            "environments/dev/secrets.sops.yaml",
            &shell.read(SEALED).replace("HUBSPOT_TOKEN:", &format!("{bad}:")),
        );
        scene
    }

    /// Applies, commits, and writes what rows name beside the workspace.
    fn deploy(&self) {
        let shell = &self.shell;
        shell.ok(&["apply", "prod", "--yes"]);
        shell.ok(&["bundle", "export", "prod", "b.tgz"]);
        shell.ok(&["plan", "prod", "--out", "saved.plan"]);
        let sealed = shell.read(SEALED);
        shell.put("base.yaml", &sealed);
        shell.put("ours.yaml", &sealed);
        shell.put("theirs.yaml", &sealed.replace("age1a0x6", &format!("age1a0x6{}", soft())));
        shell.put("signers", &format!("{HOSTILE}\neve{} ssh-ed25519 AAAA\n", soft()));
        std::fs::write(shell.folder.join("hostile.tgz"), archive(&std::fs::read(shell.folder.join("b.tgz")).unwrap()))
            .unwrap();
        commit(shell);
        shell.put("base.yaml", &format!("{sealed}\n"));
        commit(shell);
    }

    /// Another folder with the same in it.
    pub(super) fn fork(&self) -> Shell {
        let mut shell = Shell::new();
        let folder = shell.folder.join("quickstart");
        copy_all(&self.shell.folder, &folder);
        shell.folder = folder;
        shell.with_demo_identity().with("EDITOR", "true")
    }

    /// The deployed manifest with each of its texts in turn made hostile, under the digest that it then has; and heads.
    pub(super) fn hostile_targets(&self) -> Vec<Deployed> {
        let folder = self.shell.folder.join("dist/manifests");
        let name = files(&folder).into_iter().find(|name| name.ends_with(".json")).unwrap();
        let manifest = std::fs::read_to_string(folder.join(&name)).unwrap();
        let head = self.shell.read("dist/environments/prod/head.json");
        let old = name.trim_end_matches(".json");
        let mut all: Vec<Deployed> = hostile_tokens(&manifest)
            .into_iter()
            .map(|manifest| {
                let digest: String =
                    Sha256::digest(manifest.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
                Deployed { head: head.replace(old, &digest), manifest: Some((digest, manifest)) }
            })
            .collect();
        all.extend(hostile_tokens(&head).into_iter().map(|head| Deployed { head, manifest: None }));
        all.push(Deployed { head: HOSTILE.to_owned(), manifest: None });
        all
    }

    /// The sealed file with each of its lines in turn made hostile, and with another recipient of that name.
    pub(super) fn hostile_sealed(&self) -> Vec<String> {
        let text = self.shell.read(SEALED);
        let (entry, _) = text.split_once("    lastmodified:").unwrap();
        let entry = &entry[entry.find("        - recipient:").unwrap()..];
        let other = entry.replace(entry.lines().next().unwrap(), &format!("        - recipient: {}", quoted(HOSTILE)));
        let mut all = hostile_lines(&text);
        all.push(text.replace(entry, &format!("{entry}{other}")));
        all.push(text.replace(entry, &other));
        all.push(
            text.replace(", who", "")
                .replace("    version:", &format!("    {}: {}\n    version:", quoted(HOSTILE), quoted(HOSTILE))),
        );
        all
    }
}

/// What a stranger's target holds.
pub(super) struct Deployed {
    head: String,
    manifest: Option<(String, String)>,
}

impl Deployed {
    pub(super) fn put(&self, shell: &Shell) {
        shell.put("dist/environments/prod/head.json", &self.head);
        if let Some((digest, text)) = &self.manifest {
            shell.put(&format!("dist/manifests/{digest}.json"), text);
        }
    }
}

/// JSON with each of its strings in turn made hostile, keys included.
pub(super) fn hostile_tokens(json: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = None;
    let mut escaped = false;
    for (at, c) in json.char_indices() {
        match (c, start) {
            ('"', None) => start = Some(at),
            ('"', Some(from)) if !escaped => {
                found.push(from..at + 1);
                start = None;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    let bad = serde_json::to_string(HOSTILE).unwrap();
    found.into_iter().map(|range| format!("{}{bad}{}", &json[..range.start], &json[range.end..])).collect()
}

/// YAML with each of its lines in turn made hostile: the value, the key, all of it.
pub(super) fn hostile_lines(yaml: &str) -> Vec<String> {
    let lines: Vec<&str> = yaml.lines().collect();
    let mut all = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let (indent, name) = key.split_at(key.len() - key.trim_start_matches([' ', '-']).len());
        let bad = quoted(HOSTILE);
        let mut with = |line: String| {
            let text = lines.iter().enumerate().map(|(i, old)| format!("{}\n", if i == at { &line } else { *old }));
            all.push(text.collect::<String>());
        };
        if !value.is_empty() {
            with(format!("{key}: {bad}"));
        }
        with(format!("{indent}{bad}:{value}"));
        with(format!("{indent}{name}: {}{}", soft(), value));
    }
    all
}

/// Every YAML file of the workspace, with each of its lines in turn made hostile.
pub(super) fn hostile_files(scene: &Scene) -> Vec<(String, String)> {
    let paths = files(&scene.shell.folder).into_iter().filter(|path| {
        let folder = path.split('/').next().unwrap();
        path.ends_with(".yaml")
            && !path.ends_with("sops.yaml")
            && (["connections", "consumers", "credentials", "environments"].contains(&folder) || path == "tieline.yaml")
    });
    let all = paths.flat_map(|path| {
        let texts = hostile_lines(&scene.shell.read(&path));
        texts.into_iter().map(move |text| (path.clone(), text))
    });
    all.collect()
}

/// An archive with hostile names, and a hostile text in its manifest.
fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut old = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let mut new = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for entry in old.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        if path.ends_with("manifest.json") {
            text = text.replace("\"prod\"", &serde_json::to_string(&format!("prod{HOSTILE}")).unwrap());
        }
        let mut header = entry.header().clone();
        header.set_size(text.len() as u64);
        header.set_cksum();
        new.append_data(&mut header, &path, text.as_bytes()).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    new.append_data(&mut header, format!("connections/{}", HOSTILE.replace('/', "")), &b"x"[..]).unwrap();
    new.into_inner().unwrap().finish().unwrap()
}

/// What a terminal gets of a command; `None` where util-linux' `script`, which makes one, is not installed.
pub(super) fn on_a_terminal(shell: &Shell, arguments: &[&str]) -> Option<String> {
    let line = std::iter::once(env!("CARGO_BIN_EXE_tieline")).chain(arguments.iter().copied());
    let line = shlex::try_join(line).unwrap();
    if !there("script", Command::new("script").arg("--version")) {
        return None;
    }
    Some(feed(shell.command("script").args(["-qec", &line, "/dev/null"]), "").stdout)
}
