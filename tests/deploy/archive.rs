//! Promise: a bundle as one file is the same bytes for the same bundle, stock tools open it, and one that somebody forged
//! does no harm.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use crate::peers::there;
use crate::shell::{Ended, Shell, feed, sops};

fn applied() -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["apply", "prod", "--yes"]);
    shell
}

fn export(shell: &Shell, name: &str) -> Vec<u8> {
    let path = shell.everything().join(name);
    shell.ok(&["bundle", "export", "prod", path.to_str().unwrap()]);
    fs::read(path).unwrap()
}

#[test]
fn a75_the_archive_is_the_same_bytes_whatever_the_time_the_umask_and_the_place() {
    let shell = applied();
    let one = export(&shell, "one.tgz");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let mut command = shell.command("sh");
    let two = shell.everything().join("two.tgz");
    command.args(["-c", "umask 077; TZ=Asia/Tokyo LC_ALL=C exec \"$0\" bundle export prod \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_tieline")).arg(&two);
    assert_eq!(feed(&mut command, "").code, 0);
    assert!(one == fs::read(two).unwrap());
    let mut names = Vec::new();
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(&*one)).entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.mode().unwrap(), header.mtime().unwrap()), (0o644, 0));
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        names.push(entry.path().unwrap().to_str().unwrap().to_owned());
    }
    assert_eq!(names, ["connections/hubspot.yaml", "connections/warehouse.yaml", "manifest.json"]);
}

#[test]
fn n07_stock_tar_and_sops_open_an_archive_and_so_do_we_packed_or_not() {
    let shell = applied();
    export(&shell, "bundle.tgz");
    let folder = shell.everything().join("unpacked");
    fs::create_dir(&folder).unwrap();
    let file = shell.everything().join("bundle.tgz");
    let mut command = shell.command("tar");
    assert_eq!(feed(command.arg("-xzf").arg(&file).arg("-C").arg(&folder), "").code, 0);
    if let Some(sops) = sops() {
        let mut command = shell.command(sops);
        let opened = feed(command.arg("decrypt").arg(folder.join("connections/hubspot.yaml")), "");
        assert!(opened.stdout.contains("access_token: "), "{opened:?}");
    }
    for path in [&file, &folder] {
        let path = path.to_str().unwrap();
        let inspected = shell.ok(&["bundle", "inspect", path]).stdout;
        assert!(inspected.starts_with("prod serial 1, applied "), "{inspected}");
        assert!(inspected.contains("2 objects, 2 opened and their MACs checked: all as they should be"), "{inspected}");
        let opened = shell.ok(&["bundle", "open", path, "hubspot"]).stdout;
        assert!(opened.contains("access_token: ") && !opened.contains("sops:"), "{opened}");
        let all: serde_json::Value =
            serde_json::from_str(&shell.ok(&["bundle", "open", path, "--format", "json"]).stdout).unwrap();
        assert_eq!(all["warehouse"]["config"]["port"], 5432);
        // Without a workspace, without a key.
        let stranger = Shell::new();
        assert!(stranger.ok(&["bundle", "inspect", path]).stdout.contains("0 opened"));
        let closed = stranger.run(&["bundle", "open", path]);
        assert!(closed.code == 1 && closed.stderr.contains("no identity opens any of it"), "{closed:?}");
    }
    let keyless = ["bundle", "open", file.to_str().unwrap(), "hubspt"];
    assert!(shell.run(&keyless).stderr.contains("did you mean `hubspot`?"));
    let older = shell.run(&["bundle", "inspect", file.to_str().unwrap(), "--min-serial", "2"]);
    assert_eq!(older.code, 5, "{older:?}");
}

#[test]
fn what_is_not_whole_is_not_exported() {
    let shell = applied();
    let object = fs::read_dir(shell.folder.join("dist/objects")).unwrap().next().unwrap().unwrap().path();
    let good = fs::read(&object).unwrap();
    let path = shell.everything().join("x.tgz");
    for damage in [Some(&b"changed"[..]), None] {
        damage.map_or_else(|| fs::remove_file(&object).unwrap(), |bytes| fs::write(&object, bytes).unwrap());
        let ended = shell.run(&["bundle", "export", "prod", path.to_str().unwrap()]);
        assert!(ended.code == 5 && !path.exists(), "{ended:?}");
        fs::write(&object, &good).unwrap();
    }
    // A manifest whose desired digest is not that of its records, as whoever may write the target can make it.
    let head = shell.read("dist/environments/prod/head.json");
    let manifest = fs::read_dir(shell.folder.join("dist/manifests")).unwrap().next().unwrap().unwrap().path();
    let forged = fs::read_to_string(&manifest).unwrap().replace("\"owner\":\"team-crm\"", "\"owner\":\"team-evil\"");
    let digest = tieline::bundle::Digest::of(forged.as_bytes());
    fs::write(manifest.with_file_name(format!("{}.json", digest.hex())), &forged).unwrap();
    let old = manifest.file_stem().unwrap().to_str().unwrap();
    shell.put("dist/environments/prod/head.json", &head.replace(old, digest.hex()));
    // On a machine that has not seen the right one.
    let ended = shell.again().run(&["bundle", "export", "prod", path.to_str().unwrap()]);
    assert!(ended.code == 5 && ended.stderr.contains("what is deployed is not whole"), "{ended:?}");
}

#[test]
fn a_bundle_whose_files_were_changed_is_opened_by_nobody() {
    let shell = applied();
    export(&shell, "bundle.tgz");
    let folder = shell.everything().join("unpacked");
    fs::create_dir(&folder).unwrap();
    let mut command = shell.command("tar");
    feed(command.arg("-xzf").arg(shell.everything().join("bundle.tgz")).arg("-C").arg(&folder), "");
    let path = folder.join("connections/warehouse.yaml");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("port: 5432", "port: 5433")).unwrap();
    for command in [["bundle", "inspect"], ["bundle", "open"]] {
        let ended = shell.run(&[&command[..], &[folder.to_str().unwrap()]].concat());
        assert_eq!(ended.code, 5, "{ended:?}");
        assert!(ended.stdout.contains("another digest") || ended.stderr.contains("another digest"), "{ended:?}");
    }
    fs::remove_file(&path).unwrap();
    let ended = shell.run(&["bundle", "inspect", folder.to_str().unwrap()]);
    assert!(ended.code == 5 && ended.stdout.contains("its file is missing"), "{ended:?}");
    fs::write(&path, &good).unwrap();
    fs::write(folder.join("connections/more.yaml"), &good).unwrap();
    let ended = shell.run(&["bundle", "inspect", folder.to_str().unwrap()]);
    assert!(ended.code == 5 && ended.stdout.contains("the manifest does not name it"), "{ended:?}");
}

#[test]
fn p17_the_bundle_of_one_customer_names_no_other() {
    let shell = Shell::example("tenants").with_demo_identity();
    let environment = fs::read_dir(shell.folder.join("environments")).unwrap().map(|e| e.unwrap().file_name());
    let environment = environment.map(|n| n.to_str().unwrap().to_owned()).find(|n| n != "prod").unwrap();
    shell.ok(&["apply", &environment, "--yes"]);
    let path = shell.everything().join("globex.tgz");
    let file = path.to_str().unwrap();
    shell.ok(&["bundle", "export", &environment, file, "--customer", "globex"]);
    let bytes = fs::read(&path).unwrap();
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*bytes), &mut all).unwrap();
    let text = String::from_utf8_lossy(&all);
    assert!(text.contains("@globex") && !text.contains("initech"), "{text}");
    let inspected = shell.ok(&["bundle", "inspect", file]).stdout;
    assert!(inspected.contains("for globex") && inspected.contains("all as they should be"), "{inspected}");
    let absent = shell.run(&["bundle", "export", &environment, file, "--customer", "globx"]);
    assert!(absent.code == 64 && absent.stderr.contains("nothing is deployed for the customer `globx`"), "{absent:?}");
}

/// What a hostile archive is made of.
enum Entry<'e> {
    File(&'e str, &'e [u8]),
    Typed(&'e str, EntryType, &'e str),
    /// Says that it has so many bytes.
    Sized(&'e str, u64),
}

fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_mode(0o6777);
        let raw = |header: &mut Header, name: &str| {
            // Past the checks of the library that writes.
            let bytes = name.as_bytes();
            header.as_mut_bytes()[..100].fill(0);
            header.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        };
        match entry {
            Entry::File(name, bytes) => {
                header.set_size(bytes.len() as u64);
                raw(&mut header, name);
                header.set_cksum();
                builder.append(&header, *bytes).unwrap();
            }
            Entry::Typed(name, kind, to) => {
                header.set_entry_type(*kind);
                header.set_size(0);
                if !to.is_empty() {
                    header.set_link_name_literal(to).unwrap();
                }
                raw(&mut header, name);
                header.set_cksum();
                builder.append(&header, &[][..]).unwrap();
            }
            Entry::Sized(name, size) => {
                header.set_size(*size);
                raw(&mut header, name);
                header.set_cksum();
                builder.get_mut().write_all(header.as_bytes()).unwrap();
            }
        }
    }
    builder.into_inner().unwrap().finish().unwrap()
}

#[test]
fn a75_a_hostile_archive_is_refused_and_nothing_is_written() {
    let shell = applied();
    let place = shell.everything().join("there");
    fs::create_dir(&place).unwrap();
    let inspect = |name: &str, bytes: &[u8]| -> Ended {
        let path = place.join("x.tgz");
        fs::write(&path, bytes).unwrap();
        let mut command = shell.command(env!("CARGO_BIN_EXE_tieline"));
        let ended = feed(command.current_dir(&place).args(["bundle", "inspect", path.to_str().unwrap()]), "");
        assert_eq!(ended.code, 5, "{name}: {ended:?}");
        let there: Vec<_> = fs::read_dir(&place).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(there, ["x.tgz"], "{name}");
        ended
    };
    let manifest =
        fs::read(fs::read_dir(shell.folder.join("dist/manifests")).unwrap().next().unwrap().unwrap().path()).unwrap();
    let foreign = "belongs to no bundle";
    let irregular = "no regular file";
    let escape = "/x".repeat(45);
    let escape = format!("connections{escape}/../../x");
    for (name, entries, words) in [
        ("../", vec![Entry::File("../evil", b"x")], foreign),
        ("absolute", vec![Entry::File("/etc/evil", b"x")], foreign),
        ("dots inside", vec![Entry::File("connections/../../evil.yaml", b"x")], foreign),
        ("long way out", vec![Entry::File(&escape, b"x")], foreign),
        ("link", vec![Entry::Typed("connections/a.yaml", EntryType::Symlink, "/etc/passwd")], irregular),
        (
            "link, then through it",
            vec![Entry::Typed("connections", EntryType::Symlink, "/tmp"), Entry::File("connections/a.yaml", b"x")],
            irregular,
        ),
        ("hard link", vec![Entry::Typed("connections/a.yaml", EntryType::Link, "/etc/passwd")], irregular),
        ("device", vec![Entry::Typed("connections/a.yaml", EntryType::Char, "")], irregular),
        ("block device", vec![Entry::Typed("connections/a.yaml", EntryType::Block, "")], irregular),
        ("pipe", vec![Entry::Typed("connections/a.yaml", EntryType::Fifo, "")], irregular),
        ("sparse", vec![Entry::Typed("connections/a.yaml", EntryType::GNUSparse, "")], "this is no bundle"),
        ("twice", vec![Entry::File("manifest.json", &manifest), Entry::File("manifest.json", &manifest)], "twice"),
        (
            "twice, spelt otherwise",
            vec![Entry::File("manifest.json", &manifest), Entry::File("./manifest.json", &manifest)],
            "twice",
        ),
        ("10 GB", vec![Entry::Sized("connections/a.yaml", 10 << 30)], "larger than any"),
        ("cut off", vec![Entry::Sized("connections/a.yaml", 100_000)], "cut off"),
        ("upper case", vec![Entry::File("connections/A.yaml", b"x")], foreign),
        ("escape in a name", vec![Entry::File("connections/\u{1b}[2J.yaml", b"x")], foreign),
        ("no manifest", vec![Entry::File("connections/a.yaml", b"x")], "no manifest.json"),
        ("nothing", vec![], "no manifest.json"),
    ] {
        let ended = inspect(name, &archive(&entries));
        assert!(ended.stderr.contains(words), "{name}: {ended:?}");
        assert!(!ended.stderr.contains('\u{1b}'), "{name}");
    }
    inspect("no gzip", b"PK\x03\x04");
    inspect("empty", b"");
    // What is a folder does no harm: people pack archives anew.
    let mut again =
        archive(&[Entry::Typed("connections/", EntryType::Directory, ""), Entry::File("manifest.json", &manifest)]);
    assert!(inspect("without its objects", &again).stdout.contains("its file is missing"));
    again.truncate(again.len() / 2);
    inspect("half", &again);
}

#[test]
fn a75_names_from_extensions_of_tar_are_held_to_the_same_rules() {
    let shell = applied();
    let path = shell.everything().join("x.tgz");
    for (kind, body) in [
        (EntryType::GNULongName, b"../../evil\0".to_vec()),
        (EntryType::XHeader, b"22 path=../../../evil\n".to_vec()),
        (EntryType::XGlobalHeader, b"22 path=../../../evil\n".to_vec()),
    ] {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(body.len() as u64);
        header.set_path("ext").unwrap();
        header.set_cksum();
        builder.append(&header, &*body).unwrap();
        let mut header = Header::new_gnu();
        header.set_size(1);
        header.set_path("connections/a.yaml").unwrap();
        header.set_cksum();
        builder.append(&header, &b"x"[..]).unwrap();
        fs::write(&path, builder.into_inner().unwrap().finish().unwrap()).unwrap();
        let ended = shell.run(&["bundle", "inspect", path.to_str().unwrap()]);
        assert_eq!(ended.code, 5, "{kind:?}: {ended:?}");
    }
}

#[test]
fn a75_a_bomb_is_put_out_before_it_fills_the_memory() {
    if !there("prlimit", Command::new("prlimit").arg("--version")) {
        return;
    }
    let shell = applied();
    // 3 GiB of zeroes under the name of an object each of 16 MiB: a few MB packed.
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let zeroes = vec![0; 16 << 20];
    for n in 0..80 {
        let mut header = Header::new_gnu();
        header.set_size(zeroes.len() as u64);
        builder.append_data(&mut header, format!("connections/c{n}.yaml"), &*zeroes).unwrap();
    }
    let path = shell.everything().join("bomb.tgz");
    fs::write(&path, builder.into_inner().unwrap().finish().unwrap()).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 16 << 20);
    let ended = bounded(&shell, &path);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("unpacks to more than a bundle of its size can hold"), "{ended:?}");
}

fn bounded(shell: &Shell, path: &Path) -> Ended {
    let mut command = shell.command("prlimit");
    command.args(["--as=1073741824", env!("CARGO_BIN_EXE_tieline"), "bundle", "inspect"]).arg(path);
    feed(&mut command, "")
}

/// Who else has a runtime, a key or a connector is no customer's business, whatever serial it is.
#[test]
fn e2_11_the_bundle_of_a_customer_holds_what_its_connections_use_and_no_more() {
    use serde_json::json;
    use tieline::bundle::Manifest;
    use tieline::bundle::export::for_customer;
    let bench = super::Bench::new();
    let mut desired = bench.desired(&["db@globex", "db@initech", "shared"]);
    let other = tieline::sops::keygen().1;
    let record = desired.records.get_mut("db@initech").unwrap();
    record["recipients"] = json!([other.as_str()]);
    record["connector"] = "hubspot".into();
    desired.trust = json!({
        "recipients": {"demo": bench.recipient, "initech-ops": other.as_str()},
        "runtimes": {"globex": bench.recipient, "initech": other.as_str()},
        "connectors": {"postgresql": {"secrets": ["/auth/password"]}, "hubspot": {"secrets": ["/auth/password"]}},
        "excuses": [{"file": "customers/initech/x.yaml"}],
    });
    bench.apply(&bench.desired(&["db@globex"])).unwrap();
    bench.apply(&desired).unwrap();
    let whole = bench.deployed().unwrap().manifest;
    assert_eq!(whole.serial, 2);
    let cut = for_customer(&whole, "globex").unwrap();
    assert_eq!(cut.connections.keys().collect::<Vec<_>>(), ["db@globex", "shared"]);
    let trust = json!({
        "recipients": {"demo": bench.recipient},
        "runtimes": {"globex": bench.recipient},
        "connectors": {"postgresql": {"secrets": ["/auth/password"]}},
        "excuses": [],
    });
    assert_eq!(cut.trust, trust);
    assert_eq!(Manifest::parse(&cut.bytes().unwrap()).unwrap(), cut);
}

/// What an archive may unpack to grows with it, and a signature has its own limit.
#[test]
fn e2_11_a_large_archive_may_unpack_to_what_it_has() {
    use tieline::bundle::archive::Parts;
    let mut bytes = vec![0; 2 << 20];
    getrandom::fill(&mut bytes).unwrap();
    let large = archive(&[Entry::File("connections/a.yaml", &bytes), Entry::File("manifest.json", b"{}")]);
    assert!(Parts::read(&large[..]).is_ok(), "{:?}", Parts::read(&large[..]).err());
    for (length, whole) in [(64 << 10, true), ((64 << 10) + 1, false)] {
        let signature = vec![b'x'; length];
        let signed = archive(&[Entry::File("manifest.json.sig", &signature), Entry::File("manifest.json", b"{}")]);
        assert_eq!(Parts::read(&signed[..]).is_ok(), whole, "{length}");
    }
}
