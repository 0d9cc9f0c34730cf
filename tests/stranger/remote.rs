//! Stores and registries that answer without end, or send us elsewhere.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::shell::{Ended, Shell};
use tieline::bundle::Digest;

/// What a hostile server answers: status line and headers, then a body, which may have no end.
enum Answer {
    Text(String, Vec<u8>),
    Endless(String, Vec<u8>),
}

fn text(head: &str, body: impl Into<Vec<u8>>) -> Answer {
    Answer::Text(head.to_owned(), body.into())
}

/// A server that answers as a test says, to whoever asks.
struct Hostile {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
    /// Bytes of bodies that somebody took.
    sent: Arc<AtomicUsize>,
}

impl Hostile {
    /// `answer` is given the method, the path with its query, and how many requests there were before.
    fn start(answer: impl Fn(&str, &str, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::with_bodies(move |method, path, before, _| answer(method, path, before))
    }

    /// The same, with the body of the request.
    fn with_bodies(answer: impl Fn(&str, &str, usize, Vec<u8>) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (asked, sent) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (requests, bytes, answer) = (Arc::clone(&asked), Arc::clone(&sent), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (requests, bytes, answer) = (Arc::clone(&requests), Arc::clone(&bytes), Arc::clone(&answer));
                std::thread::spawn(move || while serve(&stream, &requests, &bytes, &*answer).is_some() {});
            }
        });
        Self { host, asked, sent }
    }

    fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

type Answering = dyn Fn(&str, &str, usize, Vec<u8>) -> Answer;

/// Answers one request; `None` where the connection is over.
fn serve(stream: &TcpStream, asked: &Mutex<Vec<String>>, sent: &AtomicUsize, answer: &Answering) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut header) = (0, String::new());
    while reader.read_line(&mut header).ok()? > 0 && !header.trim().is_empty() {
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        header.clear();
    }
    let mut taken = Vec::new();
    reader.take(length).read_to_end(&mut taken).ok()?;
    let before = {
        let mut asked = asked.lock().unwrap();
        asked.push(format!("{method} {path}"));
        asked.len() - 1
    };
    let mut stream = stream;
    match answer(&method, &path, before, taken) {
        Answer::Text(head, body) => {
            let mut whole = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
            if method != "HEAD" {
                whole.extend_from_slice(&body);
            }
            stream.write_all(&whole).ok()?;
            sent.fetch_add(body.len(), Ordering::Relaxed);
            Some(())
        }
        Answer::Endless(head, piece) => {
            write!(stream, "HTTP/1.1 {head}\r\nTransfer-Encoding: chunked\r\n\r\n").ok()?;
            loop {
                write!(stream, "{:x}\r\n", piece.len()).ok()?;
                stream.write_all(&piece).ok()?;
                stream.write_all(b"\r\n").ok()?;
                sent.fetch_add(piece.len(), Ordering::Relaxed);
            }
        }
    }
}

/// The quickstart, whose production lies in a bucket of this server.
fn in_a_bucket(server: &Hostile) -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    let settings = shell.read("environments/prod/environment.yaml");
    let target = "target: {kind: object-store, url: 's3://deployments/acme'}\n";
    shell.put("environments/prod/environment.yaml", &format!("{settings}{target}"));
    let shell = shell.with("AWS_ENDPOINT_URL", &server.url()).with("AWS_ALLOW_HTTP", "true");
    let shell = shell.with("AWS_ACCESS_KEY_ID", "testing").with("AWS_SECRET_ACCESS_KEY", "testing-canary-key");
    shell.with("AWS_DEFAULT_REGION", "us-east-1")
}

const ABSENT: &str = "404 Not Found\r\nContent-Type: application/xml";

fn absent() -> Answer {
    text(ABSENT, "<Error><Code>NoSuchKey</Code></Error>")
}

/// A page of a list that says that more follows.
fn page(number: usize) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\"?><ListBucketResult><Name>deployments</Name><KeyCount>0</KeyCount>\
         <IsTruncated>true</IsTruncated><NextContinuationToken>t{number}</NextContinuationToken></ListBucketResult>"
    );
    text("200 OK\r\nContent-Type: application/xml", body)
}

fn within(limit: Duration, run: impl FnOnce() -> Ended) -> Ended {
    let start = Instant::now();
    let ended = run();
    assert!(start.elapsed() < limit, "it took {:?}: {ended:?}", start.elapsed());
    ended
}

/// The quickstart deployed to a folder, as a bucket that holds the same would give it.
fn deployed() -> impl Fn(&str) -> Answer + Send + Sync + Clone {
    let shell = Shell::example("quickstart").with_demo_identity();
    shell.ok(&["apply", "prod", "--yes"]);
    let shell = Arc::new(shell);
    move |path| {
        let path = path.split('?').next().unwrap().strip_prefix("/deployments/acme/").unwrap_or("none");
        let head = "200 OK\r\nETag: \"x\"\r\nLast-Modified: Sat, 21 Nov 2026 10:00:00 GMT";
        std::fs::read(shell.folder.join("dist").join(path)).map_or_else(|_| absent(), |bytes| text(head, bytes))
    }
}

#[test]
fn e16_a_list_without_an_end_is_given_up() {
    let sound = deployed();
    let file = sound.clone();
    // Page after page.
    let pages = Hostile::start(move |_, path, before| match path.contains("list-type=") {
        true => page(before),
        false => file(path),
    });
    let shell = in_a_bucket(&pages);
    let ended = within(Duration::from_secs(50), || shell.run(&["gc", "prod", "--yes"]));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("the store's list does not end"), "{ended:?}");
    assert!(pages.asked().len() < 5_000);
    // One page that goes on.
    let body = Hostile::start(move |_, path, _| match path.contains("list-type=") {
        true => Answer::Endless("200 OK\r\nContent-Type: application/xml".to_owned(), vec![b' '; 64 << 10]),
        false => sound(path),
    });
    let shell = in_a_bucket(&body);
    let ended = within(Duration::from_secs(50), || shell.run(&["gc", "prod", "--yes"]));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("does not end"), "{ended:?}");
    // What is underway in buffers comes on top.
    assert!(body.sent.load(Ordering::Relaxed) < 48 << 20, "{} bytes were taken", body.sent.load(Ordering::Relaxed));
}

#[test]
fn e16_an_answer_without_an_end_is_given_up() {
    for status in ["200 OK", "404 Not Found", "403 Forbidden"] {
        let server =
            Hostile::start(move |_, _, _| Answer::Endless(format!("{status}\r\nETag: \"x\""), vec![b'x'; 64 << 10]));
        let shell = in_a_bucket(&server);
        for arguments in [&["status"][..], &["apply", "prod", "--yes"]] {
            let ended = within(Duration::from_secs(50), || shell.run(arguments));
            assert_ne!(ended.code, 0, "{status} {arguments:?}: {ended:?}");
        }
        assert!(server.sent.load(Ordering::Relaxed) < 200 << 20, "{status}");
    }
}

#[test]
fn a110_a_store_can_not_send_us_elsewhere() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let elsewhere = Hostile::start(|_, _, _| absent());
        let to = elsewhere.url();
        let server = Hostile::start(move |_, path, _| text(&format!("{status}\r\nLocation: {to}{path}"), ""));
        let shell = in_a_bucket(&server);
        for arguments in [&["apply", "prod", "--yes"][..], &["plan", "prod"], &["gc", "prod", "--yes"]] {
            let ended = shell.run(arguments);
            assert_eq!(ended.code, 1, "{arguments:?}: {ended:?}");
            assert!(ended.stderr.contains("a redirect, which is not followed"), "{arguments:?}: {ended:?}");
        }
        assert!(!server.asked().is_empty());
        assert_eq!(elsewhere.asked(), Vec::<String>::new(), "{status}");
    }
}

/// Every command that reads or writes a target.
const COMMANDS: &[&[&str]] = &[
    &["plan", "prod"],
    &["plan", "--all"],
    &["apply", "prod", "--yes"],
    &["status"],
    &["verify", "prod"],
    &["history", "prod"],
    &["rollback", "prod", "--yes"],
    &["gc", "prod", "--yes"],
    &["publish", "prod", "--registry", "127.0.0.1:1"],
    &["bundle", "export", "prod", "out.tgz"],
];

#[test]
fn a110_a_target_that_the_operator_does_not_allow_is_neither_read_nor_written() {
    let server = Hostile::start(|_, _, _| absent());
    let publish = "publish: {oci: '127.0.0.1:1/acme/prod'}\n";
    let bucket = in_a_bucket(&server);
    let folder = Shell::example("quickstart").with_demo_identity();
    for (shell, allowed, named) in
        [(&bucket, "s3://deployments-of-ours/*,dist", "s3://deployments/acme"), (&folder, "s3://deployments/*", "dist")]
    {
        let settings = shell.read("environments/prod/environment.yaml");
        shell.put("environments/prod/environment.yaml", &format!("{settings}{publish}"));
        let shell = shell.again().with("TIELINE_TARGETS_ALLOW", allowed);
        for arguments in COMMANDS {
            let ended = shell.run(arguments);
            assert_eq!(ended.code, 4, "{arguments:?}: {ended:?}");
            let told = format!("the operator does not allow the target `{named}`: TIELINE_TARGETS_ALLOW is");
            assert!(ended.stderr.contains(&told), "{arguments:?}: {ended:?}");
        }
        // No more does a target that is typed.
        let typed = shell.run(&["plan", "prod", "--target", "elsewhere"]);
        assert_eq!(typed.code, 4, "{typed:?}");
    }
    assert_eq!(server.asked(), Vec::<String>::new());
    assert!(!folder.folder.join("dist").exists());
    // What is allowed is as it was.
    let shell = folder.with("TIELINE_TARGETS_ALLOW", "s3://ours/* dist");
    shell.ok(&["apply", "prod", "--yes"]);
    shell.ok(&["status"]);
    let shell = bucket.with("TIELINE_TARGETS_ALLOW", "s3://deployments/*");
    assert!(shell.ok(&["plan", "prod"]).stdout.contains("nothing deployed at s3://deployments/acme yet"));
}

/// A registry in memory, which keeps what it is given; `hostile` answers first, if it does, and is given `METHOD PATH`.
fn registry(hostile: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> Hostile {
    let kept: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::default();
    Hostile::with_bodies(move |method, path, _, body| {
        if let Some(answer) = hostile(&format!("{method} {path}")) {
            return answer;
        }
        let mut kept = kept.lock().unwrap();
        let last = path.rsplit(['/', '=']).next().unwrap().to_owned();
        match method {
            "POST" => text("202 Accepted\r\nLocation: /v2/team/app/blobs/uploads/1", ""),
            "PUT" => {
                let digest = Digest::of(&body).as_str().to_owned();
                kept.insert(digest.clone(), body.clone());
                kept.insert(last, body);
                text(&format!("201 Created\r\nDocker-Content-Digest: {digest}\r\nLocation: /v2/"), "")
            }
            _ => match kept.get(&last) {
                Some(bytes) => {
                    let head = "200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json";
                    text(&format!("{head}\r\nDocker-Content-Digest: {}", Digest::of(bytes).as_str()), bytes.clone())
                }
                None if path == "/v2/" => text("200 OK", "{}"),
                None => text("404 Not Found", r#"{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]}"#),
            },
        }
    })
}

/// The quickstart, applied, to be published to this server with a login.
fn to_be_published(server: &Hostile) -> Shell {
    to_be_published_at(&server.host)
}

fn to_be_published_at(host: &str) -> Shell {
    let shell = Shell::example("quickstart").with_demo_identity();
    let settings = shell.read("environments/prod/environment.yaml");
    let publish = format!("publish: {{oci: '{host}/team/app'}}\n");
    shell.put("environments/prod/environment.yaml", &format!("{settings}{publish}"));
    shell.ok(&["apply", "prod", "--yes"]);
    shell.with("TIELINE_REGISTRY_USERNAME", "robot").with("TIELINE_REGISTRY_PASSWORD", "registry-canary")
}

/// What a registry says where it wants a login.
fn challenge(realm: &str) -> Answer {
    text(&format!("401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"{realm}\",service=\"x\""), "{}")
}

#[test]
fn a110_a_registry_can_not_send_us_elsewhere() {
    let publish = |server: &Hostile| to_be_published(server).run(&["publish", "prod", "--registry", &server.host]);
    // The one in memory is sound, as long as it is not hostile.
    let sound = publish(&registry(|_| None));
    assert_eq!(sound.code, 0, "{sound:?}");
    for (asked, status, told) in [
        ("GET /v2/team/app/manifests/", "307 Temporary Redirect", "a redirect, which is not followed"),
        ("POST /v2/team/app/blobs/", "308 Permanent Redirect", "a redirect, which is not followed"),
        ("PUT /v2/team/app/blobs/", "307 Temporary Redirect", "a redirect, which is not followed"),
        ("PUT /v2/team/app/manifests/", "301 Moved Permanently", "a redirect, which is not followed"),
        ("POST /v2/team/app/blobs/", "202 Accepted", "the upload to another host, which is not followed"),
    ] {
        let elsewhere = registry(|_| None);
        let to = format!("{}/v2/team/app/blobs/uploads/1", elsewhere.url());
        let server = registry(move |request| {
            request.starts_with(asked).then(|| text(&format!("{status}\r\nLocation: {to}"), ""))
        });
        let ended = publish(&server);
        assert_eq!(ended.code, 1, "{asked}: {ended:?}");
        assert!(ended.stderr.contains(told), "{asked}: {ended:?}");
        assert_eq!(elsewhere.asked(), Vec::<String>::new(), "{asked}");
    }
    // A token service on another port would be given the login.
    let elsewhere = Hostile::start(|_, _, _| text("200 OK", r#"{"token": "x"}"#));
    let to = format!("{}/token", elsewhere.url());
    let ended = publish(&registry(move |_| Some(challenge(&to))));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("sends the login to another host, which is not followed"), "{ended:?}");
    assert_eq!(elsewhere.asked(), Vec::<String>::new());
}

/// A registry is reached by way of the operator's proxy, which sees where to and not what.
#[test]
fn n09_a_registry_is_asked_through_the_proxy_of_the_environment() {
    let proxy = Hostile::start(|_, _, _| text("403 Forbidden", ""));
    let shell = to_be_published_at("registry.example.com").with("HTTPS_PROXY", &proxy.url());
    let ended = shell.run(&["publish", "prod", "--registry", "registry.example.com"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let asked = proxy.asked();
    assert!(!asked.is_empty(), "{ended:?}");
    assert!(asked.iter().all(|asked| asked == "CONNECT registry.example.com:443"), "{asked:?}");
}

/// Hosted registries keep blobs on another host: what they redirect to is not asked, and the rest is looked at.
#[test]
fn a110_blobs_that_are_kept_elsewhere_are_not_fetched() {
    for what in ["GET", "HEAD"] {
        let elsewhere = Hostile::start(|_, _, _| absent());
        let to = elsewhere.url();
        let server = registry(move |request| {
            let blob = request.split_once(" /v2/team/app/blobs/sha256:")?.0;
            let redirect = || text(&format!("307 Temporary Redirect\r\nLocation: {to}/blob"), "");
            (blob == "GET" || blob == what).then(redirect)
        });
        let shell = to_be_published(&server);
        shell.ok(&["publish", "prod", "--registry", &server.host]);
        assert_eq!(elsewhere.asked(), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn a110_the_registry_itself_may_ask_for_the_login() {
    let asked = Arc::new(Mutex::new(String::new()));
    let (first, token) = (AtomicUsize::new(0), Arc::clone(&asked));
    let host: Arc<Mutex<String>> = Arc::default();
    let own = Arc::clone(&host);
    let server = registry(move |request| {
        if request.starts_with("GET /token?") {
            request.clone_into(&mut token.lock().unwrap());
            return Some(text("200 OK", r#"{"access_token": "x"}"#));
        }
        (first.fetch_add(1, Ordering::Relaxed) == 0)
            .then(|| challenge(&format!("http://{}/token", own.lock().unwrap())))
    });
    server.host.clone_into(&mut host.lock().unwrap());
    to_be_published(&server).ok(&["publish", "prod", "--registry", &server.host]);
    assert_eq!(*asked.lock().unwrap(), "GET /token?service=x&scope=repository%3Ateam%2Fapp%3Apull%2Cpush");
}

#[test]
fn e16_a_registry_that_answers_without_an_end_is_given_up() {
    for (asked, status) in [
        ("GET /v2/team/app/manifests/prod", "200 OK"),
        ("GET /v2/team/app/manifests/prod", "401 Unauthorized"),
        ("GET /v2/team/app/manifests/sha256:", "200 OK"),
        ("GET /v2/team/app/blobs/", "200 OK"),
        ("PUT /v2/team/app/manifests/", "500 Internal Server Error"),
    ] {
        let server = registry(move |request| {
            let endless = || Answer::Endless(status.to_owned(), vec![b' '; 64 << 10]);
            request.starts_with(asked).then(endless)
        });
        let shell = to_be_published(&server);
        let ended = within(Duration::from_secs(50), || shell.run(&["publish", "prod", "--registry", &server.host]));
        assert_eq!(ended.code, 1, "{asked} {status}: {ended:?}");
        assert!(ended.stderr.contains("the answer has more than"), "{asked} {status}: {ended:?}");
        // Three tries, and what is underway in buffers.
        let sent = server.sent.load(Ordering::Relaxed);
        assert!(sent < 48 << 20, "{asked} {status}: {sent} bytes were taken");
    }
}
