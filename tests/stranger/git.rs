//! A repository that wants to run something when it is read.
//!
//! Traps stand wherever Git knows one: in what a commit can bring, and in a clone's own configuration. Every command that asks
//! Git runs over them, and must not step on one, nor start a program by the name of `git`.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::secrets::{commit, edit, git, quickstart};
use crate::shell::{Ended, Shell, feed, tree};

/// Every command that reads from Git.
const READERS: &[&[&str]] = &[
    &["audit"],
    &["audit", "--history"],
    &["secret", "list"],
    &["validate"],
    &["plan", "prod", "--out", "../saved.plan"],
    &["plan", "prod", "--against", "HEAD"],
    &["plan", "--all", "--against", "HEAD..main"],
    &["status"],
    &["codeowners"],
];

/// Those that write what they read.
const WRITERS: &[&[&str]] = &[&["apply", "prod", "--yes"], &["history", "prod"], &["merge-driver", "--install"]];

/// A program that leaves a mark, with its environment.
struct Trap {
    program: PathBuf,
    mark: PathBuf,
}

impl Trap {
    fn set(shell: &Shell) -> Self {
        let (program, mark) = (shell.everything().join("trap.sh"), shell.everything().join("ran"));
        script(&program, &format!("echo \"$0 $*\" >> '{0}'; env >> '{0}'; cat", mark.display()));
        Self { program, mark }
    }

    fn name(&self) -> &str {
        self.program.to_str().unwrap()
    }

    /// A `git` in front of the path, which nobody may call.
    fn as_git(&self, shell: Shell) -> Shell {
        let folder = shell.everything().join("spy");
        fs::create_dir_all(&folder).unwrap();
        fs::copy(&self.program, folder.join("git")).unwrap();
        shell.with_path(&folder)
    }

    /// Runs everything, and looks for the mark.
    fn is_not_stepped_on(&self, shell: &Shell) {
        let before = tree(&shell.folder);
        for (number, arguments) in READERS.iter().chain(WRITERS).enumerate() {
            assert!(number > READERS.len() || tree(&shell.folder) == before, "no file was changed, the index neither");
            let ended = shell.run(arguments);
            assert!(!self.mark.exists(), "{arguments:?}\n{}", fs::read_to_string(&self.mark).unwrap());
            assert!(ended.code < 2, "{arguments:?} {ended:#?}");
        }
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

pub(super) fn done(ended: Ended) -> Ended {
    assert_eq!(ended.code, 0, "{ended:#?}");
    ended
}

/// Makes every file look changed to Git, as a fresh checkout elsewhere would.
fn touch(folder: &Path) {
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    for path in crate::support::files(folder).iter().filter(|path| path.ends_with(".yaml")) {
        let file = fs::File::options().write(true).open(folder.join(path)).unwrap();
        file.set_modified(later).unwrap();
    }
}

/// The workspace is a subfolder. A pull request makes a bare repository of it, with settings of its own.
#[test]
fn a95_e01_a_bare_repository_that_a_commit_brings_runs_nothing() {
    let shell = quickstart();
    let trap = Trap::set(&shell);
    let outer = shell.folder.parent().unwrap().to_owned();
    fs::write(shell.folder.join(".gitattributes"), "* filter=x diff=x\n").unwrap();
    // HEAD, objects, refs and an index, in the workspace itself.
    done(git(&shell, &["init", "-q", "-b", "main"]));
    done(git(&shell, &["add", "-A"]));
    done(git(&shell, &["commit", "-qm", "inner"]));
    for name in ["HEAD", "objects", "refs", "index"] {
        fs::rename(shell.folder.join(".git").join(name), shell.folder.join(name)).unwrap();
    }
    fs::remove_dir_all(shell.folder.join(".git")).unwrap();
    let trapped = trap.name();
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = {trapped}\n\tpager = {trapped}\n[filter \"x\"]\n\tclean = \
         {trapped}\n\tsmudge = {trapped}\n\tprocess = {trapped}\n[diff \"x\"]\n\ttextconv = {trapped}\n[gpg]\n\tprogram = {trapped}\n"
    );
    shell.put("config", &config);
    let at = |folder: &Path, arguments: &[&str]| {
        let whole = [&["-C", folder.to_str().unwrap()], arguments].concat();
        done(git(&shell, &whole))
    };
    at(&outer, &["init", "-q", "-b", "main"]);
    at(&outer, &["add", "-A"]);
    at(&outer, &["commit", "-qm", "outer"]);
    touch(&shell.folder);
    // Without the spy: the real one would have been called. The key is in the environment, as CI systems have it.
    let key = shell.read("demo-identity.txt").lines().find(|line| line.starts_with("AGE-")).unwrap().to_owned();
    let head = at(&outer, &["rev-parse", "HEAD"]).stdout;
    let shell = shell.with("SOPS_AGE_KEY", &key);
    trap.is_not_stepped_on(&shell);
    // And the commit is that of the repository above.
    let history = shell.ok(&["history", "prod", "--format", "json"]).stdout;
    assert!(history.contains(&head[..12]), "{history}");
}

/// A clone's configuration, hooks and attributes, and those of everything that it includes.
#[test]
fn a93_e01_nothing_that_a_clones_configuration_names_is_run() {
    let shell = quickstart();
    commit(&shell, "one");
    let trap = Trap::set(&shell);
    let trapped = trap.name().to_owned();
    for hook in [
        "post-checkout",
        "pre-commit",
        "reference-transaction",
        "post-index-change",
        "fsmonitor-watchman",
        "pre-auto-gc",
    ] {
        let hook = shell.folder.join(".git/hooks").join(hook);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::copy(&trapped, hook).unwrap();
    }
    let included = shell.everything().join("included");
    fs::write(&included, format!("[filter \"y\"]\n\tclean = {trapped}\n[core]\n\tfsmonitor = {trapped}\n")).unwrap();
    for (key, value) in [
        ("core.fsmonitor", trapped.as_str()),
        ("core.hooksPath", shell.folder.join(".git/hooks").to_str().unwrap()),
        ("core.sshCommand", &trapped),
        ("core.pager", &trapped),
        ("core.editor", &trapped),
        ("core.askPass", &trapped),
        ("core.alternateRefsCommand", &trapped),
        ("pager.blame", &trapped),
        ("pager.log", &trapped),
        ("filter.x.clean", &trapped),
        ("filter.x.smudge", &trapped),
        ("filter.x.process", &trapped),
        ("filter.x.required", "true"),
        ("diff.x.textconv", &trapped),
        ("diff.x.command", &trapped),
        ("diff.external", &trapped),
        ("merge.x.driver", &trapped),
        ("gpg.program", &trapped),
        ("gpg.ssh.program", &trapped),
        ("gpg.ssh.defaultKeyCommand", &trapped),
        ("log.showSignature", "true"),
        ("credential.helper", &trapped),
        ("alias.status", &format!("!{trapped}")),
        ("alias.log", &format!("!{trapped}")),
        ("uploadpack.packObjectsHook", &trapped),
        ("remote.origin.uploadpack", &trapped),
        ("remote.origin.url", &format!("ext::{trapped}")),
        ("remote.origin.promisor", "true"),
        ("extensions.partialClone", "origin"),
        ("protocol.ext.allow", "always"),
        ("include.path", included.to_str().unwrap()),
        ("includeIf.onbranch:main.path", included.to_str().unwrap()),
        ("core.worktree", "/nowhere"),
    ] {
        done(git(&shell, &["config", "--file", ".git/config", key, value]));
    }
    shell.put(".gitattributes", "* filter=x diff=x\n*.sops.yaml filter=y diff=x merge=x\n");
    fs::create_dir_all(shell.folder.join(".git/info")).unwrap();
    shell.put(".git/info/attributes", "* filter=x diff=x\n");
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: 5433");
    touch(&shell.folder);
    let (plain, here) = (shell.again(), shell.folder.clone());
    let spied = trap.as_git(shell);
    trap.is_not_stepped_on(&spied);
    // Who starts Git steps on it: by its settings, and by its name.
    for (shell, what) in [(&plain, "clean"), (&spied, "git")] {
        let _ = fs::remove_file(&trap.mark);
        let ended = git(shell, &["--work-tree", here.to_str().unwrap(), "status"]);
        assert!(trap.mark.exists(), "the trap is none for {what}: {ended:#?}");
    }
}

/// `.git` may be a file or a link: never one that leads to what a commit can bring.
#[test]
fn e01_a_dot_git_that_leads_into_the_work_tree_is_refused() {
    let shell = quickstart();
    commit(&shell, "one");
    fs::rename(shell.folder.join(".git"), shell.folder.join("docs")).unwrap();
    let refused = |shell: &Shell, what: &str| {
        let ended = shell.run(&["plan", "prod", "--against", "HEAD"]);
        assert_eq!(ended.code, 1, "{what} {ended:#?}");
        assert!(ended.stderr.contains("lies inside of the work tree"), "{what} {ended:#?}");
        let audit = shell.run(&["audit"]);
        assert!(
            audit.stderr.contains("lies inside of the work tree") && !audit.stdout.contains("by Ana"),
            "{audit:#?}"
        );
        shell.ok(&["apply", "prod", "--yes"]);
        let history = shell.ok(&["history", "prod", "--format", "json"]).stdout;
        let rows: serde_json::Value = serde_json::from_str(&history).unwrap();
        assert!(rows[0]["commit"].as_str().is_none_or(str::is_empty), "{what} {history}");
    };
    shell.put(".git", "gitdir: docs\n");
    refused(&shell, "a file");
    fs::remove_file(shell.folder.join(".git")).unwrap();
    symlink("docs", shell.folder.join(".git")).unwrap();
    refused(&shell, "a link");
    // A linked worktree's folder, outside, that shares what is in the work tree.
    fs::remove_file(shell.folder.join(".git")).unwrap();
    let apart = shell.everything().join("apart/worktrees/x");
    fs::create_dir_all(&apart).unwrap();
    fs::copy(shell.folder.join("docs/HEAD"), apart.join("HEAD")).unwrap();
    fs::write(apart.join("commondir"), format!("{}\n", shell.folder.join("docs").display())).unwrap();
    fs::write(apart.join("gitdir"), format!("{}\n", shell.folder.join(".git").display())).unwrap();
    shell.put(".git", &format!("gitdir: {}\n", apart.display()));
    done(git(&shell, &["status"]));
    refused(&shell, "a common folder");
}

/// What Git itself makes of `.git` works: linked worktrees, submodules, separate folders, borrowed objects, packs.
#[test]
fn e01_worktrees_submodules_and_borrowed_objects_are_read() {
    let shell = quickstart();
    commit(&shell, "one");
    let source = shell.folder.to_str().unwrap().to_owned();
    done(git(&shell, &["gc", "-q"]));
    done(git(&shell, &["worktree", "add", "-q", "-b", "side", "../linked"]));
    done(git(&shell, &["clone", "-q", "--shared", &source, "../shared"]));
    done(git(&shell, &["clone", "-q", "--separate-git-dir", "../apart.git", &source, "../apart"]));
    done(git(&shell, &["init", "-q", "-b", "main", "../above"]));
    let add = ["-C", "../above", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &source, "sub"];
    done(git(&shell, &add));
    for folder in ["../linked", "../shared", "../apart", "../above/sub"] {
        let plan = shell.ok(&["-C", folder, "plan", "prod", "--against", "HEAD"]);
        assert!(plan.stdout.contains("no changes: prod is the same at HEAD"), "{folder} {plan:#?}");
        let audit = shell.run(&["-C", folder, "audit"]);
        assert!(audit.stdout.contains("by Ana on "), "{folder} {audit:#?}");
        shell.ok(&["-C", folder, "merge-driver", "--install"]);
        let set = done(git(&shell, &["-C", folder, "config", "--get", "merge.tieline.driver"]));
        assert_eq!(set.stdout, "tieline merge-driver -- %O %A %B %P\n", "{folder}");
    }
}

/// The configuration keeps what it has, and Git reads what was added.
#[test]
fn e01_the_merge_driver_is_set_without_git_and_nothing_else_changes() {
    let shell = quickstart();
    commit(&shell, "one");
    let trap = Trap::set(&shell);
    let before = format!("# mine\n{}[alias]\n\tst = \"status\" ; short\n", shell.read(".git/config"));
    shell.put(".git/config", &before);
    let spied = trap.as_git(shell);
    spied.ok(&["merge-driver", "--install"]);
    let once = spied.read(".git/config");
    spied.ok(&["merge-driver", "--install"]);
    assert!(!trap.mark.exists());
    assert_eq!(spied.read(".git/config"), once, "twice is once");
    assert!(once.starts_with(&before), "{once}");
    spied.put(".git/config.lock", "");
    let locked = spied.run(&["merge-driver", "--install"]);
    assert_eq!(locked.code, 1, "{locked:#?}");
    assert!(locked.stderr.contains("another process is changing it"), "{locked:#?}");
    let outside = Shell::new();
    let none = outside.run(&["merge-driver", "--install"]);
    assert!(none.code == 1 && none.stderr.contains("not in a Git repository"), "{none:#?}");
}

/// The commit that is remembered for the last apply.
fn remembered(shell: &Shell) -> String {
    shell.ok(&["apply", "prod", "--yes", "--reseal"]);
    let history = shell.ok(&["history", "prod", "--format", "json"]).stdout;
    let rows: serde_json::Value = serde_json::from_str(&history).unwrap();
    rows[0]["commit"].as_str().unwrap_or("").to_owned()
}

#[test]
fn e01_dirty_is_what_the_bytes_say_and_no_filter_is_asked() {
    let shell = quickstart();
    // What is written in the second of the commit is not to be believed by its time.
    commit(&shell, "one");
    let dirty = |what: &str, expected: bool| {
        let commit = remembered(&shell);
        assert_eq!(commit.ends_with("(dirty)"), expected, "{what}: {commit}");
    };
    dirty("fresh", false);
    touch(&shell.folder);
    dirty("touched", false);
    let file = "connections/warehouse.yaml";
    let text = shell.read(file);
    shell.put(file, &text.replace('\n', "\r\n"));
    dirty("line ends of another system", false);
    shell.put(file, &text.replace("5432", "5433"));
    dirty("as long as before", true);
    // Git is told not to look: we do.
    done(git(&shell, &["update-index", "--assume-unchanged", file]));
    dirty("assumed unchanged", true);
    done(git(&shell, &["update-index", "--no-assume-unchanged", file]));
    // A filter that would make it look the same.
    done(git(&shell, &["config", "filter.x.clean", "sed s/5433/5432/"]));
    shell.put(".git/info/attributes", "*.yaml filter=x\n");
    dirty("behind a filter", true);
    shell.put(file, &text);
    dirty("as it was", false);
    fs::create_dir_all(shell.folder.join("ignored")).unwrap();
    shell.put("ignored/notes.txt", "x");
    dirty("a file that nothing reads", false);
    shell.put(".git/info/exclude", "connections/more.yaml\n");
    shell.put(
        "connections/more.yaml",
        "connector: http\nconfig: {base_url: https://s.example.com}\nauth: {mode: none}\n",
    );
    dirty("a file that is read, and that Git ignores", true);
    fs::remove_file(shell.folder.join("connections/more.yaml")).unwrap();
    // Staged and taken back: the work tree has what the commit has.
    fs::write(shell.folder.join("README.md"), "x").unwrap();
    done(git(&shell, &["add", "README.md"]));
    dirty(
        "a file that is only staged",
        shell.folder.join("README.md").exists() && git(&shell, &["cat-file", "-e", "HEAD:README.md"]).code == 0,
    );
}

/// What a hook of Git has in its environment leads nowhere else: the repository is the one above the workspace.
#[test]
fn e01_variables_of_git_are_not_asked() {
    let shell = quickstart();
    commit(&shell, "one");
    let trap = Trap::set(&shell);
    let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
    command.args(["audit", "--history"]).env("GIT_DIR", "/nowhere").env("GIT_INDEX_FILE", "/nowhere");
    command.env("GIT_OBJECT_DIRECTORY", "/nowhere").env("GIT_EXTERNAL_DIFF", trap.name()).env("GIT_PAGER", trap.name());
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.fsmonitor")
        .env("GIT_CONFIG_VALUE_0", trap.name());
    let ended = done(feed(&mut command, ""));
    assert!(ended.stdout.contains("by Ana on ") && !trap.mark.exists(), "{ended:#?}");
}
