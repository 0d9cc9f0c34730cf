//! A file in the repository that is named like an environment.

use std::fs;
use std::process::Command;

use crate::peers::there;
use crate::shell::{Ended, Shell, feed};

fn quickstart() -> Shell {
    Shell::example("quickstart").with_demo_identity()
}

fn head(shell: &Shell) -> std::path::PathBuf {
    shell.folder.join("dist/environments/prod/head.json")
}

/// Runs a command in a terminal and answers its question.
fn on_a_terminal(shell: &Shell, line: &str, answer: &str) -> Ended {
    let mut command = shell.command("script");
    feed(command.args(["-qec", line, "/dev/null"]), answer)
}

#[test]
fn a108_a_file_that_is_named_like_an_environment_is_not_a_plan() {
    let shell = quickstart();
    // `staging` is gone, and a saved plan of prod stands where its name is typed.
    for name in ["staging", "staging.plan", "plans/staging"] {
        fs::create_dir_all(shell.folder.join("plans")).unwrap();
        shell.ok(&["plan", "prod", "--out", name]);
        for arguments in [&["apply", name, "--yes"][..], &["apply", name]] {
            let ended = shell.run(arguments);
            assert_eq!(ended.code, 64, "{ended:?}");
            assert!(ended.stderr.contains(&format!("there is no environment `{name}`")), "{ended:?}");
            let hint = ended.stderr.contains(&format!("`tieline apply --plan {name}`"));
            assert_eq!(hint, name != "staging", "a plan is mentioned where the name looks like a file's: {ended:?}");
        }
        assert!(!head(&shell).exists());
    }
    assert!(shell.run(&["apply", "prd"]).stderr.contains("did you mean `prod`?"));
    assert!(!shell.run(&["apply", "prd"]).stderr.contains("plan"));
}

#[test]
fn a108_a_plan_of_another_environment_than_the_one_that_was_named_is_refused() {
    let shell = quickstart();
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    let ended = shell.run(&["apply", "dev", "--plan", "x.plan", "--yes"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.stderr.contains("the plan `x.plan` is of `prod`, not of `dev`"), "{ended:?}");
    // A profile and what is exposed are environments of their own.
    let tenants = Shell::example("tenants").with_demo_identity();
    tenants.ok(&["plan", "prod", "--profile", "test", "--out", "x.plan"]);
    for arguments in
        [&["apply", "prod", "--plan", "x.plan"][..], &["apply", "prod", "--expose", "x", "--plan", "x.plan"]]
    {
        let ended = tenants.run(arguments);
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(ended.stderr.contains("is of `prod+test`, not of `prod"), "{ended:?}");
        assert!(ended.stderr.contains("`tieline apply prod --profile test --plan x.plan`"), "{ended:?}");
    }
    assert!(!shell.folder.join("dist").exists() && !tenants.folder.join("dist").exists());
}

#[test]
fn a108_without_a_name_the_environment_of_a_plan_is_named_and_asked() {
    let shell = quickstart();
    shell.ok(&["plan", "prod", "--out", "x.plan"]);
    let told = shell.run(&["apply", "--plan", "x.plan", "--yes"]);
    assert_eq!(told.code, 64, "{told:?}");
    assert!(told.stderr.contains("`--yes` needs the environment; the plan `x.plan` is of `prod`"), "{told:?}");
    let told = shell.run(&["apply", "--plan", "x.plan"]);
    assert_eq!(told.code, 64, "{told:?}");
    assert!(told.stderr.contains("`tieline apply prod --plan x.plan`"), "{told:?}");
    assert!(!head(&shell).exists());
    assert_eq!(shell.run(&["apply"]).code, 64);
    if !there("script", Command::new("script").arg("--version")) {
        return;
    }
    let line = format!("{} apply --plan x.plan", env!("CARGO_BIN_EXE_tieline"));
    let no = on_a_terminal(&shell, &line, "no\n");
    assert!(no.code == 1 && no.stdout.contains("Apply this to prod?") && !head(&shell).exists(), "{no:?}");
    let yes = on_a_terminal(&shell, &line, "yes\n");
    assert!(yes.code == 0 && head(&shell).exists(), "{yes:?}");
}

/// The command between backquotes in what `plan --out` says.
fn printed(ended: &Ended) -> String {
    let line = ended.stderr.lines().find(|line| line.starts_with("saved; ")).unwrap();
    line.split('`').nth(1).unwrap().to_owned()
}

#[test]
fn a108_the_command_that_plan_out_prints_works_as_it_is_printed() {
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_tieline")).parent().unwrap();
    let shell = Shell::example("tenants").with_demo_identity().with_path(bin);
    let above = shell.folder.parent().unwrap().to_owned();
    for (folder, options) in [
        (&shell.folder, &["prod", "--profile", "test", "--out", "a plan & more.json"][..]),
        (&shell.folder, &["prod-us", "--out", "x.plan", "--target", "two words"]),
        (&above, &["prod-us", "-C", "tenants", "--out", "y.plan"]),
    ] {
        let mut plan = shell.command("tieline");
        let planned = feed(plan.current_dir(folder).arg("plan").args(options), "");
        assert_eq!(planned.code, 0, "{planned:?}");
        let line = printed(&planned);
        let mut typed = shell.command("sh");
        let applied = feed(typed.current_dir(folder).args(["-c", &line]), "");
        assert!(applied.code == 0 && applied.stderr.contains("applied serial 1"), "{line}: {applied:?}");
    }
}
