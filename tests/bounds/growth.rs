//! Four times the input takes at most eight times the processor time, and never more than 512 MiB: what is quadratic takes
//! sixteen times.

use std::time::Duration;

use super::{each, run, run_within};
use crate::support::Folder;

const WHOLE: &str = "connector: http\nconfig: {base_url: 'https://x.example.com'}\nauth: {mode: none}\n";
/// A connector that takes any fields.
const OPEN: &str =
    r#"{"type": "object", "properties": {"config": {"type": "object"}, "auth": {"properties": {"mode": {}}}}}"#;

/// A kind of input that somebody found to take more than it should.
struct Case {
    name: &'static str,
    /// How much of it.
    n: usize,
    make: fn(Folder, usize) -> Folder,
    arguments: &'static [&'static str],
    /// What the run says: a test whose input is refused for another reason shows nothing.
    says: &'static str,
}

fn bare() -> Folder {
    Folder::bare().with("environments/dev/environment.yaml", "{}\n").with("connectors/open.json", OPEN)
}

/// A connection of the open connector whose `config` holds these lines.
fn open(config: &str) -> String {
    format!("connector: open\nconfig:\n{config}auth: {{mode: a}}\n")
}

/// A hundred connections, each to a host of its own.
fn a_hundred(folder: Folder) -> Folder {
    (0..100).fold(folder, |folder, i| {
        folder.with(&format!("connections/c{i}.yaml"), WHOLE.replace("x.example", &format!("x{i}.example")))
    })
}

const SETTINGS: &str = "tieline: 1\nid: 7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90\n";
const VALIDATE: &[&str] = &["validate"];

const CASES: &[Case] = &[
    Case {
        name: "a chain of `extends`",
        n: 300,
        make: |folder, n| {
            (0..n).fold(folder, |folder, i| {
                let text = if i == 0 { String::new() } else { format!("extends: e{}\n", i - 1) };
                folder.with(&format!("environments/e{i}/environment.yaml"), format!("{text}vars: {{v{i}: 1}}\n"))
            })
        },
        arguments: VALIDATE,
        says: "has more than 64 environments",
    },
    Case {
        name: "sealed fields in two layers",
        n: 4_000,
        make: |folder, n| {
            let sealed: String = (0..n).map(|i| format!("- config.params.a{i}\n")).collect();
            let mysql =
                "connector: mysql\nconfig: {host: h, database: d}\nauth: {mode: password, username: u, password: p}\n";
            folder
                .with("connections/a.yaml", format!("{mysql}sealed:\n{sealed}"))
                .with("environments/dev/connections/a.yaml", format!("sealed:\n{sealed}"))
        },
        arguments: VALIDATE,
        says: "`auth.password` is a secret",
    },
    Case {
        name: "undefined variables, each near to many",
        n: 25,
        make: |folder, n| {
            let vars = each(2000, |i| format!("  some_nam_{i}: x\n"));
            let uses = each(n, |i| format!("  p{i}: ${{{{ vars.some_name_{i} }}}}\n"));
            folder.with("tieline.yaml", format!("{SETTINGS}vars:\n{vars}")).with("connections/c.yaml", open(&uses))
        },
        arguments: VALIDATE,
        says: "`vars.some_name_1` is not defined",
    },
    Case {
        name: "a consumer with unknown uses",
        n: 60,
        make: |folder, n| {
            let folder = (0..500).fold(folder, |f, i| f.with(&format!("connections/some/conection{i}.yaml"), WHOLE));
            let uses = each(n, |i| format!("  - some/connection{i}\n"));
            folder.with("consumers/k.yaml", format!("kind: flow\nuses:\n{uses}"))
        },
        arguments: VALIDATE,
        says: "some/connection1",
    },
    Case {
        name: "unknown credentials",
        n: 100,
        make: |folder, n| {
            let folder = (0..300).fold(folder, |f, i| {
                f.with(&format!("credentials/some{i}.yaml"), "connector: http\nauth: {mode: none}\n")
            });
            (0..n).fold(folder, |folder, i| {
                let text =
                    format!("connector: http\nconfig: {{base_url: 'https://x{i}.example.com'}}\ncredential: soem{i}\n");
                folder.with(&format!("connections/c{i}.yaml"), text)
            })
        },
        arguments: VALIDATE,
        says: "there is no credential `soem",
    },
    Case {
        name: "environments with one connection",
        n: 500,
        make: |folder, n| {
            let folder = folder.with("connections/c.yaml", open("  a: ${{ vars.x }}\n"));
            (0..n).fold(folder, |folder, i| {
                folder.with(&format!("environments/e{i}/environment.yaml"), format!("vars: {{x: a{i}}}\n"))
            })
        },
        arguments: VALIDATE,
        says: "`vars.x` is not defined",
    },
    Case {
        name: "errors in one file",
        n: 1000,
        make: |folder, n| {
            folder.with("connections/c.yaml", format!("{WHOLE}{}", each(n, |i| format!("stray{i}: 1\n"))))
        },
        arguments: VALIDATE,
        says: "unknown key `stray1`",
    },
    Case {
        name: "unknown fields",
        n: 1500,
        make: |folder, n| {
            let fields = each(n, |i| format!("  unknown{i}: 1\n"));
            let text =
                format!("connector: http\nconfig:\n  base_url: https://x.example.com\n{fields}auth: {{mode: none}}\n");
            folder.with("connections/c.yaml", text)
        },
        arguments: VALIDATE,
        says: "unknown field `config.unknown1`",
    },
    Case {
        name: "bad expressions in one scalar",
        n: 5000,
        make: |folder, n| {
            folder.with("connections/c.yaml", format!("title: \"{}\"\n{WHOLE}", "${{ vars.nope }}".repeat(n)))
        },
        arguments: VALIDATE,
        says: "`vars.nope` is not defined",
    },
    Case {
        name: "good expressions in one scalar",
        n: 4000,
        make: |folder, n| {
            let folder = folder.with("tieline.yaml", format!("{SETTINGS}vars: {{a: b}}\n"));
            folder.with(
                "connections/c.yaml",
                open(&format!("  a: \"{}\"\n", "${{ vars.a }}${{ 'x' | upper }}".repeat(n))),
            )
        },
        arguments: VALIDATE,
        says: "no problems",
    },
    Case {
        name: "equal keys that are not ASCII",
        n: 1500,
        make: |folder, n| folder.with("connections/c.yaml", open(&each(n, |i| format!("  ü{i}: 1\n  ü{i}: 2\n")))),
        arguments: VALIDATE,
        says: "stands twice in this map",
    },
    Case {
        name: "one key again and again",
        n: 4000,
        make: |folder, n| folder.with("connections/c.yaml", open(&each(n, |_| "  ü: 1\n".to_owned()))),
        arguments: VALIDATE,
        says: "stands twice in this map",
    },
    Case {
        name: "`$remove`",
        n: 6000,
        make: |folder, n| {
            let list = each(n, |i| format!("    - a{i}\n"));
            let folder = folder.with("connections/c.yaml", open(&format!("  l:\n{list}")));
            folder.with(
                "environments/dev/connections/c.yaml",
                format!("config:\n  l:\n    $remove:\n{}", each(n, |i| format!("      - a{i}\n"))),
            )
        },
        arguments: VALIDATE,
        says: "no problems",
    },
    Case {
        name: "`x-merge-key`",
        n: 2000,
        make: |folder, n| {
            let schema = r#"{"type": "object", "properties": {"config": {"properties": {"l": {"type": "array", "x-merge-key": "n", "items": {"type": "object"}}}}, "auth": {"properties": {"mode": {}}}}}"#;
            let list = |v: usize| each(n, |i| format!("    - {{n: a{i}, v: {v}}}\n"));
            let folder = folder
                .with("connectors/open.json", schema)
                .with("connections/c.yaml", open(&format!("  l:\n{}", list(1))));
            folder.with("environments/dev/connections/c.yaml", format!("config:\n  l:\n{}", list(2)))
        },
        arguments: VALIDATE,
        says: "no problems",
    },
    Case {
        name: "expressions over as many variables",
        n: 3000,
        make: |folder, n| {
            let vars = each(n, |i| format!("  v{i}: x\n"));
            let uses = each(n, |i| format!("  p{i}: ${{{{ vars.v{i} }}}}\n"));
            folder.with("tieline.yaml", format!("{SETTINGS}vars:\n{vars}")).with("connections/c.yaml", open(&uses))
        },
        arguments: VALIDATE,
        says: "no problems",
    },
    Case {
        name: "`fmt` of keys",
        n: 3000,
        make: |folder, n| folder.with("connections/c.yaml", open(&each(n, |i| format!("    p{i}:   x\n")))),
        arguments: &["fmt"],
        says: "1 file",
    },
    Case {
        name: "`fmt` of comments",
        n: 10000,
        make: |folder, n| {
            folder.with("connections/c.yaml", open(&format!("    a:   1\n{}", each(n, |i| format!("    # {i}\n")))))
        },
        arguments: &["fmt"],
        says: "1 file",
    },
    Case {
        name: "`fmt` of maps within lists",
        n: 1000,
        make: |folder, n| {
            folder.with(
                "connections/c.yaml",
                open(&format!("    l:\n{}", each(n, |i| format!("         - a:   {i}\n           b: [ 1,2 ]\n")))),
            )
        },
        arguments: &["fmt"],
        says: "1 file",
    },
    Case {
        name: "policies over connections",
        n: 200,
        make: |folder, n| {
            let policies = each(n, |i| {
                format!(
                    "  - {{name: p{i}, when: \"connection.connector == 'http'\", require: \"connection.connector != 'x'\"}}\n"
                )
            });
            let folder = folder.with("tieline.yaml", format!("{SETTINGS}policy:\n{policies}"));
            a_hundred(folder)
        },
        arguments: VALIDATE,
        says: "no problems",
    },
    Case {
        name: "customers with 50 connections each: validate",
        n: 12,
        make: customers,
        arguments: VALIDATE,
        says: "no problems",
    },
    Case {
        name: "customers with 50 connections each: render",
        n: 10,
        make: customers,
        arguments: &["render", "dev"],
        says: "c49",
    },
    Case {
        name: "customers with 50 connections each: plan",
        n: 8,
        make: customers,
        arguments: &["plan", "dev", "--target", "../target"],
        says: "to create",
    },
    Case {
        name: "`graph` of consumers with 100 uses each",
        n: 60,
        make: |folder, n| {
            let folder = a_hundred(folder);
            let uses = each(100, |i| format!("  - c{i}\n"));
            (0..n).fold(folder, |f, i| f.with(&format!("consumers/k{i}.yaml"), format!("kind: flow\nuses:\n{uses}")))
        },
        arguments: &["graph"],
        says: "k59",
    },
    Case {
        name: "equal keys with a distant label each",
        n: 1500,
        make: |folder, n| {
            let lines = each(n, |i| format!("  k{i}: 1\n"));
            folder.with("connections/c.yaml", open(&format!("{lines}{lines}")))
        },
        arguments: VALIDATE,
        says: "stands twice in this map",
    },
    Case {
        name: "connections that name each other in a chain",
        n: 500,
        make: |folder, n| {
            let schema = r#"{"type": "object", "properties": {"config": {"properties": {"next": {"type": "string", "x-connection": ["link"]}}}, "auth": {"properties": {"mode": {}}}}}"#;
            (0..n).fold(folder.with("connectors/link.json", schema), |folder, i| {
                let text = format!("connector: link\nconfig: {{next: c{}}}\nauth: {{mode: a}}\n", (i + 1) % n);
                folder.with(&format!("connections/c{i}.yaml"), text)
            })
        },
        arguments: VALIDATE,
        says: "circle",
    },
];

fn customers(folder: Folder, n: usize) -> Folder {
    let listed = each(50, |i| format!("  - c{i}\n"));
    let folder = (0..50).fold(folder, |folder, i| {
        let text = format!(
            "connector: http\nscope: customer\nconfig: {{base_url: 'https://x{i}.example.com'}}\nauth: {{mode: none}}\n"
        );
        folder.with(&format!("connections/c{i}.yaml"), text)
    });
    (0..n).fold(folder, |f, i| {
        f.with(&format!("customers/k{i}/customer.yaml"), format!("description: K\nconnections:\n{listed}"))
    })
}

/// A hundred customers, with what is the same for all of them and with a value of each one's own: what instances share is in
/// memory once.
#[test]
fn e2_04_an_instance_takes_no_more_memory_than_what_is_its_own() {
    let none = customers(bare(), 0);
    let own = customers(bare(), 200).with("customers/k7/customer.yaml", "connections: []\n");
    for (folder, memory) in [(none, 24 << 10), (own, 64 << 10)] {
        for arguments in [&["plan", "dev", "--target", "../target"][..], &["render", "dev"]] {
            let cost = run_within(memory, &folder, 30, arguments);
            assert_eq!(cost.code, 0, "{arguments:?} {}", cost.stderr);
        }
    }
}

#[test]
fn e2_04_four_times_the_input_takes_at_most_eight_times_the_time() {
    let mut slow = String::new();
    let wanted = std::env::var("TIELINE_GROWTH").unwrap_or_default();
    for case in CASES.iter().filter(|case| case.name.contains(&wanted)) {
        let cost = |n| {
            let cost = run(&(case.make)(bare(), n), 60, case.arguments);
            let said = cost.stdout.contains(case.says) || cost.stderr.contains(case.says);
            let shown: String = cost.stdout.chars().chain(cost.stderr.chars()).take(2000).collect();
            assert!(said, "{} of {n}: `{}` is not in\n{shown}", case.name, case.says);
            cost
        };
        let (once, four) = (cost(case.n), cost(4 * case.n));
        let line = format!(
            "{}: {} {:.2?}, {} {:.2?}, printed {} and {} KiB\n",
            case.name,
            case.n,
            once.user,
            4 * case.n,
            four.user,
            once.printed() >> 10,
            four.printed() >> 10
        );
        eprint!("{line}");
        // A tenth of a second is what a run takes in any case.
        if four.user > 8 * once.user.max(Duration::from_millis(100)) {
            slow.push_str(&line);
        }
        assert!(four.printed() < 8 << 20, "{line}");
    }
    assert!(slow.is_empty(), "{slow}");
}
