//! Lists of allowed signers: read as OpenSSH reads them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tieline::bundle::signature::AllowedSigners;

use crate::peers::there;
use crate::shell::{Shell, feed};

/// When the signature was made.
const TIME: &str = "2026-11-21T10:00:00Z";
const MESSAGE: &[u8] = b"manifest";

/// Keys, and a signature by the first.
struct Keys {
    folder: tempfile::TempDir,
    /// `KEYTYPE KEY` of the signer, and of another.
    mine: String,
    other: String,
}

impl Keys {
    fn new(kind: &[&str]) -> Option<Self> {
        if !there("ssh-keygen", Command::new("sh").args(["-c", "command -v ssh-keygen"])) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let keygen = |arguments: &[&str]| {
            let mut command = Command::new("ssh-keygen");
            assert!(command.current_dir(folder.path()).args(arguments).output().unwrap().status.success());
        };
        let public = |name: &str| {
            keygen(&[&["-q", "-N", "", "-C", "me", "-f", name, "-t"], kind].concat());
            let text = fs::read_to_string(folder.path().join(format!("{name}.pub"))).unwrap();
            text.trim().strip_suffix(" me").unwrap().to_owned()
        };
        let (mine, other) = (public("mine"), public("other"));
        fs::write(folder.path().join("message"), MESSAGE).unwrap();
        keygen(&["-q", "-Y", "sign", "-n", "tieline-bundle", "-f", "mine", "message"]);
        Some(Self { folder, mine, other })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The verdict of `ssh-keygen -Y verify` for one principal.
    fn stock(&self, principal: &str) -> bool {
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "verify", "-n", "tieline-bundle", "-O", "verify-time=20261121100000Z", "-I", principal]);
        command.arg("-f").arg(self.at("file")).arg("-s").arg(self.at("message.sig"));
        // Dates without a `Z` are UTC to us.
        command.env("TZ", "UTC").stdin(File::open(self.at("message")).unwrap());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    /// Ours, and the same of OpenSSH for any of the principals.
    fn agree(&self, file: &[u8], principals: &[&str]) -> bool {
        let signature = fs::read(self.at("message.sig")).unwrap();
        let ours = AllowedSigners::parse(file).verify(&signature, MESSAGE, TIME.parse().unwrap());
        fs::write(self.at("file"), file).unwrap();
        let stock = principals.iter().filter(|one| !one.is_empty()).any(|one| self.stock(one));
        assert_eq!(ours.is_ok(), stock, "{ours:?}: {:?}", String::from_utf8_lossy(file));
        stock
    }

    /// A line of `a` that lets the signer sign, with these options.
    fn with(&self, options: &str) -> String {
        format!("a {options} {}", self.mine)
    }
}

/// Options as people write them, and as they shouldn't.
const OPTIONS: &[&str] = &[
    "",
    "namespaces=\"tieline-bundle\"",
    "namespaces=\"git,tieline-bundle\"",
    "namespaces=\"git, tieline-bundle\"",
    "namespaces=\" tieline-bundle\"",
    "namespaces=\"tieline-bundle \"",
    "namespaces=\"tieline-bundle,\"",
    "namespaces=\",tieline-bundle\"",
    "namespaces=\"git\"",
    "namespaces=\"\"",
    "namespaces=\",\"",
    "namespaces=\"*\"",
    "namespaces=\"tieline-*\"",
    "namespaces=\"tieline?bundle\"",
    "namespaces=\"tieline-bundle?\"",
    "namespaces=\"*e*l*b*\"",
    "namespaces=\"Tieline-Bundle\"",
    "namespaces=\"*,!tieline-bundle\"",
    "namespaces=\"!tieline-bundle,*\"",
    "namespaces=\"*,!git\"",
    "namespaces=\"!git\"",
    "namespaces=\"!!tieline-bundle\"",
    "namespaces=\"*,!!x\"",
    "namespaces=\"*,!\"",
    "namespaces=\"*,! tieline-bundle\"",
    "namespaces=\"*,!tie*\"",
    "namespaces=tieline-bundle",
    "namespaces='tieline-bundle'",
    "namespaces=\"tieline-bundle",
    "namespaces=tieline-bundle\"",
    "namespaces=\"a b,*\"",
    "namespaces=\"a\\\"b,*\"",
    "namespaces=\"a\\\\\"",
    "namespaces=\"tieline\\-bundle\"",
    "namespaces=\"\\tieline-bundle,tieline-bundle\"",
    "NAMESPACES=\"*\"",
    "NameSpaces=\"git\"",
    "namespaces",
    "namespaces=",
    "namespaces =\"*\"",
    "namespaces= \"*\"",
    "namespaces=\"*\"x",
    "namespaces=\"*\"\"\"",
    "xnamespaces=\"*\"",
    "namespaces=\"*\",namespaces=\"*\"",
    "namespaces=\"git\",namespaces=\"tieline-bundle\"",
    "namespaces=\"tieline-bundle\",NAMESPACES=\"git\"",
    "namespaces=\"\",namespaces=\"*\"",
    "namespaces=\"*\",",
    ",namespaces=\"*\"",
    ",",
    ",,",
    "namespaces=\"*\",,valid-after=\"20260101\"",
    "namespaces=\"*\", valid-after=\"20260101\"",
    "namespaces=\"*\" valid-after=\"20260101\"",
    "namespaces=\"*\",valid-after=\"20260101\",valid-before=\"20270101\"",
    "namespaces=\"git\",valid-after=\"20260101\"",
    "namespaces=\"tieline-bundle\",extra",
    "extra",
    "extra=\"x\"",
    "no-touch-required",
    "verify-required,namespaces=\"*\"",
    "command=\"x\"",
    "\"namespaces\"=\"*\"",
    "\"\"",
    "cert-authority",
    "CERT-AUTHORITY",
    "cert-authority,namespaces=\"*\"",
    "namespaces=\"*\",cert-authority",
    "cert-authority=\"\"",
    "cert-authorityx",
    "no-cert-authority",
    "valid-before=\"20990101\",valid-before=\"20980101\"",
    "valid-after=\"20250101\",valid-after=\"20250101\"",
    "valid-after=\"20260101\",valid-before=\"20260101\"",
    "valid-after=\"20261121100000Z\"",
    "valid-before=\"20261121100000Z\"",
    "valid-after=\"20261121100000Z\",valid-before=\"20261121100000Z\"",
    "valid-after=\"20270101\",valid-before=\"20260101\"",
    "valid-after=\"20250101\",valid-before=\"20260101\"",
];

/// Dates, each tried as `valid-after` and as `valid-before`.
const DATES: &[&str] = &[
    "20261121",
    "20261122",
    "20261121Z",
    "20261121z",
    "20261121UTC",
    "20261121utc",
    "20261121ZZ",
    "Z",
    "UTC",
    "",
    "202611211000",
    "202611210959",
    "202611211001Z",
    "20261121100000",
    "20261121100001",
    "20261121095959",
    "20261121100000Z",
    "20261121100001Z",
    "20261121095959UTC",
    "20261121095960",
    "20261121095961",
    "20261121095962",
    "20261121095960Z",
    "20261121240000",
    "20261121236000",
    "2026112110",
    "2026112110000",
    "202611211000000",
    "2026",
    "20261321",
    "20260021",
    "20261100",
    "20261132",
    "20260231",
    "20260229",
    "20261131",
    "20261031",
    "2026 121",
    "202611 1",
    "20261 21",
    "2026111 ",
    " 2261121",
    "  261121",
    "20261121  00",
    "202611211 0000",
    "20261121 9 9 9",
    "2026-11-21",
    "2026-11-21T10:00:00Z",
    "+2261121",
    "-2261121",
    "0x60000000",
    "1795255200",
    "20261121T",
    "now",
    "19691231",
    "19700101",
    "197001010000",
    "19700101000001",
    "19700102",
    "99991231",
    "00000101",
    "00010101",
    "2026112\u{661}",
    "20261121\t",
    "\t20261121",
];

#[test]
fn a104_every_option_means_what_it_means_to_ssh_keygen() {
    let Some(keys) = Keys::new(&["ed25519"]) else { return };
    let dates = DATES
        .iter()
        .flat_map(|date| [format!("valid-after=\"{date}\""), format!("namespaces=\"*\",VALID-BEFORE=\"{date}\"")]);
    let bare = DATES.iter().take(4).map(|date| format!("valid-after={date}"));
    let long = [1021, 1022, 1023, 1024, 5000].map(|n| format!("namespaces=\"*,{}\"", "x".repeat(n)));
    let many = format!("namespaces=\"{}tieline-bundle\"", "git,".repeat(20_000));
    let options = OPTIONS.iter().map(|one| (*one).to_owned()).chain(dates).chain(bare).chain(long).chain([many]);
    let accepted = options.filter(|options| keys.agree(keys.with(options).as_bytes(), &["a"])).count();
    assert!(accepted > 30, "the corpus has too few good lines: {accepted}");
}

#[test]
fn a104_every_line_means_what_it_means_to_ssh_keygen() {
    let Some(keys) = Keys::new(&["ed25519"]) else { return };
    let (mine, other) = (keys.mine.as_str(), keys.other.as_str());
    // What names whom.
    for (principals, tried) in [
        ("a", &["a", "b", "A"][..]),
        ("a,b", &["a", "b"]),
        ("a,,b", &["b"]),
        (",a", &["a"]),
        ("!a", &["a", "!a", "b"]),
        ("*,!*", &["a", "*"]),
        ("a,!a", &["a", "!a"]),
        ("a,!b", &["a"]),
        ("*,!b", &["*"]),
        ("*@acme.example", &["*@acme.example"]),
        ("\"a\"", &["a"]),
        ("\"a b\"", &["a b", "a"]),
        ("a\"b c\"", &["ab c"]),
        ("\"a", &["a"]),
        ("a\"", &["a"]),
        ("\"\"", &["a", "*"]),
        ("#a", &["a", "#a"]),
        ("a#b", &["a#b"]),
        ("\u{feff}a", &["\u{feff}a"]),
        ("\u{b}a", &["\u{b}a"]),
    ] {
        for options in ["", "namespaces=\"tieline-bundle\"", "namespaces=\"git\""] {
            keys.agree(format!("{principals} {options} {mine}\n").as_bytes(), tried);
        }
    }
    // How a line is put together. `a` is the principal.
    let (kind, blob) = mine.split_once(' ').unwrap();
    let line = |text: &str| text.replace("KEY", mine).replace("TYPE", kind).replace("BLOB", blob);
    for text in [
        "a KEY",
        "a KEY\n",
        "a KEY\r\n",
        "a KEY comment",
        "a KEY comment\r\n",
        "  a   KEY",
        "\ta\t\tTYPE\t \tBLOB\tc",
        "a KEY # namespaces=\"git\"",
        "a KEY KEY",
        "a KEY namespaces=\"git\"",
        "a TYPE",
        "a BLOB",
        "a",
        "",
        "#",
        "# a KEY",
        "\r\na KEY",
        "\ra KEY",
        "a\rKEY",
        "a \rKEY",
        "a TYPE\rBLOB",
        "a TYPE BLOB\rx",
        "a KEY\u{c}",
        "a\u{c}KEY",
        "a\u{a0}KEY",
        "a KEY\0 namespaces=\"git\"",
        "a\0 KEY",
        "a KEY=",
        "a KEY=x",
        "a TYPE TYPE BLOB",
        "a ssh-rsa BLOB",
        "a ssh-ed25519-cert-v01@openssh.com BLOB",
        "a SSH-ED25519 BLOB",
        "a ssh BLOB",
        "a x KEY",
        "a \"x\" KEY",
        "a \"\" KEY",
        "a b KEY",
        "a,b KEY",
        "a , KEY",
        "a namespaces=\"*\"",
        "a namespaces=\"*\" ",
        "a namespaces=\"*\"\tKEY",
        "a namespaces=\"*\"\rKEY",
        "a namespaces=\"*\"KEY",
        "a  namespaces=\"git\"  KEY",
        "a namespaces=\"*\"  KEY  c",
        "\"a\"KEY",
        "\"a\" KEY",
        "\"a\" namespaces=\"git\" KEY",
        "a \u{1b}[2J KEY",
        "\u{feff}# a KEY",
    ] {
        keys.agree(line(text).as_bytes(), &["a"]);
    }
    for cut in [1, 2, 3, 4, 10] {
        keys.agree(format!("a {}", &mine[..mine.len() - cut]).as_bytes(), &["a"]);
        keys.agree(format!("a {}{}", mine, "A".repeat(cut)).as_bytes(), &["a"]);
    }
    keys.agree(&[b"a ", mine.as_bytes(), b" \xff\xfe\n"].concat(), &["a"]);
    keys.agree(format!("a {mine} {}", "c".repeat(1 << 20)).as_bytes(), &["a"]);
    // Several lines. Whichever principal the file names may be meant.
    let good = format!("a {mine}\n");
    for first in [
        format!("a namespaces=\"git\" {mine}\n"),
        format!("b namespaces=\"git\" {mine}\n"),
        format!("a valid-before=\"20250101\" {mine}\n"),
        format!("a namespaces=\"*\",namespaces=\"*\" {mine}\n"),
        format!("a {other}\n"),
        "a\n".to_owned(),
        "garbage \"\n".to_owned(),
        "a namespaces=\"git\n".to_owned(),
        "\n\n# x\n\r\n".to_owned(),
        format!("!a {mine}\n"),
        "\0\n".to_owned(),
        format!("a {mine}\\\n"),
    ] {
        keys.agree(first.as_bytes(), &["a", "b"]);
        keys.agree(format!("{first}{good}").as_bytes(), &["a", "b"]);
        keys.agree(format!("{good}{first}").as_bytes(), &["a", "b"]);
        keys.agree(format!("{first}b namespaces=\"tieline-*\" {mine}").as_bytes(), &["a", "b"]);
    }
}

#[test]
fn a104_lines_put_together_at_random_mean_what_they_mean_to_ssh_keygen() {
    let Some(keys) = Keys::new(&["ed25519"]) else { return };
    // The same lines in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % n as u64).unwrap()
    };
    let pieces = [
        "namespaces=",
        "valid-after=",
        "valid-before=",
        "\"tieline-bundle\"",
        "\"*,!tie*\"",
        "\"git,*\"",
        "\"20260101\"",
        "\"20270101Z\"",
        "\"202611211000\"",
        ",",
        ",",
        ",",
        "cert-authority",
        "\\\"",
        "\"",
        " ",
        "x",
        "",
    ];
    let whole = [
        "namespaces=\"*\"",
        "namespaces=\"tieline-bundle\"",
        "valid-after=\"20260101\"",
        "valid-before=\"20270101Z\"",
        "valid-before=\"20260101Z\"",
        "namespaces=\"!git,tie*\"",
        "VALID-AFTER=\"202601010000\"",
    ];
    let mut accepted = 0;
    for round in 0..300 {
        let count = 1 + below(4);
        let options: Vec<&str> = match round % 2 {
            0 => (0..count).map(|_| whole[below(whole.len())]).collect(),
            _ => (0..count * 2).map(|_| pieces[below(pieces.len())]).collect(),
        };
        let options = options.join(if round % 2 == 0 { "," } else { "" });
        accepted += usize::from(keys.agree(keys.with(&options).as_bytes(), &["a"]));
    }
    assert!(accepted > 30, "too few good lines: {accepted}");
}

#[test]
fn a104_names_of_other_kinds_of_keys() {
    for (kind, names) in [
        (&["rsa", "-b", "2048"][..], &["ssh-rsa", "rsa-sha2-256", "rsa-sha2-512", "ssh-ed25519", "rsa"][..]),
        (&["ecdsa", "-b", "256"], &["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa"]),
    ] {
        let Some(keys) = Keys::new(kind) else { return };
        let blob = keys.mine.split_once(' ').unwrap().1;
        let accepted = names.iter().filter(|name| keys.agree(format!("a {name} {blob}").as_bytes(), &["a"])).count();
        assert!(accepted > 0, "{kind:?}");
    }
}

/// OpenSSH takes keys from 1024 bits on, which can be factored: ours are twice as long, and a shorter one is called short.
#[test]
fn e2_11_an_rsa_key_of_fewer_than_2048_bits_signs_nothing() {
    use ssh_key::public::{KeyData, RsaPublicKey};
    use ssh_key::{Algorithm, HashAlg, LineEnding, Mpint, PublicKey, Signature, SshSig};
    let verdict = |bytes: usize| {
        let n = Mpint::from_positive_bytes(&vec![0xff; bytes]).unwrap();
        let key = KeyData::Rsa(RsaPublicKey { e: Mpint::from_positive_bytes(&[1, 0, 1]).unwrap(), n });
        let signature = Signature::new(Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, vec![1; bytes]).unwrap();
        let signature = SshSig::new(key.clone(), "tieline-bundle", HashAlg::Sha512, signature).unwrap();
        let file = format!("a {}\n", PublicKey::from(key).to_openssh().unwrap());
        let signature = signature.to_pem(LineEnding::LF).unwrap();
        AllowedSigners::parse(file.as_bytes()).verify(signature.as_bytes(), MESSAGE, TIME.parse().unwrap()).unwrap_err()
    };
    for bytes in [64, 128, 255] {
        assert!(verdict(bytes).ends_with("is too short"), "{}", verdict(bytes));
    }
    assert_eq!(verdict(256), "the signature is of another manifest");
    // One that somebody has.
    let Some(keys) = Keys::new(&["rsa", "-b", "1024"]) else { return };
    let signature = fs::read(keys.at("message.sig")).unwrap();
    let file = format!("a {}\n", keys.mine);
    let error = AllowedSigners::parse(file.as_bytes()).verify(&signature, MESSAGE, TIME.parse().unwrap()).unwrap_err();
    assert!(error.ends_with("is too short"), "{error}");
}

/// The only lines that we read more strictly: certificates aren't read, so who stands for an authority can't sign.
#[test]
fn a104_a_certificate_authority_is_refused_even_where_it_may_sign_too() {
    let Some(keys) = Keys::new(&["ed25519"]) else { return };
    let signature = fs::read(keys.at("message.sig")).unwrap();
    let file = format!("a {}\n{}\n", keys.mine, keys.with("cert-authority"));
    let error = AllowedSigners::parse(file.as_bytes()).verify(&signature, MESSAGE, TIME.parse().unwrap()).unwrap_err();
    assert!(error.contains("is a certificate authority (line 2), and certificates are not supported"), "{error}");
    // It says nothing of other keys.
    let file = format!("a {}\nb cert-authority {}\n", keys.mine, keys.other);
    assert!(AllowedSigners::parse(file.as_bytes()).verify(&signature, MESSAGE, TIME.parse().unwrap()).is_ok());
}

/// A bundle of `quickstart` that a key signed.
fn signed() -> (Shell, PathBuf, String) {
    let shell = Shell::example("quickstart").with_demo_identity();
    let key = shell.everything().join("key");
    let mut command = shell.command("ssh-keygen");
    assert_eq!(feed(command.args(["-q", "-N", "", "-C", "me", "-t", "ed25519", "-f"]).arg(&key), "").code, 0);
    shell.ok(&["apply", "prod", "--yes", "--sign", key.to_str().unwrap()]);
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    (shell, key, public)
}

#[test]
fn e08_a_line_that_openssh_refuses_lets_nobody_sign() {
    if !there("ssh-keygen", Command::new("sh").args(["-c", "command -v ssh-keygen"])) {
        return;
    }
    let (shell, _, public) = signed();
    let path = shell.everything().join("allowed");
    let verify = |path: &Path| shell.run(&["verify", "prod", "--allowed-signers", path.to_str().unwrap()]);
    for (options, words) in [
        ("", ""),
        ("namespaces=\"*,!tieline-bundle\"", "may not sign bundles (line 1)"),
        ("namespaces=\"git\",namespaces=\"tieline-bundle\"", "line 1: an option stands twice"),
        ("valid-before=\"20200101\",valid-before=\"20990101\"", "line 1: an option stands twice"),
        ("namespaces=tieline-bundle", "line 1: a value needs quotes"),
        ("namespaces=\"git, tieline-bundle\"", "may not sign bundles (line 1)"),
        ("cert-authority", "certificates are not supported"),
    ] {
        fs::write(&path, format!("ops {options} {public}")).unwrap();
        let ended = verify(&path);
        assert_eq!(ended.code, if words.is_empty() { 0 } else { 5 }, "{options}: {ended:?}");
        assert!(ended.stderr.contains(words), "{options}: {ended:?}");
    }
    fs::write(&path, format!("ops,!ops {public}")).unwrap();
    let nobody = verify(&path);
    assert!(nobody.code == 5 && nobody.stderr.contains("has no principal (line 1)"), "{nobody:?}");
    fs::write(&path, [b"# \xff\nops ", public.as_bytes()].concat()).unwrap();
    assert_eq!(verify(&path).code, 0, "bytes that are not text in a comment");
    let absent = verify(Path::new("/nowhere"));
    assert!(absent.code == 64 && absent.stderr.contains("`/nowhere` is not there"), "{absent:?}");
}
