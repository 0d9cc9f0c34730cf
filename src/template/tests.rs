//! What the expressions of a tree give, and what is told of them.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::value::Map;
use crate::yaml;

/// The secrets `A` and `B`; whether they are all.
struct Known(bool);

impl SecretNames for Known {
    fn has(&self, name: &str) -> bool {
        ["A", "B"].contains(&name)
    }

    fn complete(&self) -> bool {
        self.0
    }

    fn help(&self, name: &str) -> String {
        format!("set {name}")
    }
}

const VARS: &str = "\
host: db\nport: 5432\nratio: 0.5\nlive: true\nnothing: null\nlist: [a, b]\nmap: {x: {w: 1}}\nempty: {}\nname: dev2\n\
many: {a1: 1, b2: 1, c3: 1, d4: 1, e5: 1, f6: 1, g7: 1, h8: 1, i9: 1}\n";

fn vars(text: &str) -> Map {
    let mut sources = Sources::default();
    let file = sources.add("tieline.yaml", text.to_owned(), false);
    yaml::parse(file, text).0.unwrap().as_map().unwrap().clone()
}

/// A variable of one text.
fn long(length: usize) -> Map {
    vars(&format!("t: {}\nn: 1\n", "x".repeat(length)))
}

/// What a scalar behind `key` gives, as JSON; or what is told of it: `code (part): message; help`.
fn behind(key: &str, text: &str, scope: &Scope<'_>) -> String {
    let mut sources = Sources::default();
    let file = sources.add("connections/c.yaml", format!("{key}{text}\n"), false);
    let mut node = Node::new(Span::new(file, key.len()..key.len() + text.len()), Value::String(text.into()));
    let mut told = Vec::new();
    evaluate(&mut node, 1, scope, &sources, &mut told);
    let told: Vec<String> = told
        .iter()
        .map(|d| {
            let part = sources.slice(d.labels[0].span);
            format!("{} ({part}): {}; {}", d.code, d.message, d.help.as_deref().unwrap_or_default())
        })
        .collect();
    match &node.value {
        _ if !told.is_empty() => told.join("\n"),
        Value::Secret(reference) => format!("secret {}", reference.names.join(" ")),
        _ => serde_json::to_string(&engine::to_jinja(&node)).unwrap(),
    }
}

/// The same of a text behind `title: `.
fn gives(text: &str, vars: &Map) -> String {
    let environment = Scope::environment("dev", None, vars, &Known(true));
    behind("title: ", text, &environment.connection("c", "http"))
}

#[test]
fn e2_11_what_expressions_give() {
    let vars = vars(VARS);
    for (text, expected) in [
        ("${{ vars.host }}", r#""db""#),
        ("${{ vars.map }}", r#"{"x":{"w":1}}"#),
        ("${{ vars.map.x.w + 1 }}", "2"),
        ("${{ vars.ratio + 0 }}", "0.5"),
        ("${{ vars.port }}:${{ vars.live }}", r#""5432:true""#),
        ("$${{ a ${{ vars.host }}", r#""${{ a db""#),
        ("${{ env.name }}-${{ env.name ~ 2 }}", r#""dev-dev2""#),
        ("${{ connection.id ~ connection.connector }}", r#""chttp""#),
        ("${{ connection.id }}/${{ connection.connector }}", r#""c/http""#),
        ("${{ 'a-._~ /' | urlencode }}", r#""a-._~%20%2F""#),
        ("${{ vars.port * 2 }}", "10864"),
        ("${{ vars.ratio * 2 }}", "1.0"),
        ("${{ secrets.B ~ ':' ~ secrets.A ~ secrets.B }}", "secret B A"),
    ] {
        assert_eq!(gives(text, &vars), expected, "{text}");
    }
}

#[test]
fn e2_11_what_an_expression_can_not_name_is_told_once_with_its_place_and_a_help() {
    let vars = vars(VARS);
    let number = "multiply in an expression of its own: ${{ vars.size * 2 }}s";
    let whole = "write `secrets.NAME`, a name that can be seen without evaluating anything";
    for (text, expected) in [
        ("${{ vars.hots }}", "undefined-name (hots): `vars.hots` is not defined; did you mean `vars.host`?".to_owned()),
        (
            "${{ vars.many.zzzzzzzz }}",
            "undefined-name (zzzzzzzz): `vars.many.zzzzzzzz` is not defined; `vars.many` has `a1`, `b2`, `c3`, `d4`, `e5`, \
             `f6`, `g7`, `h8` and 1 more"
                .into(),
        ),
        (
            "${{ vars.empty.x }}",
            "undefined-name (x): `vars.empty.x` is not defined; define it: `vars: {x: …}` in tieline.yaml or an \
             environment.yaml"
                .into(),
        ),
        ("${{ host }}", "undefined-name (host): `host` is not defined; did you mean `vars.host`?".into()),
        ("${{ var.host }}", "undefined-name (var): `var` is not defined; did you mean `vars`?".into()),
        (
            "${{ zzzzzzzz }}",
            "undefined-name (zzzzzzzz): `zzzzzzzz` is not defined; names: `vars`, `secrets`, `env`, `connection`, \
             `customer`; text goes in quotes: 'zzzzzzzz'"
                .into(),
        ),
        ("${{ env }}", "undefined-name (env): `env` stands alone; `env` has `name`".into()),
        ("${{ env.nam.x }}", "undefined-name (nam): `env.nam` is not defined; `env` has `name`".into()),
        (
            "${{ connection.x }}",
            "undefined-name (x): `connection.x` is not defined; `connection` has `id`, `connector`".into(),
        ),
        (
            "${{ customer.name }}",
            "undefined-name (customer): `customer` is defined in the instances of customers only; this is one for all \
             customers: a connection has an instance for each with `scope: customer`"
                .into(),
        ),
        ("${{ secrets.C }}", "unknown-secret (C): no secret is named `C` here; set C".into()),
        ("${{ secrets }}", format!("secret-use (secrets): `secrets` stands without a name; {whole}")),
        ("${{ secrets.A.b }}", format!("secret-use (b): a secret is a string: it has no parts; {whole}")),
        (
            "${{ vars.map.x * 2 }}",
            format!("invalid-expression (vars.map.x): `*` multiplies numbers, and `vars.map.x` is none; {number}"),
        ),
        ("a ${{ b", "invalid-expression (${{): `${{` is never closed; close it with `}}`, or write `$${{` for the literal text".into()),
    ] {
        assert_eq!(gives(text, &vars), expected, "{text}");
    }
    // One cause, one diagnostic; two causes, two.
    assert_eq!(gives("${{ vars.hots + }} x", &vars).lines().count(), 1);
    assert_eq!(gives("${{ vars.hots ~ vars.prt }} ${{ env.x }}", &vars).lines().count(), 3);
    // An expression alone without a value, and where its syntax ends.
    for (text, part) in [
        ("${{ vars.nothing }}", " vars.nothing "),
        ("${{ vars.nothing }}x", " vars.nothing "),
        ("${{ vars.port + }}", "+"),
        ("${{ vars.port 1 }}", "1"),
        ("${{ }}", " "),
        ("x ${{ vars.host }} ${{ vars.host | int }}", "int"),
    ] {
        let told = gives(text, &vars);
        assert!(told.starts_with(&format!("invalid-expression ({part}):")), "{text}: {told}");
    }
    // Beside variables that are not all known, nothing is to blame; nor is a login quoted.
    let incomplete = Scope::environment("dev", Some("acme"), &vars, &Known(false));
    assert_eq!(behind("title: ", "${{ vars.nope }}", &incomplete), " (nope): ; ");
    assert_eq!(behind("title: ", "${{ customer.name ~ customer.name }}", &incomplete), r#""acmeacme""#);
    assert!(behind("title: ", "${{ connection.id }}", &incomplete).contains("not defined in a credential"));
    let hidden = behind("password: ", "${{ hunter2 }}", &incomplete);
    assert!(hidden.contains("no meaning in it") && !hidden.contains("`hunter2`"), "{hidden}");
    let hidden = behind("password: ", "${{ hunter2 hunter3 }} ${{ 1 2 }}", &incomplete);
    assert!(!hidden.contains("`hunter"), "{hidden}");
    assert!(behind("password: ", "${{ -secrets.A }}", &incomplete).contains("nothing can be computed of a secret"));
}

#[test]
fn e2_11_what_an_expression_reads_and_gives_has_at_most_64_kib() {
    let most = engine::MAX_OUTPUT;
    let over = |text: &str, vars: &Map| gives(text, vars).contains("64 KiB");
    for (text, limit) in [
        ("${{ vars.t ~ '' }}", most - 8),
        ("${{ vars.t ~ vars.n }}", most - 16),
        ("${{ vars['t'] }}", most - 16),
        ("${{ env.name ~ vars.t }}", most - 8),
    ] {
        // Counted before it is read: what is refused then has no other fault.
        let read = |vars: &Map| gives(text, vars).contains("the values in this expression take more than 64 KiB");
        assert!(!read(&long(limit)) && read(&long(limit + 1)), "{text}");
    }
    assert!(!over("${{ vars.t }}x", &long(most)) && over("${{ vars.t }}x", &long(most + 1)));
    assert!(!over("${{ vars.t }}", &long(most + 1)));
    let named = vars(&format!("name: {}\n", "x".repeat(most)));
    assert_eq!(gives("${{ env.name ~ 1 }}", &named), r#""dev1""#);
}

#[test]
fn e2_11_one_name_alone_costs_no_steps() {
    let vars = long(engine::MAX_OUTPUT);
    for (text, given) in [
        ("${{ env.name }}", true),
        ("${{ connection.id }}${{ connection.connector }}", true),
        ("${{ vars.t }}x", true),
        ("${{ vars.n }}", true),
        ("${{ env.name ~ 1 }}", false),
    ] {
        budget::begin();
        assert!(budget::spend(Cost::Steps, budget::limit(Cost::Steps)));
        assert_eq!(!gives(text, &vars).starts_with("invalid-expression"), given, "{text}");
    }
}

/// A list of scalars, evaluated below `around`: what each is then, a letter each, and what is told.
fn listed(scalars: &[&str], around: usize, vars: &Map) -> (String, Vec<String>) {
    let mut sources = Sources::default();
    let at = Span::file(sources.add("connections/c.yaml", "title: x\n".to_owned(), false));
    let items = scalars.iter().map(|text| Node::new(at, Value::String((*text).into()))).collect();
    let mut node = Node::new(at, Value::List(items));
    let mut told = Vec::new();
    evaluate(&mut node, around, &Scope::environment("dev", None, vars, &Known(true)), &sources, &mut told);
    let letter = |node: &Node| match &node.value {
        Value::Null => '-',
        Value::String(_) => 's',
        Value::Map(_) => 'm',
        _ => '?',
    };
    let letters = node.as_list().unwrap().iter().map(letter).collect();
    (letters, told.into_iter().map(|d| d.message).collect())
}

#[test]
fn e2_11_what_the_expressions_of_a_tree_give_has_bounds() {
    // A text counts for eight bytes more than it has.
    let half = MAX_BYTES / 2 - 8;
    let two = |more: usize| vars(&format!("a: {}\nb: {}\n", "x".repeat(half), "x".repeat(half + more)));
    let scalars = ["plain", "${{ vars.a }}", "${{ vars.b }}", "${{ env.name }}", "plain"];
    let (letters, told) = listed(&scalars[..3], 1, &two(0));
    assert_eq!((letters.as_str(), told.len()), ("sss", 0));
    let (letters, told) = listed(&scalars, 1, &two(1));
    assert_eq!((letters.as_str(), told.len()), ("sss-s", 1));
    assert!(told[0].contains("of this file give more than 4 MiB"));
    let (letters, told) = listed(&["${{ vars.a }}", "${{ vars.b }}", "$${{", "${{ env.name }}"], 1, &two(0));
    assert_eq!((letters.as_str(), told.len()), ("sss-", 1));
    // A text that is none is not counted.
    let plain = "x".repeat(MAX_BYTES);
    assert_eq!(listed(&[&plain, "${{ vars.a }}", "${{ env.name }}"], 1, &two(0)).0, "sss");
    // The texts and values of one scalar together.
    let one = vars("a: x\n");
    let text = format!("{}${{{{ vars.a }}}}", "x".repeat(MAX_BYTES - 1));
    assert!(!listed(&[&text], 1, &one).1[0].contains("this scalar"));
    let (letters, told) = listed(&[&format!("x{text}")], 1, &one);
    assert_eq!((letters.as_str(), told.len()), ("-", 1));
    assert!(told[0].contains("of this scalar give more than 4 MiB"));
}

#[test]
fn e2_11_what_an_expression_gives_is_no_deeper_than_what_is_written() {
    let vars = vars("deep: {a: {b: 1}}\n");
    let deep = |around: usize| listed(&["${{ vars.deep }}"], around, &vars);
    assert_eq!(deep(MAX_DEPTH - 3), ("m".to_owned(), Vec::new()));
    let (letters, told) = deep(MAX_DEPTH - 2);
    assert!(letters == "-" && told[0].contains("nested more than 64 deep"));
    // In a map the same.
    let mut sources = Sources::default();
    let text = "a: ${{ vars.deep }}\n${{ x }}: 1\n";
    let file = sources.add("connections/c.yaml", text.to_owned(), false);
    let root = yaml::parse(file, text).0.unwrap();
    for (around, messages) in [(MAX_DEPTH - 3, 1), (MAX_DEPTH - 2, 2)] {
        let mut told = Vec::new();
        let scope = Scope::environment("dev", None, &vars, &Known(true));
        evaluate(&mut root.clone(), around, &scope, &sources, &mut told);
        assert_eq!(told.len(), messages);
        assert!(told.iter().any(|d| d.message == "an expression can't stand in a key"));
    }
    // It counts as values of the run, the place that it takes aside.
    for (left, letters) in [(2, "m"), (1, "-")] {
        budget::begin();
        assert!(budget::spend(Cost::Values, budget::limit(Cost::Values) - left));
        assert_eq!(deep(1).0, letters);
    }
}

#[test]
fn e2_11_where_only_literals_may_stand_every_expression_is_told() {
    let mut sources = Sources::default();
    let text = "a: ${{ x }}\nb: [c, {'d ${{ y': 'e ${{'}]\nf: {g: 1}\n";
    let file = sources.add("tieline.yaml", text.to_owned(), false);
    let root = yaml::parse(file, text).0.unwrap();
    let mut told = Vec::new();
    forbid(&root, "an id", &mut told);
    let told: Vec<String> =
        told.iter().map(|d| format!("{}: {}", sources.slice(d.labels[0].span), d.message)).collect();
    let sentence = |part: &str, place: &str| format!("{part}: an expression can't stand in {place}");
    assert_eq!(told, [sentence("${{ x }}", "an id"), sentence("'d ${{ y'", "a key"), sentence("'e ${{'", "an id")]);
    let text = "a: ${{ vars.b.c ~ env.name }}\nd: [x, '${{ vars.b.c }} $${{ vars.e']\nf: {g: '${{ secrets.A'}\n";
    assert_eq!(names_in(&yaml::parse(file, text).0.unwrap()), ["env.name", "vars.b.c"]);
}

#[test]
fn e2_11_what_a_text_is_shows_without_evaluating_it() {
    for (text, expression, secret) in [
        ("plain", false, false),
        ("$${{ secrets.A }}", false, false),
        ("a ${{ secrets.A", false, false),
        ("${{ secrets.A }}", true, true),
        ("${{ secrets.a_1 }}", true, true),
        ("a ${{ vars.x }} ${{ 'y' ~ secrets.A }}", true, true),
        ("a ${{ vars.x }}", true, false),
        ("${{ vars.secrets }}", true, false),
        ("${{ 'secrets.A' }}", true, false),
        ("${{ secrets.' }}", false, false),
    ] {
        assert_eq!((is_expression(text), names_secret(text)), (expression, secret), "{text}");
    }
    assert_eq!(literals("a $${{ ${{ vars.x ~ 'b' ~ \"c'\" ~ 1 }}d"), ["a ", " ", "b", "c", "d"]);
    assert!(literals("a ${{ 'b'").is_empty());
    let vars = vars(VARS);
    let environment = Scope::environment("dev", None, &vars, &Known(true));
    let inputs =
        environment.inputs("a ${{ vars.port ~ vars.map.x ~ secrets.A }} ${{ vars.list[0] ~ env.name ~ vars.no }}");
    let inputs: Vec<String> = inputs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(inputs[..4], ["env.name=dev", "vars.list=[\"a\",\"b\"]", "vars.map.x={\"w\":1}", "vars.no=null"]);
    assert_eq!(inputs[4..], ["vars.port=5432"]);
}

#[test]
fn e2_11_a_scalar_over_secrets_is_opened_as_it_is_written() {
    let vars = vars(VARS);
    let environment = Scope::environment("dev", Some("acme"), &vars, &Known(true));
    let scope = environment.connection("c", "http");
    let opened = |template: &str, names: &[&str], value: &str| {
        let names = names.iter().map(|name| (*name).into()).collect();
        let reference = SecretRef { template: template.into(), names };
        let secret = |name: &str| (name == "A").then(|| Secret::new(value.to_owned()));
        reveal(&reference, &scope, &secret).map(|secret| secret.expose().clone())
    };
    for (template, value, expected) in [
        ("${{ secrets.A }}", "x", "x"),
        ("Bearer ${{ secrets.A }}", "x", "Bearer x"),
        ("$${{ ${{ secrets.A | upper }}", "x", "${{ X"),
        ("${{ secrets.A | int }}:", "5", "5:"),
        ("${{ env.name ~ vars.host ~ connection.id ~ customer.name ~ secrets.A }}", "x", "devdbcacmex"),
    ] {
        assert_eq!(opened(template, &["A"], value).as_deref(), Ok(expected), "{template}");
    }
    let (most, more) = ("x".repeat(engine::MAX_OUTPUT), "x".repeat(engine::MAX_OUTPUT + 1));
    assert_eq!(opened("${{ secrets.A }}", &["A"], &more).map(|text| text.len()), Ok(more.len()));
    assert_eq!(opened("a ${{ secrets.A }}", &["A"], &most).map(|text| text.len()), Ok(most.len() + 2));
    assert!(opened("a ${{ secrets.A }}", &["A"], &more).is_err_and(|why| why.contains("can only stand alone")));
    assert_eq!(opened("${{ secrets.B }}", &["B"], "x"), Err("the secret `B` has no value".into()));
    assert_eq!(opened("a ${{ secrets.B }}", &["B"], "x"), Err("the secret `B` has no value".into()));
    assert!(opened("a ${{ secrets.A | int }}", &["A"], "hunter2").is_err_and(|why| !why.contains("hunter2")));
}

#[test]
fn e2_11_a_filter_gives_its_very_most() {
    let most = engine::MAX_OUTPUT;
    let text = |length: usize| Jinja::from("x".repeat(length));
    // As much again as there is, looked at once.
    let context = engine::context([("text", text(most))]);
    assert!(engine::evaluate("text | replace('x', 'y')", &context).is_ok());
    // One byte over twice as much: that is not made.
    for (last, over) in [(2048, false), (2049, true)] {
        let items = (0..64).map(|at| text(if at == 63 { last } else { 2048 }));
        let context = engine::context([("list", Jinja::from_iter(items))]);
        let why = engine::evaluate("list | join", &context).err().unwrap().message;
        assert_eq!(why.contains("a filter gives"), over, "{why}");
    }
}
