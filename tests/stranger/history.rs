//! Histories that hide something, or stand for more than they hold: what is told of them is read from objects.

use std::fs;

use super::git::done;
use crate::secrets::{PROD, commit, edit, git, quickstart, set};
use crate::shell::{Shell, feed};

/// A name is read from the commit object, and shown as text.
#[test]
fn e14_a_commit_is_found_whatever_its_author_is_called() {
    let shell = quickstart();
    commit(&shell, "clean");
    let clean = shell.read("connections/hubspot.yaml");
    let plain = clean.replace("${{ secrets.HUBSPOT_TOKEN }}", "hunter2-in-clear");
    assert_ne!(clean, plain);
    let by = |name: &str, text: &str| {
        shell.put("connections/hubspot.yaml", text);
        let mut command = shell.command("git");
        command.env("GIT_AUTHOR_NAME", name).env("GIT_AUTHOR_EMAIL", "a@b");
        command.env("GIT_COMMITTER_NAME", name).env("GIT_COMMITTER_EMAIL", "a@b");
        done(feed(command.args(["commit", "-qam", "x"]), ""));
    };
    // Each on its own: what marks the fields of one text may come in pairs.
    for (n, name) in
        ["E\u{1}ve", "E\u{2}ve", "E\u{1}v\u{2}e", "E\u{1b}[2Jve\u{202e}\u{7f}", "E\u{3}ve"].iter().enumerate()
    {
        by(name, &plain.replace("hunter2", &format!("hunter2{n}")));
        by("Eve", &clean);
        let ended = shell.run(&["audit", "--history", "--format", "json"]);
        let count = ended.stdout.matches("\"committed\"").count();
        assert_eq!(count, n + 1, "{name:?} {ended:#?}");
    }
    for format in ["human", "csv", "json"] {
        let ended = shell.run(&["audit", "--history", "--format", format]);
        assert_eq!(ended.code, 1, "{ended:#?}");
        assert!(ended.stdout.contains("auth.access_token"), "{format} {ended:#?}");
        for raw in ['\u{1}', '\u{2}', '\u{3}', '\u{1b}', '\u{202e}', '\u{7f}'] {
            assert!(!ended.stdout.contains(raw), "{format} {raw:?} {ended:#?}");
        }
        assert!(!ended.stdout.contains("hunter2"), "{ended:#?}");
    }
    // Nor does a line that Git would not write hide one: no date, no name, a second author.
    for (name, author) in
        [("odd", "author Eve <a@b>"), ("none", "author"), ("two", "author A <a@b> 1 +0000\nauthor B <b> 2 +0000")]
    {
        let shell = quickstart();
        commit(&shell, "clean");
        shell.put("connections/hubspot.yaml", &plain);
        done(git(&shell, &["add", "-A"]));
        let tree = done(git(&shell, &["write-tree"])).stdout;
        done(git(&shell, &["reset", "-q", "--hard"]));
        let object = format!("tree {}\n{author}\ncommitter C <c@d> 1700000000 +0000\n\nx\n", tree.trim());
        let mut command = shell.command("git");
        let made = done(feed(command.args(["hash-object", "-t", "commit", "-w", "--stdin", "--literally"]), &object));
        shell.put(&format!(".git/refs/heads/{name}"), &made.stdout);
        let ended = shell.run(&["audit", "--history"]);
        assert!(ended.stdout.contains("auth.access_token"), "{name} {ended:#?}");
    }
}

/// Every branch, tag, stash and worktree is looked through; a merge brings what neither side had.
#[test]
fn e14_history_is_looked_through_wherever_a_reference_leads() {
    let shell = quickstart();
    commit(&shell, "clean");
    let file = "connections/hubspot.yaml";
    let clean = shell.read(file);
    let plain = clean.replace("${{ secrets.HUBSPOT_TOKEN }}", "hunter2-in-clear");
    let found = |what: &str| {
        let ended = shell.run(&["audit", "--history"]);
        assert!(ended.stdout.contains("auth.access_token"), "{what} {ended:#?}");
    };
    let clean_again = |what: &str| {
        let ended = shell.run(&["audit", "--history"]);
        assert!(!ended.stdout.contains("auth.access_token"), "{what} {ended:#?}");
    };
    clean_again("nothing yet");
    // An annotated tag of a commit that no branch has.
    shell.put(file, &plain);
    done(git(&shell, &["commit", "-qam", "plain"]));
    done(git(&shell, &["tag", "-a", "-m", "t", "t"]));
    done(git(&shell, &["reset", "-q", "--hard", "HEAD^"]));
    found("a tag");
    done(git(&shell, &["tag", "-d", "t"]));
    clean_again("no tag");
    shell.put(file, &plain);
    done(git(&shell, &["stash", "-q"]));
    found("a stash");
    done(git(&shell, &["stash", "drop", "-q"]));
    clean_again("no stash");
    done(git(&shell, &["worktree", "add", "-q", "--detach", "../linked"]));
    fs::write(shell.everything().join("work/linked").join(file), &plain).unwrap();
    done(git(&shell, &["-C", "../linked", "commit", "-qam", "plain"]));
    found("a worktree's head");
    done(git(&shell, &["worktree", "remove", "--force", "../linked"]));
    clean_again("no worktree");
    // A merge whose result is in neither parent.
    done(git(&shell, &["checkout", "-q", "-b", "side"]));
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: 5433");
    commit(&shell, "side");
    done(git(&shell, &["checkout", "-q", "main"]));
    edit(&shell, "connections/warehouse.yaml", "database: ", "database: x");
    commit(&shell, "main");
    git(&shell, &["merge", "-q", "--no-commit", "--no-ff", "-X", "ours", "side"]);
    shell.put(file, &plain);
    commit(&shell, "merged");
    shell.put(file, &clean);
    commit(&shell, "clean");
    found("a merge");
}

/// What each line's last change is: over merges and renames, in clones that lack a part.
#[test]
fn e01_ages_and_authors_are_found_without_git() {
    let shell = quickstart();
    // From now on the data key is one of ours, and one value is written without the others.
    set(&shell, "HUBSPOT_TOKEN", "prod", "by ana");
    commit(&shell, "first");
    let by = |shell: &Shell, name: &str| {
        let mut command = shell.command("git");
        command.env("GIT_AUTHOR_NAME", name).env("GIT_AUTHOR_EMAIL", "a@b");
        command.env("GIT_COMMITTER_NAME", name).env("GIT_COMMITTER_EMAIL", "a@b");
        done(feed(command.args(["commit", "-qam", name]), ""));
    };
    done(git(&shell, &["checkout", "-q", "-b", "side"]));
    set(&shell, "HUBSPOT_TOKEN", "prod", "by ben");
    by(&shell, "Ben");
    done(git(&shell, &["checkout", "-q", "main"]));
    edit(&shell, "connections/warehouse.yaml", "port: 5432", "port: 5433");
    by(&shell, "Cleo");
    done(git(&shell, &["merge", "-q", "--no-ff", "-m", "merged", "side"]));
    let who = |shell: &Shell, folder: &str, name: &str| {
        let ended = shell.run(&["-C", folder, "audit", "--format", "json"]);
        let rows: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let rows = rows.as_array().or_else(|| rows["items"].as_array()).unwrap().clone();
        let own = |row: &&serde_json::Value| {
            row["kind"] == "changed" && row["name"] == name && row["environments"].as_str().unwrap().contains("prod")
        };
        rows.iter().find(own).map_or(String::new(), |row| row["detail"].as_str().unwrap().to_owned())
    };
    assert!(who(&shell, ".", "HUBSPOT_TOKEN").starts_with("by Ben on "), "{}", who(&shell, ".", "HUBSPOT_TOKEN"));
    assert!(who(&shell, ".", "WAREHOUSE_PASSWORD").starts_with("by Ana on "));
    assert!(!who(&shell, ".", "WAREHOUSE_PASSWORD").contains("or before"), "the clone has all of its history");
    // Another order of lines is no change; another value is, though it is not committed.
    let text = shell.read(PROD);
    let line = text.lines().find(|line| line.starts_with("HUBSPOT_TOKEN")).unwrap().to_owned();
    let moved = text.replace(&format!("{line}\n"), "");
    let at = moved.find("sops:").unwrap();
    shell.put(PROD, &format!("{}{line}\n{}", &moved[..at], &moved[at..]));
    assert!(who(&shell, ".", "HUBSPOT_TOKEN").starts_with("by Ben on "));
    shell.put(PROD, &text.replace('\n', "\r\n"));
    assert!(who(&shell, ".", "HUBSPOT_TOKEN").starts_with("by Ben on "), "line ends");
    shell.put(PROD, &text);
    set(&shell, "WAREHOUSE_PASSWORD", "prod", "x");
    assert_eq!(who(&shell, ".", "WAREHOUSE_PASSWORD"), "not committed yet");
    shell.put(PROD, &text);
    let from = format!("file://{}", shell.folder.display());
    done(git(&shell, &["clone", "-q", "--depth", "1", &from, "../shallow"]));
    let shallow = who(&shell, "../shallow", "WAREHOUSE_PASSWORD");
    assert!(shallow.ends_with("or before, as far as this clone shows"), "{shallow}");
    done(git(&shell, &["config", "uploadpack.allowFilter", "true"]));
    done(git(&shell, &["clone", "-q", "--filter=blob:none", &from, "../partial"]));
    let partial = who(&shell, "../partial", "WAREHOUSE_PASSWORD");
    assert!(partial.starts_with("by Ben ") && partial.ends_with("as far as this clone shows"), "{partial}");
    let history = shell.run(&["-C", "../partial", "audit", "--history"]);
    assert_eq!(history.code, 1);
    assert!(history.stderr.contains("is not in this clone (a partial clone lacks some)"), "{history:#?}");
}

/// Writes objects of a stranger's.
fn made(shell: &Shell, arguments: &[&str], input: &str) -> String {
    let mut command = shell.command("git");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Eve").env(format!("GIT_{role}_EMAIL"), "e@x");
    }
    done(feed(command.args(arguments), input)).stdout.trim().to_owned()
}

/// Puts a commit with a tree in the place of `connections`, and one that undoes it, on the branch.
fn commits_tree(shell: &Shell, connections: &str) -> String {
    let rest = done(git(shell, &["ls-tree", "HEAD"])).stdout;
    let rest: String = rest.lines().filter(|line| !line.ends_with("\tconnections")).map(|l| format!("{l}\n")).collect();
    let tree = made(shell, &["mktree"], &format!("{rest}040000 tree {connections}\tconnections\n"));
    let bomb = made(shell, &["commit-tree", "-p", "HEAD", "-m", "bomb", &tree], "");
    let undone = made(shell, &["commit-tree", "-p", &bomb, "-m", "undone", "HEAD^{tree}"], "");
    done(git(shell, &["reset", "-q", "--hard", &undone]));
    bomb
}

/// Folders that share their parts stand for ten thousand million files in two kilobytes: each is looked at once, and what
/// comes before and after is found.
#[test]
fn e01_a_history_that_stands_for_more_than_it_holds_is_looked_through() {
    let shell = quickstart();
    commit(&shell, "clean");
    let file = "connections/hubspot.yaml";
    let clean = shell.read(file);
    let plain = clean.replace("${{ secrets.HUBSPOT_TOKEN }}", "hunter2-in-clear");
    shell.put(file, &plain);
    commit(&shell, "plain");
    shell.put(file, &clean);
    commit(&shell, "clean again");
    let blob = made(&shell, &["hash-object", "-w", "--stdin"], &plain.replace("hunter2", "hunter3"));
    let mut tree = String::new();
    let mut entries: String = (0..10).map(|n| format!("100644 blob {blob}\tf{n}.yaml\n")).collect();
    for _ in 0..10 {
        tree = made(&shell, &["mktree"], &entries);
        entries = (0..10).map(|n| format!("040000 tree {tree}\td{n}\n")).collect();
    }
    let bomb = commits_tree(&shell, &tree);
    // The same where nobody looks for documents.
    let rest = done(git(&shell, &["ls-tree", "HEAD"])).stdout;
    let root = made(&shell, &["mktree"], &format!("{rest}040000 tree {tree}\tdocs\n"));
    let other = made(&shell, &["commit-tree", "-p", "HEAD", "-m", "docs", &root], "");
    shell.put(".git/refs/heads/docs", &format!("{other}\n"));
    let start = std::time::Instant::now();
    let ended = shell.run(&["audit", "--history", "--format", "json"]);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    assert!(ended.code == 1 && !ended.stderr.contains("can't be read"), "{ended:#?}");
    let rows: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let committed: Vec<_> = rows.as_array().unwrap().iter().filter(|row| row["kind"] == "committed").collect();
    assert_eq!(committed.len(), 2, "{committed:#?}");
    assert!(committed.iter().any(|row| row["detail"].as_str().unwrap().contains(&bomb[..12])), "{committed:#?}");
}

/// A commit that can't be looked at is named, and hides no other.
#[test]
fn e01_a_commit_that_is_too_much_is_named_and_the_others_are_looked_at() {
    let shell = quickstart();
    commit(&shell, "clean");
    let blob = made(&shell, &["hash-object", "-w", "--stdin"], "connector: http\n");
    let mut tree = made(&shell, &["mktree"], &format!("100644 blob {blob}\tf.yaml\n"));
    for _ in 0..80 {
        tree = made(&shell, &["mktree"], &format!("040000 tree {tree}\td\n"));
    }
    let bomb = commits_tree(&shell, &tree);
    let file = "connections/hubspot.yaml";
    shell.put(file, &shell.read(file).replace("${{ secrets.HUBSPOT_TOKEN }}", "hunter2-in-clear"));
    commit(&shell, "plain");
    let ended = shell.run(&["audit", "--history"]);
    assert_eq!(ended.code, 1, "{ended:#?}");
    assert!(ended.stdout.contains(&format!("not looked at: {} by Eve", &bomb[..12])), "{ended:#?}");
    assert!(ended.stdout.contains("auth.access_token"), "{ended:#?}");
}

/// Objects that are named by SHA-256: one clear message, whoever meets it.
#[test]
fn e01_a_repository_of_sha_256_is_named_as_what_it_is() {
    let shell = quickstart();
    done(git(&shell, &["init", "-q", "-b", "main", "--object-format=sha256"]));
    commit(&shell, "one");
    done(git(&shell, &["worktree", "add", "-q", "--detach", "../linked"]));
    let words: [&[&str]; 4] = [
        &["plan", "prod", "--against", "HEAD"],
        &["audit", "--history"],
        &["merge-driver", "--install"],
        &["-C", "../linked", "plan", "prod", "--against", "HEAD"],
    ];
    for words in words {
        let ended = shell.run(words);
        assert_ne!(ended.code, 0, "{words:?} {ended:#?}");
        assert!(ended.stderr.contains("names its objects by SHA-256, which tieline can't read yet"), "{ended:#?}");
    }
    shell.ok(&["validate"]);
    let ended = shell.run(&["audit"]);
    assert!(ended.stderr.contains("SHA-256"), "{ended:#?}");
}

/// The folder of all customers may be the very tree of a layer: what it holds is looked at where it is a document.
#[test]
fn e2_11_a_folder_that_is_no_layer_hides_none_that_is_the_same() {
    let shell = quickstart();
    let text = "connector: openai\nauth: {mode: api_key, api_key: otter-hunter-2}\n";
    for folder in ["customers", "environments/twin"] {
        fs::create_dir_all(shell.folder.join(folder).join("connections")).unwrap();
        shell.put(&format!("{folder}/connections/twin.yaml"), text);
    }
    commit(&shell, "in clear");
    for folder in ["customers", "environments/twin"] {
        fs::remove_dir_all(shell.folder.join(folder)).unwrap();
    }
    commit(&shell, "removed");
    let csv = shell.run(&["audit", "--history", "--format", "csv"]).stdout;
    assert_eq!(csv.matches("\ncommitted,environments/twin/connections/twin.yaml:2,").count(), 1, "{csv}");
}
